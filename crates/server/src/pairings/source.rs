//! What the device does that shows the code.

use segue_api::{
    Code,
    pairings::{IssuePairing, Pairing as Seen, RefuseAnswer, ReleaseView, RevokePairing},
};
use segue_domain::{
    Pairing, PairingId,
    limits::{NAMEPLATE_DRAWS_MAX, PAIRINGS_PER_HOUR},
    pairing::{Event, Purpose, Revocation, State},
    plan::Entitlement,
};
use segue_signed::{
    lv::lv_cat,
    pairing::{Method, Nameplate, Offer, Release},
    sha256,
};

use super::{
    relay::Turn,
    seen::{Side, seen},
};
use crate::{
    app::App,
    failure::Failure,
    news::{Announced, Topic},
    principal::{Credential, Principal},
    store::{
        Tx,
        pairing_messages::{self as messages, Kind},
        pairings::{self, NewPairing},
        users,
    },
};

/// One hour.
const HOUR_MS: i64 = 60 * 60 * 1000;

/// What two offers say of their pairing, which must be one.
struct Offers {
    hid: [u8; 16],
    purpose: Purpose,
    attempt: u8,
    lifetime_seconds: u32,
}

impl Offers {
    fn read(code: &[u8], link: &[u8]) -> Result<Self, Failure> {
        let (code, link) = (Offer::parse(code)?, Offer::parse(link)?);
        let same = (code.hid, code.purpose, code.attempt, code.lifetime_seconds)
            == (link.hid, link.purpose, link.attempt, link.lifetime_seconds);
        if !same || code.method != Method::Code || link.method != Method::Link {
            return Err(Failure::invalid("The two offers are not one for a code and one for a link of one pairing."));
        }
        let purpose = Purpose::from_word(code.purpose.as_str());
        let purpose = purpose.ok_or_else(|| Failure::invalid("The offers are for something else."))?;
        Ok(Self { hid: code.hid, purpose, attempt: code.attempt, lifetime_seconds: code.lifetime_seconds })
    }
}

/// Shows a code. The same offers again give the same nameplate.
pub(crate) async fn issue(app: &App, principal: &Principal, body: &IssuePairing) -> Result<Seen, Failure> {
    let Credential::Device { id: device, .. } = principal.credential else {
        return Err(Failure::new(Code::InsufficientScope, "A token cannot do this."));
    };
    let offers = Offers::read(&body.code_offer.0, &body.link_offer.0)?;
    let chat_tag: [u8; 32] =
        body.chat_tag.0.as_slice().try_into().map_err(|_| Failure::invalid("A chat tag has 32 bytes."))?;
    if offers.attempt != 1 {
        return Err(Failure::invalid("The first offers have attempt 1."));
    }
    check_plan(app, principal, offers.purpose)?;
    let (id, side) = (PairingId::from_bytes(offers.hid), Side::of(principal));
    let mut tx = app.db.begin().await?;
    users::lock(&mut tx, principal.user).await?;
    if let Some(known) = pairings::load(&mut tx, id).await? {
        let ours = side.is_source(&known) && is_repeat(&mut tx, id, body).await?;
        let again = Failure::new(Code::Conflict, "This pairing id was used before.").or("Draw a new one.");
        return if ours { seen(app, &mut tx, &known, &side, app.clock.now()).await } else { Err(again) };
    }
    let now = app.clock.now();
    let superseded = pairings::load_open(&mut tx, principal.user, device, &chat_tag).await?;
    if pairings::count_since(&mut tx, principal.user, now.plus_millis(-HOUR_MS)).await? >= PAIRINGS_PER_HOUR {
        let title = format!("More than {PAIRINGS_PER_HOUR} codes an hour.");
        return Err(Failure::later(Code::RateLimited, title, 60).or("Wait a minute, then ask for a new code."));
    }
    let mut announced = Announced::default();
    if let Some(known) = superseded {
        let mut turn = Turn::of(app, tx, known);
        turn.apply(&Event::Revoke { reason: Revocation::Superseded }, &[], None).await?;
        announced = Announced::one(Topic::Pairing(turn.loaded.id), turn.loaded.version);
        tx = turn.tx;
    }
    let seconds = offers.lifetime_seconds.min(app.settings.pairing_seconds);
    let pairing = Pairing::issue(offers.purpose, seconds, now);
    let new = NewPairing { id, pairing: &pairing, user: principal.user, device, chat_tag: &chat_tag };
    insert(app, &mut tx, &new, now).await?;
    messages::put(&mut tx, id, Kind::Code, &body.code_offer.0).await?;
    messages::put(&mut tx, id, Kind::Link, &body.link_offer.0).await?;
    let loaded = pairings::load(&mut tx, id).await?.ok_or_else(Failure::not_found)?;
    let answer = seen(app, &mut tx, &loaded, &side, now).await?;
    tx.commit().await?;
    app.news.tell(announced);
    Ok(answer)
}

/// Local work is untouched by a plan, and so is adding a device (SPEC D14).
fn check_plan(app: &App, principal: &Principal, purpose: Purpose) -> Result<(), Failure> {
    let needed = Entitlement::DeviceHandoff;
    if purpose == Purpose::Link || app.plan(principal).includes(needed) {
        return Ok(());
    }
    let title = format!("Your plan does not include {}.", needed.as_str());
    Err(Failure::new(Code::UpgradeRequired, title)
        .or("Ask whoever runs the server for a plan that does. Your sessions here are untouched."))
}

async fn is_repeat(tx: &mut Tx<'_>, id: PairingId, body: &IssuePairing) -> Result<bool, Failure> {
    let code = messages::find(tx, id, Kind::Code).await?;
    Ok(code.as_deref() == Some(&body.code_offer.0))
}

/// Draws nameplates until one is free: no list of them is kept, and none is used twice in a day.
async fn insert(app: &App, tx: &mut Tx<'_>, new: &NewPairing<'_>, now: segue_domain::Timestamp) -> Result<(), Failure> {
    for _ in 0..NAMEPLATE_DRAWS_MAX {
        let nameplate = Nameplate::from_number(u32::from_be_bytes(app.draw()?));
        if pairings::insert(tx, new, nameplate, now).await? {
            return Ok(());
        }
    }
    Err(Failure::later(Code::Unavailable, "All codes are in use.", 60))
}

/// Refuses the answer that waits.
pub(crate) async fn refuse(
    app: &App,
    principal: &Principal,
    id: PairingId,
    body: &RefuseAnswer,
) -> Result<Seen, Failure> {
    let side = Side::of(principal);
    let offers = body.code_offer.as_ref().zip(body.link_offer.as_ref());
    let next = offers.map(|(code, link)| Offers::read(&code.0, &link.0)).transpose()?;
    let mut turn = Turn::begin(app, id, |loaded| side.is_source(loaded)).await?;
    let fits = |next: &Offers| {
        (next.hid, next.purpose, next.attempt)
            == (*id.as_bytes(), turn.loaded.pairing.purpose, body.attempt.saturating_add(1))
    };
    if next.is_some_and(|next| !fits(&next)) {
        return Err(Failure::invalid("The next offers are not of this pairing, or not of the next attempt."));
    }
    let first_time = turn.loaded.pairing.attempt() == body.attempt;
    let leave: Vec<(Kind, &[u8])> = match offers {
        Some((code, link)) if first_time => vec![(Kind::Code, &code.0), (Kind::Link, &link.0)],
        _ => Vec::new(),
    };
    let too_late = turn.apply(&Event::Mismatch { attempt: body.attempt }, &[], None).await?;
    if turn.loaded.pairing.state == State::Issued {
        if first_time && leave.is_empty() {
            return Err(Failure::invalid("The code still stands: its next offers are missing."));
        }
        for (kind, bytes) in leave {
            messages::put(&mut turn.tx, id, kind, bytes).await?;
        }
    }
    let answer = seen(app, &mut turn.tx, &turn.loaded, &side, turn.now).await;
    turn.commit().await?;
    too_late.map_or(answer, |rejected| Err(rejected.into()))
}

/// Releases the view to who answered: this is the claim, and there is one.
pub(crate) async fn claim(
    app: &App,
    principal: &Principal,
    id: PairingId,
    body: &ReleaseView,
) -> Result<Seen, Failure> {
    let side = Side::of(principal);
    Release::parse(&body.release.0)?;
    let fetch = body.fetch_token_hash.as_ref().map(|hash| <[u8; 32]>::try_from(hash.0.as_slice())).transpose();
    let fetch = fetch.map_err(|_| Failure::invalid("The hash of a fetch token has 32 bytes."))?;
    let hash = sha256(&lv_cat(&[&body.release.0, fetch.as_ref().map_or(&[], <[u8; 32]>::as_slice)]));
    let turn = Turn::begin(app, id, |loaded| side.is_source(loaded)).await?;
    let event = Event::Claim { attempt: body.attempt, hash };
    turn.change(&event, &side, &[(Kind::Release, &body.release.0)], fetch.as_ref()).await
}

/// Ends a pairing that nobody has claimed.
pub(crate) async fn revoke(
    app: &App,
    principal: &Principal,
    id: PairingId,
    body: &RevokePairing,
) -> Result<Seen, Failure> {
    let side = Side::of(principal);
    let own = [Revocation::User, Revocation::NotApproved, Revocation::Restarted];
    let reason = Revocation::from_word(&body.reason).filter(|reason| own.contains(reason));
    let reason = reason.ok_or_else(|| Failure::invalid("A reason is user, not_approved or restarted."))?;
    // Any device of the account may end what another one of it shows.
    let turn = Turn::begin(app, id, |loaded| side.may_see(loaded)).await?;
    if matches!(turn.loaded.pairing.state, State::Revoked { .. }) {
        let mut turn = turn;
        return seen(app, &mut turn.tx, &turn.loaded, &side, turn.now).await;
    }
    turn.change(&Event::Revoke { reason }, &side, &[], None).await
}

/// Takes the chat back after the claim.
pub(crate) async fn take_back(app: &App, principal: &Principal, id: PairingId) -> Result<Seen, Failure> {
    let side = Side::of(principal);
    let turn = Turn::begin(app, id, |loaded| side.may_see(loaded)).await?;
    turn.change(&Event::TakeBack, &side, &[], None).await
}

/// Says that what was sent back has arrived; the relay forgets it.
pub(crate) async fn receive(app: &App, principal: &Principal, id: PairingId) -> Result<Seen, Failure> {
    let side = Side::of(principal);
    let mut turn = Turn::begin(app, id, |loaded| side.is_source(loaded)).await?;
    messages::delete(&mut turn.tx, id, &[Kind::Returned]).await?;
    turn.deleted = true;
    let answer = seen(app, &mut turn.tx, &turn.loaded, &side, turn.now).await;
    turn.commit().await?;
    answer
}
