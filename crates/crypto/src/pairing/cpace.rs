//! CPACE-RISTR255-SHA512, draft-irtf-cfrg-cpace-21 (April 2026): initiator/responder, explicit key confirmation (§9.4).
//! Known answers: `vectors/cpace.json`, which are the draft's own.

use curve25519_dalek::{
    ristretto::{CompressedRistretto, RistrettoPoint},
    scalar::Scalar,
    traits::IsIdentity as _,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand_core::CryptoRng;
use segue_signed::lv::{Writer, lv_cat};
use sha2::{Digest as _, Sha512};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

const DSI: &[u8] = b"CPaceRistretto255";
const DSI_ISK: &[u8] = b"CPaceRistretto255_ISK";
const DSI_MAC: &[u8] = b"CPaceMac";
/// Bytes that SHA-512 takes at once: the password's block is filled up to it.
const BLOCK_BYTES: usize = 128;
/// Room for everything that is hashed with a secret in it, so that it is never moved while it grows.
const ROOM: usize = 1024;

/// ISK, the shared secret before it is confirmed.
pub(super) type SharedSecret = Zeroizing<[u8; 64]>;
/// Ta or Tb.
pub(super) type Tag = [u8; 64];

/// The other side's share is no fair one: not the canonical encoding of a point, the identity, or one's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadShare;

/// One side's secret scalar and public share. Used for one exchange.
pub(super) struct Party {
    scalar: Zeroizing<Scalar>,
    share: [u8; 32],
}

/// Both sides' public parts, in their roles.
#[derive(Clone, Copy)]
pub(super) struct Exchange<'a> {
    /// sid.
    pub(super) sid: &'a [u8],
    /// Ya.
    pub(super) ya: &'a [u8; 32],
    /// ADa.
    pub(super) ada: &'a [u8],
    /// Yb.
    pub(super) yb: &'a [u8; 32],
    /// ADb.
    pub(super) adb: &'a [u8],
}

impl Party {
    /// Draws a scalar for the password `prs` in the channel `ci` and session `sid`.
    pub(super) fn start(rng: &mut dyn CryptoRng, prs: &[u8], ci: &[u8], sid: &[u8]) -> Self {
        let mut wide = Zeroizing::new([0; 64]);
        rng.fill_bytes(wide.as_mut_slice());
        Self::with_scalar(Zeroizing::new(Scalar::from_bytes_mod_order_wide(&wide)), prs, ci, sid)
    }

    pub(super) fn with_scalar(scalar: Zeroizing<Scalar>, prs: &[u8], ci: &[u8], sid: &[u8]) -> Self {
        let point = Zeroizing::new(*generator(prs, ci, sid) * *scalar);
        Self { share: point.compress().to_bytes(), scalar }
    }

    /// Y.
    pub(super) fn share(&self) -> &[u8; 32] {
        &self.share
    }

    /// ISK with the other side, whose share is `peer`. One's own share is refused: with it one's own tag would confirm.
    pub(super) fn shared_secret(&self, peer: &[u8; 32], exchange: Exchange<'_>) -> Result<SharedSecret, BadShare> {
        if *peer == self.share {
            return Err(BadShare);
        }
        let k = self.multiply(peer)?;
        let mut writer = Writer::with_capacity(ROOM);
        writer.bytes(DSI_ISK).bytes(exchange.sid).bytes(k.as_slice());
        writer.bytes(exchange.ya).bytes(exchange.ada).bytes(exchange.yb).bytes(exchange.adb);
        let transcript = Zeroizing::new(writer.finish());
        Ok(Zeroizing::new(Sha512::digest(transcript.as_slice()).into()))
    }

    /// K. It never leaves this module: whoever has it can try all codes in peace.
    fn multiply(&self, peer: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, BadShare> {
        let peer = CompressedRistretto(*peer).decompress().ok_or(BadShare)?;
        let product = Zeroizing::new(peer * *self.scalar);
        if product.is_identity() { Err(BadShare) } else { Ok(Zeroizing::new(product.compress().to_bytes())) }
    }
}

fn generator_string(prs: &[u8], ci: &[u8], sid: &[u8]) -> Zeroizing<Vec<u8>> {
    let written = encoded_len(DSI) + encoded_len(prs);
    let padding = [0; BLOCK_BYTES];
    let padding = &padding[..(BLOCK_BYTES - 1).saturating_sub(written)];
    let mut writer = Writer::with_capacity(ROOM);
    Zeroizing::new(writer.bytes(DSI).bytes(prs).bytes(padding).bytes(ci).bytes(sid).finish())
}

/// Bytes of `lv_cat` of one field.
fn encoded_len(field: &[u8]) -> usize {
    field.len() + 1 + field.len().checked_ilog2().unwrap_or(0) as usize / 7
}

fn generator(prs: &[u8], ci: &[u8], sid: &[u8]) -> Zeroizing<RistrettoPoint> {
    let hash: Zeroizing<[u8; 64]> = Zeroizing::new(Sha512::digest(generator_string(prs, ci, sid).as_slice()).into());
    Zeroizing::new(RistrettoPoint::from_uniform_bytes(&hash))
}

/// The key that both tags are made with.
pub(super) struct MacKey(Zeroizing<[u8; 64]>);

impl MacKey {
    pub(super) fn derive(sid: &[u8], isk: &SharedSecret) -> Self {
        let mut hash = Sha512::new();
        hash.update(DSI_MAC);
        hash.update(sid);
        hash.update(isk.as_slice());
        Self(Zeroizing::new(hash.finalize().into()))
    }

    /// The tag of the side with this share and associated data.
    pub(super) fn tag(&self, share: &[u8; 32], ad: &[u8]) -> Tag {
        let mut mac = Hmac::<Sha512>::new_from_slice(self.0.as_slice()).expect("HMAC takes keys of any length");
        mac.update(&lv_cat(&[share, ad]));
        mac.finalize().into_bytes().into()
    }

    /// Whether `tag` is that side's, compared in constant time.
    pub(super) fn confirms(&self, tag: &Tag, share: &[u8; 32], ad: &[u8]) -> bool {
        self.tag(share, ad).ct_eq(tag).into()
    }
}

#[cfg(test)]
#[path = "cpace_tests.rs"]
pub(super) mod tests;
