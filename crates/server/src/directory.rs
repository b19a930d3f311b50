//! What a node keeps in its directory besides the shards' stores.
//!
//! ```text
//!   DIR/lock           held while a process serves from it
//!   DIR/armilla.toml   who lives here: format version, name, addresses, number of shards
//!   DIR/layout         the last layout, encoded
//!   DIR/begun          there once every shard's store was made: one that is missing later is lost
//!   DIR/removed        there once the node was told that it is no member any more
//!   DIR/left-<n>/      what it held then, once it is a member again
//!   DIR/shard-<i>/     the store of shard i; `shard-<i>.lost` while it may have forgotten something
//! ```
//!
//! 1. A file is replaced as a whole or not at all, and durably: written beside, synced, renamed, the directory synced.
//! 2. A node that differs from who lives here does not start.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use placement::Layout;
use serde::{Deserialize, Serialize};

use crate::config::{Config, is_unspecified};
use crate::error::StartError;

/// The version of the directory's form. 1 had contexts in rows of their own alone and early removals in one row a
/// partition: it would be read as if some of them were not there.
const FORMAT_VERSION: u32 = 2;
const IDENTITY_FILE: &str = "armilla.toml";
const LAYOUT_FILE: &str = "layout";
const BEGUN_FILE: &str = "begun";
const USURPED_FILE: &str = "usurped";
const REMOVED_FILE: &str = "removed";
const LOCK_FILE: &str = "lock";
/// What a node held that was removed from its cluster and is a member again.
const ASIDE_PREFIX: &str = "left-";
/// How often that may have happened.
const ASIDE_MAX: u32 = 1_000;
const SHARD_PREFIX: &str = "shard-";

/// Who lives in a directory.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct Identity {
    format_version: u32,
    id: String,
    client_addr: String,
    peer_addr: String,
    shards: usize,
    /// Of which cluster.
    #[serde(default)]
    cluster: Option<u64>,
}

/// A directory that this process, and no other, serves from.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    _lock: File,
    stored: Option<Identity>,
}

/// Whether the directory is that of a member of a cluster: a node starts there without being taken in by anybody.
pub fn is_of_member(dir: &Path) -> bool {
    dir.join(LAYOUT_FILE).exists()
}

impl Directory {
    /// Takes the directory, making it if it does not exist.
    ///
    /// # Errors
    /// Where it cannot be used, is in use, or belongs to another node.
    pub(crate) fn open(path: &Path) -> Result<Self, StartError> {
        let unusable = |error| StartError::Directory { dir: path.to_owned(), error };
        fs::create_dir_all(path).map_err(unusable)?;
        let lock =
            OpenOptions::new().create(true).append(true).open(path.join(LOCK_FILE)).map_err(unusable)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StartError::Locked(path.to_owned()),
            TryLockError::Error(error) => unusable(error),
        })?;
        let stored = match fs::read_to_string(path.join(IDENTITY_FILE)) {
            Ok(text) => Some(parse(path, &text)?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(unusable(error)),
        };
        Ok(Self { path: path.to_owned(), _lock: lock, stored })
    }

    /// How many shards a node of this configuration has here: as stored, as told, or one for every two cores.
    ///
    /// # Errors
    /// Where the node differs from who lives here.
    pub(crate) fn admit(&self, config: &Config) -> Result<usize, StartError> {
        let Some(stored) = &self.stored else {
            // Into how many its data is divided, and of which cluster it is, is written there.
            return if self.holds_data()? {
                let gone = io::Error::from(ErrorKind::NotFound);
                let reason = format!("{gone}, and there is data. Bring it back");
                Err(StartError::Stored { path: self.path.join(IDENTITY_FILE), reason })
            } else {
                Ok(config.shards.unwrap_or_else(shards_default))
            };
        };
        let wanted = identity(config, config.shards.unwrap_or(stored.shards));
        // Others were never told an address that leads nowhere, so it may change.
        let told = |addr| !is_unspecified(addr);
        let client_addr = Some(&stored.client_addr).filter(|addr| told(addr)).unwrap_or(&wanted.client_addr);
        let peer_addr = Some(&stored.peer_addr).filter(|addr| told(addr)).unwrap_or(&wanted.peer_addr);
        let differs = [
            ("id", &stored.id, &wanted.id),
            ("client address", client_addr, &wanted.client_addr),
            ("peer address", peer_addr, &wanted.peer_addr),
            ("number of shards", &stored.shards.to_string(), &wanted.shards.to_string()),
        ];
        match differs.into_iter().find(|(_, stored, wanted)| stored != wanted) {
            None => Ok(stored.shards),
            Some((what, stored, wanted)) => Err(StartError::Identity(format!(
                "the directory {} belongs to a node whose {what} is {stored}, not {wanted}: \
                 start it with {stored}, or give this node a directory of its own",
                self.path.display()
            ))),
        }
    }

    /// Writes down who lives here from now on.
    ///
    /// # Errors
    /// Where the directory cannot be written.
    pub(crate) fn settle(&self, config: &Config, shards: usize, cluster: u64) -> Result<(), StartError> {
        let identity = Identity { cluster: Some(cluster), ..identity(config, shards) };
        if self.stored.as_ref() == Some(&identity) {
            return Ok(());
        }
        let text = toml::to_string(&identity).map_err(|error| StartError::Directory {
            dir: self.path.clone(),
            error: io::Error::other(error),
        })?;
        self.replace(IDENTITY_FILE, text.as_bytes()).map_err(|error| self.unusable(error))
    }

    /// The cluster of who lives here, as far as that is written down.
    pub(crate) fn cluster(&self) -> Option<u64> {
        self.stored.as_ref()?.cluster
    }

    /// The layout that was kept here, if there is one.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(crate) fn layout(&self) -> Result<Option<Layout>, StartError> {
        let path = self.path.join(LAYOUT_FILE);
        match fs::read(&path) {
            Ok(bytes) => {
                let layout = Layout::decode(&bytes);
                layout.map(Some).map_err(|error| StartError::Stored { path, reason: error.to_string() })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.unusable(error)),
        }
    }

    /// Whether any shard has, or had, a store here.
    ///
    /// # Errors
    /// Where that cannot be told.
    pub(crate) fn holds_data(&self) -> Result<bool, StartError> {
        let mut names = fs::read_dir(&self.path).map_err(|error| self.unusable(error))?;
        let is_store = |entry: fs::DirEntry| {
            entry.path().is_dir() && entry.file_name().to_string_lossy().starts_with(SHARD_PREFIX)
        };
        Ok(self.has_begun() || names.any(|entry| entry.is_ok_and(is_store)))
    }

    /// Keeps a layout durably.
    ///
    /// # Errors
    /// Where the directory cannot be written.
    pub(crate) fn keep(&self, layout: &Layout) -> Result<(), StartError> {
        self.replace(LAYOUT_FILE, &layout.encode()).map_err(|error| self.unusable(error))
    }

    /// Whether the cluster that was founded here stands where a member of another one should be.
    pub(crate) fn is_usurped(&self) -> bool {
        self.path.join(USURPED_FILE).exists()
    }

    /// Notes that it does: nothing is served from here any more.
    ///
    /// # Errors
    /// Where the directory cannot be written.
    pub(crate) fn note_usurped(&self) -> Result<(), StartError> {
        self.replace(USURPED_FILE, b"").map_err(|error| self.unusable(error))
    }

    /// Whether the node was told that it is no member any more.
    pub(crate) fn is_removed(&self) -> bool {
        self.path.join(REMOVED_FILE).exists()
    }

    /// Notes that it was.
    ///
    /// # Errors
    /// Where the directory cannot be written.
    pub(crate) fn note_removed(&self) -> Result<(), StartError> {
        self.replace(REMOVED_FILE, b"").map_err(|error| self.unusable(error))
    }

    /// Puts aside all that the node held that is no member any more; gives where. The directory is as a new one then.
    ///
    /// # Errors
    /// Where the directory cannot be written.
    pub(crate) fn put_aside(&self) -> Result<PathBuf, StartError> {
        let mut numbers = 1..=ASIDE_MAX;
        let aside = numbers.find_map(|number| {
            let aside = self.path.join(format!("{ASIDE_PREFIX}{number}"));
            fs::create_dir(&aside).is_ok().then_some(aside)
        });
        let aside = aside.ok_or_else(|| self.unusable(ErrorKind::AlreadyExists.into()))?;
        self.note_removed()?;
        let move_all = || {
            for entry in fs::read_dir(&self.path)? {
                let entry = entry?;
                let name = entry.file_name();
                let stays = name == LOCK_FILE || name == REMOVED_FILE || name == IDENTITY_FILE;
                if !stays && !name.to_string_lossy().starts_with(ASIDE_PREFIX) {
                    fs::rename(entry.path(), aside.join(name))?;
                }
            }
            // The mark goes last: until then the next start goes on with this.
            match fs::remove_file(self.path.join(REMOVED_FILE)) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => File::open(&self.path)?.sync_all(),
            }
        };
        move_all().map_err(|error| self.unusable(error))?;
        Ok(aside)
    }

    /// Whether every shard's store was made.
    pub(crate) fn has_begun(&self) -> bool {
        self.path.join(BEGUN_FILE).exists()
    }

    /// Notes that every shard's store is made.
    ///
    /// # Errors
    /// Where the directory cannot be written.
    pub(crate) fn begin(&self) -> Result<(), StartError> {
        if self.has_begun() {
            return Ok(());
        }
        self.replace(BEGUN_FILE, b"").map_err(|error| self.unusable(error))
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let beside = self.path.join(format!("{name}.new"));
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, self.path.join(name))?;
        File::open(&self.path)?.sync_all()
    }

    fn unusable(&self, error: io::Error) -> StartError {
        StartError::Directory { dir: self.path.clone(), error }
    }
}

/// Half the cores. A shard's committer and its engine's workers take about as much as the shard itself, so that one
/// shard for each core has them all wait for one another.
fn shards_default() -> usize {
    (std::thread::available_parallelism().map_or(1, usize::from) / 2).max(1)
}

fn identity(config: &Config, shards: usize) -> Identity {
    Identity {
        format_version: FORMAT_VERSION,
        id: config.id.clone(),
        client_addr: config.announced(),
        peer_addr: config.announced_peer().unwrap_or_default(),
        shards,
        cluster: None,
    }
}

fn parse(path: &Path, text: &str) -> Result<Identity, StartError> {
    let unreadable = |reason: String| StartError::Stored { path: path.join(IDENTITY_FILE), reason };
    let identity: Identity = toml::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    if identity.format_version != FORMAT_VERSION || identity.shards == 0 {
        let version = identity.format_version;
        let advice = if version > FORMAT_VERSION {
            "upgrade it"
        } else {
            "it was made by an older one: start with an empty directory (`armilla dev --fresh`)"
        };
        return Err(unreadable(format!("format version {version} is not known to this release; {advice}")));
    }
    Ok(identity)
}

#[cfg(test)]
mod tests {
    use super::{FORMAT_VERSION, parse};
    use std::path::Path;

    fn refusal(version: u32) -> String {
        let text = format!(
            "format_version = {version}\nid = \"a\"\nclient_addr = \"127.0.0.1:1\"\npeer_addr = \"127.0.0.1:2\"\nshards = 1\n"
        );
        parse(Path::new("dir"), &text).map_or_else(|error| error.to_string(), |_| "taken".into())
    }

    #[test]
    fn another_format_is_refused_with_what_to_do() {
        assert_eq!(refusal(FORMAT_VERSION), "taken");
        assert!(refusal(FORMAT_VERSION + 1).contains("upgrade"));
        assert!(refusal(FORMAT_VERSION - 1).contains("empty directory"));
    }
}
