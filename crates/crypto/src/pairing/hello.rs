//! The hello, ds#0: who a destination says it is = `lv_cat(name, kind, user_id|"", device_id|"", Sig("pair-dst", th)|"")`.
//! Sent with its confirmation, opened only after that holds.

use segue_signed::{
    Device, DeviceKind, KeyCard, Malformed, Signature,
    keycard::ID_MAX,
    lv::{Reader, Writer},
    sig::verify,
};
use zeroize::Zeroizing;

use crate::device::DeviceKey;

/// The label under which a destination's device signs th.
pub(super) const DESTINATION_LABEL: &str = "pair-dst";
/// The label under which a source's device signs th.
pub(super) const SOURCE_LABEL: &str = "pair-src";
/// A device's name, in characters: as long as the server lets one be.
const NAME_CHARS_MAX: usize = 100;
const WORD_MAX: usize = 16;

/// What kind of client it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientKind {
    /// The command line.
    Cli,
    /// A browser.
    Web,
}

impl ClientKind {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Web => "web",
        }
    }

    fn parse(text: &str) -> Result<Self, Malformed> {
        match text {
            "cli" => Ok(Self::Cli),
            "web" => Ok(Self::Web),
            _ => Err(Malformed::Unknown("client kind")),
        }
    }
}

/// How a destination introduces itself.
#[derive(Debug, Clone, Copy)]
pub struct Introduction<'a> {
    /// What it calls itself, at most 100 characters; the rest is left out.
    pub name: &'a str,
    /// What kind of client it is.
    pub kind: ClientKind,
    /// Account (`usr_…`), device (`dev_…`) and its key, where it has them.
    pub account: Option<(&'a str, &'a str, &'a DeviceKey)>,
}

impl Introduction<'_> {
    pub(super) fn encode(&self, th: &[u8; 64]) -> Zeroizing<Vec<u8>> {
        let end = self.name.char_indices().nth(NAME_CHARS_MAX).map_or(self.name.len(), |(at, _)| at);
        let mut writer = Writer::default();
        writer.text(&self.name[..end]).text(self.kind.as_str());
        match self.account {
            Some((user_id, device_id, key)) => {
                writer.text(user_id).text(device_id).bytes(&key.sign(DESTINATION_LABEL, th));
            }
            None => {
                writer.optional(None).optional(None).optional(None);
            }
        }
        Zeroizing::new(writer.finish())
    }
}

/// What a destination says about itself, after its confirmation held. Its name is its own word; nothing else proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// What it calls itself. Text from outside.
    pub name: String,
    /// What kind of client it says it is.
    pub kind: ClientKind,
    /// The account that it claims to belong to. Believe it only through a key card.
    pub account: Option<HelloAccount>,
}

/// A claim to be a device of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelloAccount {
    /// The person, `usr_…`.
    pub user_id: String,
    /// The device, `dev_…`.
    pub device_id: String,
    signature: Signature,
}

impl Hello {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let name = reader.text("device name", 4 * NAME_CHARS_MAX)?;
        if name.chars().count() > NAME_CHARS_MAX {
            return Err(Malformed::Field("device name"));
        }
        let kind = ClientKind::parse(reader.text("client kind", WORD_MAX)?)?;
        let user_id = reader.text("hello user", ID_MAX)?;
        let device_id = reader.text("hello device", ID_MAX)?;
        let signature = reader.optional_array("hello signature")?;
        reader.finish("hello")?;
        let account = match (user_id, device_id, signature) {
            ("", "", None) => None,
            (user_id, device_id, Some(signature)) if !user_id.is_empty() && !device_id.is_empty() => {
                Some(HelloAccount { user_id: user_id.to_owned(), device_id: device_id.to_owned(), signature })
            }
            _ => return Err(Malformed::Field("hello account")),
        };
        Ok(Self { name: name.to_owned(), kind, account })
    }

    /// The device of `card`, which the caller has verified, that signed this hello's th.
    pub(super) fn device<'a>(&self, th: &[u8; 64], card: &'a KeyCard) -> Option<&'a Device> {
        let account = self.account.as_ref().filter(|account| account.user_id == card.user_id)?;
        signer(card, DESTINATION_LABEL, th, &account.signature).filter(|device| device.id == account.device_id)
    }
}

/// The active full device of `card` that signed th under `label`. An agent's key alone proves no person's device.
pub(super) fn signer<'a>(card: &'a KeyCard, label: &str, th: &[u8; 64], signature: &Signature) -> Option<&'a Device> {
    card.devices.iter().find(|device| {
        device.kind == DeviceKind::Full
            && device.revoked_at.is_none()
            && verify(&device.key, label, th, signature).is_ok()
    })
}
