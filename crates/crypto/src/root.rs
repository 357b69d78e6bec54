//! The user root and the keys of one epoch.
//!
//! Each key is HKDF-SHA256(salt "", ikm UR, info `lv_cat("segue/epoch/1", name, epoch u32be)`, 32), names:
//!
//! * `identity`: the seed of the Ed25519 identity key (RFC 8032 §5.1.5);
//! * `encryption`: the X25519 private key, clamped when used (RFC 7748 §5);
//! * `owner`: the key that own-wraps are made with;
//! * `keyring`: the key of the sealed keyring.

use segue_signed::{KeyCard, lv::lv_cat};
use zeroize::Zeroizing;

use crate::{derive::derive, encryption::EncryptionKey, identity::IdentityKey, owner::OwnerKey, secret::secret};

/// UR: 32 random bytes on every full device of a person; everything long-lived is derived from it.
#[derive(Clone)]
pub struct UserRoot(Zeroizing<[u8; 32]>);

secret!(UserRoot);

impl UserRoot {
    /// The keys of one epoch, counted from 1.
    pub fn epoch(&self, epoch: u32) -> EpochKeys {
        let key = |name: &str| {
            derive(&[], self.expose(), &lv_cat(&[b"segue/epoch/1", name.as_bytes(), &epoch.to_be_bytes()]))
        };
        EpochKeys {
            epoch,
            identity: IdentityKey::from_seed(&key("identity")),
            encryption: EncryptionKey::from_bytes(*key("encryption")),
            owner: OwnerKey::from_bytes(*key("owner")),
            keyring: KeyringKey::from_bytes(*key("keyring")),
        }
    }

    /// Whether the keys of `card` come from this root.
    pub fn is_of(&self, card: &KeyCard) -> bool {
        let keys = self.epoch(card.epoch);
        (keys.identity.public(), keys.encryption.public()) == (card.identity_key, card.encryption_key)
    }
}

/// The keys of one epoch.
#[derive(Debug)]
pub struct EpochKeys {
    /// Which epoch.
    pub epoch: u32,
    /// Signs key cards.
    pub identity: IdentityKey,
    /// Opens wraps.
    pub encryption: EncryptionKey,
    /// Makes and opens own-wraps.
    pub owner: OwnerKey,
    /// Seals the keyring.
    pub keyring: KeyringKey,
}

/// Key of the sealed keyring ([`mod@crate::keyring`]).
#[derive(Clone)]
pub struct KeyringKey(Zeroizing<[u8; 32]>);

secret!(KeyringKey);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_and_every_name_gives_another_key() {
        let root = UserRoot::from_bytes([7; 32]);
        let (one, two) = (root.epoch(1), root.epoch(2));
        assert_ne!(one.identity.public(), two.identity.public());
        assert_ne!(one.encryption.public(), two.encryption.public());
        assert_ne!(one.owner.expose(), one.keyring.expose());
        assert_ne!(one.owner.expose(), one.encryption.expose());
    }

    #[test]
    fn a_secret_prints_as_its_name() {
        let printed = format!("{:?}", UserRoot::from_bytes([7; 32]).epoch(1));
        assert_eq!(
            printed,
            "EpochKeys { epoch: 1, identity: IdentityKey(…), encryption: EncryptionKey(…), owner: OwnerKey(…), \
             keyring: KeyringKey(…) }"
        );
    }
}
