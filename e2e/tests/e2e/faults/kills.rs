//! Programs that are killed, and those that take their place.

use anyhow::Result;
use segue_e2e::fault::What;

use super::{
    calls::{self, Calls},
    round::At,
};

const KILL: [What; 1] = [What::Kill];
const CLIENT: &Calls = &[
    ("fsync", 15),
    ("rename", 6),
    ("renameat2", 1),
    ("unlink", 1),
    ("unlinkat", 6),
    ("mkdir", 14),
    ("write", 29),
    ("writev", 5),
    ("openat", 100),
];
const SERVER: &Calls = &[("fsync", 4), ("rename", 1), ("write", 20), ("pwrite64", 128), ("writev", 4), ("openat", 15)];

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
