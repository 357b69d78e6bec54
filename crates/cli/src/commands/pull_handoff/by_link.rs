//! Which handoff a claim link is for (SPEC T19): the link names an invite, and the one in the inbox that was sealed for it.

use segue_api::handoffs::Recipient;
use segue_domain::HandoffId;
use segue_signed::{Wrap, WrapKind};

use crate::{
    claim_link::ClaimLink,
    error::{CliError, Result},
    output::Output,
    remote::Remote,
};

/// Pages of the inbox that are looked through: who has just joined has few.
const PAGES_MAX: usize = 10;

/// Asks for the link, and finds its handoff.
pub(super) fn ask(remote: &Remote, output: &Output) -> Result<(HandoffId, ClaimLink)> {
    let link = ClaimLink::given(output)?.ok_or_else(|| {
        CliError::usage("which handoff?")
            .hint("Give its id, see segue handoffs inbox; or its claim link, in SEGUE_CLAIM_LINK.")
    })?;
    let mut cursor = None;
    for _ in 0..PAGES_MAX {
        let page = remote.handoffs("inbox", cursor.as_deref())?;
        for handoff in page.handoffs {
            let (Recipient::Address { .. }, Ok(id)) = (&handoff.recipient, handoff.handoff_id.parse()) else {
                continue;
            };
            let wrap = remote.handoff_bundle(id)?.wrap.and_then(|wrap| Wrap::parse(&wrap.0).ok());
            if wrap.is_some_and(|wrap| wrap.kind == WrapKind::Invite && wrap.id == link.id()) {
                return Ok((id, link));
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Err(CliError::not_found("nothing in your inbox waits for this claim link").hint(
        "It is for the mailbox that the sender wrote to: is that the address of your account, and verified (segue whoami)? \
         Or it was claimed or ended: segue handoffs inbox.",
    ))
}
