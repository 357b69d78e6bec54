//! What follows a view: the whole session, as a bundle of the pairing, sent in the background (SPEC D1, D10).

use segue_domain::PairingId;
use segue_signed::BundleKind;

use super::scene::Secrets;
use crate::{
    commands::Prepared,
    error::{CliError, Exit, Result},
    provenance::References,
    upload::{Purpose, Uploader, body},
};

/// Brings the session to the server, and gives the pairing its bundle. Only what is new is sent.
pub fn send(uploader: &Uploader<'_>, session: &mut Prepared, pairing: PairingId, secrets: &Secrets) -> Result<()> {
    // Moving a chat tells the server nothing that it does not know: no card of what was never pushed.
    let told = session.record.private;
    session.record.private |= session.record.head.is_none();
    let pushed = uploader.push(&mut session.record, &mut session.capturing);
    session.record.private = told;
    uploader.library.save(&session.record)?;
    let pushed = pushed?;
    let (record, capture) = (&session.record, session.capturing.wait()?);
    let head = record.head.as_ref().ok_or_else(|| CliError::new(Exit::Error, "push", "the session was not pushed"))?;
    let purpose = Purpose {
        kind: BundleKind::Device,
        handoff_id: pairing.to_string(),
        seq: head.seq,
        parent: Some(head.hash()?),
        card: capture.card(true),
        message: String::new(),
        references: References::default(),
        not_after: 0,
    };
    let sealed =
        secrets.as_owner(pairing, |owner| uploader.seal_for(record, capture, &pushed.contents, purpose, &[], owner))?;
    uploader.remote.put_pairing_bundle(pairing, &body(&sealed, &[])).map(drop)
}
