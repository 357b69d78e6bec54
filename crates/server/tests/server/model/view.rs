//! A handoff as somebody sees it.

use serde_json::{Value, json};

use super::world::{Known, World};
use crate::reference::{To, Who};

impl World {
    /// A handoff as somebody sees it, as far as the reference says.
    pub(super) fn view(&self, who: Who, known: &Known) -> Value {
        let (reference, may_claim) = (&known.reference, self.may_claim(known));
        let (word, sender, recipient) = (reference.word(self.now), reference.sender == who, may_claim.has(who));
        let concerned = reference.concerns(who, may_claim);
        json!({
            "handoff_id": known.id,
            "status": word,
            "role": if sender && recipient { "both" } else if sender { "sender" } else { "recipient" },
            "session_id": known.draft.envelope.header.session_id,
            "message": if concerned { "can you take it from here?" } else { "" },
            "created_at": known.created_at,
            "expires_at": reference.ends,
            "viewed": reference.viewed,
            "ended": reference.state != "pending",
            "reason": match reference.state { "revoked" => Some("stale"), "declined" => Some("not mine"), _ => None },
            "claimed_by": reference.claimer.filter(|_| concerned).map(|who| self.people[&who].user_id.clone()),
            "claimed_session_id": known.session.clone().filter(|_| reference.claimer == Some(who)),
            "awaits_key": reference.to == To::Address && word == "pending" && !reference.key_locked,
            "head": concerned.then_some(reference.log.len()),
        })
    }
}

/// What of a handoff's view the reference knows.
pub(super) fn projected(body: &Value) -> Value {
    json!({
        "handoff_id": body["handoff_id"],
        "status": body["status"],
        "role": body["role"],
        "session_id": body["session_id"],
        "message": body["message"],
        "created_at": body["created_at"],
        "expires_at": body["expires_at"],
        "viewed": body["viewed_at"].is_i64(),
        "ended": body["ended_at"].is_i64(),
        "reason": body["reason"],
        "claimed_by": body["claimed_by"]["user_id"],
        "claimed_session_id": body["claimed_session_id"],
        "awaits_key": body["awaits_key"] == true,
        "head": body["log_head"]["seq"],
    })
}
