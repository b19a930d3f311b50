//! Redis's patterns: `*`, `?`, `[abc]`, `[^a-z]` and `\` before a byte that means itself.
//!
//! Not Redis's code, whose time grows as a power of the number of stars: here only the last star is ever tried again, so a
//! match takes at most the product of both lengths.
//!
//! 1. Bytes are matched, not characters.
//! 2. A class that does not end goes on to the end of the pattern, as in Redis.

/// Whether all of the text matches the pattern.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    search(pattern, text, false)
}

/// The same, letters in any case, as names of settings and commands are matched.
pub fn matches_ignore_case(pattern: &[u8], text: &[u8]) -> bool {
    search(pattern, text, true)
}

/// Walks both at once. When they part, everything since the last star is tried again one byte further on: an earlier star
/// could take nothing that the last one cannot.
fn search(pattern: &[u8], text: &[u8], any_case: bool) -> bool {
    let (mut rest, mut from) = (pattern, 0);
    let mut star = None;
    loop {
        if let Some(after) = rest.strip_prefix(b"*") {
            star = Some((after, from));
            rest = after;
        } else if from == text.len() {
            return rest.is_empty();
        } else if let Some(after) = step(rest, text[from], any_case) {
            (rest, from) = (after, from + 1);
        } else if let Some((after, start)) = &mut star {
            *start += 1;
            (rest, from) = (*after, *start);
        } else {
            return false;
        }
    }
}

/// The pattern after its first element, if that is not a star and matches the byte.
fn step(pattern: &[u8], byte: u8, any_case: bool) -> Option<&[u8]> {
    let same = |element: u8| element == byte || any_case && element.eq_ignore_ascii_case(&byte);
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'[', class @ ..] => within(class, byte, any_case),
        [b'\\', element, rest @ ..] | [element, rest @ ..] => same(*element).then_some(rest),
        [] => None,
    }
}

/// The pattern after a class (its `[` is taken already), if the class holds the byte.
fn within(class: &[u8], byte: u8, any_case: bool) -> Option<&[u8]> {
    let fold = |byte: u8| if any_case { byte.to_ascii_lowercase() } else { byte };
    let byte = fold(byte);
    let (negated, mut class) = class.strip_prefix(b"^").map_or((false, class), |class| (true, class));
    let mut found = false;
    let rest = loop {
        match class {
            [] => break class,
            [b']', rest @ ..] => break rest,
            [b'\\', element, rest @ ..] => {
                found |= fold(*element) == byte;
                class = rest;
            }
            [low, b'-', high, rest @ ..] => {
                let (low, high) = (fold(*low.min(high)), fold(*low.max(high)));
                found |= (low..=high).contains(&byte);
                class = rest;
            }
            [element, rest @ ..] => {
                found |= fold(*element) == byte;
                class = rest;
            }
        }
    };
    (found != negated).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::{matches, matches_ignore_case};

    fn fits(pattern: &str, text: &str) -> bool {
        matches(pattern.as_bytes(), text.as_bytes())
    }

    #[test]
    fn the_examples_of_the_manual() {
        assert!(fits("h?llo", "hello") && fits("h?llo", "hallo") && !fits("h?llo", "hllo"));
        assert!(fits("h*llo", "hllo") && fits("h*llo", "heeeello") && !fits("h*llo", "hell"));
        assert!(fits("h[ae]llo", "hello") && fits("h[ae]llo", "hallo") && !fits("h[ae]llo", "hillo"));
        assert!(fits("h[^e]llo", "hallo") && !fits("h[^e]llo", "hello"));
        assert!(fits("h[a-b]llo", "hbllo") && fits("h[b-a]llo", "hallo") && !fits("h[a-b]llo", "hcllo"));
    }

    #[test]
    fn the_edges() {
        assert!(fits("", "") && !fits("", "a") && fits("*", "") && fits("**", "") && !fits("?", ""));
        assert!(fits(r"\*", "*") && !fits(r"\*", "a") && fits(r"a\", r"a\"));
        assert!(fits("[]", "") == fits("[^]", "") && !fits("[]a", "a") && fits("[^]", "a"));
        assert!(
            fits("[ab", "a") && fits("[", "") == fits("[]", "") && fits(r"[\]]", "]") && fits("[a-", "-")
        );
        assert!(fits("*ab*cd", "abxabcd") && !fits("*ab*cd", "abxcab"));
    }

    #[test]
    fn letters_in_any_case() {
        assert!(matches_ignore_case(b"MAX[A-M]*", b"maxmemory") && !matches(b"MAX*", b"maxmemory"));
    }

    /// Redis before 7.0.11 took minutes for this.
    #[test]
    fn many_stars_take_no_longer_than_the_product_of_lengths() {
        let pattern = "a*".repeat(500) + "b";
        assert!(!fits(&pattern, &"a".repeat(20_000)));
    }
}
