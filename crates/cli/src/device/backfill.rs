//! What follows a view: the whole session, as a bundle of the pairing, sent in the background (SPEC D1, D10).

use segue_domain::PairingId;
use segue_signed::BundleKind;

use super::scene::Secrets;
use crate::{
    commands::Prepared,
    error::{CliError, Exit, Result},
    library::Record,
    provenance::References,
    upload::{Drafted, Purpose, Pushed, Uploader, body, previous},
};

/// Brings the session to the server, `private` as it was so far. Only what is new is sent, and what is drafted is not drafted again.
pub fn push(
    uploader: &Uploader<'_>,
    session: &mut Prepared,
    private: bool,
    drafted: Option<Drafted>,
) -> Result<Pushed> {
    // Moving a chat tells the server nothing that it does not know, however often it is moved.
    let own = std::mem::replace(&mut session.record.private, private);
    let pushed = uploader.push_drafted(&mut session.record, &mut session.capturing, drafted);
    session.record.private = own;
    uploader.library.save(&session.record)?;
    pushed
}

/// Gives the pairing its bundle of a session that was pushed.
pub fn deliver(
    uploader: &Uploader<'_>,
    session: &mut Prepared,
    pushed: &Pushed,
    pairing: PairingId,
    secrets: &Secrets,
) -> Result<()> {
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

/// A session as private as it was so far: of one that was never pushed with a card, moving it tells the server nothing, here or
/// on its way back.
pub fn as_told(uploader: &Uploader<'_>, record: &Record) -> Result<Record> {
    let last = previous(&uploader.library, record.session_id()?).filter(|_| record.head.is_some());
    let told = last.is_some_and(|(_, envelope)| !envelope.envelope.header.card.is_private());
    Ok(Record { private: record.private || !told, ..record.clone() })
}
