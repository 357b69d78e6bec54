//! The `segue` command line: holds keys, reads and writes native sessions, seals and opens bundles.
//!
//! * [`args`]: every command and its help. [`commands`]: one file each.
//! * [`home`]: where the client keeps its own files. [`account`], [`contacts`], [`teams`], [`library`], [`logs`]: what they
//!   hold.
//! * [`devices`]: what other devices of the account did, and new keys.
//! * [`remote`]: the typed client of `segue-api`; the only module that knows the network.
//! * [`bindings`], [`provenance`], [`active_ticket`]: which session belongs to which project, and what it is about there.
//! * [`capture`], [`upload`], [`download`]: a session on its way out and in; [`spool`]: a pack between two of them.
//! * [`output`], [`input`], [`untrusted`], [`progress`], [`error`]: what a person sees and says. [`base64url`]: what files and links hold.
//!
//! Nothing here is built before it is needed: `segue list` starts no runtime, loads no TLS and reads no account.
//!
//! To add a command: 1. a variant in [`args`]; 2. a file in [`commands`]; 3. a line in [`commands::run`]; 4. a test that
//! runs the real program in `e2e`.

pub mod account;
pub mod active_ticket;
pub mod args;
pub mod base64url;
pub mod bindings;
pub mod capture;
pub mod claim_link;
pub mod commands;
pub mod contacts;
pub mod device;
pub mod devices;
pub mod download;
pub mod environment;
pub mod error;
pub mod home;
pub mod input;
pub mod library;
pub mod link;
pub mod logs;
pub mod output;
pub mod progress;
pub mod provenance;
pub mod remote;
pub mod repository;
pub mod resolve;
pub mod spool;
pub mod teams;
pub mod untrusted;
pub mod upload;
