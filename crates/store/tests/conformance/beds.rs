//! Where an engine under test lives: how it is made, and how it dies.

use store::{Engine, Memory};

/// An engine that can be crashed.
pub(crate) trait Bed: Sized {
    /// The engine on it.
    type Engine: Engine;

    /// An empty engine. The name tells directories apart.
    fn new(name: &str) -> Self;

    /// The engine.
    fn engine(&self) -> &Self::Engine;

    /// The process dies without closing anything, and the engine is opened again.
    fn crash(&mut self);

    /// The process dies, and the disk has lost some of what was synced last; the engine is opened again.
    fn lose(&mut self);

    /// Synced commits that the engine says are missing.
    fn commits_lost(&self) -> u64;

    /// The process dies, bits flip in every row, and the engine is opened again.
    fn damage(&mut self);
}

/// Memory loses whatever was not synced.
pub(crate) struct MemoryBed(Memory);

impl Bed for MemoryBed {
    type Engine = Memory;

    fn new(_: &str) -> Self {
        Self(Memory::new())
    }

    fn engine(&self) -> &Memory {
        &self.0
    }

    fn crash(&mut self) {
        self.0.crash(0);
    }

    fn lose(&mut self) {
        self.0.crash(0);
        self.0.lose(2);
    }

    fn commits_lost(&self) -> u64 {
        self.0.commits_lost()
    }

    fn damage(&mut self) {
        self.0.crash(0);
        for place in 0..self.0.len() {
            self.0.damage(&self.0.row_at(place).unwrap());
        }
    }
}

#[cfg(feature = "lsm")]
pub(crate) use lsm::LsmBed;

#[cfg(feature = "lsm")]
mod lsm {
    //! The LSM engine in a directory of its own.

    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};
    use std::time::SystemTime;

    use store::{Batch, Engine, Lsm, LsmOptions};

    use super::Bed;

    type Files = BTreeMap<PathBuf, (Option<u64>, SystemTime)>;

    /// A crash takes the files as the operating system has them at that moment, which is what a killed process
    /// leaves: dropping the engine instead would sync its journal.
    pub(crate) struct LsmBed {
        dir: PathBuf,
        crashes: u32,
        engine: Option<Lsm>,
    }

    impl LsmBed {
        fn open(&mut self) {
            self.engine = Some(Lsm::open(self.life(), LsmOptions::default()).unwrap());
        }

        fn life(&self) -> PathBuf {
            self.dir.join(self.crashes.to_string())
        }
    }

    impl Bed for LsmBed {
        type Engine = Lsm;

        fn new(name: &str) -> Self {
            static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
            let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let name = format!("armilla-conformance-{}-{count}-{name}", std::process::id());
            let mut bed = Self { dir: std::env::temp_dir().join(name), crashes: 0, engine: None };
            bed.open();
            bed
        }

        fn engine(&self) -> &Lsm {
            self.engine.as_ref().expect("open between crashes")
        }

        fn crash(&mut self) {
            let before = self.life();
            self.crashes += 1;
            copy(&before, &self.life());
            self.engine = None;
            std::fs::remove_dir_all(before).unwrap();
            self.open();
        }

        /// A byte flips in the middle of the journal: what comes after it is taken for a write that was cut off.
        fn lose(&mut self) {
            self.crash();
            self.engine = None;
            let journal = self.life().join("rows/0.jnl");
            let mut bytes = std::fs::read(&journal).unwrap();
            let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
            bytes[written / 2] ^= 1;
            std::fs::write(journal, bytes).unwrap();
            self.open();
        }

        fn commits_lost(&self) -> u64 {
            self.engine().figures().unwrap().commits_lost
        }

        /// Rows that were just written are in the journal, where damage is a loss: they are brought into a table first.
        fn damage(&mut self) {
            let engine = self.engine.take().unwrap();
            self.crashes += 1;
            self.open();
            engine.checkpoint(self.engine()).unwrap();
            // Its own row is in the same block, and is needed to open it: now a newer one is in the journal.
            self.engine().commit(&Batch::new()).unwrap();
            self.engine = None;
            let tables = self.life().join("rows/keyspaces/1/tables");
            let table = std::fs::read_dir(tables).unwrap().map(|table| table.unwrap().path()).next().unwrap();
            let mut bytes = std::fs::read(&table).unwrap();
            // The block of the rows is the first, behind its head.
            bytes[60..100].iter_mut().for_each(|byte| *byte ^= 0x10);
            std::fs::write(table, bytes).unwrap();
            self.open();
        }
    }

    impl Drop for LsmBed {
        fn drop(&mut self) {
            self.engine = None;
            std::fs::remove_dir_all(&self.dir).unwrap();
        }
    }

    /// What a crash would leave: the engine may be about to put files in the place of others, so it is copied until nothing changes meanwhile.
    fn copy(from: &Path, to: &Path) {
        loop {
            let before = files(from);
            if before.as_ref().is_ok_and(|files| copy_files(files, from, to).is_ok())
                && files(from).ok() == before.ok()
            {
                return;
            }
            if to.exists() {
                std::fs::remove_dir_all(to).unwrap();
            }
        }
    }

    /// What is below a directory: of each its length, nothing of a directory, and when it was changed.
    fn files(dir: &Path) -> std::io::Result<Files> {
        let mut files = Files::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let found = entry.metadata()?;
            files.insert(entry.path(), (found.is_file().then_some(found.len()), found.modified()?));
            if found.is_dir() {
                files.extend(self::files(&entry.path())?);
            }
        }
        Ok(files)
    }

    fn copy_files(files: &Files, from: &Path, to: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(to)?;
        for (path, (len, _)) in files {
            let target = to.join(path.strip_prefix(from).unwrap());
            match len {
                // A directory comes before what is in it.
                None => std::fs::create_dir(target)?,
                Some(_) => drop(std::fs::copy(path, target)?),
            }
        }
        Ok(())
    }
}
