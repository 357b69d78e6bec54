//! Typed ids: a short prefix and 128 random bits in lower-case Crockford base32, 26 symbols.
//!
//! Random rather than time-ordered, so that a few leading symbols already tell two apart (`segue resume ses_7k3`) and
//! an id says nothing about when it was made.

use std::{fmt, str::FromStr};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Symbols after the prefix: ⌈128 / 5⌉.
const SYMBOLS: usize = 26;

/// A text that is not an id of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a {0} id")]
pub struct NotAnId(&'static str);

fn encode(prefix: &str, bytes: [u8; 16]) -> String {
    let mut rest = u128::from_be_bytes(bytes);
    let mut symbols = [0; SYMBOLS];
    for symbol in symbols.iter_mut().rev() {
        *symbol = ALPHABET[(rest & 31) as usize];
        rest >>= 5;
    }
    let mut text = String::with_capacity(prefix.len() + SYMBOLS);
    text.push_str(prefix);
    text.extend(symbols.iter().map(|&symbol| char::from(symbol)));
    text
}

fn decode(prefix: &str, text: &str) -> Option<[u8; 16]> {
    let symbols = text.strip_prefix(prefix)?.as_bytes();
    if symbols.len() != SYMBOLS || symbols[0] > b'7' {
        return None;
    }
    let mut value = 0_u128;
    for symbol in symbols {
        let digit = ALPHABET.iter().position(|candidate| candidate == symbol)?;
        value = value << 5 | digit as u128;
    }
    Some(value.to_be_bytes())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// What every id of this kind starts with.
            pub const PREFIX: &'static str = $prefix;

            /// An id from 16 random bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes, as they stand in signed structures.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                decode($prefix, text).map(Self).ok_or(NotAnId($prefix))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&encode($prefix, self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }
    )*};
}

ids! {
    /// A person's account.
    UserId = "usr_";
    /// A device of a person.
    DeviceId = "dev_";
    /// A session as its owner's account knows it.
    SessionId = "ses_";
    /// A handoff.
    HandoffId = "hnd_";
    /// An invite to join.
    InviteId = "inv_";
    /// A sealed bundle.
    BundleId = "bdl_";
    /// A pack of sealed segments.
    PackId = "pck_";
    /// A team.
    TeamId = "team_";
    /// A comment on a handoff.
    CommentId = "hcm_";
    /// A project.
    ProjectId = "prj_";
    /// A ticket of a project.
    TicketId = "tkt_";
    /// A personal access token.
    TokenId = "tok_";
    /// A pairing of two devices.
    PairingId = "par_";
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_of_one_kind_is_not_an_id_of_another() {
        let session = SessionId::from_bytes([7; 16]).to_string();
        assert!(session.parse::<HandoffId>().is_err());
        assert_eq!(session.parse::<SessionId>(), Ok(SessionId::from_bytes([7; 16])));
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = HandoffId::from_bytes([0xff; 16]).to_string();
        assert_eq!(id, "hnd_7zzzzzzzzzzzzzzzzzzzzzzzzz");
        assert!(id.to_uppercase().parse::<HandoffId>().is_err());
        assert!(id.replacen('7', "8", 1).parse::<HandoffId>().is_err(), "more than 128 bits");
        assert!(format!("{id}0").parse::<HandoffId>().is_err());
    }

    proptest! {
        #[test]
        fn an_id_reads_back(bytes: [u8; 16]) {
            prop_assert_eq!(PackId::from_bytes(bytes).to_string().parse(), Ok(PackId::from_bytes(bytes)));
        }

        #[test]
        fn any_text_is_refused_or_is_its_own_spelling(text in "[a-z0-9_]{0,32}") {
            if let Ok(id) = text.parse::<SessionId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
