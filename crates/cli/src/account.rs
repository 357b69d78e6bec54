//! Who is signed in here: the account file with its keys and token, for its owner only (0600).

use std::{collections::BTreeMap, path::PathBuf};

use segue_crypto::{DeviceKey, Keyring, UserRoot, root::EpochKeys};
use segue_domain::{Clock as _, DeviceId};
use segue_signed::{Device, DeviceKind, KeyCard, SignedKeyCard, keycard::DEVICES_MAX, sha256};
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use crate::{
    base64url,
    environment::{SystemClock, random, rng},
    error::{CliError, Exit, Result},
    home::{self, Home},
};

const FILE: &str = "account.json";

/// The account file. Secrets are base64url; the file is 0600 in a 0700 folder.
#[derive(Clone, Serialize, Deserialize)]
pub struct Account {
    /// Version of this file.
    pub v: u32,
    /// The server, without path.
    pub server: Url,
    /// `usr_…`
    pub user_id: String,
    /// One's address.
    pub email: String,
    /// `dev_…`
    pub device_id: String,
    /// Epoch of the keys below.
    pub epoch: u32,
    /// Number of the newest event of one's devices that was told here.
    #[serde(default)]
    pub device_events: i64,
    token: String,
    root: String,
    /// The roots of older epochs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    older_roots: BTreeMap<u32, String>,
    device_key: String,
    key_card: String,
}

/// What a new account is made of.
pub struct NewAccount<'a> {
    /// The server, without path.
    pub server: &'a Url,
    /// One's address.
    pub email: &'a str,
    /// The device token, which only this device and the server's hash know.
    pub token: &'a [u8; 32],
    /// The user root.
    pub root: &'a UserRoot,
    /// This device's key.
    pub device_key: &'a DeviceKey,
    /// The newest card of the chain.
    pub key_card: &'a SignedKeyCard,
    /// The roots of older epochs.
    pub keyring: &'a Keyring,
    /// Number of the newest event of one's devices.
    pub device_events: i64,
}

impl Account {
    /// An account from its parts.
    pub fn new(parts: &NewAccount<'_>) -> Self {
        let card = &parts.key_card.card;
        let this = card.active_device(&parts.device_key.public());
        Self {
            v: 1,
            server: parts.server.clone(),
            user_id: card.user_id.clone(),
            email: parts.email.to_owned(),
            device_id: this.map(|device| device.id.clone()).unwrap_or_default(),
            epoch: card.epoch,
            device_events: parts.device_events,
            token: base64url::encode(parts.token),
            root: base64url::encode(parts.root.expose()),
            older_roots: parts.keyring.roots().map(|(epoch, root)| (epoch, encode(root))).collect(),
            device_key: base64url::encode(parts.device_key.expose()),
            key_card: base64url::encode(&parts.key_card.encode()),
        }
    }

    /// The account that is signed in here.
    ///
    /// # Errors
    /// [`Exit::NotSignedIn`] when there is none.
    pub fn load(home: &Home) -> Result<Self> {
        Self::find(home)?.ok_or_else(|| {
            let error = CliError::new(Exit::NotSignedIn, "not_signed_in", "nobody is signed in here");
            // Who set a token would look for the fault there.
            let by_token = std::env::var("SEGUE_TOKEN").is_ok_and(|token| !token.is_empty());
            error.hint(if by_token {
                "A token has no keys and cannot do this: join a server on this device, segue join LINK"
            } else {
                "Join a server first: segue join LINK"
            })
        })
    }

    /// The account that is signed in here, if any.
    pub fn find(home: &Home) -> Result<Option<Self>> {
        home::read_json(&home.path(FILE))
    }

    /// Stores the account; on return it is on disk.
    pub fn save(&self, home: &Home) -> Result<()> {
        home::write_json(&home.path(FILE), self)
    }

    /// The bearer token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// What the server knows the token by.
    pub fn token_hash(&self) -> Result<[u8; 32]> {
        Ok(sha256(&*secret(&self.token)?))
    }

    /// This device's signing key.
    pub fn device_key(&self) -> Result<DeviceKey> {
        Ok(DeviceKey::from_bytes(&*secret(&self.device_key)?))
    }

    /// The keys of the current epoch.
    pub fn keys(&self) -> Result<EpochKeys> {
        Ok(UserRoot::from_bytes(*secret(&self.root)?).epoch(self.epoch))
    }

    /// The keys of the current epoch or of an older one.
    ///
    /// # Errors
    /// When this device never had them.
    pub fn keys_of(&self, epoch: u32) -> Result<EpochKeys> {
        if epoch == self.epoch {
            return self.keys();
        }
        let root = self.older_roots.get(&epoch).ok_or_else(|| {
            CliError::new(Exit::Conflict, "not_openable", "this is locked for keys that this device does not have")
                .hint("Ask its sender to hand it over again.")
        })?;
        Ok(UserRoot::from_bytes(*secret(root)?).epoch(epoch))
    }

    /// One's identity keys, the current one and those of older epochs.
    pub fn identity_keys(&self) -> Result<Vec<[u8; 32]>> {
        let older = self.older_roots.keys().map(|epoch| Ok(self.keys_of(*epoch)?.identity.public()));
        older.chain([self.keys().map(|keys| keys.identity.public())]).collect()
    }

    /// The user root of the current epoch.
    pub fn root(&self) -> Result<UserRoot> {
        Ok(UserRoot::from_bytes(*secret(&self.root)?))
    }

    /// The roots of older epochs.
    ///
    /// # Errors
    /// When there are more than a keyring holds.
    pub fn keyring(&self) -> Result<Keyring> {
        let mut keyring = Keyring::default();
        for (epoch, root) in &self.older_roots {
            keyring.keep(*epoch, UserRoot::from_bytes(*secret(root)?)).map_err(|_| damaged())?;
        }
        Ok(keyring)
    }

    /// Takes the next card of one's chain, which was verified; with the root of the epoch that it begins, if it begins one.
    pub fn advance(&mut self, card: &SignedKeyCard, root: Option<&UserRoot>) {
        if let Some(root) = root {
            let old = std::mem::replace(&mut self.root, encode(root));
            self.older_roots.insert(self.epoch, old);
            self.epoch = card.card.epoch;
        }
        self.key_card = base64url::encode(&card.encode());
    }

    /// Forgets who is signed in here: this device was removed.
    pub fn forget(home: &Home) -> Result<()> {
        home::remove(&home.path(FILE))
    }

    /// One's own signed key card.
    pub fn key_card(&self) -> Result<SignedKeyCard> {
        let bytes = base64url::decode(&self.key_card).ok_or_else(damaged)?;
        SignedKeyCard::parse(&bytes).map_err(|_| damaged())
    }
}

fn encode(root: &UserRoot) -> String {
    base64url::encode(root.expose())
}

/// An account that has come to this machine, which is no device of it yet.
pub struct Coming<'a> {
    /// The server, without path.
    pub server: &'a Url,
    /// One's address.
    pub email: &'a str,
    /// The newest card of the chain, which was verified.
    pub card: &'a KeyCard,
    /// The user root of its epoch.
    pub root: &'a UserRoot,
    /// The roots of older epochs.
    pub keyring: &'a Keyring,
    /// Number of the newest event of one's devices.
    pub device_events: i64,
}

impl Coming<'_> {
    /// The account with this machine as its newest device: a key and a token are drawn, and the next card names it.
    pub fn as_new_device(&self) -> Result<Account> {
        let (device_key, token) = (DeviceKey::generate(&mut rng()?), Zeroizing::new(random::<32>()?));
        let id = DeviceId::from_bytes(random()?).to_string();
        let key_card = with_device(self.card, self.root, &id, &device_key)?;
        Ok(Account::new(&NewAccount {
            server: self.server,
            email: self.email,
            token: &token,
            root: self.root,
            device_key: &device_key,
            key_card: &key_card,
            keyring: self.keyring,
            device_events: self.device_events,
        }))
    }
}

/// The card that follows, with this device.
///
/// # Errors
/// Conflict (exit 5) when the account has as many devices as it may.
pub fn with_device(card: &KeyCard, root: &UserRoot, id: &str, key: &DeviceKey) -> Result<SignedKeyCard> {
    let now = SystemClock.now().as_wire();
    let mut devices = card.devices.clone();
    // The oldest that were removed make room.
    while devices.len() >= DEVICES_MAX {
        let removed = devices.iter().position(|device| device.revoked_at.is_some()).ok_or_else(|| {
            CliError::new(Exit::Conflict, "too_many_devices", format!("the account has {DEVICES_MAX} devices"))
                .hint("Remove one that you no longer use, on another device: segue devices remove")
        })?;
        devices.remove(removed);
    }
    devices.push(Device {
        id: id.to_owned(),
        key: key.public(),
        kind: DeviceKind::Full,
        added_at: now,
        revoked_at: None,
    });
    let next = KeyCard {
        seq: card.seq.saturating_add(1),
        previous: Some(card.hash()),
        devices,
        created_at: now,
        ..card.clone()
    };
    Ok(root.epoch(card.epoch).identity.sign_card(next))
}

fn secret(text: &str) -> Result<Zeroizing<[u8; 32]>> {
    base64url::fixed(text).ok_or_else(damaged)
}

fn damaged() -> CliError {
    CliError::new(Exit::Error, "account_damaged", "the account file is damaged")
        .hint("Restore account.json from a backup of the client's folder (segue doctor says where it is).")
}

/// A join that was begun: written before the server hears of it, so that a join cut short can be repeated with the same
/// keys and gets the same answer.
///
/// One file per invite, so that another link never overwrites the keys of an account that the server may know already.
#[derive(Clone, Serialize, Deserialize)]
pub struct PendingJoin {
    /// SHA-256 of the invite's token: the same link finds it again.
    pub invite_hash: String,
    /// The account as it will be.
    pub account: Account,
    /// The recovery code, until it was shown.
    pub recovery_code: String,
    /// The user root, sealed under it.
    pub recovery_root: String,
    /// SHA-256 of the code's proof.
    pub recovery_auth_hash: String,
    /// One's name.
    pub name: String,
    /// This device's name.
    pub device_name: String,
}

impl PendingJoin {
    fn path(home: &Home, invite_hash: &str) -> PathBuf {
        home.path("joins").join(format!("{invite_hash}.json"))
    }

    /// A join that was begun with the same link.
    pub fn find(home: &Home, invite_hash: &str) -> Result<Option<Self>> {
        home::read_json(&Self::path(home, invite_hash))
    }

    /// Stores it; on return it is on disk.
    pub fn save(&self, home: &Home) -> Result<()> {
        home::write_json(&Self::path(home, &self.invite_hash), self)
    }

    /// Forgets it: the join is complete and its recovery code was shown, or the server refused it.
    pub fn forget(&self, home: &Home) -> Result<()> {
        home::remove(&Self::path(home, &self.invite_hash))
    }
}
