//! TK, a team's key of one epoch: 32 random bytes, an X25519 private key, locked for each member
//! (`docs/protocol.md` §2, Teams).
//!
//! A wrap is HPKE base mode (RFC 9180), DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305, aad empty, plaintext
//! TK, info = `lv_cat("segue/teamkey/1", suite u8, team_id16, epoch u32, TK_pub, user_id, key_fp32, key_epoch u32)`. Nothing
//! says who made it: what opens is believed only when its public half is the one in the signed roster.

use hpke::{
    OpModeR, OpModeS, Serializable as _, aead::ChaCha20Poly1305, kdf::HkdfSha256, kem::X25519HkdfSha256,
    single_shot_open, single_shot_seal_with_rng,
};
use rand_core::CryptoRng;
use segue_signed::{KeyCard, Roster, SUITE, TeamKeyWrap, WrapKind, lv::Writer, sig::strong_x25519};
use zeroize::Zeroizing;

use crate::{
    encryption::EncryptionKey,
    wrap::{RecipientKey, UnwrapError, WrapError},
};

/// A team's key of one epoch: what its wraps are bound to, from a verified roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TeamKeyRef<'a> {
    /// The team.
    pub team_id: &'a [u8; 16],
    /// The epoch.
    pub epoch: u32,
    /// The public key.
    pub public_key: &'a [u8; 32],
}

impl<'a> TeamKeyRef<'a> {
    /// The key of `roster`, which the caller has verified.
    pub fn of(roster: &'a Roster) -> Self {
        Self { team_id: &roster.team_id, epoch: roster.epoch, public_key: &roster.team_key }
    }

    /// The team as a recipient; `id` is its `team_…`.
    pub fn recipient(&self, id: &str) -> RecipientKey {
        RecipientKey { kind: WrapKind::Team, id: id.to_owned(), public_key: *self.public_key, epoch: self.epoch }
    }

    fn info(&self, user_id: &str, key_fp: &[u8; 32], key_epoch: u32) -> Vec<u8> {
        Writer::labelled("segue/teamkey/1")
            .u8(SUITE)
            .bytes(self.team_id)
            .u32(self.epoch)
            .bytes(self.public_key)
            .text(user_id)
            .bytes(key_fp)
            .u32(key_epoch)
            .finish()
    }
}

/// Locks the team key `key` for the member of `card`, which the caller has verified.
pub fn wrap_team_key(
    rng: &mut dyn CryptoRng,
    key: &EncryptionKey,
    team: TeamKeyRef<'_>,
    card: &KeyCard,
) -> Result<TeamKeyWrap, WrapError> {
    strong_x25519(&card.encryption_key).map_err(|_| WrapError::WeakKey)?;
    let public = hpke::Deserializable::from_bytes(&card.encryption_key).map_err(|_| WrapError::WeakKey)?;
    let (user_id, key_fp, key_epoch) = (card.user_id.clone(), card.encryption_key_fingerprint(), card.epoch);
    let (enc, ct) = single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &public,
        &team.info(&user_id, &key_fp, key_epoch),
        key.expose(),
        &[],
        &mut &mut *rng,
    )
    .map_err(|_| WrapError::WeakKey)?;
    let ct = ct.as_slice().try_into().expect("32 bytes and a tag are 48");
    Ok(TeamKeyWrap { user_id, key_fp, key_epoch, enc: enc.to_bytes().into(), ct })
}

/// Unlocks a team key with a member's own key, and checks that it is the team's.
pub fn unwrap_team_key(
    own: &EncryptionKey,
    team: TeamKeyRef<'_>,
    wrap: &TeamKeyWrap,
) -> Result<EncryptionKey, UnwrapError> {
    if wrap.key_fp != own.fingerprint() {
        return Err(UnwrapError::OtherKey);
    }
    let enc = hpke::Deserializable::from_bytes(&wrap.enc).map_err(|_| UnwrapError::Unopened)?;
    let plain = single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &own.private(),
        &enc,
        &team.info(&wrap.user_id, &wrap.key_fp, wrap.key_epoch),
        &wrap.ct,
        &[],
    )
    .map_err(|_| UnwrapError::Unopened)?;
    let plain = Zeroizing::new(plain);
    let key = EncryptionKey::from_bytes(plain.as_slice().try_into().map_err(|_| UnwrapError::Unopened)?);
    if key.public() == *team.public_key { Ok(key) } else { Err(UnwrapError::Commit) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

    #[test]
    fn another_key_than_the_rosters_is_refused_although_it_opens() {
        let (team_key, own) = (EncryptionKey::from_bytes([1; 32]), EncryptionKey::from_bytes([2; 32]));
        let other = EncryptionKey::from_bytes([3; 32]);
        let public_key = team_key.public();
        let team = TeamKeyRef { team_id: &[9; 16], epoch: 1, public_key: &public_key };
        let card = KeyCard {
            user_id: "usr_ben".into(),
            seq: 1,
            previous: None,
            identity_key: [0; 32],
            encryption_key: own.public(),
            epoch: 1,
            devices: Vec::new(),
            keyring_version: 0,
            keyring_hash: None,
            created_at: 0,
        };
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let wrap = wrap_team_key(&mut rng, &team_key, team, &card).unwrap();
        assert_eq!(unwrap_team_key(&own, team, &wrap).unwrap().expose(), team_key.expose());
        let lying = wrap_team_key(&mut rng, &other, team, &card).unwrap();
        assert_eq!(unwrap_team_key(&own, team, &lying).unwrap_err(), UnwrapError::Commit);
        assert_eq!(unwrap_team_key(&other, team, &wrap).unwrap_err(), UnwrapError::OtherKey);
        for place in [
            TeamKeyRef { team_id: &[8; 16], ..team },
            TeamKeyRef { epoch: 2, ..team },
            TeamKeyRef { public_key: &other.public(), ..team },
        ] {
            assert_eq!(unwrap_team_key(&own, place, &wrap).unwrap_err(), UnwrapError::Unopened);
        }
        let weak = KeyCard { encryption_key: [0; 32], ..card };
        assert_eq!(wrap_team_key(&mut rng, &team_key, team, &weak), Err(WrapError::WeakKey));
    }
}
