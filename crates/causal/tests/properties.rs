//! Laws of the causal types, each shown on random values.

mod memory;

mod properties {
    pub(crate) mod arbitrary;
    mod bytes;
    mod clocks;
    pub(crate) mod merges;
    mod sets;
    mod strings;
}
