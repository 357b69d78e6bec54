//! `docs/acceptance.md` names tests: they exist, and no number of its list is missing.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// The whole list; these are left out, and the page says why.
const NUMBERS: std::ops::RangeInclusive<u32> = 1..=43;
const LEFT_OUT: [u32; 5] = [8, 39, 40, 41, 43];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every `crate::module::test` that stands in backticks.
fn named(page: &str) -> BTreeSet<&str> {
    let quoted = page.split('`').skip(1).step_by(2);
    let tests = quoted.filter(|word| word.starts_with("server::") || word.starts_with("e2e::"));
    tests.filter(|word| !word.ends_with("::")).collect()
}

/// Where a test of that name would stand, and its name.
fn place(test: &str) -> Option<(PathBuf, &str)> {
    let (modules, name) = test.rsplit_once("::")?;
    let (package, module) = modules.split_once("::")?;
    let folder = if package == "server" { "crates/server/tests/server" } else { "e2e/tests/e2e" };
    Some((root().join(folder).join(module.replace("::", "/")).with_extension("rs"), name))
}

fn exists(test: &str) -> bool {
    let Some((file, name)) = place(test) else { return false };
    fs::read_to_string(file).is_ok_and(|source| source.contains(&format!("fn {name}(")))
}

#[test]
fn every_test_on_the_page_exists() -> Result<()> {
    let page = fs::read_to_string(root().join("docs/acceptance.md")).context("docs/acceptance.md")?;
    let named = named(&page);
    assert!(named.len() > 50, "only {} tests are named", named.len());
    let missing: Vec<_> = named.into_iter().filter(|test| !exists(test)).collect();
    assert!(missing.is_empty(), "docs/acceptance.md names tests that are not there: {missing:#?}");
    assert!(!exists("e2e::acceptance::nothing_of_this_name"));
    Ok(())
}

#[test]
fn every_number_of_the_list_has_its_line() -> Result<()> {
    let page = fs::read_to_string(root().join("docs/acceptance.md"))?;
    let first = |line: &str| line.strip_prefix("| ")?.split_once(" |")?.0.parse::<u32>().ok();
    let lines: Vec<_> = page.lines().filter_map(first).collect();
    assert_eq!(lines, NUMBERS.filter(|number| !LEFT_OUT.contains(number)).collect::<Vec<_>>());
    Ok(())
}
