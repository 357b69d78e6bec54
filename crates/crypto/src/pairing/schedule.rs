//! The keys of a pairing.
//!
//! * th = SHA-512(`lv_cat("segue/th/1", CI, sid, Ya, ADa, Yb, ADb)`)
//! * PRK = HKDF-Extract-SHA512(th, ISK); k(name) = HKDF-Expand(PRK, `lv_cat("segue/pair/key/1", purpose, name)`, 32), names
//!   `sd`, `ds`, `back`, `sas`.

use hkdf::Hkdf;
use segue_signed::{lv::lv_cat, pairing::Purpose};
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use super::cpace::{Exchange, MacKey, SharedSecret};
use crate::crockford::ALPHABET;

/// Symbols that both screens show at an approval.
const SAS_SYMBOLS: usize = 4;

/// Everything that comes from one exchange. ISK is gone when this exists.
pub(super) struct Schedule {
    /// th: what signatures and sealed messages are bound to.
    pub(super) th: [u8; 64],
    /// For both confirmations.
    pub(super) mac: MacKey,
    /// Source to destination.
    pub(super) sd: Zeroizing<[u8; 32]>,
    /// Destination to source.
    pub(super) ds: Zeroizing<[u8; 32]>,
    /// For the return, later.
    pub(super) back: Zeroizing<[u8; 32]>,
    sas: Zeroizing<[u8; 32]>,
}

impl Schedule {
    pub(super) fn derive(purpose: Purpose, ci: &[u8], exchange: Exchange<'_>, isk: &SharedSecret) -> Self {
        let Exchange { sid, ya, ada, yb, adb } = exchange;
        let th: [u8; 64] = Sha512::digest(lv_cat(&[b"segue/th/1", ci, sid, ya, ada, yb, adb])).into();
        let hkdf = Hkdf::<Sha512>::new(Some(&th), isk.as_slice());
        let key = |name: &str| {
            let mut key = Zeroizing::new([0; 32]);
            let info = lv_cat(&[b"segue/pair/key/1", purpose.as_str().as_bytes(), name.as_bytes()]);
            hkdf.expand(&info, key.as_mut_slice()).expect("32 bytes are within HKDF's 16320");
            key
        };
        Self { th, mac: MacKey::derive(sid, isk), sd: key("sd"), ds: key("ds"), back: key("back"), sas: key("sas") }
    }

    /// The first 20 bits of k(sas) as four symbols.
    pub(super) fn sas(&self) -> String {
        let [first, second, third, ..] = *self.sas;
        let bits = u32::from_be_bytes([0, first, second, third]) >> 4;
        (0..SAS_SYMBOLS).rev().map(|index| char::from(ALPHABET[(bits >> (5 * index) & 31) as usize])).collect()
    }
}
