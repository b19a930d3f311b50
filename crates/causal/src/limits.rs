//! Every limit of this crate, in one place for those who must keep within them. Each is told where it is kept.

pub use crate::cell::{DATABASES_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX};
pub use crate::dot::DOT_N_MAX;
pub use crate::stamp::STAMP_AHEAD_MS_MAX;
