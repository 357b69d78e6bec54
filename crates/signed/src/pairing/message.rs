//! The three messages: offer, answer, release.

use super::{HELLO_BYTES_MAX, Method, PAIRING_VERSION, Purpose, SizeClass};
use crate::{
    Malformed, SUITE,
    lv::{Reader, Writer},
};

/// Longest word on the wire, in bytes.
const WORD_MAX: usize = 16;
/// Bytes that sealing adds.
const TAG_BYTES: usize = 16;

/// What the source publishes for one method and attempt. A relay compares `purpose`, `method`, `hid` and `attempt` with its
/// own row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What the pairing is for.
    pub purpose: Purpose,
    /// How the secret travels.
    pub method: Method,
    /// The pairing's id, drawn by the source.
    pub hid: [u8; 16],
    /// Number of the offers that stand, from 1.
    pub attempt: u8,
    /// nA, fresh for every offer.
    pub nonce: [u8; 16],
    /// Ya, the source's share.
    pub share: [u8; 32],
    /// What the view will be padded to.
    pub size_class: SizeClass,
    /// Lifetime in seconds, as the source asked for.
    pub lifetime_seconds: u32,
}

impl Offer {
    const LABEL: &'static str = "segue/pair/offer/1";

    /// The offer as bytes.
    pub fn encode(&self) -> Vec<u8> {
        Writer::labelled(Self::LABEL)
            .u8(SUITE)
            .text(self.purpose.as_str())
            .text(self.method.as_str())
            .bytes(&self.hid)
            .u8(self.attempt)
            .bytes(&self.nonce)
            .bytes(&self.share)
            .bytes(&self.associated_data())
            .finish()
    }

    /// ADa, which both tags and all keys cover.
    pub fn associated_data(&self) -> Vec<u8> {
        Writer::default()
            .text("src")
            .u8(PAIRING_VERSION)
            .u8(self.size_class.number())
            .u32(self.lifetime_seconds)
            .finish()
    }

    /// sid, which makes every attempt a session of its own.
    pub fn session_id(&self) -> Vec<u8> {
        Writer::default().bytes(&self.hid).text(self.method.as_str()).u8(self.attempt).bytes(&self.nonce).finish()
    }

    /// Reads an offer. Unknown suites, versions, purposes, methods and size classes are refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        reader.label(Self::LABEL)?;
        if reader.u8("suite")? != SUITE {
            return Err(Malformed::Unknown("suite"));
        }
        let purpose = Purpose::parse(reader.text("pairing purpose", WORD_MAX)?)?;
        let method = Method::parse(reader.text("pairing method", WORD_MAX)?)?;
        let hid = reader.array("pairing id")?;
        let attempt = attempt(&mut reader)?;
        let nonce = reader.array("pairing nonce")?;
        let share = reader.array("pairing share")?;
        let mut ad = associated_data(reader.bytes("associated data")?, "src")?;
        let size_class = SizeClass::parse(ad.u8("size class")?)?;
        let lifetime_seconds = ad.u32("lifetime")?;
        ad.finish("associated data")?;
        reader.finish("offer")?;
        Ok(Self { purpose, method, hid, attempt, nonce, share, size_class, lifetime_seconds })
    }
}

/// What a destination answers: its share, its confirmation, and who it says it is, sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Which offer it answers.
    pub method: Method,
    /// Which attempt it answers.
    pub attempt: u8,
    /// Yb, the destination's share.
    pub share: [u8; 32],
    /// nB, fresh for every answer.
    pub nonce: [u8; 16],
    /// Tb, the destination's confirmation.
    pub tag: [u8; 64],
    /// The sealed hello.
    pub hello: Vec<u8>,
}

impl Answer {
    const LABEL: &'static str = "segue/pair/answer/1";

    /// The answer as bytes.
    pub fn encode(&self) -> Vec<u8> {
        Writer::labelled(Self::LABEL)
            .text(self.method.as_str())
            .u8(self.attempt)
            .bytes(&self.share)
            .bytes(&self.associated_data())
            .bytes(&self.tag)
            .bytes(&self.hello)
            .finish()
    }

    /// ADb, which both tags and all keys cover.
    pub fn associated_data(&self) -> Vec<u8> {
        Writer::default().text("dst").u8(PAIRING_VERSION).bytes(&self.nonce).finish()
    }

    /// Reads an answer. An unknown version or method is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        reader.label(Self::LABEL)?;
        let method = Method::parse(reader.text("pairing method", WORD_MAX)?)?;
        let attempt = attempt(&mut reader)?;
        let share = reader.array("pairing share")?;
        let mut ad = associated_data(reader.bytes("associated data")?, "dst")?;
        let nonce = ad.array("pairing nonce")?;
        ad.finish("associated data")?;
        let tag = reader.array("pairing tag")?;
        let hello = reader.bytes("hello")?;
        reader.finish("answer")?;
        if !(TAG_BYTES..=HELLO_BYTES_MAX).contains(&hello.len()) {
            return Err(Malformed::Field("hello"));
        }
        Ok(Self { method, attempt, share, nonce, tag, hello: hello.to_vec() })
    }
}

/// What the source releases: its confirmation and the sealed view, in one call with the claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Ta, the source's confirmation.
    pub tag: [u8; 64],
    /// The sealed view, of exactly a size class and a tag.
    pub view: Vec<u8>,
}

impl Release {
    const LABEL: &'static str = "segue/pair/release/1";

    /// The release as bytes.
    pub fn encode(&self) -> Vec<u8> {
        Writer::labelled(Self::LABEL).bytes(&self.tag).bytes(&self.view).finish()
    }

    /// Reads a release.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        reader.label(Self::LABEL)?;
        let tag = reader.array("pairing tag")?;
        let view = reader.bytes("view")?;
        reader.finish("release")?;
        if !SizeClass::ALL.iter().any(|class| class.bytes() + TAG_BYTES == view.len()) {
            return Err(Malformed::Field("view"));
        }
        Ok(Self { tag, view: view.to_vec() })
    }
}

fn attempt(reader: &mut Reader<'_>) -> Result<u8, Malformed> {
    match reader.u8("attempt")? {
        0 => Err(Malformed::Field("attempt")),
        attempt => Ok(attempt),
    }
}

/// Opens ADa or ADb: the role keeps a message from being taken for its answer.
fn associated_data<'a>(bytes: &'a [u8], role: &'static str) -> Result<Reader<'a>, Malformed> {
    let mut reader = Reader::new(bytes);
    if reader.text("role", WORD_MAX)? != role {
        return Err(Malformed::Unknown("role"));
    }
    if reader.u8("version")? == PAIRING_VERSION { Ok(reader) } else { Err(Malformed::Unknown("pairing version")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn offer() -> Offer {
        Offer {
            purpose: Purpose::Handoff,
            method: Method::Code,
            hid: [1; 16],
            attempt: 1,
            nonce: [2; 16],
            share: [3; 32],
            size_class: SizeClass::Small,
            lifetime_seconds: 300,
        }
    }

    fn answer() -> Answer {
        Answer { method: Method::Code, attempt: 1, share: [4; 32], nonce: [5; 16], tag: [6; 64], hello: vec![7; 100] }
    }

    #[test]
    fn what_is_written_reads_back() {
        assert_eq!(Offer::parse(&offer().encode()), Ok(offer()));
        assert_eq!(Answer::parse(&answer().encode()), Ok(answer()));
        for class in SizeClass::ALL {
            let release = Release { tag: [8; 64], view: vec![9; class.bytes() + TAG_BYTES] };
            assert_eq!(Release::parse(&release.encode()), Ok(release));
        }
    }

    #[test]
    fn another_suite_version_or_role_is_refused() {
        let field = |bytes: &[u8], from: &[u8], to: &[u8]| {
            let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
            [&bytes[..at], to, &bytes[at + from.len()..]].concat()
        };
        let bytes = offer().encode();
        let changes: [(&str, &[u8], &[u8]); 3] = [
            ("suite", b"\x01\x01\x07handoff", b"\x01\x02\x07handoff"),
            ("version", b"src\x01\x01\x01\x00\x04\x00", b"src\x01\x02\x01\x00\x04\x00"),
            ("role", b"src\x01\x01\x01\x00\x04\x00", b"dst\x01\x01\x01\x00\x04\x00"),
        ];
        for (why, from, to) in changes {
            assert!(matches!(Offer::parse(&field(&bytes, from, to)), Err(Malformed::Unknown(_))), "{why}");
        }
        let bytes = answer().encode();
        assert_eq!(Answer::parse(&field(&bytes, b"dst", b"src")), Err(Malformed::Unknown("role")));
        assert_eq!(
            Answer::parse(&field(&bytes, b"dst\x01\x01", b"dst\x01\x02")),
            Err(Malformed::Unknown("pairing version"))
        );
        let zero = Offer { attempt: 0, ..offer() };
        assert_eq!(Offer::parse(&zero.encode()), Err(Malformed::Field("attempt")));
    }

    #[test]
    fn sizes_are_bounded() {
        let hello = |bytes| Answer::parse(&Answer { hello: vec![0; bytes], ..answer() }.encode()).is_ok();
        assert_eq!([15, 16, 1024, 1025].map(hello), [false, true, true, false]);
        let view = |bytes| Release::parse(&Release { tag: [0; 64], view: vec![0; bytes] }.encode()).is_ok();
        assert_eq!([16_399, 16_400, 16_401, 65_552, 65_553].map(view), [false, true, false, true, false]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_are_their_own_encoding(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(offer) = Offer::parse(&bytes) { prop_assert_eq!(offer.encode(), bytes.clone()); }
            if let Ok(answer) = Answer::parse(&bytes) { prop_assert_eq!(answer.encode(), bytes.clone()); }
            if let Ok(release) = Release::parse(&bytes) { prop_assert_eq!(release.encode(), bytes); }
        }

        #[test]
        fn a_changed_byte_is_refused_or_is_another_offer(at in any::<prop::sample::Index>(), mask in 1_u8..) {
            let mut bytes = offer().encode();
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
            if let Ok(changed) = Offer::parse(&bytes) {
                prop_assert_ne!(&changed, &offer());
                prop_assert_eq!(changed.encode(), bytes);
            }
        }
    }
}
