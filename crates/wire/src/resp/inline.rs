//! Inline commands: requests typed by hand, one per line.
//!
//! Not a shell. The rules are those of Redis's `sdssplitargs`: words between blanks; within `"..."` the escapes `\n \r \t \b
//! \a \xHH` and `\` before anything else; within `'...'` only `\'`; a closing quote ends its word; a NUL ends the line.
//!
//! 1. The words are copied: a typed line is short, and its escapes would have to be copied anyway.

use bytes::Bytes;

use crate::fault::ProtocolFault;

/// Splits a line without its newline into words.
pub(super) fn split(line: &[u8]) -> Result<Vec<Bytes>, ProtocolFault> {
    let mut rest = line.split(|&byte| byte == 0).next().unwrap_or_default();
    let mut words = Vec::new();
    loop {
        rest = &rest[rest.iter().take_while(|&&byte| is_blank(byte)).count()..];
        if rest.is_empty() {
            return Ok(words);
        }
        let mut word = Vec::new();
        rest = take_word(rest, &mut word)?;
        words.push(Bytes::from(word));
    }
}

/// C's `isspace`, which counts the vertical tab and Rust's does not.
fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// Takes one word off a line and returns the rest. A quote may open in the middle of a word and always ends it.
fn take_word<'a>(line: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], ProtocolFault> {
    let mut rest = line;
    loop {
        match rest {
            [] => return Ok(rest),
            [b' ' | b'\n' | b'\r' | b'\t', after @ ..] => return Ok(after),
            [b'"', after @ ..] => return ended(take_double_quoted(after, word)?),
            [b'\'', after @ ..] => return ended(take_single_quoted(after, word)?),
            [byte, after @ ..] => {
                word.push(*byte);
                rest = after;
            }
        }
    }
}

/// Insists on a blank or the line's end after a closing quote.
fn ended(rest: &[u8]) -> Result<&[u8], ProtocolFault> {
    match rest.first() {
        Some(&byte) if !is_blank(byte) => Err(ProtocolFault::InlineQuotes),
        _ => Ok(rest),
    }
}

fn take_double_quoted<'a>(line: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], ProtocolFault> {
    let mut rest = line;
    loop {
        let (byte, after) = match rest {
            [b'"', after @ ..] => return Ok(after),
            [b'\\', b'x', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (nibble(*high) << 4 | nibble(*low), after)
            }
            [b'\\', escaped, after @ ..] => (unescaped(*escaped), after),
            [byte, after @ ..] => (*byte, after),
            [] => return Err(ProtocolFault::InlineQuotes),
        };
        word.push(byte);
        rest = after;
    }
}

fn take_single_quoted<'a>(line: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], ProtocolFault> {
    let mut rest = line;
    loop {
        let (byte, after) = match rest {
            [b'\'', after @ ..] => return Ok(after),
            [b'\\', b'\'', after @ ..] => (b'\'', after),
            [byte, after @ ..] => (*byte, after),
            [] => return Err(ProtocolFault::InlineQuotes),
        };
        word.push(byte);
        rest = after;
    }
}

fn unescaped(letter: u8) -> u8 {
    match letter {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

/// The value of a byte that is known to be a hexadecimal digit.
fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}
