//! The recovery code: 160 random bits that bring the user root back.
//!
//! * Shown as 32 symbols of upper-case Crockford base32, most significant bit first, in eight groups of four joined by `-`.
//! * Key(name) = HKDF-SHA256(salt "", ikm code20, info `lv_cat("segue/recovery/1", name)`, 32), names `wrap` and `auth`.
//! * The sealed root = nonce12 ‖ AES-256-GCM(Key("wrap"), nonce12, aad `lv_cat("segue/recovery/root/1", user_id, epoch u32)`, UR),
//!   60 bytes. The nonce is random because a person may seal again under the code they kept.
//! * Key("auth") is sent to the server at a recovery; the server keeps SHA-256 of it.

use aes_gcm::{AeadInOut as _, Aes256Gcm, KeyInit as _, Nonce};
use rand_core::CryptoRng;
use segue_signed::{lv::lv_cat, sha256};
use zeroize::{Zeroize as _, Zeroizing};

use crate::{crockford, derive::derive, root::UserRoot, sealing::Unopened, secret::redacted};

/// Bytes of a code: 160 bits, so that a plain hash and HKDF suffice and nothing has to be slow.
const CODE_BYTES: usize = 20;
const NONCE_BYTES: usize = 12;
/// Bytes of a sealed root: nonce, root, tag.
pub const SEALED_ROOT_BYTES: usize = NONCE_BYTES + 32 + 16;

/// What a person keeps on paper.
#[derive(Clone)]
pub struct RecoveryCode(Zeroizing<[u8; CODE_BYTES]>);

redacted!(RecoveryCode);

/// Why a typed text is not a recovery code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotACode {
    /// A symbol that no code contains.
    #[error("a recovery code has no {0:?}: only digits and letters without U")]
    Symbol(char),
    /// Too few or too many symbols.
    #[error("a recovery code has 32 symbols, this has {0}")]
    Count(usize),
}

impl RecoveryCode {
    /// Draws a fresh one.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut code = Zeroizing::new([0; CODE_BYTES]);
        rng.fill_bytes(code.as_mut_slice());
        Self(code)
    }

    /// The code as it is shown once: eight groups of four symbols.
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(crockford::encode(self.0.as_slice()))
    }

    /// Reads what a person typed: either case, with or without blanks and hyphens, O for 0, I and L for 1.
    pub fn parse(text: &str) -> Result<Self, NotACode> {
        let code = crockford::decode(text).map_err(|unreadable| match unreadable {
            crockford::Unreadable::Symbol(symbol) => NotACode::Symbol(symbol),
            crockford::Unreadable::Count(count) => NotACode::Count(count),
        })?;
        Ok(Self(Zeroizing::new(code)))
    }

    /// What proves to the server that someone holds the code, without telling it the code or the wrap key.
    pub fn recover_auth(&self) -> Zeroizing<[u8; 32]> {
        self.key("auth")
    }

    /// SHA-256 of [`Self::recover_auth`]: what the server keeps.
    pub fn recover_auth_hash(&self) -> [u8; 32] {
        sha256(self.recover_auth().as_slice())
    }

    /// Locks the user root of `user_id` (`usr_…`) at `epoch`.
    pub fn seal_root(
        &self,
        rng: &mut dyn CryptoRng,
        user_id: &str,
        epoch: u32,
        root: &UserRoot,
    ) -> [u8; SEALED_ROOT_BYTES] {
        let mut nonce = [0; NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        let mut sealed = Vec::with_capacity(SEALED_ROOT_BYTES);
        sealed.extend_from_slice(root.expose());
        Aes256Gcm::new((&*self.key("wrap")).into())
            .encrypt_in_place(&Nonce::from(nonce), &root_aad(user_id, epoch), &mut sealed)
            .expect("32 bytes are within GCM's limit");
        let mut out = [0; SEALED_ROOT_BYTES];
        let (head, body) = out.split_at_mut(NONCE_BYTES);
        head.copy_from_slice(&nonce);
        body.copy_from_slice(&sealed);
        out
    }

    /// Unlocks what [`Self::seal_root`] locked.
    ///
    /// # Errors
    /// [`Unopened`] for another code, person or epoch, and for changed bytes.
    pub fn open_root(&self, user_id: &str, epoch: u32, sealed: &[u8; SEALED_ROOT_BYTES]) -> Result<UserRoot, Unopened> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(Unopened)?;
        let mut bytes = body.to_vec();
        Aes256Gcm::new((&*self.key("wrap")).into())
            .decrypt_in_place(&Nonce::from(*nonce), &root_aad(user_id, epoch), &mut bytes)
            .map_err(|_| Unopened)?;
        let root = bytes.as_slice().try_into().map(UserRoot::from_bytes).map_err(|_| Unopened);
        bytes.zeroize();
        root
    }

    fn key(&self, name: &str) -> Zeroizing<[u8; 32]> {
        derive(&[], self.0.as_slice(), &lv_cat(&[b"segue/recovery/1", name.as_bytes()]))
    }
}

fn root_aad(user_id: &str, epoch: u32) -> Vec<u8> {
    lv_cat(&[b"segue/recovery/root/1", user_id.as_bytes(), &epoch.to_be_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = RecoveryCode::generate(&mut ChaCha20Rng::seed_from_u64(1));
        let shown = code.expose();
        assert_eq!(shown.len(), 32 + 7);
        let typed = format!("  {} ", shown.to_lowercase().replace('-', " ").replace('0', "O").replace('1', "l"));
        assert_eq!(RecoveryCode::parse(&typed).unwrap().expose(), shown);
    }

    #[test]
    fn what_is_no_code_is_refused_with_the_reason() {
        assert_eq!(RecoveryCode::parse("ABCU").unwrap_err(), NotACode::Symbol('U'));
        assert_eq!(RecoveryCode::parse("ABCD-EFGH").unwrap_err(), NotACode::Count(8));
        assert_eq!(RecoveryCode::parse(&"0".repeat(33)).unwrap_err(), NotACode::Count(33));
        assert_eq!(RecoveryCode::parse("").unwrap_err(), NotACode::Count(0));
    }

    #[test]
    fn the_root_comes_back_for_its_person_and_epoch_only() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let (code, root) = (RecoveryCode::generate(&mut rng), UserRoot::generate(&mut rng));
        let sealed = code.seal_root(&mut rng, "usr_ann", 1, &root);
        assert_eq!(code.open_root("usr_ann", 1, &sealed).unwrap().expose(), root.expose());
        assert_eq!(code.open_root("usr_bob", 1, &sealed).unwrap_err(), Unopened);
        assert_eq!(code.open_root("usr_ann", 2, &sealed).unwrap_err(), Unopened);
        assert_eq!(RecoveryCode::generate(&mut rng).open_root("usr_ann", 1, &sealed).unwrap_err(), Unopened);
        for index in 0..SEALED_ROOT_BYTES {
            let mut changed = sealed;
            changed[index] ^= 1;
            assert_eq!(code.open_root("usr_ann", 1, &changed).unwrap_err(), Unopened);
        }
        assert_ne!(code.seal_root(&mut rng, "usr_ann", 1, &root), sealed, "a nonce of its own each time");
    }
}
