//! A device that joins an account through a pairing (SPEC A1): one that a device of the account let in, and gave the keys that sign
//! the next card.

use segue_api::{account::Account, pairings::LinkDevice};
use segue_domain::{
    PairingId,
    pairing::{Purpose, State},
};
use segue_signed::{SignedKeyCard, sha256};

use crate::{
    app::App,
    cards::{self, Coming},
    failure::Failure,
    person,
    recovering::{account, is_hash, is_repeat, last},
    store::pairings::{self, Loaded},
};

/// Adds the claimer to the account. The same card and token again give the same answer.
pub(crate) async fn link(app: &App, token: &[u8; 32], id: PairingId, body: &LinkDevice) -> Result<Account, Failure> {
    let name = person::name(&body.device_name)?;
    is_hash(&body.device_token_hash.0, "device_token_hash")?;
    let card = SignedKeyCard::parse(&body.key_card.0)?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let token_hash = sha256(token);
    let may = |loaded: &Loaded| {
        loaded.pairing.purpose == Purpose::Link
            && matches!(&loaded.pairing.state, State::Claimed(claim) if claim.token_hash == token_hash)
    };
    let loaded = pairings::load(&mut tx, id).await?.filter(may).ok_or_else(Failure::not_found)?;
    let (user, device_token) = (loaded.user, body.device_token_hash.0.as_slice());
    if is_repeat(&mut tx, user, &card, device_token).await? {
        return account(app, &mut tx, device_token).await;
    }
    if !loaded.pairing.backfill_is_readable(&token_hash, now) || pairings::has_linked(&mut tx, id).await? {
        return Err(Failure::new(segue_api::Code::Expired, "This code has added a device, or its time is over.")
            .or("Make a new code on a device of the account: segue link"));
    }
    let new = Coming { id: last(&card)?, name, token_hash: device_token, by: loaded.device };
    let announced = cards::add_device(&mut tx, user, &card, new, now).await?;
    pairings::set_linked(&mut tx, id).await?;
    let answer = account(app, &mut tx, device_token).await?;
    tx.commit().await?;
    app.news.tell(announced);
    Ok(answer)
}
