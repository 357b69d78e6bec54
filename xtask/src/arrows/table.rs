//! Who may depend on whom: the rules as data. `server` is kept away from everything that could read a session.

/// What one of our crates may depend on among our crates.
pub(super) enum Allowed {
    /// These and no others.
    Only(&'static [&'static str]),
    /// All but these.
    AllBut(&'static [&'static str]),
    /// Anything of ours.
    All,
}

/// One row for each crate of the workspace.
pub(super) const OURS: &[(&str, Allowed)] = &[
    ("segue-domain", Allowed::Only(&[])),
    ("segue-signed", Allowed::Only(&[])),
    ("segue-formats", Allowed::Only(&[])),
    ("segue-crypto", Allowed::Only(&["segue-signed"])),
    ("segue-bundle", Allowed::Only(&["segue-crypto", "segue-domain", "segue-signed"])),
    ("segue-workspace", Allowed::Only(&["segue-domain"])),
    ("segue-api", Allowed::Only(&["segue-domain"])),
    ("segue-server", Allowed::Only(&["segue-api", "segue-domain", "segue-signed"])),
    ("segue", Allowed::AllBut(&["segue-server"])),
    ("segue-bench", Allowed::Only(&["segue-e2e", "segue-crypto", "segue-signed"])),
    ("segue-e2e", Allowed::All),
    ("segue-fuzz", Allowed::All),
    ("segue-xtask", Allowed::All),
];

/// Crates that nothing of ours may depend on: they run the others.
pub(super) const TOPS: &[&str] = &["segue-e2e", "segue-fuzz", "segue-xtask"];

/// What the server must never reach, however far away.
pub(super) const UNREACHABLE_FROM_SERVER: &[&str] =
    &["segue-bundle", "segue-crypto", "segue-formats", "segue-workspace"];

/// Crates that other people wrote, and where they must not be direct dependencies.
pub(super) struct Outside {
    /// The crates.
    pub(super) crates: &'static [&'static str],
    /// Where they must not be.
    pub(super) barred: Barred,
    /// Why, as the end of a sentence.
    pub(super) why: &'static str,
}

/// Where an outside crate must not be a direct dependency.
pub(super) enum Barred {
    /// In these crates of ours.
    From(&'static [&'static str]),
    /// Everywhere but in these.
    AllBut(&'static [&'static str]),
}

/// The rules on outside crates.
pub(super) const OUTSIDE: &[Outside] = &[
    Outside {
        crates: &["axum", "object_store", "reqwest", "sqlx", "tokio"],
        barred: Barred::From(&[
            "segue-api",
            "segue-bundle",
            "segue-crypto",
            "segue-domain",
            "segue-formats",
            "segue-signed",
        ]),
        why: "this crate does no I/O and waits for nothing",
    },
    Outside { crates: &["sqlx"], barred: Barred::AllBut(&["segue-server"]), why: "only the server has a database" },
    Outside {
        crates: &["aes-gcm", "chacha20poly1305", "curve25519-dalek", "hpke", "x25519-dalek"],
        barred: Barred::From(&["segue-server", "segue-signed"]),
        why: "what the server links verifies signatures; it never opens or seals anything",
    },
];
