//! Pushing a session: a snapshot bundle replaces the one before (SPEC T22), and reading it again.

use segue_api::{
    Bytes, Code,
    bundles::{Bundle, OwnWrap, Pushed},
};
use segue_domain::{BundleId, PackId, SessionId, UserId};
use segue_signed::{SignedKeyCard, Wrap};

use crate::{
    admission::{self, Admitted, public_card},
    app::App,
    failure::Failure,
    off_runtime::off_runtime,
    once::Once,
    parcel::Sent,
    principal::Principal,
    store::{
        Tx, bundles, key_cards,
        packs::{self, Pack},
        sessions, users, wraps,
    },
    upload::{self, check_room},
};

/// Stores a snapshot as the newest state of its session.
pub(crate) async fn push(app: &App, principal: &Principal, body: Sent, once: &Once) -> Result<Pushed, Failure> {
    let card = key_cards::current(&mut app.db.read().await?, principal.user).await?;
    // Megabytes are hashed before the transaction, so that the one writer does not wait for that.
    let (who, signed) = (principal.clone(), card.clone());
    let admitted = off_runtime(move || admission::snapshot(body, &who, &signed.card)).await?;
    let new = upload::inline(app, principal, &admitted).await?;
    let pushed = store(app, principal, &admitted, &card, &new, once).await;
    if pushed.is_err() {
        upload::keep_unlisted(app, principal, &new).await;
    }
    pushed
}

async fn store(
    app: &App,
    principal: &Principal,
    admitted: &Admitted,
    card: &SignedKeyCard,
    new: &[Pack],
    once: &Once,
) -> Result<Pushed, Failure> {
    let mut tx = app.db.begin().await?;
    if let Some(first) = once.first_answer(&mut tx, app.clock.now()).await? {
        return Ok(first);
    }
    charge(&mut tx, principal, card).await?;
    upload::record(app, &mut tx, new).await?;
    keep(app, &mut tx, principal, admitted, Some(principal.user)).await?;
    advance(app, &mut tx, principal, admitted).await?;
    check_room(app, &mut tx, principal, 0).await?;
    let answer = Pushed { session_id: admitted.session.to_string(), seq: admitted.seq() };
    once.keep(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Makes others that charge this person wait, and confirms that what was admitted still stands under `card`.
pub(crate) async fn charge(tx: &mut Tx<'_>, principal: &Principal, card: &SignedKeyCard) -> Result<(), Failure> {
    users::lock(tx, principal.user).await?;
    if key_cards::current(tx, principal.user).await? == *card { Ok(()) } else { Err(admission::stale_key()) }
}

/// Stores an admitted bundle and refers to exactly the packs of its envelope.
pub(crate) async fn keep(
    app: &App,
    tx: &mut Tx<'_>,
    principal: &Principal,
    admitted: &Admitted,
    holder: Option<UserId>,
) -> Result<(), Failure> {
    let header = admitted.header();
    let new = bundles::NewBundle {
        id: admitted.id(),
        kind: header.kind.as_str(),
        owner: principal.user,
        holder,
        session_id: &header.session_id,
        seq: admitted.seq(),
        envelope: admitted.signed.as_bytes(),
        manifest: &admitted.manifest,
        preview: admitted.preview.as_deref(),
    };
    if !bundles::insert(tx, &new, app.clock.now()).await? {
        return Err(Failure::new(Code::Conflict, "This bundle id was used before.").or("Seal again: ids are fresh."));
    }
    // In the order of their ids, so that two transactions never wait for each other.
    let mut entries: Vec<_> = admitted.envelope().packs.iter().enumerate().collect();
    entries.sort_by_key(|(_, entry)| entry.id);
    for (position, entry) in entries {
        let owner = packs::refer(tx, principal.user, entry).await?.ok_or_else(unusable)?;
        packs::list(tx, new.id, position, owner, PackId::from_bytes(entry.id)).await?;
    }
    for wrap in &admitted.wraps {
        wraps::save(tx, new.id, wrap).await?;
    }
    Ok(())
}

fn unusable() -> Failure {
    Failure::new(Code::PackUnusable, "A pack of the envelope is missing, not yours, or not what the envelope says.")
        .or("Upload it under a new id and seal again.")
}

/// Makes the bundle the session's head, if it continues the head that is there.
async fn advance(app: &App, tx: &mut Tx<'_>, principal: &Principal, admitted: &Admitted) -> Result<(), Failure> {
    let header = admitted.header();
    let card = serde_json::to_string(&public_card(&header.card)).map_err(anyhow::Error::from)?;
    let head = sessions::Head {
        owner: principal.user,
        id: admitted.session,
        bundle: admitted.id(),
        seq: admitted.seq(),
        hash: admitted.signed.hash(),
        card: &card,
    };
    let now = app.clock.now();
    let before = sessions::find(tx, principal.user, admitted.session).await?;
    let moved = match (&header.parent, header.seq, &before) {
        (None, 1, None) => sessions::insert(tx, &head, None, now).await?,
        (Some(parent), 2.., Some(_)) => sessions::advance(tx, &head, parent, now).await?,
        _ => false,
    };
    if !moved {
        return Err(Failure::new(Code::Diverged, "Another device pushed this session in the meantime.")
            .or("Push it as a new session, or continue from the newer state."));
    }
    match before {
        Some(before) => Ok(bundles::release(tx, before.bundle_id.0).await?),
        None => Ok(()),
    }
}

/// Deletes a session; what it held goes with it, what was handed over stays.
pub(crate) async fn delete(app: &App, principal: &Principal, id: SessionId) -> Result<(), Failure> {
    let mut tx = app.db.begin().await?;
    let bundle = sessions::delete(&mut tx, principal.user, id).await?.ok_or_else(Failure::not_found)?;
    bundles::release(&mut tx, bundle).await?;
    Ok(tx.commit().await?)
}

/// What one needs to begin to open one's session.
pub(crate) async fn open(app: &App, principal: &Principal, id: SessionId) -> Result<Bundle, Failure> {
    let mut tx = app.db.read().await?;
    let session = sessions::find(&mut tx, principal.user, id).await?.ok_or_else(Failure::not_found)?;
    let wrap = wraps::find(&mut tx, session.bundle_id.0, principal.user).await?;
    opening(&mut tx, session.bundle_id.0, wrap).await
}

/// A bundle's envelope and preview, with the reader's wrap and the sender's current key card.
pub(crate) async fn opening(tx: &mut Tx<'_>, id: BundleId, wrap: Option<Vec<u8>>) -> Result<Bundle, Failure> {
    let opening = bundles::opening(tx, id).await?;
    let sender = users::find(tx, opening.owner.0).await?.ok_or_else(Failure::not_found)?;
    Ok(Bundle {
        bundle_id: id.to_string(),
        envelope: opening.envelope.into(),
        preview: opening.preview.map(Bytes),
        wrap: wrap.map(Bytes),
        sender_card: key_cards::current(tx, sender.id.0).await?.encode().into(),
        sender_email: sender.email,
    })
}

/// Stores the holder's own wrap; after that nobody else's is needed. What is no id is as unknown as an unknown one, and
/// both only after the wrap was found good.
pub(crate) async fn own_wrap(
    app: &App,
    principal: &Principal,
    id: Option<BundleId>,
    body: &OwnWrap,
) -> Result<(), Failure> {
    let wrap = Wrap::parse(&body.wrap.0)?;
    let mut tx = app.db.begin().await?;
    let held = match id {
        Some(id) if bundles::is_held(&mut tx, principal.user, id).await? => Ok(id),
        _ => Err(Failure::not_found()),
    };
    keep_own_wrap(&mut tx, principal, held, &wrap).await?;
    Ok(tx.commit().await?)
}

/// Lets the wrap of a bundle's holder take the place of all others. What is wrong with the wrap itself is said first, whatever
/// the bundle.
pub(crate) async fn keep_own_wrap(
    tx: &mut Tx<'_>,
    principal: &Principal,
    held: Result<BundleId, Failure>,
    wrap: &Wrap,
) -> Result<(), Failure> {
    let card = key_cards::current(tx, principal.user).await?;
    admission::check_own(wrap, principal, &card.card)?;
    let id = held?;
    wraps::save(tx, id, wrap).await?;
    Ok(wraps::keep_own(tx, id, principal.user).await?)
}
