//! `ARMILLA.RING`: how the cluster is to change, with members called by their names.
//!
//! Not the changing: the node has the register of the layout, and the layout says what may be made of it.
//!
//! 1. What is asked is read whole or not at all.

use bytes::Bytes;
use placement::{Copies, Zone};

use super::local::{Local, Ring};
use crate::fault::Fault;

/// `ARMILLA.RING PLAN JOIN name weight zone | [PLAN] LEAVE name | LOSE name [ACCEPT-DATA-LOSS] | SUCCEED old new | STAY name | WEIGH name weight |
/// LOCATE name zone | REPLICATE replicas|dc=replicas,... |
/// RECOVER ACCEPT-DATA-LOSS [OF epoch]`
pub(super) fn ring(args: &[Bytes]) -> Result<Local, Fault> {
    let (is_plan, rest) = match args[1..].split_first() {
        Some((first, rest)) if first.eq_ignore_ascii_case(b"plan") => (true, rest),
        _ => (false, &args[1..]),
    };
    let (rest, of) = match rest {
        [rest @ .., of, epoch] if of.eq_ignore_ascii_case(b"of") => (rest, Some(number(epoch)?)),
        rest => (rest, None),
    };
    let Some((verb, rest)) = rest.split_first() else { return Err(Fault::Syntax) };
    let change = match (verb.to_ascii_lowercase().as_slice(), rest) {
        (b"join", [name, weight, zone]) if is_plan => {
            Ring::Join { name: text(name)?, weight: number(weight)?, zone: zone_of(zone)? }
        }
        (b"leave", [name]) => Ring::Leave(text(name)?),
        (b"lose", [name]) => Ring::Lose { name: text(name)?, accepts_loss: false },
        (b"lose", [name, accepts]) if accepts.eq_ignore_ascii_case(b"accept-data-loss") => {
            Ring::Lose { name: text(name)?, accepts_loss: true }
        }
        (b"succeed", [old, new]) => Ring::Succeed { old: text(old)?, new: text(new)? },
        (b"stay", [name]) => Ring::Stay(text(name)?),
        (b"weigh", [name, weight]) => Ring::Weigh(text(name)?, number(weight)?),
        (b"locate", [name, zone]) => Ring::Locate(text(name)?, zone_of(zone)?),
        (b"replicate", [replicas]) => Ring::Replicate(copies(replicas)?),
        (b"recover", [accepts]) if accepts.eq_ignore_ascii_case(b"accept-data-loss") => Ring::Recover,
        _ => return Err(Fault::Syntax),
    };
    Ok(Local::Ring { change, is_plan, of })
}

fn text(word: &[u8]) -> Result<Box<str>, Fault> {
    std::str::from_utf8(word).map(Into::into).map_err(|_| Fault::Syntax)
}

fn number<T: std::str::FromStr>(word: &[u8]) -> Result<T, Fault> {
    std::str::from_utf8(word).ok().and_then(|word| word.parse().ok()).ok_or(Fault::NotInteger)
}

fn copies(word: &[u8]) -> Result<Copies, Fault> {
    let copies = std::str::from_utf8(word).map_err(|_| Fault::Syntax)?.parse::<Copies>();
    copies.map_err(|error| Fault::from_line(format!("ERR {error}").as_bytes()))
}

fn zone_of(word: &[u8]) -> Result<Zone, Fault> {
    let zone = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
    zone.ok_or_else(|| Fault::from_line(b"ERR a zone is written datacenter/rack"))
}

#[cfg(test)]
mod tests {
    use super::super::local::{Local, Ring};
    use super::ring;
    use bytes::Bytes;

    fn read(words: &str) -> Option<(Ring, bool, Option<u64>)> {
        let words = format!("ARMILLA.RING {words}");
        let args: Vec<Bytes> = words.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
        match ring(&args) {
            Ok(Local::Ring { change, is_plan, of }) => Some((change, is_plan, of)),
            _ => None,
        }
    }

    #[test]
    fn changes_are_read_whole_or_not_at_all() {
        assert_eq!(read("LEAVE a"), Some((Ring::Leave("a".into()), false, None)));
        assert_eq!(read("plan weigh a 3 of 7"), Some((Ring::Weigh("a".into(), 3), true, Some(7))));
        let lose = |accepts_loss| Ring::Lose { name: "a".into(), accepts_loss };
        assert_eq!(read("LOSE a"), Some((lose(false), false, None)));
        assert_eq!(read("LOSE a ACCEPT-DATA-LOSS"), Some((lose(true), false, None)));
        assert_eq!(
            read("SUCCEED a b"),
            Some((Ring::Succeed { old: "a".into(), new: "b".into() }, false, None))
        );
        assert_eq!(
            read("LOCATE a dc2/r1"),
            Some((Ring::Locate("a".into(), "dc2/r1".parse().unwrap()), false, None))
        );
        let copies = |text: &str| Some((Ring::Replicate(text.parse().unwrap()), false, None));
        assert_eq!(read("REPLICATE 5"), copies("5"));
        assert_eq!(read("RECOVER accept-data-loss"), Some((Ring::Recover, false, None)));
        assert_eq!(read("RECOVER"), None);
        assert_eq!(read("REPLICATE dc1=3,dc2=2"), copies("dc1=3,dc2=2"));
        let join = Ring::Join { name: "e".into(), weight: 2, zone: "dc/r".parse().unwrap() };
        assert_eq!(read("PLAN JOIN e 2 dc/r"), Some((join, true, None)));
        for wrong in [
            "JOIN e 2 dc/r",
            "PLAN",
            "LEAVE",
            "LEAVE a b",
            "WEIGH a x",
            "REPLICATE 300",
            "LOCATE a b",
            "OF 3",
            "LOSE a b",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
