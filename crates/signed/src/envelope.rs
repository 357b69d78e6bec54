//! E: the signed envelope of a bundle: header, hashes of everything sealed, and commitments of the bundle key.

use crate::{
    Malformed, Signature, Unverified,
    header::Header,
    keycard::KeyCard,
    lv::{Reader, Writer},
    sha256,
    sig::verify,
};

/// Most packs of one bundle: at 64 MiB each far above any session's limit, and small enough to list.
pub const PACKS_MAX: usize = 4_096;
/// Longest envelope, in bytes: 4 096 packs and 64 recipients fit.
pub const ENVELOPE_BYTES_MAX: usize = 512 * 1024;

/// One pack that a bundle's segments lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackEntry {
    /// Random id.
    pub id: [u8; 16],
    /// SHA-256 of the pack, padding included.
    pub sha256: [u8; 32],
    /// Length in bytes, padding included.
    pub len: u64,
}

impl PackEntry {
    fn encode(&self) -> Vec<u8> {
        Writer::default().bytes(&self.id).bytes(&self.sha256).u64(self.len).finish()
    }

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let pack =
            Self { id: reader.array("pack id")?, sha256: reader.array("pack hash")?, len: reader.u64("pack length")? };
        reader.finish("pack")?;
        Ok(pack)
    }
}

/// An envelope without its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// What the bundle says about itself.
    pub header: Header,
    /// SHA-256 of the sealed manifest.
    pub manifest_hash: [u8; 32],
    /// Length of the sealed manifest in bytes.
    pub manifest_len: u32,
    /// SHA-256 of the sealed preview, when there is one.
    pub preview_hash: Option<[u8; 32]>,
    /// The packs, in the manifest's order.
    pub packs: Vec<PackEntry>,
    /// K("commit"): a commitment to the bundle key, as AES-GCM is none.
    pub commit: [u8; 32],
    /// SHA-256(K("claim")): what a claim proof is checked against.
    pub claim_check: [u8; 32],
}

impl Envelope {
    const LABEL: &'static str = "segue/envelope/1";
    /// The label under which a device signs an envelope.
    pub const SIGNATURE_LABEL: &'static str = "envelope";

    /// The envelope as bytes, without its signature.
    pub fn encode(&self) -> Vec<u8> {
        Writer::labelled(Self::LABEL)
            .bytes(&self.header.encode())
            .bytes(&self.manifest_hash)
            .u32(self.manifest_len)
            .optional(self.preview_hash.as_ref().map(<[u8; 32]>::as_slice))
            .list(&self.packs, PackEntry::encode)
            .bytes(&self.commit)
            .bytes(&self.claim_check)
            .finish()
    }

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        reader.label(Self::LABEL)?;
        let envelope = Self {
            header: Header::parse(reader.bytes("header")?)?,
            manifest_hash: reader.array("manifest hash")?,
            manifest_len: reader.u32("manifest length")?,
            preview_hash: reader.optional_array("preview hash")?,
            packs: reader.list("packs", PACKS_MAX, PackEntry::parse)?,
            commit: reader.array("commit")?,
            claim_check: reader.array("claim check")?,
        };
        reader.finish("envelope")?;
        let mut ids: Vec<_> = envelope.packs.iter().map(|pack| pack.id).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() == envelope.packs.len() { Ok(envelope) } else { Err(Malformed::Field("packs")) }
    }
}

/// The epoch that every account begins with.
const FIRST_EPOCH: u32 = 1;

/// An envelope with its signature: `E ‖ Sig("envelope")`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedEnvelope {
    /// What is signed.
    pub envelope: Envelope,
    /// By the header's device key.
    pub signature: Signature,
    bytes: Vec<u8>,
}

impl SignedEnvelope {
    /// Puts an envelope and its signature together.
    pub fn new(envelope: Envelope, signature: Signature) -> Self {
        let mut bytes = envelope.encode();
        bytes.extend_from_slice(&signature);
        Self { envelope, signature, bytes }
    }

    /// Reads an envelope. Believe nothing of it before [`Self::verify`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > ENVELOPE_BYTES_MAX {
            return Err(Malformed::Field("envelope"));
        }
        let (body, signature) = bytes.split_last_chunk::<64>().ok_or(Malformed::Field("envelope signature"))?;
        Ok(Self { envelope: Envelope::parse(body)?, signature: *signature, bytes: bytes.to_vec() })
    }

    /// The bytes as they were sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the bytes: what the next snapshot names as its parent.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&self.bytes)
    }

    /// As [`Self::verify`] for what was made under an earlier identity key of `sender`: a device that is active to this day signed it,
    /// and so speaks for its owner.
    ///
    /// # Errors
    /// The same.
    pub fn verify_earlier(&self, sender: &KeyCard) -> Result<&Envelope, Unverified> {
        let header = &self.envelope.header;
        // In the first epoch there is no earlier key.
        let other_key = header.identity_key != sender.identity_key && sender.epoch == FIRST_EPOCH;
        if header.sender_id != sender.user_id || other_key {
            return Err(Unverified::Identity);
        }
        sender.active_device(&header.device_key).ok_or(Unverified::Device)?;
        self.verify_signature()
    }

    /// Verifies the signature of whatever device the header names: for who has an own-wrap of it, which was made after all else was
    /// verified, or when it was sealed here. Believe nothing before that wrap opens.
    ///
    /// # Errors
    /// [`Unverified::Identity`] when it names another sender; [`Unverified::Signature`].
    pub fn verify_held(&self, sender_id: &str) -> Result<&Envelope, Unverified> {
        if self.envelope.header.sender_id == sender_id { self.verify_signature() } else { Err(Unverified::Identity) }
    }

    fn verify_signature(&self) -> Result<&Envelope, Unverified> {
        let (body, _) = self.bytes.split_at(self.bytes.len() - self.signature.len());
        verify(&self.envelope.header.device_key, Envelope::SIGNATURE_LABEL, body, &self.signature)?;
        Ok(&self.envelope)
    }

    /// Verifies that an active device of `sender` signed this, under the identity key that is current.
    ///
    /// The caller has verified `sender` itself and, on a client, checked it against the pin.
    ///
    /// # Errors
    /// [`Unverified::Identity`] when it names another sender or identity key; [`Unverified::Device`] when the device is
    /// not an active one of the card; [`Unverified::Signature`].
    pub fn verify(&self, sender: &KeyCard) -> Result<&Envelope, Unverified> {
        let header = &self.envelope.header;
        if header.identity_key != sender.identity_key {
            return Err(Unverified::Identity);
        }
        self.verify_earlier(sender)
    }
}
