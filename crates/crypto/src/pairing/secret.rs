//! What both devices know and the relay does not: the secret of a code or of a link.

use segue_signed::{
    lv::Writer,
    pairing::{Method, Purpose},
};
use zeroize::Zeroizing;

use super::{code::CodeSecret, link::LinkSecret};
use crate::secret::redacted;

/// The secret that came to this device, and how.
#[derive(Clone)]
pub enum PairingSecret {
    /// It was typed.
    Code(CodeSecret),
    /// It was scanned or pasted.
    Link(LinkSecret),
}

redacted!(PairingSecret);

impl PairingSecret {
    /// How it came: stands in every key, so that a link cannot be attacked as a code.
    pub fn method(&self) -> Method {
        match self {
            Self::Code(_) => Method::Code,
            Self::Link(_) => Method::Link,
        }
    }

    /// What it is for, where it says so itself.
    pub(super) fn purpose(&self) -> Option<Purpose> {
        match self {
            Self::Code(code) => Some(code.purpose()),
            Self::Link(_) => None,
        }
    }

    /// PRS, the password of CPace.
    pub(super) fn password(&self) -> Zeroizing<Vec<u8>> {
        let secret = match self {
            Self::Code(code) => code.expose().as_bytes(),
            Self::Link(link) => link.expose().as_slice(),
        };
        let mut writer = Writer::with_capacity(64);
        Zeroizing::new(writer.text(self.method().as_str()).bytes(secret).finish())
    }
}
