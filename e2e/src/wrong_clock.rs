//! A machine whose clock is wrong, and is set while a program runs: libfaketime before each of its programs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::person::Person;

/// Where Debian keeps the library, below the folder of the processor's kind.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// The clock of one machine.
pub struct WrongClock(PathBuf);

impl WrongClock {
    /// The same person, on a machine whose clock is wrong by so many seconds; and that clock.
    pub fn of(person: Person, file: &Path, seconds: i64) -> Result<(Person, Self)> {
        let libraries = fs::read_dir("/usr/lib")?.map(|folder| Ok(folder?.path().join(LIBRARY)));
        let libraries = libraries.collect::<Result<Vec<_>>>()?;
        let library = libraries.into_iter().find(|path| path.is_file()).context("libfaketime is not installed")?;
        let clock = Self(file.to_owned());
        clock.set(seconds)?;
        let person = person
            .with("LD_PRELOAD", library)
            .with("FAKETIME_TIMESTAMP_FILE", file)
            .with("FAKETIME_NO_CACHE", "1")
            .with("DONT_FAKE_MONOTONIC", "1");
        Ok((person, clock))
    }

    /// Sets it, for programs that run as well.
    pub fn set(&self, seconds: i64) -> Result<()> {
        // As a whole: a program may read it at this moment.
        let part = self.0.with_extension("part");
        fs::write(&part, format!("{seconds:+}\n"))?;
        Ok(fs::rename(part, &self.0)?)
    }
}
