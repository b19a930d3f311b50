//! Replies as text: for people, for pipes, or as JSON.
//!
//! Not where they go: a line is returned and somebody else prints it.
//!
//! 1. Every reply has a text in every style, and it does not end with a newline.
//! 2. The human style never sends a control byte to a terminal; the raw style sends every byte as it is.

mod human;
mod json;
mod raw;

#[cfg(test)]
mod tests;

use wire::Reply;

/// How replies are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// With types, numbered items and quoted strings.
    Human,
    /// The bytes alone, an item a line.
    Raw,
    /// One JSON value.
    Json,
}

impl Style {
    /// The text of a reply.
    pub(crate) fn show(self, reply: &Reply) -> Vec<u8> {
        match self {
            Self::Human => human::show(reply).into_bytes(),
            Self::Raw => raw::show(reply),
            Self::Json => json::show(reply).into_bytes(),
        }
    }
}

/// A floating-point number as Redis writes it.
fn double(number: f64) -> String {
    if number.is_nan() { "nan".to_owned() } else { number.to_string() }
}
