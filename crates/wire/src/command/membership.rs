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

/// `ARMILLA.JOIN name client-addr peer-addr weight zone`
pub(super) fn join(args: &[Bytes]) -> Result<Local, Fault> {
    let text = |at: usize| std::str::from_utf8(&args[at]).map_err(|_| Fault::Syntax);
    let name = text(1)?;
    Ok(Local::Join(Box::new(Member {
        id: NodeId::of_name(name),
        name: name.to_owned(),
        client_addr: text(2)?.to_owned(),
        peer_addr: text(3)?.to_owned(),
        weight: text(4)?.parse().map_err(|_| Fault::NotInteger)?,
        zone: text(5)?.parse().map_err(|_| Fault::Syntax)?,
        duty: Duty::Store,
    })))
}
