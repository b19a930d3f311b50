//! Numbers as Redis reads and writes them.
//!
//! Not arithmetic on keys: that is `counter`.
//!
//! 1. An integer has one spelling: what [`integer`] takes, `to_string` gives back.
//! 2. A decimal is exact or refused; it is never a binary fraction.

use std::str::FromStr;

use bytes::Bytes;
use rust_decimal::Decimal;

use crate::fault::Fault;

/// Longest text that is looked at as a decimal, in bytes. Redis's own buffer for one is 5 KiB; no sum needs that much.
const DECIMAL_BYTES_MAX: usize = 256;

/// Digits after the point that a decimal can hold.
const DECIMAL_SCALE_MAX: u32 = 28;

/// A signed 64-bit integer in its one spelling: no `+`, no leading zeros, no `-0`, no spaces.
///
/// # Errors
/// [`Fault::NotInteger`].
pub(super) fn integer(text: &[u8]) -> Result<i64, Fault> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let number = canonical.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten();
    number.ok_or(Fault::NotInteger)
}

/// A decimal: digits with or without a point and an exponent, as `strtold` takes them, without hexadecimal.
///
/// # Errors
/// [`Fault::NotFinite`] for an infinity; [`Fault::NotFloat`] for anything else that is not a number, and for numbers of
/// 7.9e28 and more, which Redis takes and a decimal of 96 bits cannot hold.
pub(super) fn decimal(text: &[u8]) -> Result<Decimal, Fault> {
    let unsigned = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    if unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity") {
        return Err(Fault::NotFinite);
    }
    let starts = matches!(unsigned, [b'0'..=b'9' | b'.', ..]) && text.len() <= DECIMAL_BYTES_MAX;
    let number = starts.then(|| scientific(std::str::from_utf8(text).ok()?)).flatten();
    number.ok_or(Fault::NotFloat)
}

/// Whether a decimal is written with digits and a point alone, few enough to be held exactly.
pub(super) fn is_plain(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let point = digits.iter().filter(|&&byte| byte == b'.').count();
    let plain = digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.'));
    plain && point < 2 && digits.len() <= DECIMAL_SCALE_MAX as usize
}

/// A decimal without trailing zeros.
pub(super) fn decimal_text(number: Decimal) -> Bytes {
    Bytes::from(number.normalize().to_string())
}

fn scientific(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let plain = |byte: u8| matches!(byte, b'0'..=b'9' | b'.' | b'+' | b'-');
    if !mantissa.bytes().all(plain) || !mantissa.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = Decimal::from_str(mantissa).ok()?;
    shifted(number, exponent.parse().ok()?)
}

/// The number times ten to the exponent; digits beyond the smallest place are rounded off.
fn shifted(number: Decimal, exponent: i32) -> Option<Decimal> {
    if number.is_zero() {
        return Some(Decimal::ZERO);
    }
    if exponent >= 0 {
        return (0..exponent).try_fold(number, |number, _| number.checked_mul(Decimal::TEN));
    }
    let places = exponent.unsigned_abs();
    if places > 2 * DECIMAL_SCALE_MAX {
        return Some(Decimal::ZERO);
    }
    (0..places).try_fold(number, |number, _| number.checked_div(Decimal::TEN))
}

#[cfg(test)]
mod tests {
    use super::{decimal, decimal_text, integer, is_plain};
    use crate::fault::Fault;

    #[test]
    fn an_integer_has_one_spelling() {
        for number in [0, 1, -1, 10, 907, i64::MAX, i64::MIN] {
            assert_eq!(integer(number.to_string().as_bytes()), Ok(number));
        }
        let refused = ["", "-", "+1", "01", "-0", "-01", "00", " 1", "1 ", "1.0", "1e3", "0x1", "١", "--1"];
        for text in refused.iter().chain(&["9223372036854775808", "-9223372036854775809"]) {
            assert_eq!(integer(text.as_bytes()), Err(Fault::NotInteger), "{text}");
        }
    }

    #[test]
    fn decimals_are_read_exactly_and_written_shortly() {
        let shown = |text: &str| decimal_text(decimal(text.as_bytes()).unwrap());
        for (text, expected) in [
            ("3.0e3", "3000"),
            ("10.50", "10.5"),
            ("-0", "0"),
            ("-0.0e5", "0"),
            (".5", "0.5"),
            ("5.", "5"),
            ("+1e-2", "0.01"),
            ("1E+2", "100"),
            ("-1e-28", "-0.0000000000000000000000000001"),
            ("1e-400", "0"),
            ("0e999999999", "0"),
            ("0.1000000000000000055511151231", "0.1000000000000000055511151231"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_decimal_is_refused_without_delay() {
        let long = "9".repeat(1000);
        for text in [
            "",
            ".",
            "e5",
            "1e",
            "1e1.5",
            "--1",
            "1-1",
            "1_0",
            " 1",
            "1 ",
            "nan",
            "0x10",
            "1e29",
            "1e999999999",
            &long,
        ] {
            assert_eq!(decimal(text.as_bytes()), Err(Fault::NotFloat), "{text}");
        }
        for text in ["inf", "-INF", "+Infinity"] {
            assert_eq!(decimal(text.as_bytes()), Err(Fault::NotFinite), "{text}");
        }
    }

    #[test]
    fn plain_is_digits_and_a_point() {
        assert!(["0", "-1.5", ".5", "5.", "0010"].iter().all(|text| is_plain(text.as_bytes())));
        assert!(
            ["1e3", "+1", "1.2.3", "12345678901234567890123456789"]
                .iter()
                .all(|text| !is_plain(text.as_bytes()))
        );
    }
}
