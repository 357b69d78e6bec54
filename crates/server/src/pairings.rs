//! The relay: a mailbox between two devices that it can neither read nor speak for (`docs/protocol.md` §6; SPEC D5–D10).
//!
//! ```text
//! source       issue ─────────── refuse ─ claim ─────────── put the bundle ─ revoke · take back
//! destination          lease ─ answer ───────── acknowledge ─ fetch ─ complete ─ send back
//!                          every change: relay::change ▶ rows ▶ both live streams
//! ```
//!
//! Rows are the truth, so any process of the database serves either side. A source is known by its device's token, a
//! destination by the token that it drew for its lease.

mod backfill;
mod destination;
mod linking;
mod relay;
mod seen;
mod source;
mod stream;

pub(crate) use backfill::{fetch, manifest, pack, put};
pub(crate) use destination::{acknowledge, answer, complete, lease, send_back};
pub(crate) use linking::link;
pub(crate) use relay::{expire_due, forget, remove_device, scrub, tick};
pub(crate) use seen::{Side, see};
pub(crate) use source::{claim, issue, receive, refuse, revoke, take_back};
pub(crate) use stream::listen;
