//! The runners of the golden scripts: they turn commands into calls and answers into text.

mod layout;
mod ring;

pub(crate) use layout::LayoutScript;
pub(crate) use ring::RingScript;
