//! The `armilla` binary.
fn main() {}
