//! A small disk of its own for some programs: a tmpfs over a folder, which only programs started with the wrapper see.
//!
//! It needs no root where user namespaces are allowed, and is gone when its holder ends, however this process does.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

/// Puts a tmpfs with a copy of the folder in its place, says so, and waits until nobody wants it any more.
const HOLD: &str = r#"
set -e
mkdir "$1.before" && mount --bind "$1" "$1.before"
mount -t tmpfs -o "size=$2,mode=0700" tmpfs "$1"
cp -a "$1.before/." "$1/"
echo ready
read -r _
"#;
/// Written at once when the disk is filled.
const PIECE_BYTES: usize = 4096;

/// A small disk.
pub struct SmallDisk {
    holder: Child,
    folder: PathBuf,
}

impl SmallDisk {
    /// A disk of so many bytes over a folder, with what is in it. Nobody may use the folder meanwhile.
    pub fn over(folder: &Path, bytes: u64) -> Result<Self> {
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", HOLD, "sh"])
            .arg(folder)
            .arg(bytes.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("unshare (util-linux) is needed")?;
        let mut line = String::new();
        BufReader::new(holder.stdout.take().context("it is piped")?).read_line(&mut line)?;
        let disk = Self { holder, folder: folder.to_owned() };
        ensure!(line == "ready\n", "no small disk: this test needs user namespaces, or root that may mount");
        Ok(disk)
    }

    /// The words before a command that is to see the disk, run in `directory`.
    pub fn wrapper(&self, directory: &Path) -> Vec<OsString> {
        let target = self.holder.id().to_string();
        let mut words: Vec<OsString> =
            ["nsenter", "--user", "--mount", "--preserve-credentials", "--target", &target].map(OsString::from).into();
        words.push(OsString::from("--wd="));
        if let Some(last) = words.last_mut() {
            last.push(directory);
        }
        words
    }

    /// A file of the disk, as this process sees it.
    pub fn file(&self, path: &Path) -> PathBuf {
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Leaves room for so many bytes.
    pub fn fill(&self, but: u64) -> Result<()> {
        let mut file = File::create(self.filler())?;
        let (piece, mut len) = ([0x5a; PIECE_BYTES], 0_u64);
        let full = loop {
            match file.write(&piece) {
                Ok(written) => len += written as u64,
                Err(error) => break error,
            }
        };
        ensure!(full.kind() == io::ErrorKind::StorageFull, "the disk is not full: {full}");
        Ok(file.set_len(len.saturating_sub(but))?)
    }

    /// Makes room again.
    pub fn empty(&self) -> Result<()> {
        Ok(fs::remove_file(self.filler())?)
    }

    fn filler(&self) -> PathBuf {
        self.file(&self.folder.join("filler"))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Without anybody to read from, it ends; and with it the disk.
        drop(self.holder.stdin.take());
        let _ended = self.holder.wait();
    }
}
