//! Disks that fail at a call, and are well again at the next.

use anyhow::Result;
use segue_e2e::fault::What;

use super::{
    calls::{self, Calls},
    round::At,
};

const ERRORS: [What; 2] = [What::Fail("EIO"), What::Fail("ENOSPC")];
const CLIENT: &Calls = &[("fsync", 15), ("rename", 6), ("renameat2", 1), ("mkdir", 14), ("ftruncate", 4)];
const SERVER: &Calls = &[("fsync", 4), ("rename", 1), ("pwrite64", 128), ("ftruncate", 4)];

#[test]
fn a_disk_that_fails_a_client_costs_one_command() -> Result<()> {
    calls::some(8, At::Client, CLIENT, &ERRORS)
}

#[test]
fn a_disk_that_fails_a_server_costs_one_command() -> Result<()> {
    calls::some(4, At::Server, SERVER, &ERRORS)
}

#[test]
#[ignore = "long: a disk fails a client at every call"]
fn a_disk_that_fails_a_client_at_every_call_costs_one_command() -> Result<()> {
    calls::every(At::Client, CLIENT, &ERRORS)
}

#[test]
#[ignore = "long: a disk fails a server at every call"]
fn a_disk_that_fails_a_server_at_every_call_costs_one_command() -> Result<()> {
    calls::every(At::Server, SERVER, &ERRORS[..1])
}

#[test]
#[ignore = "long: a disk has no room for a server at every call"]
fn a_disk_without_room_for_a_server_at_every_call_costs_one_command() -> Result<()> {
    calls::every(At::Server, SERVER, &ERRORS[1..])
}
