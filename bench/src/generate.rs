//! `segue-bench gen`: synthetic sessions in Claude Code's layout, with the shapes and proportions of recorded ones.
//!
//! Nothing here was measured on anybody's long session: ratios of compression depend on this choice. The same seed and
//! the same source files on the machine give the same bytes.

mod material;
mod random;
mod record;
mod session;
mod text;

use std::fs::{self, File};
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde_json::Value;

use material::Material;
use random::Random;
use record::{Chain, Identity};
use session::Session;

/// A megabyte, as file sizes are told.
pub(crate) const MB: u64 = 1_000_000;
/// The last line of what is generated is shorter than this, in bytes: a session ends with a short answer.
const LAST_LINE_MAX: u64 = 64 * 1024;

/// What to write.
#[derive(Args)]
pub(crate) struct Options {
    /// The size in MB (1 000 000 bytes); the last record goes past it
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=4096))]
    mb: u64,
    /// Sessions of different seeds have different ids and different text
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The directory that the session says it was held in
    #[arg(long, default_value = "/home/coder/project")]
    cwd: PathBuf,
    /// Append so many percent to the session of this seed instead
    #[arg(long, value_name = "PERCENT")]
    grow_percent: Option<f64>,
    /// The tool's folder, such as ~/.claude
    out_dir: PathBuf,
}

/// Writes or grows one session and prints its path.
pub(crate) fn run(options: &Options) -> Result<()> {
    let path = match options.grow_percent {
        None => create(&options.out_dir, &options.cwd, options.mb * MB, options.seed)?,
        Some(percent) => {
            ensure!(percent > 0.0 && percent <= 1000.0, "--grow-percent takes more than 0 and at most 1000");
            let path = path_of(&options.out_dir, &options.cwd, options.seed);
            let len = fs::metadata(&path).with_context(|| format!("no session at {}", path.display()))?.len();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a length and a checked percentage"
            )]
            grow(&path, (len as f64 * percent / 100.0) as u64)?;
            path
        }
    };
    println!("{}", path.display());
    Ok(())
}

/// Writes a session of at least `bytes` bytes into the tool's folder `claude_dir`; answers its path.
pub(crate) fn create(claude_dir: &Path, cwd: &Path, bytes: u64, seed: u64) -> Result<PathBuf> {
    let path = path_of(claude_dir, cwd, seed);
    fs::create_dir_all(path.parent().context("a session is in a folder")?)?;
    let mut random = Random::new(seed);
    let identity = Identity { session_id: session_id(seed), cwd: cwd.display().to_string() };
    let chain = Chain::begin(identity);
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    write(file, Session::new(&mut random, Material::of_this_machine(), chain), bytes)?;
    Ok(path)
}

/// Appends whole turns of at least `bytes` bytes to a generated session.
pub(crate) fn grow(path: &Path, bytes: u64) -> Result<()> {
    let len = fs::metadata(path)?.len();
    let mut random = Random::new(len);
    let chain = Chain::resume(&last_record(path)?)?;
    let file = File::options().append(true).open(path)?;
    write(file, Session::new(&mut random, Material::of_this_machine(), chain), bytes)
}

/// Appends one short record to a generated session, as the tool does.
pub(crate) fn append_record(path: &Path) -> Result<()> {
    let mut random = Random::new(fs::metadata(path)?.len());
    let chain = Chain::resume(&last_record(path)?)?;
    let line = Session::new(&mut random, Material::none(), chain).answer();
    File::options().append(true).open(path)?.write_all(line.as_bytes())?;
    Ok(())
}

fn write(file: File, mut session: Session<'_>, bytes: u64) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let mut written = 0;
    while written < bytes {
        for line in session.turn(bytes - written) {
            out.write_all(line.as_bytes())?;
            written += line.len() as u64;
        }
    }
    out.flush()?;
    Ok(())
}

/// Where the session of a seed is.
fn path_of(claude_dir: &Path, cwd: &Path, seed: u64) -> PathBuf {
    let plain = |symbol: char| if symbol.is_ascii_alphanumeric() { symbol } else { '-' };
    let folder: String = cwd.display().to_string().chars().map(plain).collect();
    claude_dir.join("projects").join(folder).join(format!("{}.jsonl", session_id(seed)))
}

/// The id of the session of a seed.
fn session_id(seed: u64) -> String {
    Random::new(!seed).uuid()
}

fn last_record(path: &Path) -> Result<Value> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(LAST_LINE_MAX)))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    let lines = end.strip_suffix(b"\n").context("the session ends in the middle of a line")?;
    let Some(last) = lines.rsplit(|byte| *byte == b'\n').next() else { bail!("{} is empty", path.display()) };
    serde_json::from_slice(last).with_context(|| format!("the last line of {} is not ours", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(path: &Path) -> Vec<Value> {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_session_is_one_chain_and_stays_one_as_it_grows() {
        let root = tempfile::tempdir().unwrap();
        let path = create(root.path(), Path::new("/home/coder/project"), MB, 7).unwrap();
        let before = records(&path);
        grow(&path, 10_000).unwrap();
        let after = records(&path);
        assert_eq!(after[..before.len()], before[..]);
        assert!(after.len() > before.len());
        let mut parent = Value::Null;
        for record in after {
            assert_eq!(record["parentUuid"], parent);
            assert_eq!(record["sessionId"], session_id(7));
            parent = record["uuid"].clone();
        }
    }

    #[test]
    fn the_seed_decides_the_bytes() {
        let root = tempfile::tempdir().unwrap();
        let bytes = |folder: &str, seed| {
            let path = create(&root.path().join(folder), Path::new("/p"), 100_000, seed).unwrap();
            fs::read(path).unwrap()
        };
        assert_eq!(bytes("one", 1), bytes("two", 1));
        assert_ne!(bytes("one", 1), bytes("three", 3));
    }
}
