//! `cargo xtask arrows`: the shape of the house, checked rather than hoped for.
//!
//! To add a crate: 1. a row in `table::OURS`, 2. its line in ARCHITECTURE.md.
//! To add a rule on text: 1. a function in `text`, 2. its call in `text::violations`, 3. a test beside it.

mod edges;
mod promises;
mod sources;
mod table;
mod text;

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail};
use cargo_metadata::{DependencyKind, Metadata};

use crate::checkout::Checkout;
use edges::Graph;

/// How many packages the lock file may name; past that, look for what to leave out before raising it.
const LOCK_BUDGET: usize = 500;

/// Checks the dependency edges, the lock file's size and the rules on text; says every violation before failing.
pub(crate) fn run(checkout: &Checkout) -> Result<()> {
    let mut found = edges::forbidden(&graph(&checkout.metadata));
    let lock = fs::read_to_string(checkout.root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let locked = lock.lines().filter(|line| *line == "[[package]]").count();
    if locked > LOCK_BUDGET {
        found.push(format!("Cargo.lock names {locked} packages; the budget is {LOCK_BUDGET}."));
    }
    let sources = sources::read(&checkout.root)?;
    found.extend(text::violations(&sources));
    for page in promises::PAGES {
        let text = fs::read_to_string(checkout.root.join(page)).with_context(|| format!("cannot read {page}"))?;
        found.extend(promises::broken(page, &text, &sources));
    }
    if !found.is_empty() {
        bail!("the arrows do not hold:\n  {}", found.join("\n  "));
    }
    println!("arrows hold: {locked} locked packages, {} source files", sources.len());
    Ok(())
}

/// The direct dependencies of the workspace's packages; those of tests do not ship and do not count.
fn graph(metadata: &Metadata) -> Graph {
    let shipped = |kind| matches!(kind, DependencyKind::Normal | DependencyKind::Build);
    let row = |package: &&cargo_metadata::Package| {
        let direct = package.dependencies.iter().filter(|dependency| shipped(dependency.kind));
        (package.name.to_string(), direct.map(|dependency| dependency.name.clone()).collect())
    };
    metadata.workspace_packages().iter().map(row).collect::<BTreeMap<_, _>>()
}
