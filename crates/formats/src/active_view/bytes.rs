//! Bytes as they stand in an active view: base64url without padding, in exactly one spelling.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

/// A head hash: which messages a chat consists of, in which order (SPEC D11).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HeadHash(#[serde(with = "base64url")] pub [u8; 32]);

impl HeadHash {
    /// The head of a chat without messages.
    pub const EMPTY: Self = Self([0; 32]);
}

impl fmt::Display for HeadHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

impl fmt::Debug for HeadHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "HeadHash({self})")
    }
}

/// 32 bytes that open something. Never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret32(#[serde(with = "base64url")] pub [u8; 32]);

impl fmt::Debug for Secret32 {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret32")
    }
}

/// A signed key card, as it is: this crate does not read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyCardBytes(#[serde(with = "base64url")] pub Vec<u8>);

pub(super) mod base64url {
    use data_encoding::BASE64URL_NOPAD;
    use serde::de::{Deserializer, Error};
    use serde::{Deserialize, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(bytes: &impl AsRef<[u8]>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64URL_NOPAD.encode(bytes.as_ref()))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>, T: TryFrom<Vec<u8>>>(
        from: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| D::Error::custom("not base64url"))?;
        T::try_from(bytes).map_err(|_| D::Error::custom("another number of bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_spelling() {
        let written = serde_json::to_string(&HeadHash([0xfb; 32])).unwrap();
        assert_eq!(written, format!("\"{}_s\"", "-_v7".repeat(11).get(..41).unwrap()));
        assert_eq!(serde_json::from_str::<HeadHash>(&written).unwrap(), HeadHash([0xfb; 32]));
        for other in [
            written.replace("_s\"", "_t\""),
            written.replace("_s\"", "_s=\""),
            written.replace('-', "+"),
            "\"AA\"".to_owned(),
        ] {
            assert!(serde_json::from_str::<HeadHash>(&other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        assert_eq!(format!("{:?}", Secret32([7; 32])), "Secret32");
    }
}
