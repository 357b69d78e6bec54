//! `segue handoffs revoke` and `decline`.

use segue_api::handoffs::{Decline, Handoff, Revoke};
use segue_domain::{HandoffId, limits::REASON_CHARS_MAX};
use serde_json::json;

use super::name_of;
use crate::{
    error::{CliError, Result},
    output::Output,
    remote::Remote,
    untrusted::Untrusted,
};

/// Takes back.
pub(super) fn revoke(remote: &Remote, id: HandoffId, reason: &str, output: &Output) -> Result<()> {
    let handoff = remote.revoke(id, &Revoke { reason: checked(reason)? })?;
    let text = format!("Took {id} back: {} can no longer claim it.", Untrusted(name_of(&handoff.recipient)));
    answer(text, &handoff, output)
}

/// Refuses.
pub(super) fn decline(remote: &Remote, id: HandoffId, reason: Option<&str>, output: &Output) -> Result<()> {
    let handoff = remote.decline(id, &Decline { reason: reason.map(checked).transpose()? })?;
    let text = if handoff.status == "pending" {
        format!("Declined {id} for yourself. The rest of the team may still claim it, and so may you.")
    } else {
        format!("Declined {id}. {} is told.", Untrusted(&handoff.sender.email))
    };
    answer(text, &handoff, output)
}

fn checked(reason: &str) -> Result<String> {
    if !reason.trim().is_empty() && reason.chars().count() <= REASON_CHARS_MAX {
        return Ok(reason.to_owned());
    }
    Err(CliError::usage(format!("a reason has 1 to {REASON_CHARS_MAX} characters that are not all blank")))
}

fn answer(text: String, handoff: &Handoff, output: &Output) -> Result<()> {
    output.answer(text, json!({"handoff_id": handoff.handoff_id, "status": handoff.status, "reason": handoff.reason}))
}
