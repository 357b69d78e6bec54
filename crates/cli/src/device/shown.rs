//! Codes that are shown here: `shown/<par_…>`, locked for as long as their process lives. Secrets of a code are in its memory alone,
//! so a code whose process was killed is worth nothing, and is ended by the next command (`docs/protocol.md` §6).

use std::{
    fs::{self, File},
    path::PathBuf,
};

use segue_domain::{Clock as _, PairingId};

use super::held::Moved;
use crate::{
    environment::SystemClock,
    error::{CliError, Exit, Result},
    home::{self, Home},
    remote::Remote,
};

/// A code that this process shows.
pub(super) struct Shown {
    path: PathBuf,
    _lock: File,
}

impl Shown {
    /// Notes it, before the server hears of it.
    pub(super) fn note(home: &Home, id: PairingId) -> Result<Self> {
        let folder = home.path("shown");
        home::create_dir(&folder)?;
        let path = folder.join(id.to_string());
        let file = File::create(&path).and_then(|file| file.lock().map(|()| file));
        let file = file.map_err(|error| CliError::file("write", &path, &error))?;
        Ok(Self { path, _lock: file })
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        // What stays is ended once more by the next command, which changes nothing.
        drop(fs::remove_file(&self.path));
    }
}

/// Ends the codes of processes that are gone. What was to be moved by them is here as before, unless somebody has it.
pub fn end_abandoned(home: &Home, remote: &Remote) -> Result<()> {
    for entry in fs::read_dir(home.path("shown")).into_iter().flatten().flatten() {
        let path = entry.path();
        if !path.is_file() {
            continue;
        }
        let abandoned = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
        let id = entry.file_name().to_string_lossy().parse::<PairingId>();
        if !abandoned {
            continue;
        }
        if let Ok(id) = id {
            match remote.revoke_pairing(id, "restarted") {
                Ok(_) => hold_again(home, id)?,
                Err(error) if error.exit == Exit::Gone => hold_again(home, id)?,
                Err(error) if error.exit == Exit::Network => return Err(error),
                // It is with another device, or was so long ago that nobody knows.
                Err(_) => {}
            }
        }
        home::remove(&path)?;
    }
    Ok(())
}

/// Nobody got what was to be moved.
fn hold_again(home: &Home, id: PairingId) -> Result<()> {
    let id = id.to_string();
    let mut all = Moved::all(home, SystemClock.now())?.into_iter();
    all.find(|moved| moved.pairing_id == id).map_or(Ok(()), |moved| moved.forget(home))
}
