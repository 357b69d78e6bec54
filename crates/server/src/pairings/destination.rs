//! What the device does that is given the code.

use segue_api::pairings::{AcknowledgeView, AnswerPairing, LeasePairing, Leased, Pairing as Seen, ReturnToSource};
use segue_domain::{
    PairingId, limits,
    pairing::{Event, Purpose},
};
use segue_signed::{
    pairing::{Answer, Nameplate, SizeClass},
    sha256,
};

use super::{relay::Turn, seen::Side};
use crate::{
    app::App,
    failure::Failure,
    principal::Principal,
    store::{
        pairing_messages::{self as messages, Kind},
        pairings,
    },
};

/// Bytes that sealing adds.
const TAG_BYTES: usize = 16;

/// Takes a lease: whoever knows the nameplate may, one at a time.
pub(crate) async fn lease(
    app: &App,
    principal: Option<&Principal>,
    token: &[u8; 32],
    body: &LeasePairing,
) -> Result<Leased, Failure> {
    let purpose = Purpose::from_word(&body.purpose);
    let purpose = purpose.ok_or_else(|| Failure::invalid("A purpose is handoff or link."))?;
    let method = match body.method.as_str() {
        "code" => Kind::Code,
        "link" => Kind::Link,
        _ => return Err(Failure::invalid("A method is code or link.")),
    };
    let nameplate: Nameplate = body.nameplate.parse().map_err(|_| Failure::not_found())?;
    let mut tx = app.db.begin().await?;
    let loaded = pairings::load_by_nameplate(&mut tx, nameplate).await?;
    // How a code ended is said to who had a lease, not to who tries nameplates.
    let loaded = loaded.filter(|loaded| !loaded.pairing.state.is_final()).ok_or_else(Failure::not_found)?;
    let same_account = principal.is_some_and(|principal| principal.user == loaded.user);
    let mut turn = Turn::of(app, tx, loaded);
    let event = Event::Lease { purpose, token_hash: sha256(token), same_account };
    let too_late = turn.apply(&event, &[], None).await?;
    let offer = messages::find(&mut turn.tx, turn.loaded.id, method).await?;
    let leased = Leased {
        pairing_id: turn.loaded.id.to_string(),
        server_id: app.server_id.to_vec().into(),
        offer: offer.unwrap_or_default().into(),
        lease_ms: limits::PAIRING_LEASE_MS,
        expires_in_ms: (turn.loaded.pairing.deadline().as_millis() - turn.now.as_millis()).max(0),
    };
    turn.commit().await?;
    match too_late {
        None => Ok(leased),
        Some(_) => Err(Failure::not_found()),
    }
}

/// Answers the offer, once.
pub(crate) async fn answer(app: &App, token: &[u8; 32], id: PairingId, body: &AnswerPairing) -> Result<Seen, Failure> {
    let (answer, token_hash) = (Answer::parse(&body.answer.0)?, sha256(token));
    let turn = Turn::begin(app, id, |_| true).await?;
    let event = Event::Confirm { token_hash, attempt: answer.attempt, hash: sha256(&body.answer.0) };
    turn.change(&event, &Side::Destination(token_hash), &[(Kind::Answer, &body.answer.0)], None).await
}

/// Acknowledges the view; the relay deletes it.
pub(crate) async fn acknowledge(
    app: &App,
    token: &[u8; 32],
    id: PairingId,
    body: &AcknowledgeView,
) -> Result<Seen, Failure> {
    let (sealed, token_hash) = (body.acknowledgement.0.as_slice(), sha256(token));
    if sealed.len() != limits::ACKNOWLEDGEMENT_BYTES {
        return Err(Failure::invalid(format!("An acknowledgement has {} bytes.", limits::ACKNOWLEDGEMENT_BYTES)));
    }
    let turn = Turn::begin(app, id, |_| true).await?;
    let event = Event::Acknowledge { token_hash };
    turn.change(&event, &Side::Destination(token_hash), &[(Kind::Acknowledgement, sealed)], None).await
}

/// Says that everything has arrived; the relay lets go of the bundle.
pub(crate) async fn complete(app: &App, token: &[u8; 32], id: PairingId) -> Result<Seen, Failure> {
    let token_hash = sha256(token);
    let turn = Turn::begin(app, id, |_| true).await?;
    turn.change(&Event::Complete { token_hash }, &Side::Destination(token_hash), &[], None).await
}

/// Sends something back to the source, once.
pub(crate) async fn send_back(
    app: &App,
    token: &[u8; 32],
    id: PairingId,
    body: &ReturnToSource,
) -> Result<Seen, Failure> {
    let (sealed, token_hash) = (body.returned.0.as_slice(), sha256(token));
    if !SizeClass::ALL.iter().any(|class| class.bytes() + TAG_BYTES == sealed.len()) {
        return Err(Failure::invalid("What is sent back has one of three sizes."));
    }
    let turn = Turn::begin(app, id, |_| true).await?;
    let event = Event::Return { token_hash, hash: sha256(sealed) };
    turn.change(&event, &Side::Destination(token_hash), &[(Kind::Returned, sealed)], None).await
}
