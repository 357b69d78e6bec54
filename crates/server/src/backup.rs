//! `segue-server backup` and `restore`: all that a server keeps, as a folder that is itself a data folder with SQLite.
//!
//! The database is copied at one moment, the packs it lists after it: they never change, and one that is let go meanwhile
//! stays for its grace time. A folder has its final name only when everything in it is there and durable.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use crate::{
    packs::{Packs, private_folder},
    start::private_file,
    store::{Db, copy, packs::Pack},
};

/// What lies in a complete backup beside database and packs.
const MANIFEST: &str = "backup.json";

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The server's version that made it.
    pub version: String,
    /// Packs.
    pub packs: usize,
    /// Bytes of all packs.
    pub bytes: u64,
}

impl Manifest {
    fn of(packs: &[Pack]) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { version, packs: packs.len(), bytes: packs.iter().map(|pack| pack.len).sum() }
    }
}

/// Backs up into `folder`, which must be missing or empty. Works beside a running server.
pub async fn backup(db: &Db, packs: &Packs, folder: &Path) -> anyhow::Result<Manifest> {
    if !is_empty(folder)? {
        bail!("{} is not empty: name a folder that does not exist yet", folder.display());
    }
    let mut name = folder.file_name().context("the backup needs a folder of its own")?.to_owned();
    name.push(".unfinished");
    let unfinished = folder.with_file_name(name);
    if unfinished.exists() {
        bail!("{} is left from a backup that did not end, or one is running: delete it first", unfinished.display());
    }
    let made = fill(db, packs, &unfinished).await;
    if made.is_err() {
        fs::remove_dir_all(&unfinished).or_else(is_missing).context("what was begun cannot be deleted")?;
    }
    let manifest = made?;
    fs::rename(&unfinished, folder).context("the backup cannot get its name")?;
    sync(folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    Ok(manifest)
}

async fn fill(db: &Db, packs: &Packs, folder: &Path) -> anyhow::Result<Manifest> {
    private_folder(folder)?;
    let file = folder.join("segue.db");
    drop(private_file(&file)?);
    if let Db::Sqlite { read, .. } = db {
        copy::vacuum_into(read, &file).await.context("the database cannot be copied")?;
    }
    let copied = Db::open_sqlite(&file).await?;
    if matches!(db, Db::Postgres(_)) {
        copy::rows(db, &copied).await.context("the database cannot be copied")?;
    }
    copy::make_fit(&copied).await?;
    let listed = copy::listed(&copied).await?;
    copied.close().await;
    let manifest = Manifest::of(&listed);
    copy_packs(packs.clone(), listed, folder.join("packs")).await?;
    let mut out = private_file(&folder.join(MANIFEST))?;
    out.write_all(&serde_json::to_vec_pretty(&manifest)?)?;
    out.sync_all()?;
    sync(&file)?;
    sync(folder)?;
    Ok(manifest)
}

/// Restores a backup. The data folder must be empty, and with PostgreSQL its database as well.
pub async fn restore(from: &Path, data: &Path, database: Option<&str>) -> anyhow::Result<Manifest> {
    let manifest = fs::read(from.join(MANIFEST))
        .with_context(|| format!("{} is not a complete backup: it has no {MANIFEST}", from.display()))?;
    let manifest: Manifest = serde_json::from_slice(&manifest).context("the backup's manifest cannot be read")?;
    if data.join("packs").exists() || data.join("segue.db").exists() {
        bail!("the data folder {} is not empty: restore into a new one", data.display());
    }
    let source = Db::look_at_sqlite(&from.join("segue.db")).await.context("the backup's database cannot be opened")?;
    let listed = copy::listed(&source).await?;
    let there = Manifest::of(&listed);
    if (there.packs, there.bytes) != (manifest.packs, manifest.bytes) {
        bail!("the backup's database does not have what its manifest says: it was changed");
    }
    if let Some(url) = database {
        let target = Db::open_postgres(url).await.context("cannot open the PostgreSQL database")?;
        if !copy::is_empty(&target).await? {
            bail!("the PostgreSQL database is not empty: restore into a new one");
        }
        // Packs first: rows without bytes would be a loss, bytes without rows are not.
        copy_packs(Packs::look_at(&from.join("packs")), listed, data.join("packs")).await?;
        copy::rows(&source, &target).await.context("the database cannot be copied")?;
        target.close().await;
    } else {
        copy_packs(Packs::look_at(&from.join("packs")), listed, data.join("packs")).await?;
        let unfinished = data.join("segue.db.unfinished");
        drop(private_file(&unfinished)?);
        fs::copy(from.join("segue.db"), &unfinished)?;
        sync(&unfinished)?;
        fs::rename(&unfinished, data.join("segue.db"))?;
        sync(data)?;
    }
    source.close().await;
    Ok(manifest)
}

async fn copy_packs(packs: Packs, listed: Vec<Pack>, to: PathBuf) -> anyhow::Result<()> {
    let copied = tokio::task::spawn_blocking(move || {
        private_folder(&to)?;
        for pack in &listed {
            packs.copy_to(pack, &to)?;
        }
        sync(&to)
    });
    copied.await?.context("the packs cannot be copied: run segue-server check --read-data")
}

fn is_empty(folder: &Path) -> io::Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) => is_missing(error).map(|()| true),
    }
}

fn is_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
