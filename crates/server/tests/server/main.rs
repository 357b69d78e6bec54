//! The server over HTTP, on SQLite and on PostgreSQL.
//!
//! To add a test: `on_both! { async fn what_holds(server: TestServer) { … } }` in the module of its subject.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[macro_use]
mod harness;

mod acceptance;
mod boundaries;
mod claims;
mod connections;
mod devices;
mod drain;
mod existence;
mod expiry;
mod faults;
mod groups;
mod handing;
mod joining;
mod late;
mod lifecycle;
mod limits;
mod linking;
mod logs;
mod mails;
mod matrix;
mod metrics;
mod model;
mod news;
mod once;
mod openapi;
mod operating;
mod operator;
mod packs;
mod pairings;
mod parcels;
mod path;
mod process;
mod processes;
mod projects;
mod provenance;
mod proxies;
mod races;
mod recovering;
mod reference;
mod schema;
mod scrubbing;
mod slow;
mod snapshots;
mod teams;
mod tokens;
mod transfers;
mod uploads;
mod verifying;
