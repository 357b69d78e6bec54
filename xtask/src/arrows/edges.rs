//! Compares the dependency edges with the table. Pure: what cargo says comes in, sentences come out.

use std::collections::{BTreeMap, BTreeSet};

use super::table::{Allowed, Barred, OURS, OUTSIDE, TOPS, UNREACHABLE_FROM_SERVER};

/// Our crates and what each depends on directly, ours and others'.
pub(super) type Graph = BTreeMap<String, BTreeSet<String>>;

/// One sentence for each edge that must not be.
pub(super) fn forbidden(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    for (from, direct) in graph {
        let Some((_, allowed)) = OURS.iter().find(|(name, _)| name == from) else {
            found.push(format!("{from} has no row in the table of arrows (xtask/src/arrows/table.rs)."));
            continue;
        };
        for to in direct {
            let ours = graph.contains_key(to);
            found.extend(if ours { inside(from, allowed, to) } else { None });
            found.extend(OUTSIDE.iter().filter_map(|rule| rule.complaint(from, to)));
        }
    }
    found.extend(reached_from_server(graph));
    found
}

fn inside(from: &str, allowed: &Allowed, to: &str) -> Option<String> {
    let named = matches!(allowed, Allowed::Only(only) if only.contains(&to));
    if TOPS.contains(&to) && !named {
        return Some(format!("{from} depends on {to}, which runs the others and is used by none."));
    }
    match allowed {
        Allowed::All => None,
        Allowed::AllBut(barred) => barred
            .contains(&to)
            .then(|| format!("{from} depends on {to}; it may use all of ours but {}.", barred.join(", "))),
        Allowed::Only([]) => Some(format!("{from} depends on {to}; it may use nothing of ours.")),
        Allowed::Only(only) => (!only.contains(&to))
            .then(|| format!("{from} depends on {to}; of ours it may use only {}.", only.join(", "))),
    }
}

impl super::table::Outside {
    fn complaint(&self, from: &str, to: &str) -> Option<String> {
        let barred = match self.barred {
            Barred::From(crates) => crates.contains(&from),
            Barred::AllBut(crates) => !crates.contains(&from),
        };
        (barred && self.crates.contains(&to)).then(|| format!("{from} depends on {to}; {}.", self.why))
    }
}

/// A server that reaches one of these could decrypt, whatever path leads there.
fn reached_from_server(graph: &Graph) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut ahead = vec!["segue-server"];
    while let Some(name) = ahead.pop() {
        if seen.insert(name) {
            ahead.extend(graph.get(name).into_iter().flatten().map(String::as_str));
        }
    }
    let reached = UNREACHABLE_FROM_SERVER.iter().filter(|name| seen.contains(*name));
    reached.map(|name| format!("segue-server reaches {name}: a server that links it could read a session.")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> Graph {
        let row = |(from, to): &(&str, &[&str])| ((*from).to_owned(), to.iter().map(ToString::to_string).collect());
        edges.iter().map(row).collect()
    }

    #[test]
    fn the_drawn_arrows_are_allowed() {
        let drawn: &[(&str, &[&str])] = &[
            ("segue-domain", &["thiserror"]),
            ("segue-signed", &["ed25519-dalek"]),
            ("segue-crypto", &["segue-signed", "hpke"]),
            ("segue-bundle", &["segue-crypto", "segue-domain", "segue-signed"]),
            ("segue-api", &["segue-domain"]),
            ("segue-server", &["segue-api", "segue-domain", "segue-signed", "sqlx", "tokio"]),
            ("segue", &["segue-bundle", "segue-crypto", "tokio"]),
            ("segue-e2e", &["segue-server", "segue-crypto"]),
            ("segue-bench", &["segue-e2e"]),
        ];
        assert_eq!(forbidden(&graph(drawn)), Vec::<String>::new());
    }

    #[test]
    fn a_forbidden_edge_is_reported() {
        let found = forbidden(&graph(&[("segue-domain", &["segue-signed"]), ("segue-signed", &[])]));
        assert_eq!(found, ["segue-domain depends on segue-signed; it may use nothing of ours."]);
        let found = forbidden(&graph(&[("segue", &["segue-server"]), ("segue-server", &[])]));
        assert_eq!(found, ["segue depends on segue-server; it may use all of ours but segue-server."]);
        let found = forbidden(&graph(&[("segue", &["segue-e2e"]), ("segue-e2e", &[])]));
        assert_eq!(found, ["segue depends on segue-e2e, which runs the others and is used by none."]);
    }

    #[test]
    fn an_outside_crate_in_the_wrong_place_is_reported() {
        let found =
            forbidden(&graph(&[("segue-domain", &["tokio"]), ("segue", &["sqlx"]), ("segue-signed", &["hpke"])]));
        assert_eq!(
            found,
            [
                "segue depends on sqlx; only the server has a database.",
                "segue-domain depends on tokio; this crate does no I/O and waits for nothing.",
                "segue-signed depends on hpke; what the server links verifies signatures; it never opens or seals anything.",
            ]
        );
    }

    #[test]
    fn what_the_server_reaches_by_a_detour_is_reported() {
        let detour: &[(&str, &[&str])] =
            &[("segue-server", &["segue-api"]), ("segue-api", &["segue-crypto"]), ("segue-crypto", &[])];
        let found = forbidden(&graph(detour));
        assert_eq!(found.len(), 2, "the edge itself and what it leads to: {found:?}");
        assert_eq!(found[1], "segue-server reaches segue-crypto: a server that links it could read a session.");
    }

    #[test]
    fn a_crate_without_a_row_is_reported() {
        let found = forbidden(&graph(&[("segue-surprise", &[])]));
        assert_eq!(found, ["segue-surprise has no row in the table of arrows (xtask/src/arrows/table.rs)."]);
    }
}
