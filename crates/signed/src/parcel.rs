//! A parcel: everything that one request sends of a sealed bundle (`docs/protocol.md` §5, Push). Nothing in it is believed
//! for being in it: the envelope's signature and hashes say what belongs together.

use crate::{
    Malformed, Wrap,
    envelope::ENVELOPE_BYTES_MAX,
    header::RECIPIENTS_MAX,
    lv::{Reader, Writer},
};

/// What a parcel is called in HTTP.
pub const MEDIA_TYPE: &str = "application/vnd.segue.parcel";
/// Most packs in one parcel: so many of 1 KiB, the smallest there is, are all that a server takes in one request.
pub const PACKS_INLINE_MAX: usize = 256;

/// `lv_cat("segue/parcel/1", envelope, sealed manifest, sealed preview|"", wraps[bytes], packs[lv_cat(id16, bytes)])`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel<'a> {
    /// The signed envelope.
    pub envelope: &'a [u8],
    /// The sealed manifest.
    pub manifest: &'a [u8],
    /// The sealed preview.
    pub preview: Option<&'a [u8]>,
    /// The bundle key, locked for each recipient and, on a snapshot, for oneself.
    pub wraps: Vec<Wrap>,
    /// Small packs of the envelope that were not uploaded before.
    pub packs: Vec<InlinePack<'a>>,
}

/// A small pack that travels with its bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InlinePack<'a> {
    /// Its random id.
    pub id: [u8; 16],
    /// All of it, padding included.
    pub bytes: &'a [u8],
}

impl<'a> InlinePack<'a> {
    fn encode(&self) -> Vec<u8> {
        Writer::with_capacity(self.bytes.len() + 24).bytes(&self.id).bytes(self.bytes).finish()
    }

    fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let pack = Self { id: reader.array("inline pack's id")?, bytes: reader.bytes("inline pack")? };
        reader.finish("inline pack")?;
        if pack.bytes.is_empty() { Err(Malformed::Field("inline pack")) } else { Ok(pack) }
    }
}

impl<'a> Parcel<'a> {
    const LABEL: &'static str = "segue/parcel/1";

    /// The parcel as bytes.
    pub fn encode(&self) -> Vec<u8> {
        Writer::labelled(Self::LABEL)
            .bytes(self.envelope)
            .bytes(self.manifest)
            .optional(self.preview)
            .list(&self.wraps, Wrap::encode)
            .list(&self.packs, InlinePack::encode)
            .finish()
    }

    /// Reads a parcel. The caller bounds its length; what the fields hold is checked against the envelope.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        reader.label(Self::LABEL)?;
        let parcel = Self {
            envelope: reader.bytes("envelope")?,
            manifest: reader.bytes("manifest")?,
            preview: Some(reader.bytes("preview")?).filter(|preview| !preview.is_empty()),
            // One for each recipient, and one's own.
            wraps: reader.list("wraps", RECIPIENTS_MAX + 1, Wrap::parse)?,
            packs: reader.list("inline packs", PACKS_INLINE_MAX, InlinePack::parse)?,
        };
        reader.finish("parcel")?;
        let mut ids: Vec<_> = parcel.packs.iter().map(|pack| pack.id).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() != parcel.packs.len() {
            return Err(Malformed::Field("inline packs"));
        }
        if parcel.envelope.len() > ENVELOPE_BYTES_MAX { Err(Malformed::Field("envelope")) } else { Ok(parcel) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{WrapKind, lv::lv_cat, wrap::OWN_KEY_FP};

    fn wrap(id: &str) -> Wrap {
        Wrap { kind: WrapKind::Own, id: id.to_owned(), key_fp: OWN_KEY_FP, epoch: 1, enc: None, ct: [7; 48] }
    }

    fn parcel<'a>(packs: usize) -> Parcel<'a> {
        let pack = |number: usize| {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            InlinePack { id, bytes: b"pack" }
        };
        let packs = (0..packs).map(pack).collect();
        Parcel { envelope: b"envelope", manifest: b"manifest", preview: None, wraps: vec![wrap("usr_a")], packs }
    }

    #[test]
    fn the_bytes_are_those_of_the_protocol() {
        let mut sent = parcel(1);
        sent.preview = Some(b"preview");
        let (wraps, packs) = (lv_cat(&[&wrap("usr_a").encode()]), lv_cat(&[&lv_cat(&[&[0; 16], b"pack"])]));
        let expected = lv_cat(&[b"segue/parcel/1", b"envelope", b"manifest", b"preview", &wraps, &packs]);
        assert_eq!(sent.encode(), expected);
        assert_eq!(Parcel::parse(&expected), Ok(sent));
    }

    #[test]
    fn a_cut_or_longer_parcel_is_refused_everywhere() {
        let bytes = parcel(2).encode();
        for len in 0..bytes.len() {
            assert!(Parcel::parse(&bytes[..len]).is_err(), "{len}");
        }
        assert_eq!(Parcel::parse(&[bytes.as_slice(), b"x"].concat()), Err(Malformed::Trailing("parcel")));
    }

    #[test]
    fn bounds_hold() {
        assert!(Parcel::parse(&parcel(PACKS_INLINE_MAX).encode()).is_ok());
        assert_eq!(Parcel::parse(&parcel(PACKS_INLINE_MAX + 1).encode()), Err(Malformed::Field("inline packs")));
        let ids: Vec<_> = (0..=RECIPIENTS_MAX).map(|number| format!("usr_{number}")).collect();
        let mut sent = parcel(0);
        sent.wraps = ids.iter().map(|id| wrap(id)).collect();
        assert_eq!(Parcel::parse(&sent.encode()), Ok(sent.clone()));
        sent.wraps.push(wrap("usr_more"));
        assert_eq!(Parcel::parse(&sent.encode()), Err(Malformed::Field("wraps")));
        let (fits, over) = (vec![0; ENVELOPE_BYTES_MAX], vec![0; ENVELOPE_BYTES_MAX + 1]);
        assert!(Parcel::parse(&Parcel { envelope: &fits, ..parcel(0) }.encode()).is_ok());
        assert_eq!(Parcel::parse(&Parcel { envelope: &over, ..parcel(0) }.encode()), Err(Malformed::Field("envelope")));
    }

    #[test]
    fn an_empty_pack_and_one_that_comes_twice_are_refused() {
        let mut twice = parcel(2);
        twice.packs[1].id = twice.packs[0].id;
        assert_eq!(Parcel::parse(&twice.encode()), Err(Malformed::Field("inline packs")));
        let mut empty = parcel(1);
        empty.packs[0].bytes = b"";
        assert_eq!(Parcel::parse(&empty.encode()), Err(Malformed::Field("inline pack")));
    }
}
