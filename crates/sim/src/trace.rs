//! The trace of a run: a hash over everything that happened, and the words of it, where somebody wants to have them. They
//! take a quarter of a run's time.

use std::fmt::Arguments;

/// What is kept of a run's trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// What came of the run is enough.
    Nothing,
    /// A hash, to tell whether two runs were the same.
    Hash,
    /// Every line.
    Words,
}

/// What happened so far.
#[derive(Debug)]
pub(crate) struct Trace {
    keeps: Keeps,
    hash: u64,
    lines: Vec<String>,
}

impl Trace {
    pub(crate) fn new(keeps: Keeps) -> Self {
        Self { keeps, hash: 0xcbf2_9ce4_8422_2325, lines: Vec::new() }
    }

    /// Adds a line at a virtual time.
    pub(crate) fn line(&mut self, at_us: u64, words: Arguments<'_>) {
        if self.keeps == Keeps::Nothing {
            return;
        }
        let line = format!("{:>10}.{:03} ms  {words}", at_us / 1000, at_us % 1000);
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        if self.keeps == Keeps::Words {
            self.lines.push(line);
        }
    }

    /// The hash of all lines (FNV-1a).
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The lines, if they were kept.
    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }
}
