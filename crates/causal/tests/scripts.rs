//! The golden scripts of the causal map: a few replicas of one partition, by hand.
//!
//! An operation is named by its replica and number, `a1`; a replica that starts again becomes `a'`, then `a''`.
//!
//! | command | what it does |
//! |---|---|
//! | `a: put k v`, `a: del k`, `a: incr k 2`, `a: flush` | makes an operation at a and applies it there |
//! | `a: get k`, `a: siblings k` | what a reader sees |
//! | `send a1 b c` | gives the operation to b and c |
//! | `send a b` | gives everything made by a to b, in order |
//! | `exchange a b` | a takes b's whole state |
//! | `a: begin b`, `a: take k`, `a: finish`, `a: abandon` | the same in single steps |
//! | `a: mend k b` | a takes one cell of b's, as a read repair does |
//! | `a: restart` | a's process starts again on what is stored |
//! | `show` | rows, context and early of every replica |

mod memory;
mod partition;

use goldenscript::{Command, Context, Runner};
use partition::Partition;
use std::error::Error;
use std::path::Path;

struct Script(Partition);

impl Runner for Script {
    type Command = Command;

    fn run(&mut self, command: &Command, context: &Context) -> Result<String, Box<dyn Error>> {
        let mut arguments = command.consume_args();
        let mut words = Vec::new();
        while let Some(word) = arguments.next_pos() {
            words.push(word.to_string());
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match &context.prefix {
            Some(name) => self.0.at(name, &command.name, &words),
            None => self.0.among(&command.name, &words),
        }
    }
}

fn run(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts").join(name);
    goldenscript::run(&mut Script(Partition::default()), path).expect("the script runs");
}

macro_rules! scripts {
    ($($name:ident)*) => {
        $(#[test] fn $name() { run(stringify!($name)); })*

        #[test]
        fn every_script_is_run() {
            let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
            let there = std::fs::read_dir(dir).expect("the scripts").count();
            assert_eq!(there, [$(stringify!($name)),*].len());
        }
    };
}

scripts! { siblings deletes early sweeps counters exchange interrupted mended skew }
