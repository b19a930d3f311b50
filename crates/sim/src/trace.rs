//! The trace of a run: a hash over everything that happened, and the words of it where somebody wants to read them.

use std::fmt::Arguments;

/// What happened so far.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// An empty trace that keeps its words or only their hash.
    pub(crate) fn new(keeps_words: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, lines: keeps_words.then(Vec::new) }
    }

    /// Adds a line at a virtual time.
    pub(crate) fn line(&mut self, at_us: u64, words: Arguments<'_>) {
        let line = format!("{:>10}.{:03} ms  {words}", at_us / 1000, at_us % 1000);
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(line);
        }
    }

    /// The hash of all lines (FNV-1a).
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The lines, if they were kept.
    pub(crate) fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or(&[])
    }
}
