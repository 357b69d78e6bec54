//! `segue handoffs share-key`: locks a handoff's key for somebody who joined after it was sealed (SPEC T19).

use segue_api::handoffs::{Handoff, LateWrap, ReservedFor};
use segue_crypto::fingerprint::fingerprint;
use segue_domain::HandoffId;
use segue_signed::SignedKeyCard;
use serde_json::json;

use crate::{
    account::Account,
    claim_link::Kept,
    commands::handoff::user_key,
    contacts,
    download::verify_handoff,
    environment::rng,
    error::{CliError, Exit, Result},
    home::Home,
    output::Output,
    remote::Remote,
    untrusted::Untrusted,
};

/// Locks it, once the person's fingerprint was confirmed.
pub(super) fn run(home: &Home, account: &Account, remote: &Remote, id: HandoffId, output: &Output) -> Result<()> {
    let listed = match remote.recipient(id)? {
        ReservedFor::User(listed) => listed,
        ReservedFor::Address { email } => {
            let text = format!("{} has not joined yet, or not verified the address", Untrusted(&email));
            return Err(CliError::new(Exit::NotFound, "recipient_not_joined", text)
                .hint("Try again when they have, or give them the claim link."));
        }
        ReservedFor::Team { .. } => return Err(CliError::usage("a team has its key already")),
    };
    let card = SignedKeyCard::parse(&listed.key_card.0)
        .map_err(|error| CliError::verification(format!("the recipient's key card is not one: {error}")))?;
    if !contacts::is_known(home, &listed.email)? {
        confirm(&listed.email, &fingerprint(&card.card.user_id, &card.card.identity_key), output)?;
    }
    let key = user_key(home, account, output, &listed)?;
    let verified = verify_handoff(home, account, remote, id, None, output, false)?;
    let wrap =
        verified.opened.wrap_for(&mut rng()?, &key).map_err(|error| CliError::verification(error.to_string()))?;
    let handoff = remote.share_key(id, &LateWrap { wrap: wrap.encode().into() })?;
    let value = json!({"handoff_id": id.to_string(), "status": handoff.status, "to": listed.email});
    output.answer(format!("{} can now claim {id} without the claim link.", Untrusted(&listed.email)), value)
}

/// The server names the person, so a person confirms that it is the right one.
fn confirm(email: &str, fingerprint: &str, output: &Output) -> Result<()> {
    let question = format!(
        "{} has joined with the fingerprint\n  {fingerprint}\nAsk them, not by Segue: segue whoami shows it to them. Is it theirs?",
        Untrusted(email)
    );
    if output.agrees(&question, "Compare it and confirm with --yes.")? {
        return Ok(());
    }
    Err(CliError::new(Exit::Error, "not_confirmed", "nothing was shared").hint("The handoff still waits."))
}

/// What the claimer proved by the claim link's secret: that the key card which the server shows is theirs.
pub(super) fn check_proof(home: &Home, remote: &Remote, handoff: &Handoff, output: &Output) -> Result<()> {
    let Some(proof) = &handoff.invite_proof else { return Ok(()) };
    let Some((email, secret)) = Kept::find(home, &handoff.handoff_id)? else { return Ok(()) };
    let id: HandoffId =
        handoff.handoff_id.parse().map_err(|_| CliError::verification("the server names no handoff"))?;
    let ReservedFor::User(listed) = remote.recipient(id)? else { return Ok(()) };
    let card = SignedKeyCard::parse(&listed.key_card.0).map_err(|error| CliError::verification(error.to_string()))?;
    let envelope = remote.handoff_bundle(id)?.envelope;
    let signed = segue_signed::SignedEnvelope::parse(&envelope.0);
    let signed = signed.map_err(|error| CliError::verification(error.to_string()))?;
    let proves = secret.proves(&proof.0, &signed.envelope.header.bundle_id, &card.card);
    if !proves || !email.eq_ignore_ascii_case(&listed.email) {
        return Err(CliError::verification(format!("{} did not prove their key by the claim link", Untrusted(&email)))
            .hint(
                "The server may show another key than theirs. Compare fingerprints before you hand over to them again.",
            ));
    }
    contacts::check(home, &listed.email, &card)?.pin(home, output)
}
