//! The keyring: the user roots of older epochs, so that what was locked for them still opens.
//!
//! * plain = `lv_cat("segue/keyring/1", user_id, version u64, roots[lv_cat(epoch u32, UR32)])`, epochs ascending, all below the
//!   current one.
//! * sealed = nonce12 ‖ AES-256-GCM(key("keyring") of the current epoch, nonce12, aad `lv_cat("segue/keyring/seal/1", user_id,
//!   epoch u32, version u64)`, plain). The nonce is random because one epoch may seal more than one version.
//!
//! Version and SHA-256 of the sealed bytes stand in the key card, so that the server can neither change it nor give an older one.

use std::collections::BTreeMap;

use aes_gcm::{AeadInOut as _, Aes256Gcm, KeyInit as _, Nonce};
use rand_core::CryptoRng;
use segue_signed::{
    Malformed,
    lv::{Reader, Writer},
};
use zeroize::{Zeroize as _, Zeroizing};

use crate::{
    root::{EpochKeys, KeyringKey, UserRoot},
    sealing::{TAG_BYTES, Unopened},
};

const LABEL: &str = "segue/keyring/1";
const NONCE_BYTES: usize = 12;
/// Bytes of a plain keyring besides its roots: label, user id, version and the length of the list, each behind its length.
const FRAME_BYTES: usize = 128;
/// Bytes of one root in it: epoch and root behind their lengths, and their own.
const ROOT_BYTES: usize = 1 + 5 + 33;
/// Most older epochs: a device removed every day for a year and a half.
pub const KEYRING_EPOCHS_MAX: usize = 512;

/// The older roots of one person.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    roots: BTreeMap<u32, UserRoot>,
}

/// Why a keyring does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// See [`Unopened`].
    #[error(transparent)]
    Unopened(#[from] Unopened),
    /// It opens to something else.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Where a keyring stands: what it is bound to.
#[derive(Debug, Clone, Copy)]
pub struct KeyringPlace<'a> {
    /// Whose, `usr_…`.
    pub user_id: &'a str,
    /// The current epoch, whose key seals it.
    pub epoch: u32,
    /// The version in the key card.
    pub version: u64,
}

impl KeyringPlace<'_> {
    fn aad(&self) -> Vec<u8> {
        Writer::labelled("segue/keyring/seal/1").text(self.user_id).u32(self.epoch).u64(self.version).finish()
    }
}

impl Keyring {
    /// Keeps the root of an epoch that ends.
    ///
    /// # Errors
    /// [`Malformed`] when it has as many as it may have.
    pub fn keep(&mut self, epoch: u32, root: UserRoot) -> Result<(), Malformed> {
        if self.roots.len() >= KEYRING_EPOCHS_MAX && !self.roots.contains_key(&epoch) {
            return Err(Malformed::Field("keyring, which is full"));
        }
        self.roots.insert(epoch, root);
        Ok(())
    }

    /// The keys of an older epoch.
    pub fn epoch(&self, epoch: u32) -> Option<EpochKeys> {
        self.roots.get(&epoch).map(|root| root.epoch(epoch))
    }

    /// Its roots, by epoch.
    pub fn roots(&self) -> impl Iterator<Item = (u32, &UserRoot)> {
        self.roots.iter().map(|(epoch, root)| (*epoch, root))
    }

    /// Seals it.
    pub fn seal(&self, rng: &mut dyn CryptoRng, key: &KeyringKey, place: KeyringPlace<'_>) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        let mut sealed = self.encode(place);
        Aes256Gcm::new(key.expose().into())
            .encrypt_in_place(&Nonce::from(nonce), &place.aad(), &mut sealed)
            .expect("a keyring is within GCM's limit");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Opens what [`Self::seal`] sealed.
    ///
    /// # Errors
    /// [`KeyringError::Unopened`] for another key, person, epoch or version and for changed bytes; [`KeyringError::Malformed`].
    pub fn open(key: &KeyringKey, place: KeyringPlace<'_>, sealed: &[u8]) -> Result<Self, KeyringError> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(Unopened)?;
        let mut plain = body.to_vec();
        Aes256Gcm::new(key.expose().into())
            .decrypt_in_place(&Nonce::from(*nonce), &place.aad(), &mut plain)
            .map_err(|_| Unopened)?;
        let keyring = Self::parse(&plain, place);
        plain.zeroize();
        Ok(keyring?)
    }

    /// In one piece of memory with room for the tag, so that no copy of a root is left behind while it grows.
    fn encode(&self, place: KeyringPlace<'_>) -> Vec<u8> {
        let mut roots = Writer::with_capacity(self.roots.len() * ROOT_BYTES);
        for (epoch, root) in &self.roots {
            let mut item = Writer::with_capacity(ROOT_BYTES);
            let item = Zeroizing::new(item.u32(*epoch).bytes(root.expose()).finish());
            roots.bytes(&item);
        }
        let roots = Zeroizing::new(roots.finish());
        let mut writer = Writer::with_capacity(FRAME_BYTES + roots.len() + TAG_BYTES);
        writer.text(LABEL).text(place.user_id).u64(place.version).bytes(&roots).finish()
    }

    /// Reads a plain keyring.
    pub fn parse(plain: &[u8], place: KeyringPlace<'_>) -> Result<Self, Malformed> {
        let mut reader = Reader::new(plain);
        reader.label(LABEL)?;
        let same = reader.bytes("keyring user")? == place.user_id.as_bytes()
            && reader.u64("keyring version")? == place.version;
        let roots = reader.list("keyring roots", KEYRING_EPOCHS_MAX, |item| {
            let mut reader = Reader::new(item);
            let root = (reader.u32("keyring epoch")?, UserRoot::from_bytes(reader.array("keyring root")?));
            reader.finish("keyring root")?;
            Ok(root)
        })?;
        reader.finish("keyring")?;
        let ascending = roots.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let older = roots.last().is_none_or(|(epoch, _)| *epoch < place.epoch);
        if same && ascending && older {
            Ok(Self { roots: roots.into_iter().collect() })
        } else {
            Err(Malformed::Field("keyring"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

    const PLACE: KeyringPlace<'static> = KeyringPlace { user_id: "usr_ann", epoch: 600, version: 3 };

    #[test]
    fn it_opens_for_its_person_epoch_and_version_only() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (key, other) = (KeyringKey::generate(&mut rng), KeyringKey::generate(&mut rng));
        let mut keyring = Keyring::default();
        keyring.keep(1, UserRoot::from_bytes([1; 32])).unwrap();
        keyring.keep(2, UserRoot::from_bytes([2; 32])).unwrap();
        let sealed = keyring.seal(&mut rng, &key, PLACE);
        let opened = Keyring::open(&key, PLACE, &sealed).unwrap();
        let roots: Vec<_> = opened.roots().map(|(epoch, root)| (epoch, *root.expose())).collect();
        assert_eq!(roots, [(1, [1; 32]), (2, [2; 32])]);
        assert_eq!(
            opened.epoch(2).unwrap().identity.public(),
            UserRoot::from_bytes([2; 32]).epoch(2).identity.public()
        );
        assert!(opened.epoch(3).is_none());
        for place in [
            KeyringPlace { user_id: "usr_ben", ..PLACE },
            KeyringPlace { epoch: 601, ..PLACE },
            KeyringPlace { version: 4, ..PLACE },
        ] {
            assert_eq!(Keyring::open(&key, place, &sealed).unwrap_err(), Unopened.into());
        }
        assert_eq!(Keyring::open(&other, PLACE, &sealed).unwrap_err(), Unopened.into());
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(Keyring::open(&key, PLACE, &changed).unwrap_err(), Unopened.into(), "{index}");
        }
    }

    #[test]
    fn it_has_a_bound_and_one_order() {
        let mut keyring = Keyring::default();
        for epoch in 1..=512 {
            keyring.keep(epoch, UserRoot::from_bytes([3; 32])).unwrap();
        }
        assert!(keyring.keep(513, UserRoot::from_bytes([3; 32])).is_err());
        let full = keyring.encode(PLACE);
        assert!(full.len() + TAG_BYTES <= full.capacity(), "it was moved, or will be");
        assert_eq!(Keyring::parse(&full, PLACE).unwrap().roots().count(), 512);
        let root = |epoch: u32| Writer::default().u32(epoch).bytes(&[3; 32]).finish();
        let plain =
            |epochs: &[u32]| Writer::labelled(LABEL).text("usr_ann").u64(3).list(epochs, |epoch| root(*epoch)).finish();
        assert!(Keyring::parse(&plain(&[1, 2]), PLACE).is_ok());
        for epochs in [&[2, 1][..], &[1, 1], &[1, 600], &[601]] {
            assert!(Keyring::parse(&plain(epochs), PLACE).is_err(), "{epochs:?}");
        }
        assert!(Keyring::parse(&plain(&(1..=513).collect::<Vec<_>>()), PLACE).is_err());
    }
}
