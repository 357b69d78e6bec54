//! What a handoff *is*: pure rules without I/O, clock or randomness.
//!
//! * [`id`]: typed ids, `hnd_…`, `ses_…`.
//! * [`time`]: [`Timestamp`] and the [`Clock`] that everything else is handed.
//! * [`limits`]: every bound of the system, with its reason.
//! * [`plan`]: what a plan includes (SPEC T17).
//! * [`record`]: records of a project and what they are called.
//! * [`scope`]: what a personal access token may be used for.
//! * [`handoff`]: the handoff's life as one pure function.
//! * [`pairing`]: a pairing's life on the relay, likewise.

pub mod handoff;
pub mod id;
pub mod limits;
pub mod pairing;
pub mod plan;
pub mod record;
pub mod scope;
pub mod time;

pub use handoff::{Handoff, State};
pub use id::{
    BundleId, CommentId, DeviceId, HandoffId, InviteId, PackId, PairingId, ProjectId, SessionId, TeamId, TicketId,
    TokenId, UserId,
};
pub use pairing::Pairing;
pub use plan::Plan;
pub use record::{RecordKind, Reference};
pub use scope::Scope;
pub use time::{Clock, Timestamp};
