//! Handing over to somebody who has not joined (SPEC T19). To claim takes the verified address, and either the claim link,
//! whose key the sender sealed for, or a key that the sender locks for the new person after they have joined.

use segue_api::{
    Code,
    handoffs::{Handoff, InviteProof, LateWrap, ReservedFor},
};
use segue_domain::{HandoffId, UserId, handoff::Event};
use segue_signed::{Wrap, WrapKind};

use crate::{
    admission::stale_key,
    answers,
    app::App,
    failure::Failure,
    lifecycle::{is_claimer, view},
    once::Once,
    principal::Principal,
    store::{Tx, handoff_views, handoffs, key_cards, recipients::To, users, wraps},
    transition::{Deed, Said},
};

/// Bytes of a proof.
const PROOF_BYTES: usize = 32;

/// Whom a handoff is to be sealed for now, for its sender.
pub(crate) async fn recipient(app: &App, sender: UserId, id: HandoffId) -> Result<ReservedFor, Failure> {
    let mut tx = app.db.read().await?;
    let row = handoff_views::find(&mut tx, sender, id).await?.filter(|row| row.sender_id.0 == sender);
    let row = row.ok_or_else(Failure::not_found)?;
    let user = match (row.to_user_id, &row.to_team_id, row.to_email) {
        (Some(user), ..) => users::find(&mut tx, user.0).await?,
        (_, Some(team_id), _) => return Ok(ReservedFor::Team { team_id: team_id.clone() }),
        (.., Some(email)) => match users::find_by_email(&mut tx, &email.to_ascii_lowercase()).await? {
            Some(user) => Some(user),
            None => return Ok(ReservedFor::Address { email }),
        },
        _ => None,
    };
    Ok(ReservedFor::User(answers::recipient_key(&mut tx, user.ok_or_else(Failure::not_found)?).await?))
}

/// Adds the key for the person who has verified the address meanwhile.
pub(crate) async fn wrap(
    app: &App,
    principal: &Principal,
    id: HandoffId,
    body: &LateWrap,
    once: &Once,
) -> Result<Handoff, Failure> {
    let wrap = Wrap::parse(&body.wrap.0)?;
    let mut deed = Deed::begin(app, principal, id, once, |loaded| loaded.sender == principal.user).await?;
    if let Some(first) = deed.first_answer().await? {
        return Ok(first);
    }
    let To::Address(email) = deed.loaded.to.clone() else {
        return Err(Failure::invalid("This handoff was sealed for its recipient's own key."));
    };
    let open = deed.loaded.handoff.is_open(deed.now);
    if open {
        check_current(&mut deed.tx, &wrap, &email.key).await?;
    }
    let outcome = deed.apply(&Event::WrapKey, Said::Nothing).await?;
    if open {
        wraps::save(&mut deed.tx, deed.loaded.bundle, &wrap).await?;
    }
    let answer = view(&mut deed, principal.user).await?;
    deed.end(&outcome, answer).await
}

/// The wrap is for whoever has verified the address, under their current key.
async fn check_current(tx: &mut Tx<'_>, wrap: &Wrap, email_key: &str) -> Result<(), Failure> {
    let user = users::find_by_email(tx, email_key).await?.ok_or_else(|| {
        Failure::new(Code::RecipientNotJoined, "Nobody has verified this address yet.")
            .or("Wait until they have joined, or give them the claim link.")
    })?;
    if wrap.kind != WrapKind::User || wrap.id != user.id.0.to_string() {
        return Err(Failure::invalid("The wrap is not for the person who has the address."));
    }
    let card = key_cards::current(tx, user.id.0).await?.card;
    let current = (wrap.key_fp, wrap.epoch) == (card.encryption_key_fingerprint(), card.epoch);
    if current { Ok(()) } else { Err(stale_key()) }
}

/// Stores the claimer's proof; the first one stays.
pub(crate) async fn prove(
    app: &App,
    principal: &Principal,
    id: HandoffId,
    body: &InviteProof,
    once: &Once,
) -> Result<Handoff, Failure> {
    if body.proof.0.len() != PROOF_BYTES {
        return Err(Failure::invalid(format!("A proof has {PROOF_BYTES} bytes.")));
    }
    let mut deed = Deed::begin(app, principal, id, once, |loaded| is_claimer(loaded, principal.user)).await?;
    if let Some(first) = deed.first_answer().await? {
        return Ok(first);
    }
    handoffs::save_proof(&mut deed.tx, id, &body.proof.0).await?;
    let answer = view(&mut deed, principal.user).await?;
    deed.finish(answer).await
}
