//! PostgreSQL's programs: on the PATH, or where Debian puts them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{debian, process};

/// The programs of one installation.
pub(super) struct Programs {
    folder: PathBuf,
    /// Its major version.
    pub(super) major: u32,
}

impl Programs {
    /// Looks for an installation and, as root on Debian, installs one.
    pub(super) fn find_or_install() -> Result<Self> {
        if let Some(folder) = folder() {
            return Self::of(folder);
        }
        debian::install("PostgreSQL", &["postgresql"])?;
        Self::of(folder().context("PostgreSQL was installed, but initdb and pg_ctl are not to be found")?)
    }

    /// Where one of the programs is.
    pub(super) fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }

    fn of(folder: PathBuf) -> Result<Self> {
        let said = process::read(Command::new(folder.join("pg_ctl")).arg("--version"))?;
        let number = said.split_whitespace().find_map(|word| word.split('.').next()?.parse().ok());
        Ok(Self { folder, major: number.with_context(|| format!("no version in {said:?}"))? })
    }
}

/// The first folder that has all we need. Debian keeps the server's programs off the PATH, newest version last.
fn folder() -> Option<PathBuf> {
    let on_path = process::find("initdb").and_then(|file| file.canonicalize().ok()?.parent().map(Path::to_path_buf));
    on_path.into_iter().chain(debian_folders()).find(|folder| {
        let has = |program: &str| folder.join(program).is_file();
        ["initdb", "pg_ctl", "psql"].into_iter().all(has)
    })
}

fn debian_folders() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut numbered: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    numbered.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    numbered.into_iter().map(|(_, folder)| folder).collect()
}
