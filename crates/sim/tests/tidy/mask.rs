//! Rust text with comments and the insides of literals blanked out, every byte in its old place.
//!
//! It is not a lexer: it knows only what is needed to tell code from prose. Invariants:
//! 1. The masked text has the length and the line breaks of the original, so offsets and line numbers carry over.
//! 2. What remains is code: braces balance, and a word that is found was written as code.

/// The text with comments, strings and characters turned into spaces.
pub(crate) fn masked(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => line_end(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => block_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'\'' => char_end(bytes, at),
            b'r' if !in_word(bytes, at) => raw_end(bytes, at),
            _ => at,
        };
        if end == at {
            at += 1;
            continue;
        }
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8(out).expect("whole characters were blanked, so the rest is still UTF-8")
}

/// Whether the byte belongs to a word that began before it (`br"` and `cr"` begin a raw string all the same).
fn in_word(bytes: &[u8], at: usize) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let prefixed = at > 0 && matches!(bytes[at - 1], b'b' | b'c') && (at == 1 || !is_word(bytes[at - 2]));
    at > 0 && is_word(bytes[at - 1]) && !prefixed
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |found| at + found)
}

/// Block comments nest.
fn block_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], mut at: usize) -> usize {
    at += 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of a character, or `at` itself where the quote begins a lifetime.
fn char_end(bytes: &[u8], at: usize) -> usize {
    let Some(&first) = bytes.get(at + 1) else { return at };
    if first == b'\\' {
        let rest = bytes.get(at + 3..).unwrap_or_default();
        return rest.iter().position(|&byte| byte == b'\'').map_or(bytes.len(), |found| at + 4 + found);
    }
    let width = match first {
        0..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    };
    if bytes.get(at + 1 + width) == Some(&b'\'') { at + width + 2 } else { at }
}

/// The end of a raw string, or `at` itself where the `r` is just a letter.
fn raw_end(bytes: &[u8], at: usize) -> usize {
    let hashes = bytes[at + 1..].iter().take_while(|&&byte| byte == b'#').count();
    if bytes.get(at + 1 + hashes) != Some(&b'"') {
        return at;
    }
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = at + hashes + 2;
    let found = bytes[body..].windows(close.len()).position(|window| window == close);
    found.map_or(bytes.len(), |found| body + found + close.len())
}

#[test]
fn prose_is_blanked_and_code_stays() {
    let text =
        "let a = \"un{safe\"; // unwrap\nlet b = '{'; /* x /* y */ z */ let c: &'a str = r#\"}\"}\"#;\n";
    let mask = masked(text);
    assert_eq!(mask.len(), text.len());
    assert_eq!(mask.lines().count(), text.lines().count());
    let words: Vec<&str> = mask.split_whitespace().collect();
    assert_eq!(words, ["let", "a", "=", ";", "let", "b", "=", ";", "let", "c:", "&'a", "str", "=", ";"]);
}

#[test]
fn odd_literals_end_where_they_should() {
    for (text, code) in [
        (r"f('\'', x)", "f(,x)"),
        (r"f('\u{7d}', x)", "f(,x)"),
        ("f('é', x)", "f(,x)"),
        (r#"f("\"}", x)"#, "f(,x)"),
        ("f(br\"\\\", x)", "f(b,x)"),
        ("for x in bar", "forxinbar"),
        ("'outer: loop {}", "'outer:loop{}"),
    ] {
        assert_eq!(masked(text).replace(' ', ""), code, "{text}");
    }
}
