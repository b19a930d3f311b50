//! What a value is: dots, contexts, stamps, deltas and the causal map
