//! The key card: a person's identity key, encryption key and devices, signed by the identity key
//! (`docs/protocol.md` §Keys). Cards form a linear chain; forks are refused.

mod change;

pub use change::CardChange;

use crate::{
    Malformed, Signature, Unverified,
    lv::{Reader, Writer, lv_cat},
    sha256,
    sig::{strong_key, strong_x25519, verify},
};

/// Most devices a card lists, revoked ones included.
pub const DEVICES_MAX: usize = 64;
/// Longest id on the wire, in bytes.
pub const ID_MAX: usize = 64;
/// HPKE's number for DHKEM(X25519, HKDF-SHA256) (RFC 9180 §7.1).
pub const KEM_X25519: u16 = 0x0020;

/// What a device may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// Holds the user root.
    Full,
    /// Holds a device key only: CI and agents.
    Agent,
}

impl DeviceKind {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Agent => "agent",
        }
    }

    fn parse(text: &str) -> Result<Self, Malformed> {
        match text {
            "full" => Ok(Self::Full),
            "agent" => Ok(Self::Agent),
            _ => Err(Malformed::Unknown("device kind")),
        }
    }
}

/// One device in a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its id, `dev_…`.
    pub id: String,
    /// Its Ed25519 public key.
    pub key: [u8; 32],
    /// What it may do.
    pub kind: DeviceKind,
    /// When it was added, unix milliseconds.
    pub added_at: u64,
    /// When it was revoked, unix milliseconds.
    pub revoked_at: Option<u64>,
}

impl Device {
    fn encode(&self) -> Vec<u8> {
        let revoked = self.revoked_at.map(u64::to_be_bytes);
        Writer::default()
            .text(&self.id)
            .bytes(&self.key)
            .text(self.kind.as_str())
            .u64(self.added_at)
            .optional(revoked.as_ref().map(<[u8; 8]>::as_slice))
            .finish()
    }

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let device = Self {
            id: reader.text("device id", ID_MAX)?.to_owned(),
            key: reader.array("device key")?,
            kind: DeviceKind::parse(reader.text("device kind", 16)?)?,
            added_at: reader.u64("device added")?,
            revoked_at: reader.optional_u64("device revoked")?,
        };
        reader.finish("device")?;
        Ok(device)
    }
}

/// A key card without its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCard {
    /// The person, `usr_…`.
    pub user_id: String,
    /// Position in the chain, from 1.
    pub seq: u32,
    /// SHA-256 of the card before, absent on the first.
    pub previous: Option<[u8; 32]>,
    /// Identity key, Ed25519.
    pub identity_key: [u8; 32],
    /// Encryption key, X25519.
    pub encryption_key: [u8; 32],
    /// Epoch of both keys.
    pub epoch: u32,
    /// Devices, revoked ones included.
    pub devices: Vec<Device>,
    /// Version of the sealed keyring, 0 before there is one.
    pub keyring_version: u64,
    /// SHA-256 of the sealed keyring, absent before there is one.
    pub keyring_hash: Option<[u8; 32]>,
    /// When this card was made, unix milliseconds.
    pub created_at: u64,
}

impl KeyCard {
    const LABEL: &'static str = "segue/keycard/1";
    /// The label under which an identity key signs a card.
    pub const SIGNATURE_LABEL: &'static str = "keycard";

    /// The card as bytes, without signatures.
    pub fn encode(&self) -> Vec<u8> {
        Writer::labelled(Self::LABEL)
            .text(&self.user_id)
            .u32(self.seq)
            .optional(self.previous.as_ref().map(<[u8; 32]>::as_slice))
            .bytes(&self.identity_key)
            .bytes(&self.encryption_key)
            .u32(self.epoch)
            .list(&self.devices, Device::encode)
            .u64(self.keyring_version)
            .optional(self.keyring_hash.as_ref().map(<[u8; 32]>::as_slice))
            .u64(self.created_at)
            .finish()
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        reader.label(Self::LABEL)?;
        Ok(Self {
            user_id: reader.text("card user", ID_MAX)?.to_owned(),
            seq: reader.u32("card seq")?,
            previous: reader.optional_array("card previous")?,
            identity_key: reader.array("identity key")?,
            encryption_key: reader.array("encryption key")?,
            epoch: reader.u32("key epoch")?,
            devices: reader.list("devices", DEVICES_MAX, Device::parse)?,
            keyring_version: reader.u64("keyring version")?,
            keyring_hash: reader.optional_array("keyring hash")?,
            created_at: reader.u64("card created")?,
        })
    }

    /// SHA-256 of the card, which the next one names.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&self.encode())
    }

    /// The device with this key, if it was not revoked.
    pub fn active_device(&self, key: &[u8; 32]) -> Option<&Device> {
        self.devices.iter().find(|device| device.key == *key && device.revoked_at.is_none())
    }

    /// `key_fp` of the encryption key: what a wrap names.
    pub fn encryption_key_fingerprint(&self) -> [u8; 32] {
        key_fingerprint(&self.encryption_key)
    }
}

/// `key_fp` = SHA-256(`lv_cat("segue/key/1", kem u16, pk)`).
pub fn key_fingerprint(public_key: &[u8; 32]) -> [u8; 32] {
    sha256(&lv_cat(&[b"segue/key/1", &KEM_X25519.to_be_bytes(), public_key]))
}

/// A key card with its signatures: `card ‖ IK signature [‖ old IK's signature]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedKeyCard {
    /// What is signed.
    pub card: KeyCard,
    /// By the card's own identity key.
    pub signature: Signature,
    /// By the identity key before, on a change.
    pub old_signature: Option<Signature>,
}

impl SignedKeyCard {
    /// The card and its signatures as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.card.encode();
        bytes.extend_from_slice(&self.signature);
        if let Some(old) = &self.old_signature {
            bytes.extend_from_slice(old);
        }
        bytes
    }

    /// Reads a card and its signatures. Believe nothing of it before [`Self::verify`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let card = KeyCard::read(&mut reader)?;
        let (signatures, rest) = reader.remaining().as_chunks::<64>();
        match (signatures, rest) {
            ([signature], []) => Ok(Self { card, signature: *signature, old_signature: None }),
            ([signature, old], []) => Ok(Self { card, signature: *signature, old_signature: Some(*old) }),
            _ => Err(Malformed::Field("key card signatures")),
        }
    }

    /// Verifies the card, and that it continues `previous` when there is one.
    ///
    /// # Errors
    /// [`Unverified::Chain`] when it does not continue `previous`, or starts a chain other than at 1;
    /// [`Unverified::WeakKey`], [`Unverified::Signature`] as they say.
    pub fn verify(&self, previous: Option<&KeyCard>) -> Result<&KeyCard, Unverified> {
        self.verify_alone()?;
        match previous {
            None if self.card.seq == 1 && self.card.previous.is_none() && self.old_signature.is_none() => {}
            Some(previous) => self.continues(previous)?,
            None => return Err(Unverified::Chain),
        }
        Ok(&self.card)
    }

    /// Verifies the signature alone: for a card whose place in the chain is judged by a pin.
    pub fn verify_alone(&self) -> Result<&KeyCard, Unverified> {
        strong_x25519(&self.card.encryption_key)?;
        for device in &self.card.devices {
            strong_key(&device.key)?;
        }
        verify(&self.card.identity_key, KeyCard::SIGNATURE_LABEL, &self.card.encode(), &self.signature)?;
        Ok(&self.card)
    }

    fn continues(&self, previous: &KeyCard) -> Result<(), Unverified> {
        let next = &self.card;
        let linked = next.user_id == previous.user_id
            && Some(next.seq) == previous.seq.checked_add(1)
            && next.previous == Some(previous.hash())
            && next.epoch >= previous.epoch
            && next.keyring_version >= previous.keyring_version;
        if !linked {
            return Err(Unverified::Chain);
        }
        if next.identity_key == previous.identity_key {
            return if self.old_signature.is_none() { Ok(()) } else { Err(Unverified::Chain) };
        }
        let old = self.old_signature.as_ref().ok_or(Unverified::Chain)?;
        if next.epoch <= previous.epoch {
            return Err(Unverified::Chain);
        }
        verify(&previous.identity_key, KeyCard::SIGNATURE_LABEL, &next.encode(), old)
    }
}
