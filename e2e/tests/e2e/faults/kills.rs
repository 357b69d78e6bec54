//! Programs that are killed, and those that take their place.

use anyhow::Result;
use segue_e2e::fault::What;

use super::{
    calls::{self, Calls},
    round::At,
};

const KILL: [What; 1] = [What::Kill];
const CLIENT: &Calls = &[
    ("fsync", 12),
    ("rename", 6),
    ("renameat2", 4),
    ("unlink", 4),
    ("unlinkat", 4),
    ("mkdir", 10),
    ("writev", 6),
    ("openat", 60),
];
const SERVER: &Calls =
    &[("fsync", 4), ("fdatasync", 8), ("rename", 2), ("pwrite64", 40), ("writev", 8), ("openat", 30)];

#[test]
fn a_killed_client_loses_nothing() -> Result<()> {
    calls::some(12, At::Client, CLIENT, &KILL)
}

#[test]
fn a_killed_server_loses_nothing() -> Result<()> {
    calls::some(4, At::Server, SERVER, &KILL)
}

#[test]
#[ignore = "long: a client is killed at every call"]
fn a_client_killed_at_every_call_loses_nothing() -> Result<()> {
    calls::every(At::Client, CLIENT, &KILL)
}

#[test]
#[ignore = "long: a server is killed at every call"]
fn a_server_killed_at_every_call_loses_nothing() -> Result<()> {
    calls::every(At::Server, SERVER, &KILL)
}
