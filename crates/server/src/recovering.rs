//! The way back with the recovery code (SPEC A1): who has it becomes a device of the account. The server knows the hash of what proves
//! it, and the root sealed under it.

use std::net::IpAddr;

use segue_api::{
    Code,
    account::Account,
    devices::{CODE_MADE, NewCode, OpenRecovery, Recover, Recovery},
};
use segue_domain::{DeviceId, UserId, limits};
use segue_signed::{CardChange, SignedKeyCard, sha256};
use subtle::ConstantTimeEq as _;

use crate::{
    answers,
    app::App,
    cards::{self, Coming},
    failure::Failure,
    news::Announced,
    person::{self, Email},
    principal::Principal,
    rates,
    store::{
        Tx,
        device_events::NewEvent,
        devices, key_cards,
        quotas::Quota,
        users::{self, Recoverable},
    },
};

/// Tries from one network address.
const TRIES: Quota = Quota { most: limits::RECOVERIES_PER_HOUR, window_ms: 60 * 60 * 1000 };
/// Accounts of one address that are looked at: the verified one, and the first of those that nobody verified.
const ACCOUNTS_MAX: i64 = 16;
/// Bytes of a hash.
const HASH_BYTES: usize = 32;
/// A sealed user root: 32 bytes, nonce and tag, with room for a header.
const RECOVERY_ROOT_BYTES_MAX: usize = 256;

/// What the recovery code opens.
pub(crate) async fn open(app: &App, body: &OpenRecovery, from: IpAddr) -> Result<Recovery, Failure> {
    let email = Email::parse(&body.email)?;
    count(app, from).await?;
    let mut tx = app.db.snapshot().await?;
    let row = find(&mut tx, &email, &body.auth.0).await?;
    Ok(Recovery {
        user_id: row.id.0.to_string(),
        key_card: key_cards::current(&mut tx, row.id.0).await?.encode().into(),
        email: row.email,
        recovery_root: row.recovery_root.into(),
        keyring: row.keyring.map(Into::into),
        device_events: row.device_events,
    })
}

/// Adds the device that has the code. The same card and token again give the same answer.
pub(crate) async fn recover(app: &App, body: &Recover, from: IpAddr) -> Result<Account, Failure> {
    let email = Email::parse(&body.email)?;
    let name = person::name(&body.device_name)?;
    is_hash(&body.device_token_hash.0, "device_token_hash")?;
    let card = SignedKeyCard::parse(&body.key_card.0)?;
    count(app, from).await?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let user = find(&mut tx, &email, &body.auth.0).await?.id.0;
    if !is_repeat(&mut tx, user, &card, &body.device_token_hash.0).await? {
        let id = last(&card)?;
        let new = Coming { id, name, token_hash: &body.device_token_hash.0, by: id };
        let announced = cards::add_device(&mut tx, user, &card, new, now).await?;
        let answer = account(app, &mut tx, &body.device_token_hash.0).await?;
        tx.commit().await?;
        app.news.tell(announced);
        return Ok(answer);
    }
    account(app, &mut tx, &body.device_token_hash.0).await
}

/// Takes another recovery code for the root that is current.
pub(crate) async fn new_code(app: &App, principal: &Principal, body: &NewCode) -> Result<(), Failure> {
    let device = principal.device_id().ok_or_else(Failure::not_found)?;
    check_sealed(&body.recovery_root.0, &body.recovery_auth_hash.0)?;
    let mut tx = app.db.begin().await?;
    users::lock(&mut tx, principal.user).await?;
    if key_cards::current(&mut tx, principal.user).await?.card.epoch != body.epoch {
        return Err(Failure::new(Code::StaleKey, "Your keys have changed meanwhile.").or("Make the code again."));
    }
    let is_repeat = users::recovery_auth_hash(&mut tx, principal.user).await? == body.recovery_auth_hash.0;
    users::set_recovery(&mut tx, principal.user, &body.recovery_root.0, &body.recovery_auth_hash.0).await?;
    let announced = if is_repeat {
        Announced::default()
    } else {
        let event = NewEvent { kind: CODE_MADE, device, by: device };
        cards::record(&mut tx, principal.user, event, app.clock.now()).await?
    };
    tx.commit().await?;
    app.news.tell(announced);
    Ok(())
}

/// What is kept for a recovery has the form that it must have.
pub(crate) fn check_sealed(root: &[u8], auth_hash: &[u8]) -> Result<(), Failure> {
    is_hash(auth_hash, "recovery_auth_hash")?;
    if root.len() > RECOVERY_ROOT_BYTES_MAX {
        return Err(Failure::invalid(format!("recovery_root has at most {RECOVERY_ROOT_BYTES_MAX} bytes.")));
    }
    Ok(())
}

/// `bytes` are a hash.
pub(crate) fn is_hash(bytes: &[u8], name: &str) -> Result<(), Failure> {
    if bytes.len() == HASH_BYTES { Ok(()) } else { Err(Failure::invalid(format!("{name} has {HASH_BYTES} bytes."))) }
}

/// Counts a try, right or wrong, whatever the address.
async fn count(app: &App, from: IpAddr) -> Result<(), Failure> {
    // A proxy on this machine brings everybody from one address.
    if from.is_loopback() {
        return Ok(());
    }
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if !TRIES.take(&mut tx, &format!("recoveries {}", rates::network(from)), now).await? {
        let wait = (TRIES.window_end(now).as_millis() - now.as_millis()) / 1000;
        let title = format!("More than {} recoveries in an hour.", limits::RECOVERIES_PER_HOUR);
        return Err(Failure::later(Code::RateLimited, title, wait.unsigned_abs() + 1));
    }
    Ok(tx.commit().await?)
}

/// The account of this address whose code was proved. An unknown address and a wrong code are the same.
async fn find(tx: &mut Tx<'_>, email: &Email, auth: &[u8]) -> Result<Recoverable, Failure> {
    let proved = sha256(auth);
    let mut found = None;
    for row in users::recoveries(tx, &email.key, ACCOUNTS_MAX).await? {
        if bool::from(row.recovery_auth_hash.as_slice().ct_eq(&proved)) {
            found = Some(row);
        }
    }
    found.ok_or_else(|| {
        Failure::new(Code::WrongProof, "No account of this address has this recovery code.")
            .or("Check both. Each removed device makes a new code, and only the newest one counts.")
    })
}

/// Whether this card was appended already, by who has this token.
pub(crate) async fn is_repeat(
    tx: &mut Tx<'_>,
    user: UserId,
    card: &SignedKeyCard,
    token_hash: &[u8],
) -> Result<bool, Failure> {
    if key_cards::at(tx, user, card.card.seq).await?.as_ref() != Some(card) {
        return Ok(false);
    }
    let Some(before) = key_cards::at(tx, user, card.card.seq.saturating_sub(1)).await? else { return Ok(false) };
    let Ok(CardChange::Added(device)) = CardChange::between(&before.card, &card.card) else { return Ok(false) };
    let Ok(id) = device.id.parse() else { return Ok(false) };
    Ok(devices::token_hash(tx, user, id).await?.is_some_and(|known| known == token_hash))
}

/// The device that is added: the last of the card. [`cards::add_device`] finds out whether it is.
pub(crate) fn last(card: &SignedKeyCard) -> Result<DeviceId, Failure> {
    let device = card.card.devices.last();
    device.and_then(|device| device.id.parse().ok()).ok_or_else(|| Failure::invalid("The key card adds no device."))
}

/// The account, as its new device sees it.
pub(crate) async fn account(app: &App, tx: &mut Tx<'_>, token_hash: &[u8]) -> Result<Account, Failure> {
    let hash = token_hash.try_into().map_err(|_| Failure::not_found())?;
    let principal = devices::find_by_token(tx, &hash).await?.ok_or_else(Failure::not_found)?;
    answers::account(app, tx, &principal).await
}
