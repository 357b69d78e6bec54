//! A new epoch as this device makes it. It is stored before the server hears of it, so that a removal that is cut short at any
//! point can be repeated, and its recovery code is shown.

use segue_api::devices::Renew;
use segue_crypto::{KeyringPlace, RecoveryCode, UserRoot, root_wrap::wrap_root};
use segue_domain::Clock as _;
use segue_signed::{KeyCard, SignedKeyCard, sha256};
use serde::{Deserialize, Serialize};

use crate::{
    account::Account,
    base64url,
    environment::{SystemClock, rng},
    error::{CliError, Exit, Result},
    home::{self, Home},
};

const FILE: &str = "renewal.json";

/// An epoch that was begun. Bytes are base64url.
#[derive(Clone, Serialize, Deserialize)]
pub struct Renewal {
    v: u32,
    /// The devices that go.
    pub removed: Vec<String>,
    root: String,
    key_card: String,
    keyring: String,
    root_wraps: Vec<String>,
    recovery_code: String,
    recovery_root: String,
    recovery_auth_hash: String,
}

impl Renewal {
    /// Makes the keys of the next epoch, without the devices `gone`.
    ///
    /// # Errors
    /// When nobody would be left, or a key cannot be locked for who stays.
    pub fn make(account: &Account, gone: &[&str]) -> Result<Self> {
        let mut rng = rng()?;
        let (before, old) = (account.key_card()?.card, account.keys()?);
        let root = UserRoot::generate(&mut rng);
        let epoch = before.epoch.saturating_add(1);
        let keys = root.epoch(epoch);
        let mut keyring = account.keyring()?;
        keyring.keep(before.epoch, account.root()?).map_err(|error| too_many(&error))?;
        let version = before.keyring_version.saturating_add(1);
        let place = KeyringPlace { user_id: &account.user_id, epoch, version };
        let sealed = keyring.seal(&mut rng, &keys.keyring, place);
        let now = SystemClock.now().as_wire();
        let mut card = KeyCard {
            seq: before.seq.saturating_add(1),
            previous: Some(before.hash()),
            identity_key: keys.identity.public(),
            encryption_key: keys.encryption.public(),
            epoch,
            keyring_version: version,
            keyring_hash: Some(sha256(&sealed)),
            created_at: now,
            ..before
        };
        for device in card.devices.iter_mut().filter(|device| gone.contains(&device.id.as_str())) {
            device.revoked_at = Some(now);
        }
        let signed = old.identity.endorse(keys.identity.sign_card(card));
        let device_key = account.device_key()?;
        let staying = signed.card.devices.iter().filter(|device| device.is_active_full());
        let others = staying.filter(|device| device.id != account.device_id);
        let wraps = others.map(|device| {
            let wrap = wrap_root(&mut rng, &root, &signed.card, device, &device_key);
            wrap.map(|wrap| base64url::encode(&wrap.encode())).map_err(|error| too_many(&error))
        });
        let root_wraps = wraps.collect::<Result<_>>()?;
        let code = RecoveryCode::generate(&mut rng);
        Ok(Self {
            v: 1,
            removed: gone.iter().map(|&id| id.to_owned()).collect(),
            root: base64url::encode(root.expose()),
            key_card: base64url::encode(&signed.encode()),
            keyring: base64url::encode(&sealed),
            root_wraps,
            recovery_code: code.expose().to_string(),
            recovery_root: base64url::encode(&code.seal_root(&mut rng, &account.user_id, epoch, &root)),
            recovery_auth_hash: base64url::encode(&code.recover_auth_hash()),
        })
    }

    /// One that was begun here, if any.
    pub fn find(home: &Home) -> Result<Option<Self>> {
        home::read_json(&home.path(FILE))
    }

    /// Stores it; on return it is on disk.
    pub fn save(&self, home: &Home) -> Result<()> {
        home::write_json(&home.path(FILE), self)
    }

    /// Forgets it: it is complete and its recovery code was shown, or the server refused it.
    pub fn forget(&self, home: &Home) -> Result<()> {
        home::remove(&home.path(FILE))
    }

    /// Whether this is the card that begins it.
    pub fn is(&self, card: &SignedKeyCard) -> bool {
        self.key_card == base64url::encode(&card.encode())
    }

    /// The card that begins it.
    pub fn key_card(&self) -> Result<SignedKeyCard> {
        SignedKeyCard::parse(&decode(&self.key_card)?).map_err(|_| damaged())
    }

    /// The new root.
    pub fn root(&self) -> Result<UserRoot> {
        base64url::fixed(&self.root).map(|bytes| UserRoot::from_bytes(*bytes)).ok_or_else(damaged)
    }

    /// The new recovery code.
    pub fn code(&self) -> &str {
        &self.recovery_code
    }

    /// What proves that code to the server.
    pub fn recover_auth(&self) -> Result<Vec<u8>> {
        Ok(RecoveryCode::parse(&self.recovery_code).map_err(|_| damaged())?.recover_auth().to_vec())
    }

    /// The code, where it is shown late.
    pub fn code_sentence(&self) -> String {
        format!(
            "A removal that was cut short here is complete. Your new recovery code, shown only now: {}\nThe one before is worth nothing.",
            self.recovery_code
        )
    }

    /// What is sent.
    pub fn request(&self) -> Result<Renew> {
        Ok(Renew {
            key_card: decode(&self.key_card)?.into(),
            keyring: decode(&self.keyring)?.into(),
            root_wraps: self.root_wraps.iter().map(|wrap| Ok(decode(wrap)?.into())).collect::<Result<_>>()?,
            recovery_root: decode(&self.recovery_root)?.into(),
            recovery_auth_hash: decode(&self.recovery_auth_hash)?.into(),
        })
    }
}

fn decode(text: &str) -> Result<Vec<u8>> {
    base64url::bytes(text).ok_or_else(damaged)
}

fn damaged() -> CliError {
    CliError::new(Exit::Error, "pending_damaged", "the unfinished removal on this machine is damaged")
        .hint("Restore renewal.json in the client's folder from a backup. segue doctor says where it is.")
}

fn too_many(error: &dyn std::error::Error) -> CliError {
    CliError::new(Exit::Error, "renewal", format!("no new keys can be made: {error}"))
}
