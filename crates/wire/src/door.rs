//! Which client protocol a new connection speaks.
//!
//! Not a negotiation: the first byte decides once and for the connection's life.
//!
//! 1. One byte is enough, so nothing has to be waited for or put back.
//! 2. No RESP request and no inline command of a known name begins with `{`.

/// A protocol of the client port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// RESP2 or RESP3, see [`crate::resp`].
    Resp,
    /// A JSON object per line, see [`crate::json`].
    JsonLines,
}

/// The protocol that a connection beginning with this byte speaks.
pub const fn door_of(first_byte: u8) -> Door {
    match first_byte {
        b'{' => Door::JsonLines,
        _ => Door::Resp,
    }
}

#[cfg(test)]
mod tests {
    use super::{Door, door_of};

    #[test]
    fn only_a_brace_opens_the_json_door() {
        let json: Vec<u8> = (0..=255).filter(|&byte| door_of(byte) == Door::JsonLines).collect();
        assert_eq!(json, b"{");
    }
}
