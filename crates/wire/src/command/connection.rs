//! The connection's own commands: their arguments read and checked.
//!
//! Not the connection: what there is to do is a [`Local`] that the server carries out.
//!
//! 1. While no password can be set, `AUTH` answers as a Redis without one.

use bytes::Bytes;
use causal::limits::DATABASES_MAX;

use super::local::{Clients, Library, Local};
use super::number;
use crate::fault::{Fault, quoted};
use crate::reply::Reply;
use crate::resp::Protocol;

/// The one user there is until there are more.
const USER: &[u8] = b"default";

/// `PING [message]`
pub(super) fn ping(args: &[Bytes]) -> Result<Reply, Fault> {
    match args {
        [_] => Ok(Reply::simple("PONG")),
        [_, message] => Ok(Reply::Bulk(message.clone())),
        _ => Err(Fault::argument_count("ping")),
    }
}

/// `ECHO message`
pub(super) fn echo(args: &[Bytes]) -> Result<Reply, Fault> {
    Ok(Reply::Bulk(args[1].clone()))
}

/// `AUTH [username] password`
pub(super) fn auth(args: &[Bytes]) -> Result<Reply, Fault> {
    match args {
        [_, _] => Err(Fault::AuthWithoutPassword),
        [_, user, _] => known(user).map(|()| Reply::ok()),
        _ => Err(Fault::Syntax),
    }
}

/// `HELLO [protover [AUTH username password] [SETNAME clientname]]`
pub(super) fn hello(args: &[Bytes]) -> Result<Local, Fault> {
    let Some((version, mut options)) = args[1..].split_first() else {
        return Ok(Local::Hello { protocol: None, name: None });
    };
    let protocol = match number::integer(version).map_err(|_| Fault::ProtocolVersionNotInteger)? {
        2 => Protocol::Resp2,
        3 => Protocol::Resp3,
        _ => return Err(Fault::ProtocolVersion),
    };
    let mut name = None;
    while let [option, rest @ ..] = options {
        options = match rest {
            [user, _, rest @ ..] if option.eq_ignore_ascii_case(b"auth") => {
                known(user)?;
                rest
            }
            [text, rest @ ..] if option.eq_ignore_ascii_case(b"setname") => {
                name = Some(listable(text, "Client names")?);
                rest
            }
            _ => return Err(Fault::HelloOption(quoted(option))),
        };
    }
    Ok(Local::Hello { protocol: Some(protocol), name })
}

/// `SELECT index`
pub(super) fn select(args: &[Bytes]) -> Result<Local, Fault> {
    let index = u8::try_from(number::integer(&args[1])?).map_err(|_| Fault::DatabaseIndex)?;
    if index < DATABASES_MAX { Ok(Local::Select(index)) } else { Err(Fault::DatabaseIndex) }
}

/// `RESET`
pub(super) fn reset(_: &[Bytes]) -> Result<Local, Fault> {
    Ok(Local::Reset)
}

/// `QUIT`
pub(super) fn quit(_: &[Bytes]) -> Result<Local, Fault> {
    Ok(Local::Quit)
}

/// `CLIENT ID`
pub(super) fn client_id(_: &[Bytes]) -> Result<Local, Fault> {
    Ok(Local::ClientId)
}

/// `CLIENT GETNAME`
pub(super) fn client_getname(_: &[Bytes]) -> Result<Local, Fault> {
    Ok(Local::ClientName)
}

/// `CLIENT SETNAME connection-name`
pub(super) fn client_setname(args: &[Bytes]) -> Result<Local, Fault> {
    listable(&args[2], "Client names").map(Local::ClientRename)
}

/// `CLIENT SETINFO <LIB-NAME libname | LIB-VER libver>`
pub(super) fn client_setinfo(args: &[Bytes]) -> Result<Local, Fault> {
    let attribute = match args[2].to_ascii_lowercase().as_slice() {
        b"lib-name" => Library::Name,
        b"lib-ver" => Library::Version,
        _ => return Err(Fault::UnknownOption(quoted(&args[2]))),
    };
    Ok(Local::ClientLibrary(attribute, listable(&args[3], &quoted(&args[2]))?))
}

/// `CLIENT INFO`
pub(super) fn client_info(_: &[Bytes]) -> Result<Local, Fault> {
    Ok(Local::ClientInfo)
}

/// `CLIENT LIST [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]`
pub(super) fn client_list(args: &[Bytes]) -> Result<Local, Fault> {
    let clients = match &args[2..] {
        [] => Clients::All,
        [option, kind] if option.eq_ignore_ascii_case(b"type") => clients_of(kind)?,
        [option, ids @ ..] if option.eq_ignore_ascii_case(b"id") && !ids.is_empty() => {
            Clients::Ids(ids.iter().map(client_number).collect::<Result<_, _>>()?)
        }
        _ => return Err(Fault::Syntax),
    };
    Ok(Local::ClientList(clients))
}

/// `CLIENT NO-EVICT <ON | OFF>` and `CLIENT NO-TOUCH <ON | OFF>`: no client is evicted and no key has an access time, so
/// both hold already.
pub(super) fn client_switch(args: &[Bytes]) -> Result<Reply, Fault> {
    let known = [b"on".as_slice(), b"off"].iter().any(|word| args[2].eq_ignore_ascii_case(word));
    if known { Ok(Reply::ok()) } else { Err(Fault::Syntax) }
}

fn known(user: &[u8]) -> Result<(), Fault> {
    if user == USER { Ok(()) } else { Err(Fault::WrongPassword) }
}

fn clients_of(kind: &[u8]) -> Result<Clients, Fault> {
    match kind.to_ascii_lowercase().as_slice() {
        b"normal" => Ok(Clients::Normal),
        b"master" | b"replica" | b"slave" | b"pubsub" => Ok(Clients::Nobody),
        _ => Err(Fault::ClientType(quoted(kind))),
    }
}

fn client_number(text: &Bytes) -> Result<u64, Fault> {
    number::integer(text)
        .ok()
        .and_then(|id| u64::try_from(id).ok())
        .filter(|&id| id > 0)
        .ok_or(Fault::ClientId)
}

/// Text that can stand in a line of `CLIENT LIST`.
fn listable(text: &Bytes, what: &str) -> Result<Bytes, Fault> {
    if text.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        Ok(text.clone())
    } else {
        Err(Fault::ClientText(what.into()))
    }
}
