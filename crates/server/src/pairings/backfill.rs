//! The bundle that follows a view: owned by the pairing, read with a token that travelled in the sealed view, gone with the
//! final acknowledgement, a take-back, or an hour after the claim (SPEC D10).

use segue_api::{bundles::Bundle, pairings::Pairing as Seen};
use segue_domain::{BundleId, PackId, PairingId, Timestamp, UserId, pairing::State};
use segue_signed::sha256;
use subtle::ConstantTimeEq as _;

use super::{
    relay::Turn,
    seen::{Side, seen},
};
use crate::{
    admission,
    app::App,
    failure::Failure,
    news::{Announced, Topic},
    off_runtime::off_runtime,
    parcel::Sent,
    principal::Principal,
    snapshot,
    store::{
        Tx, bundles, key_cards,
        packs::{self, Pack},
        pairings::{self, Loaded},
        wraps,
    },
    upload::{self, check_room},
};

/// Stores the bundle of a claimed pairing. Its source only; the first stays.
pub(crate) async fn put(app: &App, principal: &Principal, id: PairingId, body: Sent) -> Result<Seen, Failure> {
    let side = Side::of(principal);
    let card = key_cards::current(&mut app.db.read().await?, principal.user).await?;
    let (who, signed) = (principal.clone(), card.clone());
    let admitted = off_runtime(move || admission::device(body, &who, &signed.card, id)).await?;
    let new = upload::inline(app, principal, &admitted).await?;
    let mut turn = Turn::begin(app, id, |loaded| side.is_source(loaded)).await?;
    if !is_open(&turn.loaded, turn.now) {
        return Err(Failure::new(segue_api::Code::Conflict, "Nobody waits for the bundle of this pairing.")
            .or("A bundle follows a claim; after a take-back or an hour there is none."));
    }
    if bundles::of_pairing(&mut turn.tx, id).await?.is_none() {
        snapshot::charge(&mut turn.tx, principal, &card).await?;
        upload::record(app, &mut turn.tx, &new).await?;
        snapshot::keep(app, &mut turn.tx, principal, &admitted, Some(principal.user)).await?;
        bundles::give_to_pairing(&mut turn.tx, admitted.id(), id).await?;
        check_room(app, &mut turn.tx, principal, 0).await?;
        pairings::touch(&mut turn.tx, id).await?;
        turn.loaded.version += 1;
    }
    let answer = seen(app, &mut turn.tx, &turn.loaded, &side, turn.now).await?;
    let announced = Announced::one(Topic::Pairing(id), turn.loaded.version);
    turn.tx.commit().await?;
    app.news.tell(announced);
    Ok(answer)
}

/// Whether the claimer may still fetch.
fn is_open(loaded: &Loaded, now: Timestamp) -> bool {
    matches!(&loaded.pairing.state, State::Claimed(claim) if claim.end.is_none() && now < claim.lapses_at())
}

/// The bundle that this token reads now, and whose it is.
async fn readable(app: &App, tx: &mut Tx<'_>, id: PairingId, token: &[u8; 32]) -> Result<(UserId, BundleId), Failure> {
    let loaded = pairings::find(tx, id).await?.filter(|loaded| {
        let known = loaded.fetch_token.is_some_and(|hash| bool::from(hash.ct_eq(&sha256(token))));
        known && is_open(loaded, app.clock.now())
    });
    let source = loaded.ok_or_else(Failure::not_found)?.user;
    let bundle = bundles::of_pairing(tx, id).await?.ok_or_else(Failure::not_found)?;
    Ok((source, bundle))
}

/// What a reader needs to begin to open the bundle.
pub(crate) async fn fetch(app: &App, id: PairingId, token: &[u8; 32]) -> Result<Bundle, Failure> {
    let mut tx = app.db.read().await?;
    let (_, bundle) = readable(app, &mut tx, id, token).await?;
    let wrap = wraps::only(&mut tx, bundle).await?;
    let opening = snapshot::opening(&mut tx, bundle, wrap).await?;
    // A guest learns nobody's address from the server.
    Ok(Bundle { sender_email: String::new(), ..opening })
}

/// The bundle's sealed manifest.
pub(crate) async fn manifest(app: &App, id: PairingId, token: &[u8; 32]) -> Result<Vec<u8>, Failure> {
    let mut tx = app.db.read().await?;
    let (source, bundle) = readable(app, &mut tx, id, token).await?;
    bundles::manifest(&mut tx, source, bundle).await?.ok_or_else(Failure::not_found)
}

/// One of its packs.
pub(crate) async fn pack(app: &App, id: PairingId, token: &[u8; 32], pack: PackId) -> Result<Pack, Failure> {
    let mut tx = app.db.read().await?;
    let (source, bundle) = readable(app, &mut tx, id, token).await?;
    packs::find_listed(&mut tx, source, bundle, pack).await?.ok_or_else(Failure::not_found)
}
