//! A conversation with one node that outlives its connection.
//!
//! Not a client that retries: a command whose connection broke is never sent again, because it may have happened.
//!
//! 1. What was chosen for the connection (database, level) is chosen again on the next one, before anything else is asked.
//! 2. An error here is about the connection. What the server says, errors included, is a reply.

use anyhow::{Context, bail};
use bytes::Bytes;
use wire::Reply;
use wire::command::{self, flag::Flag};

use crate::client::Client;

/// A node's address, what was chosen there, and a connection while there is one.
#[derive(Debug)]
pub(crate) struct Session {
    address: String,
    database: Option<Bytes>,
    level: Option<Vec<Bytes>>,
    client: Option<Client>,
}

impl Session {
    /// A session that connects when it is first asked.
    pub(crate) fn new(address: String, database: Option<u8>, level: Option<Vec<Bytes>>) -> Self {
        let database = database.map(|number| Bytes::from(number.to_string()));
        Self { address, database, level, client: None }
    }

    /// What stands before each line: the address and the database, if it is not the first.
    pub(crate) fn prompt(&self) -> String {
        let lost = if self.client.is_none() { " (not connected)" } else { "" };
        match self.database.as_deref().filter(|&number| number != b"0") {
            Some(number) => format!("{}[{}]{lost}> ", self.address, String::from_utf8_lossy(number)),
            None => format!("{}{lost}> ", self.address),
        }
    }

    /// Connects if there is no connection.
    ///
    /// # Errors
    /// Nobody answers there, or the node refuses the database or the level.
    pub(crate) fn connect(&mut self) -> anyhow::Result<&mut Client> {
        if self.client.is_none() {
            let mut client = Client::connect(&self.address)
                .with_context(|| format!("cannot connect to {}", self.address))?;
            for words in self.opening() {
                let reply = client.call(&words).with_context(|| self.broken(&words))?;
                if let Some(fault) = reply.fault() {
                    bail!("{}: {fault}", String::from_utf8_lossy(&words.join(&b' ')));
                }
            }
            self.client = Some(client);
        }
        Ok(self.client.as_mut().expect("it was connected above"))
    }

    /// Asks the node, connecting first if need be.
    ///
    /// # Errors
    /// There is no connection, or it broke before the answer came.
    pub(crate) fn ask(&mut self, words: &[Bytes]) -> anyhow::Result<Reply> {
        match self.connect()?.call(words) {
            Ok(reply) => {
                if reply.fault().is_none() {
                    self.remember(words);
                }
                Ok(reply)
            }
            Err(error) => {
                self.client = None;
                Err(error).with_context(|| self.broken(words))
            }
        }
    }

    fn opening(&self) -> Vec<Vec<Bytes>> {
        let level =
            self.level.iter().map(|words| [&[Bytes::from("ARMILLA.LEVEL")], words.as_slice()].concat());
        let database = self.database.iter().map(|number| vec![Bytes::from("SELECT"), number.clone()]);
        level.chain(database).collect()
    }

    /// Keeps what a command that succeeded has chosen for its connection.
    fn remember(&mut self, words: &[Bytes]) {
        let [name, rest @ ..] = words else { return };
        match (name.to_ascii_lowercase().as_slice(), rest) {
            (b"select", [number]) => self.database = Some(number.clone()),
            (b"armilla.level", [_, ..]) => self.level = Some(rest.to_vec()),
            (b"reset", _) => (self.database, self.level) = (None, None),
            (b"quit", _) => self.client = None,
            _ => {}
        }
    }

    fn broken(&self, words: &[Bytes]) -> String {
        let writes = command::resolve(words).map_or(true, |row| row.has(Flag::Write));
        let unknown = if writes { "; whether the command took effect is not known" } else { "" };
        format!("the connection to {} broke before an answer came{unknown}", self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::Session;
    use bytes::Bytes;

    fn words(text: &str) -> Vec<Bytes> {
        text.split(' ').map(|word| Bytes::from(word.to_owned())).collect()
    }

    #[test]
    fn what_was_chosen_is_chosen_again() {
        let mut session = Session::new("h:1".to_owned(), Some(3), None);
        assert_eq!(session.opening(), [words("SELECT 3")]);
        assert_eq!(session.prompt(), "h:1[3] (not connected)> ");
        session.remember(&words("select 0"));
        session.remember(&words("Armilla.Level 2 1"));
        session.remember(&words("ARMILLA.LEVEL"));
        assert_eq!(session.opening(), [words("ARMILLA.LEVEL 2 1"), words("SELECT 0")]);
        assert_eq!(session.prompt(), "h:1 (not connected)> ");
        session.remember(&words("RESET"));
        assert!(session.opening().is_empty());
    }

    #[test]
    fn only_what_may_have_happened_is_called_unknown() {
        let session = Session::new("h:1".to_owned(), None, None);
        assert!(!session.broken(&words("GET k")).contains("not known"));
        assert!(session.broken(&words("SET k v")).contains("not known"));
        assert!(session.broken(&words("SOMETHING new")).contains("not known"));
    }
}
