//! The words of a pairing: what it is for, how the secret travels, its nameplate, and the size that a view is padded to.

use std::{fmt, str::FromStr};

use crate::Malformed;

/// What a pairing is for. It comes from each client's own screen and stands in every key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Moves the active view of a chat.
    Handoff,
    /// Adds a device to an account.
    Link,
}

impl Purpose {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handoff => "handoff",
            Self::Link => "link",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        match text {
            "handoff" => Ok(Self::Handoff),
            "link" => Ok(Self::Link),
            _ => Err(Malformed::Unknown("pairing purpose")),
        }
    }
}

/// How the secret comes to the other device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// A person types a short code.
    Code,
    /// A link or a QR code holds 128 bits.
    Link,
}

impl Method {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Link => "link",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        match text {
            "code" => Ok(Self::Code),
            "link" => Ok(Self::Link),
            _ => Err(Malformed::Unknown("pairing method")),
        }
    }
}

/// What a view is padded to, so that its length tells little (SPEC D1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SizeClass {
    /// 16 KiB.
    Small,
    /// 32 KiB.
    Medium,
    /// 64 KiB.
    Large,
}

impl SizeClass {
    /// All of them, smallest first.
    pub const ALL: [Self; 3] = [Self::Small, Self::Medium, Self::Large];

    /// The number on the wire.
    pub fn number(self) -> u8 {
        match self {
            Self::Small => 0,
            Self::Medium => 1,
            Self::Large => 2,
        }
    }

    /// Bytes of what is sealed, padding included.
    pub fn bytes(self) -> usize {
        (16 * 1024) << self.number()
    }

    pub(super) fn parse(number: u8) -> Result<Self, Malformed> {
        Self::ALL.into_iter().find(|class| class.number() == number).ok_or(Malformed::Unknown("size class"))
    }
}

/// Symbols of a nameplate: 20 bits.
pub const NAMEPLATE_SYMBOLS: usize = 4;
/// Upper-case Crockford base32, as codes are shown.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The public part of a code: what the relay finds a pairing by. The relay draws it; it is no secret and protects nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nameplate([u8; NAMEPLATE_SYMBOLS]);

/// A text that is no nameplate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a nameplate is four symbols of upper-case Crockford base32")]
pub struct NotANameplate;

impl Nameplate {
    /// The nameplate of the low 20 bits of `number`, most significant symbol first.
    pub fn from_number(number: u32) -> Self {
        Self([15, 10, 5, 0].map(|shift| ALPHABET[(number >> shift & 31) as usize]))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("its symbols are ASCII")
    }
}

impl FromStr for Nameplate {
    type Err = NotANameplate;

    /// Reads the one spelling: upper-case, nothing between.
    fn from_str(text: &str) -> Result<Self, NotANameplate> {
        let symbols: [u8; NAMEPLATE_SYMBOLS] = text.as_bytes().try_into().map_err(|_| NotANameplate)?;
        if symbols.iter().all(|symbol| ALPHABET.contains(symbol)) { Ok(Self(symbols)) } else { Err(NotANameplate) }
    }
}

impl fmt::Display for Nameplate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Debug for Nameplate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nameplate_has_one_spelling() {
        assert_eq!(Nameplate::from_number(0).as_str(), "0000");
        assert_eq!(Nameplate::from_number(0xf_ffff).as_str(), "ZZZZ");
        assert_eq!(Nameplate::from_number(1 << 20 | 0x8421).to_string(), "1111");
        assert_eq!("5ABR".parse::<Nameplate>().unwrap().as_str(), "5ABR");
        for text in ["", "5AB", "5ABRX", "5abr", "5ABU", "5AB-", "5ABÄ"] {
            assert_eq!(text.parse::<Nameplate>(), Err(NotANameplate), "{text}");
        }
    }

    #[test]
    fn size_classes_are_16_32_and_64_kib() {
        assert_eq!(SizeClass::ALL.map(SizeClass::bytes), [16_384, 32_768, 65_536]);
        assert!(SizeClass::parse(3).is_err());
    }
}
