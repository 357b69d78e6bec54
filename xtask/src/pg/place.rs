//! Where a cluster's data, log and socket lie: under the target folder, or, where that cannot be, a temporary folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::account::Account;

/// A unix socket's path has room for 107 bytes on Linux and 103 elsewhere, its file name included.
const LONGEST: usize = 80;

/// A folder that the cluster's user owns.
pub(super) struct Place {
    /// The folder.
    pub(super) folder: PathBuf,
}

impl Place {
    /// The wanted folder if its user can enter it and a socket fits; else the temporary one a file in it names.
    pub(super) fn choose(wanted: &Path, account: &Account) -> Result<Self> {
        fs::create_dir_all(wanted).with_context(|| format!("cannot make {}", wanted.display()))?;
        let parents = wanted.parent().unwrap_or(wanted);
        if account.can_enter(parents) && wanted.as_os_str().len() <= LONGEST {
            return Self::in_folder(wanted.canonicalize()?, account);
        }
        let pointer = wanted.join("place");
        let known = fs::read_to_string(&pointer).map(PathBuf::from).ok().filter(|folder| folder.is_dir());
        let folder = match known {
            Some(folder) => folder,
            None => tempfile::Builder::new().prefix("segue-pg-").tempdir()?.keep(),
        };
        fs::write(&pointer, folder.to_string_lossy().as_bytes())?;
        Self::in_folder(folder, account)
    }

    fn in_folder(folder: PathBuf, account: &Account) -> Result<Self> {
        account.own(&folder)?;
        Ok(Self { folder })
    }
}
