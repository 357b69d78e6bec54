//! The chain of a person's key cards: one function appends to it, and what must change with a card changes in its transaction
//! (`docs/protocol.md` §2, Devices). [`add_device`] and [`renew`] are the two things that a card can do.

use std::collections::BTreeSet;

use segue_api::{Code, devices};
use segue_domain::{DeviceId, Timestamp, UserId};
use segue_signed::{CardChange, Device, KeyCard, RootWrap, SignedKeyCard, sha256};

use crate::{
    failure::Failure,
    news::{Announced, announce_device},
    pairings,
    store::{
        Tx,
        device_events::{self, NewEvent},
        devices::{self as rows, NewDevice},
        key_cards,
        news::{About, NewNews},
        root_wraps, users,
    },
};

/// A device that comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Coming<'a> {
    /// From the new card.
    pub(crate) id: DeviceId,
    /// Its name, checked.
    pub(crate) name: &'a str,
    /// SHA-256 of its token.
    pub(crate) token_hash: &'a [u8],
    /// Which device brings it; itself with the recovery code.
    pub(crate) by: DeviceId,
}

/// Keys of a new epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Renewal<'a> {
    /// The sealed keyring.
    pub(crate) keyring: &'a [u8],
    /// The new root, locked for those who stay.
    pub(crate) root_wraps: &'a [RootWrap],
    /// The new root, sealed under a new recovery code.
    pub(crate) recovery_root: &'a [u8],
    /// SHA-256 of that code's proof.
    pub(crate) recovery_auth_hash: &'a [u8],
    /// Which device does it.
    pub(crate) by: DeviceId,
}

/// Adds a device: the new card differs from the current one by exactly one active full device, and by revoked ones that it leaves
/// out. To be told of after the commit.
///
/// # Errors
/// 409 when another card came first; 422 when the card does not verify, does anything else, or adds another device than `new`.
pub(crate) async fn add_device(
    tx: &mut Tx<'_>,
    user: UserId,
    card: &SignedKeyCard,
    new: Coming<'_>,
    now: Timestamp,
) -> Result<Announced, Failure> {
    let (_, CardChange::Added(device)) = append(tx, user, card, now).await? else {
        return Err(Failure::invalid("The key card does not add a device."));
    };
    if device.id != new.id.to_string() {
        return Err(Failure::invalid("The key card adds another device."));
    }
    let row = NewDevice { user, id: new.id, name: new.name, key: &device.key, token_hash: new.token_hash };
    rows::insert(tx, &row, now).await?;
    let kind = if new.by == new.id { devices::RECOVERED } else { devices::ADDED };
    record(tx, user, NewEvent { kind, device: new.id, by: new.by }, now).await
}

/// Begins a new epoch without some devices: their access ends, and everything is locked anew for those who stay. To be told of after
/// the commit.
///
/// # Errors
/// 409 when another card came first; 422 when the card does not verify or does anything else, and when keyring or wraps are not
/// those that belong to it.
pub(crate) async fn renew(
    tx: &mut Tx<'_>,
    user: UserId,
    card: &SignedKeyCard,
    new: Renewal<'_>,
    now: Timestamp,
) -> Result<Announced, Failure> {
    let (before, CardChange::Renewed(removed)) = append(tx, user, card, now).await? else {
        return Err(Failure::invalid("The key card removes no device."));
    };
    if card.card.keyring_hash != Some(sha256(new.keyring)) {
        return Err(Failure::invalid("The keyring is not the one that the key card names."));
    }
    check_wraps(&before, &card.card, &new)?;
    users::set_keyring(tx, user, new.keyring).await?;
    users::set_recovery(tx, user, new.recovery_root, new.recovery_auth_hash).await?;
    for wrap in new.root_wraps {
        root_wraps::insert(tx, user, wrap).await?;
    }
    let mut announced = Announced::default();
    for device in removed {
        let id = id(&device)?;
        rows::revoke(tx, user, id, now).await?;
        announced.join(pairings::remove_device(tx, user, id, now).await?);
        announced.join(record(tx, user, NewEvent { kind: devices::REMOVED, device: id, by: new.by }, now).await?);
    }
    Ok(announced)
}

/// Appends a card by compare-and-swap, and says what stood there before and what it changes. Whoever calls it writes the rest.
async fn append(
    tx: &mut Tx<'_>,
    user: UserId,
    card: &SignedKeyCard,
    now: Timestamp,
) -> Result<(KeyCard, CardChange), Failure> {
    users::lock(tx, user).await?;
    let before = key_cards::current(tx, user).await?.card;
    if card.card.user_id != before.user_id {
        return Err(Failure::new(Code::Unverified, "The key card is another account's."));
    }
    if Some(card.card.seq) != before.seq.checked_add(1) || card.card.previous != Some(before.hash()) {
        return Err(Failure::new(Code::Conflict, "Another of your devices has changed the account.")
            .or("Read it again, then try again."));
    }
    card.verify(Some(&before))?;
    let change = CardChange::between(&before, &card.card)?;
    key_cards::append(tx, user, card, now).await?;
    Ok((before, change))
}

/// The new root comes for each full device that stays but the one that made it, by that one, and for nobody else.
fn check_wraps(before: &KeyCard, card: &KeyCard, new: &Renewal<'_>) -> Result<(), Failure> {
    let by = new.by.to_string();
    let staying = card.devices.iter().filter(|device| device.is_active_full() && device.id != by);
    let staying: BTreeSet<_> = staying.map(|device| device.id.as_str()).collect();
    let wrapped: BTreeSet<_> = new.root_wraps.iter().map(|wrap| wrap.device_id.as_str()).collect();
    if staying != wrapped || wrapped.len() != new.root_wraps.len() {
        return Err(Failure::invalid("The new root must come for exactly those full devices that stay.")
            .or("Lock it for each of them but the one that asks, and for nobody else."));
    }
    for wrap in new.root_wraps {
        if wrap.verify(before, card)?.id != by {
            return Err(Failure::new(Code::Unverified, "The new root was locked by another device than sends it."));
        }
    }
    Ok(())
}

/// Records an event of one's devices and writes news of it.
pub(crate) async fn record(
    tx: &mut Tx<'_>,
    user: UserId,
    event: NewEvent,
    now: Timestamp,
) -> Result<Announced, Failure> {
    let seq = device_events::append(tx, user, event, now).await?;
    let news = NewNews { about: About::Device(event.device), kind: event.kind, event: seq };
    announce_device(tx, user, &news, now).await
}

fn id(device: &Device) -> Result<DeviceId, Failure> {
    device.id.parse().map_err(|_| Failure::invalid("The key card names a device by no id."))
}
