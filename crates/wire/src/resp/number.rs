//! The decimal numbers in RESP's headers.
//!
//! Not a general parser: as in Redis's `string2ll` there is no `+`, no leading zero and no space.
//!
//! 1. A header is judged by its first wrong byte, so one that is not yet complete is at most [`HEADER_BYTES_MAX`] long and
//!    reading it again from its start costs nothing.

/// Longest header after its type byte: a sign, nineteen digits, CR LF.
pub(super) const HEADER_BYTES_MAX: usize = 22;

/// Digits that can be added up without a check: one less than the digits of `i64::MAX`.
const DIGITS_SAFE: usize = 18;

/// What a header's bytes are so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// A number, and where the bytes after its CR LF begin.
    Number(i64, usize),
    /// So far it could become one.
    Partial,
    /// It can never be one.
    Wrong,
}

/// Reads the number that begins at `start`, up to and with its CR LF.
#[inline]
pub(super) fn header(bytes: &[u8], start: usize) -> Header {
    let mut at = start;
    let mut number: i64 = 0;
    while let Some(&byte) = bytes.get(at) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 || at - start >= DIGITS_SAFE {
            break;
        }
        number = number * 10 + i64::from(digit);
        at += 1;
    }
    let plain = at > start && (bytes[start] != b'0' || at == start + 1);
    match bytes.get(at..) {
        Some([b'\r', b'\n', ..]) if plain => Header::Number(number, at + 2),
        _ => unusual(bytes, start),
    }
}

/// What [`header`] leaves: negative, enormous, incomplete and wrong ones.
#[cold]
fn unusual(bytes: &[u8], start: usize) -> Header {
    let window = &bytes[start.min(bytes.len())..bytes.len().min(start + HEADER_BYTES_MAX)];
    let sign = usize::from(window.first() == Some(&b'-'));
    let digits = window[sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let end = sign + digits;
    let zero_first = digits > 0 && window[sign] == b'0' && (digits > 1 || sign == 1);
    if zero_first || (digits == 0 && window.len() > sign) {
        return Header::Wrong;
    }
    match &window[end..] {
        [b'\r', b'\n', ..] => match integer(&window[..end]) {
            Some(number) => Header::Number(number, start + end + 2),
            None => Header::Wrong,
        },
        [] | [b'\r'] if window.len() < HEADER_BYTES_MAX => Header::Partial,
        _ => Header::Wrong,
    }
}

/// A whole signed number, or nothing.
pub(super) fn integer(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A floating-point number as Redis 7.2 writes it: the shortest digits that read back the same, laid out plainly unless
/// that takes many zeros, else with an exponent (the layout of `fpconv_dtoa`, after Loitsch's Grisu2).
pub(super) fn shown(number: f64) -> String {
    if !number.is_finite() {
        return (if number.is_nan() {
            "nan"
        } else if number > 0.0 {
            "inf"
        } else {
            "-inf"
        })
        .into();
    }
    let scientific = format!("{number:e}");
    let (mantissa, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let power: i64 = power.parse().unwrap_or(0);
    // The number is its digits as an integer, times ten to `shift`.
    let shift = power + 1 - i64::try_from(digits).unwrap_or(0);
    let plain_integer = shift >= 0 && power.unsigned_abs() < digits as u64 + 7;
    let plain_fraction = shift < 0 && (shift > -7 || power.unsigned_abs() < 4);
    if plain_integer || plain_fraction {
        format!("{number}")
    } else {
        let sign = if power < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{}", power.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::{Header, header, shown};

    #[test]
    fn doubles_as_redis_writes_them() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (3.25, "3.25"),
            (-0.1, "-0.1"),
            (1e7, "10000000"),
            (1e8, "1e+8"),
            (123_456_789.0, "123456789"),
            (1e300, "1e+300"),
            (1.5e-10, "1.5e-10"),
            (0.000_012_5, "1.25e-5"),
            (0.000_125, "0.000125"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(shown(number), text);
        }
    }

    #[test]
    fn numbers_as_redis_reads_them() {
        for (text, expected) in [
            ("0\r\n", Header::Number(0, 3)),
            ("12\r\nrest", Header::Number(12, 4)),
            ("-1\r\n", Header::Number(-1, 4)),
            ("9223372036854775807\r\n", Header::Number(i64::MAX, 21)),
            ("-9223372036854775808\r\n", Header::Number(i64::MIN, 22)),
            ("9223372036854775808\r\n", Header::Wrong),
            ("", Header::Partial),
            ("-", Header::Partial),
            ("1", Header::Partial),
            ("1\r", Header::Partial),
            ("-9223372036854775808\r", Header::Partial),
            ("+1\r\n", Header::Wrong),
            ("01\r\n", Header::Wrong),
            ("00", Header::Wrong),
            ("-0\r\n", Header::Wrong),
            ("\r\n", Header::Wrong),
            ("-\r\n", Header::Wrong),
            ("1 \r\n", Header::Wrong),
            ("1\rx", Header::Wrong),
            ("1\n", Header::Wrong),
            ("11111111111111111111111", Header::Wrong),
        ] {
            assert_eq!(header(text.as_bytes(), 0), expected, "{text:?}");
        }
    }
}
