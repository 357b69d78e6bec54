//! Reads the workspace's Rust files.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// One Rust file: its path from the root of the checkout, with `/` between folders, and its text.
pub(super) struct Source {
    /// Where it is.
    pub(super) path: String,
    /// What it says.
    pub(super) text: String,
}

/// Every Rust file of ours, in the order of their paths.
pub(super) fn read(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for folder in ["crates", "e2e", "xtask"] {
        collect(root, &root.join(folder), &mut sources)?;
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn collect(root: &Path, folder: &Path, into: &mut Vec<Source>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let below = path.strip_prefix(root)?;
            let parts = below.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>();
            into.push(Source { path: parts.join("/"), text });
        }
    }
    Ok(())
}
