//! What a value is: dots, contexts, stamps, deltas, the causal map and the types that are views over its cells.

mod value;

pub use value::{Amount, Change, Value};
