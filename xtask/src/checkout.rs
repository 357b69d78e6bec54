//! Where the workspace and its target folder are.

use std::path::PathBuf;

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand};

/// The checkout these commands work on, wherever in it they were typed.
pub(crate) struct Checkout {
    /// What `cargo metadata` says of the workspace's own packages.
    pub(crate) metadata: Metadata,
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// The target folder, which `CARGO_TARGET_DIR` may have moved.
    pub(crate) target: PathBuf,
}

impl Checkout {
    /// Asks cargo. Only the workspace's own packages are read, so this needs no network.
    pub(crate) fn find() -> Result<Self> {
        let metadata = MetadataCommand::new().no_deps().exec().context("cargo metadata failed")?;
        let root = metadata.workspace_root.clone().into_std_path_buf();
        let target = metadata.target_directory.clone().into_std_path_buf();
        Ok(Self { metadata, root, target })
    }
}
