//! Replies for people at a terminal, in the form that they know from `redis-cli`.
//!
//! ```text
//! (integer) 1      "a\n"      (nil)      (error) ERR no      1) "a"        1# "key" => "value"
//!                                                            2) 1) "b"     2# "other" => (nil)
//! ```
//!
//! Not for programs: `raw` and `json` are.
//!
//! 1. Items of a nested series stand below each other, whatever the width of the numbers before them.

use std::fmt::Write;

use wire::Reply;

use super::double;

/// The text of a reply, without a newline at its end.
pub(super) fn show(reply: &Reply) -> String {
    let mut out = String::new();
    write(reply, 0, &mut out);
    out
}

/// Writes a reply whose first line begins at column `indent`.
fn write(reply: &Reply, indent: usize, out: &mut String) {
    match reply {
        Reply::Simple(text) => out.push_str(text),
        Reply::Integer(number) => out.push_str(&format!("(integer) {number}")),
        Reply::Bulk(bytes) => quote(bytes, out),
        Reply::Nil | Reply::NilArray => out.push_str("(nil)"),
        Reply::Double(number) => out.push_str(&format!("(double) {}", double(*number))),
        Reply::Boolean(value) => out.push_str(if *value { "(true)" } else { "(false)" }),
        Reply::Verbatim(text) => printable(text, out),
        Reply::Error(fault) => out.push_str(&format!("(error) {fault}")),
        Reply::Array(items) => series(items, ')', "array", indent, out),
        Reply::Set(items) => series(items, '~', "set", indent, out),
        Reply::Push(items) => series(items, '>', "push", indent, out),
        Reply::Map(pairs) => map(pairs, indent, out),
    }
}

fn series(items: &[Reply], mark: char, name: &str, indent: usize, out: &mut String) {
    if items.is_empty() {
        out.push_str(&format!("(empty {name})"));
    }
    for (index, item) in items.iter().enumerate() {
        let inner = number(index, items.len(), mark, indent, out);
        write(item, inner, out);
    }
}

fn map(pairs: &[(Reply, Reply)], indent: usize, out: &mut String) {
    if pairs.is_empty() {
        out.push_str("(empty hash)");
    }
    for (index, (key, value)) in pairs.iter().enumerate() {
        let inner = number(index, pairs.len(), '#', indent, out);
        write(key, inner, out);
        out.push_str(" => ");
        write(value, inner, out);
    }
}

/// Begins an item, on a line of its own unless it is the first, and returns the column at which it begins.
fn number(index: usize, count: usize, mark: char, indent: usize, out: &mut String) -> usize {
    let width = count.to_string().len();
    if index > 0 {
        out.push_str(&format!("\n{:indent$}", ""));
    }
    out.push_str(&format!("{:>width$}{mark} ", index + 1));
    indent + width + 2
}

/// Bytes between quotes, those that would not print as escapes that the prompt reads back.
fn quote(bytes: &[u8], out: &mut String) {
    out.push('"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend(['\\', char::from(byte)]),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x07 => out.push_str("\\a"),
            0x08 => out.push_str("\\b"),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => escape(byte, out),
        }
    }
    out.push('"');
}

/// Text with its line breaks, without the bytes that would move a terminal.
fn printable(text: &[u8], out: &mut String) {
    for letter in String::from_utf8_lossy(text).trim_end().chars() {
        match letter {
            '\n' => out.push('\n'),
            '\r' => {}
            '\t' => out.push('\t'),
            letter if letter.is_control() => out.extend(letter.escape_default()),
            letter => out.push(letter),
        }
    }
}

fn escape(byte: u8, out: &mut String) {
    // Writing to memory that grows cannot fail.
    let _ = write!(out, "\\x{byte:02x}");
}
