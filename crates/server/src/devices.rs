//! One's devices: what they are, what they missed, and removing one (SPEC A1, A3, A5).

use segue_api::devices::{Changes, Device, DeviceEvent, Devices, ListChanges, NextCard, Renew};
use segue_domain::{DeviceId, limits};
use segue_signed::{RootWrap, SignedKeyCard, keycard::DEVICES_MAX};

use crate::{
    answers,
    app::App,
    cards::{self, Renewal},
    failure::Failure,
    once::Once,
    principal::Principal,
    recovering::check_sealed,
    store::{Tx, device_events, devices, key_cards, root_wraps, users},
};

/// The devices of the current card.
pub(crate) async fn list(app: &App, principal: &Principal) -> Result<Devices, Failure> {
    let mut tx = app.db.read().await?;
    let card = key_cards::current(&mut tx, principal.user).await?;
    let mut names = devices::names(&mut tx, principal.user).await?;
    let this = principal.device_id().map(|id| id.to_string());
    let listed = card.card.devices.iter().map(|device| Device {
        name: names.remove(&device.id).unwrap_or_default(),
        kind: device.kind.as_str().to_owned(),
        this: this.as_deref() == Some(device.id.as_str()),
        added_at: millis(device.added_at),
        removed_at: device.revoked_at.map(millis),
        device_id: device.id.clone(),
    });
    Ok(Devices { devices: listed.collect(), key_card: card.encode().into() })
}

/// The codec keeps times far below the end of `i64`.
fn millis(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

/// What a device missed.
pub(crate) async fn changes(app: &App, principal: &Principal, known: &ListChanges) -> Result<Changes, Failure> {
    let mut tx = app.db.snapshot().await?;
    let device = principal.device_id().ok_or_else(Failure::not_found)?;
    let mut cards = Vec::new();
    for card in key_cards::after(&mut tx, principal.user, known.card, limits::PAGE_CARDS_MAX).await? {
        cards.push(next_card(&mut tx, principal, device, &card).await?);
    }
    let events = device_events::list(&mut tx, principal.user, known.event, limits::PAGE_DEVICE_EVENTS_MAX).await?;
    let keyring = users::keyring(&mut tx, principal.user).await?;
    Ok(Changes { cards, events: events.into_iter().map(event).collect(), keyring: keyring.map(Into::into) })
}

async fn next_card(
    tx: &mut Tx<'_>,
    principal: &Principal,
    device: DeviceId,
    card: &SignedKeyCard,
) -> Result<NextCard, Failure> {
    // Only a card that the key before signed as well begins an epoch.
    let root_wrap = match card.old_signature {
        Some(_) => root_wraps::find(tx, principal.user, card.card.epoch, &device.to_string()).await?,
        None => None,
    };
    Ok(NextCard { key_card: card.encode().into(), root_wrap: root_wrap.map(Into::into) })
}

fn event(row: device_events::Event) -> DeviceEvent {
    DeviceEvent {
        seq: row.seq,
        kind: row.kind,
        device_id: row.device_id,
        name: row.name.unwrap_or_default(),
        by_device: row.by_device,
        by_name: row.by_name.unwrap_or_default(),
        at: row.at.as_millis(),
    }
}

/// Begins a new epoch without one or more devices; who asks may be one of them. The same card again gives the same answer.
pub(crate) async fn renew(
    app: &App,
    principal: &Principal,
    body: &Renew,
    once: &Once,
) -> Result<segue_api::account::Account, Failure> {
    let by = principal.device_id().ok_or_else(Failure::not_found)?;
    let card = SignedKeyCard::parse(&body.key_card.0)?;
    check_sealed(&body.recovery_root.0, &body.recovery_auth_hash.0)?;
    if body.keyring.0.len() > limits::KEYRING_BYTES_MAX {
        return Err(Failure::invalid(format!("A keyring has at most {} bytes.", limits::KEYRING_BYTES_MAX)));
    }
    if body.root_wraps.len() > DEVICES_MAX {
        return Err(Failure::invalid(format!("A key card has at most {DEVICES_MAX} devices.")));
    }
    let root_wraps: Vec<_> = body.root_wraps.iter().map(|wrap| RootWrap::parse(&wrap.0)).collect::<Result<_, _>>()?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if let Some(first) = once.first_answer(&mut tx, now).await? {
        return Ok(first);
    }
    if key_cards::at(&mut tx, principal.user, card.card.seq).await?.as_ref() == Some(&card) {
        return answers::account(app, &mut tx, principal).await;
    }
    let renewal = Renewal {
        keyring: &body.keyring.0,
        root_wraps: &root_wraps,
        recovery_root: &body.recovery_root.0,
        recovery_auth_hash: &body.recovery_auth_hash.0,
        by,
    };
    let announced = cards::renew(&mut tx, principal.user, &card, renewal, now).await?;
    let answer = answers::account(app, &mut tx, principal).await?;
    once.keep(&mut tx, &answer).await?;
    tx.commit().await?;
    app.news.tell(announced);
    Ok(answer)
}
