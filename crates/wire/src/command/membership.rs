//! How nodes join: what they ask each other on the port of clients, before they can speak as peers.
//!
//! Not the joining: the server does that. 1. A member is read whole or not at all.

use bytes::Bytes;
use placement::{Duty, Member, NodeId};

use super::local::Local;
use crate::fault::Fault;

/// `ARMILLA.STATUS`
pub(super) fn status(_: &[Bytes]) -> Result<Local, Fault> {
    Ok(Local::Status)
}

/// `ARMILLA.JOIN name client-addr peer-addr weight zone [STORE | ROUTE]`
pub(super) fn join(args: &[Bytes]) -> Result<Local, Fault> {
    let duty = match args.get(6..).unwrap_or_default() {
        [] => Duty::Store,
        [word] if word.eq_ignore_ascii_case(b"store") => Duty::Store,
        [word] if word.eq_ignore_ascii_case(b"route") => Duty::Route,
        _ => return Err(Fault::Syntax),
    };
    let text = |at: usize| std::str::from_utf8(&args[at]).map_err(|_| Fault::Syntax);
    let name = text(1)?;
    Ok(Local::Join(Box::new(Member {
        id: NodeId::of_name(name),
        name: name.to_owned(),
        client_addr: text(2)?.to_owned(),
        peer_addr: text(3)?.to_owned(),
        weight: text(4)?.parse().map_err(|_| Fault::NotInteger)?,
        zone: text(5)?.parse().map_err(|_| Fault::Syntax)?,
        duty,
    })))
}

#[cfg(test)]
mod tests {
    use super::super::local::Local;
    use super::join;
    use bytes::Bytes;
    use placement::Duty;

    fn duty(words: &str) -> Option<Duty> {
        let words = format!("ARMILLA.JOIN a 10.0.0.1:7001 10.0.0.1:10001 1 dc1/rack1{words}");
        let args: Vec<Bytes> = words.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
        match join(&args) {
            Ok(Local::Join(member)) => Some(member.duty),
            _ => None,
        }
    }

    #[test]
    fn who_joins_says_what_it_is_there_for() {
        assert_eq!(duty(""), Some(Duty::Store));
        assert_eq!(duty(" store"), Some(Duty::Store));
        assert_eq!(duty(" ROUTE"), Some(Duty::Route));
        for wrong in [" leave", " lost", " gateway", " route route", " "] {
            assert_eq!(duty(wrong), None, "{wrong}");
        }
    }
}
