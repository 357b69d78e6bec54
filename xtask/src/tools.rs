//! What the tests need beside Rust, at exact versions, under the target folder.
//!
//! To add a tool from npm: 1. its version in `xtask/tools/package.json`, 2. the lock file (`npm install
//! --package-lock-only`, then without the `resolved` addresses), 3. a module here that returns its path.

pub(crate) mod claude;
pub(crate) mod deny;
pub(crate) mod faults;
pub(crate) mod python;

use std::path::PathBuf;

use crate::checkout::Checkout;

/// Where the pinned versions are written down.
fn pins(checkout: &Checkout) -> PathBuf {
    checkout.root.join("xtask").join("tools")
}

/// Where tools are installed.
fn installed(checkout: &Checkout) -> PathBuf {
    checkout.target.join("tools")
}
