//! The next user root, locked for each full device that stays when another is removed (`docs/protocol.md` §2, Devices).
//!
//! HPKE base mode (RFC 9180), DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305, aad empty, plaintext UR, for the
//! device's own key: a card has an Ed25519 key of each device and no other, so its image under the birational map of RFC 7748
//! §4.1 is used. One key for both is safe because a signature is over a labelled text and this key agreement hashes its context
//! (Thormarker 2021; `docs/decisions/0010-a-device-key-also-opens-the-next-root.md`).
//!
//! info = `lv_cat("segue/rootwrap/1", suite u8, user_id, epoch u32, H(card)32, device_id, DK32)`. The maker signs the whole. What
//! opens is believed only when IK and EK of the card come from it.

use hpke::{
    OpModeR, OpModeS, Serializable as _, aead::ChaCha20Poly1305, kdf::HkdfSha256, kem::X25519HkdfSha256,
    single_shot_open, single_shot_seal_with_rng,
};
use rand_core::CryptoRng;
use segue_signed::{Device, KeyCard, RootWrap, SUITE, lv::Writer, sig::strong_key};
use zeroize::Zeroizing;

use crate::{
    device::DeviceKey,
    root::UserRoot,
    wrap::{UnwrapError, WrapError},
};

fn info(card: &KeyCard, card_hash: &[u8; 32], device_id: &str, device_key: &[u8; 32]) -> Vec<u8> {
    Writer::labelled("segue/rootwrap/1")
        .u8(SUITE)
        .text(&card.user_id)
        .u32(card.epoch)
        .bytes(card_hash)
        .text(device_id)
        .bytes(device_key)
        .finish()
}

/// The X25519 public key of an Ed25519 one.
///
/// # Errors
/// [`WrapError::WeakKey`] when it is no point, of small order, or has a part of small order.
fn agreement_key(device_key: &[u8; 32]) -> Result<[u8; 32], WrapError> {
    let key = strong_key(device_key).map_err(|_| WrapError::WeakKey)?;
    if key.to_edwards().is_torsion_free() { Ok(key.to_montgomery().to_bytes()) } else { Err(WrapError::WeakKey) }
}

/// Locks `root`, whose keys `card` names, for `device` of that card, in the name of `signer`.
///
/// # Errors
/// [`WrapError::WeakKey`] when everybody could open it.
pub fn wrap_root(
    rng: &mut dyn CryptoRng,
    root: &UserRoot,
    card: &KeyCard,
    device: &Device,
    signer: &DeviceKey,
) -> Result<RootWrap, WrapError> {
    let public = agreement_key(&device.key)?;
    let public = hpke::Deserializable::from_bytes(&public).map_err(|_| WrapError::WeakKey)?;
    let card_hash = card.hash();
    let (enc, ct) = single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &public,
        &info(card, &card_hash, &device.id, &device.key),
        root.expose(),
        &[],
        &mut &mut *rng,
    )
    .map_err(|_| WrapError::WeakKey)?;
    let mut wrap = RootWrap {
        user_id: card.user_id.clone(),
        epoch: card.epoch,
        card_hash,
        device_id: device.id.clone(),
        device_key: device.key,
        enc: enc.to_bytes().into(),
        ct: ct.as_slice().try_into().expect("32 bytes and a tag are 48"),
        signer_key: signer.public(),
        signature: [0; 64],
    };
    wrap.signature = signer.sign(RootWrap::SIGNATURE_LABEL, &wrap.to_sign());
    Ok(wrap)
}

/// Unlocks the root of `card` with this device's key, and checks that the card's keys come from it. The caller has verified the
/// card and the wrap's signature ([`RootWrap::verify`]).
pub fn unwrap_root(own: &DeviceKey, card: &KeyCard, wrap: &RootWrap) -> Result<UserRoot, UnwrapError> {
    if wrap.device_key != own.public() {
        return Err(UnwrapError::OtherKey);
    }
    let enc = hpke::Deserializable::from_bytes(&wrap.enc).map_err(|_| UnwrapError::Unopened)?;
    let plain = single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &own.agreement(),
        &enc,
        &info(card, &card.hash(), &wrap.device_id, &wrap.device_key),
        &wrap.ct,
        &[],
    )
    .map_err(|_| UnwrapError::Unopened)?;
    let plain = Zeroizing::new(plain);
    let root = UserRoot::from_bytes(plain.as_slice().try_into().map_err(|_| UnwrapError::Unopened)?);
    if root.is_of(card) { Ok(root) } else { Err(UnwrapError::Commit) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::{EdwardsPoint, constants::EIGHT_TORSION};
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
    use segue_signed::DeviceKind;

    fn device(key: [u8; 32]) -> Device {
        Device { id: "dev_one".into(), key, kind: DeviceKind::Full, added_at: 1, revoked_at: None }
    }

    fn card(root: &UserRoot, key: [u8; 32]) -> KeyCard {
        let keys = root.epoch(2);
        KeyCard {
            user_id: "usr_ann".into(),
            seq: 2,
            previous: Some([1; 32]),
            identity_key: keys.identity.public(),
            encryption_key: keys.encryption.public(),
            epoch: 2,
            devices: vec![device(key)],
            keyring_version: 1,
            keyring_hash: Some([2; 32]),
            created_at: 1,
        }
    }

    #[test]
    fn the_root_opens_for_its_device_and_card_only() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (root, lie) = (UserRoot::generate(&mut rng), UserRoot::generate(&mut rng));
        let (own, other) = (DeviceKey::generate(&mut rng), DeviceKey::generate(&mut rng));
        let card = card(&root, own.public());
        let wrap = wrap_root(&mut rng, &root, &card, &card.devices[0], &other).unwrap();
        assert_eq!(unwrap_root(&own, &card, &wrap).unwrap().expose(), root.expose());
        assert_eq!(unwrap_root(&other, &card, &wrap).unwrap_err(), UnwrapError::OtherKey);
        let elsewhere = KeyCard { seq: 3, ..card.clone() };
        assert_eq!(unwrap_root(&own, &elsewhere, &wrap).unwrap_err(), UnwrapError::Unopened);
        let lying = wrap_root(&mut rng, &lie, &card, &card.devices[0], &other).unwrap();
        assert_eq!(unwrap_root(&own, &card, &lying).unwrap_err(), UnwrapError::Commit, "another root than the card's");
    }

    #[test]
    fn both_halves_of_a_device_key_are_mapped_to_one_pair() {
        let own = DeviceKey::from_bytes(&[7; 32]);
        let private = own.agreement();
        let public = <X25519HkdfSha256 as hpke::Kem>::sk_to_pk(&private).to_bytes();
        assert_eq!(agreement_key(&own.public()).unwrap(), <[u8; 32]>::from(public));
    }

    #[test]
    fn a_key_with_a_part_of_small_order_is_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let (root, own) = (UserRoot::generate(&mut rng), DeviceKey::generate(&mut rng));
        let point = ed25519_dalek::VerifyingKey::from_bytes(&own.public()).unwrap().to_edwards();
        let bad: Vec<EdwardsPoint> =
            EIGHT_TORSION.into_iter().chain(EIGHT_TORSION[1..].iter().map(|small| point + small)).collect();
        for key in bad.into_iter().map(|point| point.compress().to_bytes()).chain([[0xff; 32]]) {
            let card = card(&root, key);
            assert_eq!(wrap_root(&mut rng, &root, &card, &card.devices[0], &own), Err(WrapError::WeakKey), "{key:?}");
        }
    }
}
