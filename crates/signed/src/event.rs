//! The audit log of a handoff: events chained by hashes (`docs/protocol.md` §5, Audit chain). The server writes it; a client
//! that remembers the last hash it saw notices when what came before was rewritten (SPEC T11).

use crate::{lv::Writer, sha256};

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The handoff, `hnd_…`.
    pub handoff_id: &'a str,
    /// Its number, from 1.
    pub seq: u64,
    /// What happened: a word of SPEC T11.
    pub kind: &'a str,
    /// Who caused it: a person's id, or `server`.
    pub actor: &'a str,
    /// `user`, `token` or `server`.
    pub actor_type: &'a str,
    /// When, unix milliseconds.
    pub at: u64,
    /// More about it, as JSON; `{}` when there is no more.
    pub payload: &'a str,
    /// Hash of the event before; absent on the first.
    pub previous: Option<&'a [u8]>,
}

impl Event<'_> {
    /// SHA-256(`lv_cat("segue/event/1", handoff_id, seq u64, kind, actor, actor_type, at u64, payload, previous32|"")`).
    pub fn hash(&self) -> [u8; 32] {
        let bytes = Writer::labelled("segue/event/1")
            .text(self.handoff_id)
            .u64(self.seq)
            .text(self.kind)
            .text(self.actor)
            .text(self.actor_type)
            .u64(self.at)
            .text(self.payload)
            .optional(self.previous)
            .finish();
        sha256(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_counts() {
        let event = Event {
            handoff_id: "hnd_a",
            seq: 2,
            kind: "claimed",
            actor: "usr_a",
            actor_type: "user",
            at: 7,
            payload: "{}",
            previous: Some(&[1; 32]),
        };
        let others = [
            Event { handoff_id: "hnd_b", ..event },
            Event { seq: 3, ..event },
            Event { kind: "revoked", ..event },
            Event { actor: "usr_b", ..event },
            Event { actor_type: "token", ..event },
            Event { at: 8, ..event },
            Event { payload: "{ }", ..event },
            Event { previous: None, ..event },
        ];
        assert!(others.iter().all(|other| other.hash() != event.hash()));
    }
}
