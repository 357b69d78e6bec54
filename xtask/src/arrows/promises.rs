//! What ARCHITECTURE.md and the threat model promise names the test that shows it: `crate::name`. A promise whose test was
//! renamed or removed is reported.

use super::sources::Source;

/// Where promises stand.
pub(super) const PAGES: &[&str] = &["ARCHITECTURE.md", "docs/threat-model.md"];

/// One sentence for each promise whose test is not there.
pub(super) fn broken(page: &str, text: &str, sources: &[Source]) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let promises = quoted.filter_map(|quote| Some((quote, quote.split_once("::")?)));
    let missing = promises.filter(|(_, (package, name))| !exists(package, name, sources));
    missing.map(|(quote, _)| format!("{page} names `{quote}`, and there is no such test or module.")).collect()
}

/// Whether the package has a test function or a module of that name.
fn exists(package: &str, name: &str, sources: &[Source]) -> bool {
    let folder = if package == "e2e" { "e2e/".to_owned() } else { format!("crates/{package}/") };
    let forms = [format!("fn {name}("), format!("mod {name};"), format!("mod {name} {{")];
    let ours = sources.iter().filter(|source| source.path.starts_with(&folder));
    let mut declared = ours.flat_map(|source| source.text.lines().map(str::trim_start));
    declared.any(|line| forms.iter().any(|form| line.contains(form)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_without_its_test_is_reported() {
        let text = "| shown by `e2e::nothing_readable` and `server::race`, see `other`";
        let source = Source { path: "e2e/tests/e2e/main.rs".to_owned(), text: "mod nothing_readable;".to_owned() };
        let found = broken("page.md", text, &[source]);
        assert_eq!(found, ["page.md names `server::race`, and there is no such test or module."]);
    }
}
