//! The way back: k(back), the one key that outlives a pairing, until the return or for 24 hours.

use segue_signed::pairing::SizeClass;
use zeroize::Zeroizing;

use super::{
    message::{Message, TooLong, frame, room, unframe},
    schedule::Schedule,
};
use crate::{sealing::Unopened, secret::redacted};

/// Bytes of a stored return key: k(back) ‖ th.
pub const RETURN_KEY_BYTES: usize = 32 + 64;

struct ReturnKey {
    key: Zeroizing<[u8; 32]>,
    th: [u8; 64],
}

impl ReturnKey {
    fn of(schedule: &Schedule) -> Self {
        Self { key: schedule.back.clone(), th: schedule.th }
    }

    fn from_bytes(bytes: &[u8; RETURN_KEY_BYTES]) -> Self {
        let mut read = Self { key: Zeroizing::new([0; 32]), th: [0; 64] };
        read.key.copy_from_slice(&bytes[..32]);
        read.th.copy_from_slice(&bytes[32..]);
        read
    }

    fn expose(&self) -> Zeroizing<[u8; RETURN_KEY_BYTES]> {
        let mut bytes = Zeroizing::new([0; RETURN_KEY_BYTES]);
        bytes[..32].copy_from_slice(self.key.as_slice());
        bytes[32..].copy_from_slice(&self.th);
        bytes
    }
}

/// Gives the destination and the source each their half: what one may do with k(back).
macro_rules! half {
    ($name:ident) => {
        redacted!($name);

        impl $name {
            pub(super) fn of(schedule: &Schedule) -> Self {
                Self(ReturnKey::of(schedule))
            }

            /// Reads one back from storage.
            pub fn from_bytes(bytes: &[u8; RETURN_KEY_BYTES]) -> Self {
                Self(ReturnKey::from_bytes(bytes))
            }

            /// The bytes: for this device's key store, for at most 24 hours.
            pub fn expose(&self) -> Zeroizing<[u8; RETURN_KEY_BYTES]> {
                self.0.expose()
            }
        }
    };
}

/// What a destination seals its return with.
pub struct ReturnSealer(ReturnKey);

/// What a source opens a return with.
pub struct ReturnOpener(ReturnKey);

half!(ReturnSealer);
half!(ReturnOpener);

impl ReturnSealer {
    /// The smallest size class that `content` fits into.
    pub fn class_of(content: &[u8]) -> Result<SizeClass, TooLong> {
        let fits = SizeClass::ALL.into_iter().find(|class| content.len() <= room(*class));
        fits.ok_or(TooLong { bytes: content.len(), room: room(SizeClass::Large) })
    }

    /// Seals the return, once: store the answer and forget the stored key before sending it, since a second text under this
    /// key would give both away. A retry sends the same bytes.
    pub fn seal(self, class: SizeClass, content: &[u8]) -> Result<Vec<u8>, TooLong> {
        let frame = frame(class, content, None)?;
        Ok(Message::Return.seal(&self.0.key, &self.0.th, &frame))
    }
}

impl ReturnOpener {
    /// Opens the return. It is text from outside: shown for confirmation, never acted on by itself.
    pub fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        let plain = Message::Return.open(&self.0.key, &self.0.th, sealed)?;
        let class = SizeClass::ALL.into_iter().find(|class| class.bytes() == plain.len()).ok_or(Unopened)?;
        match unframe(class, &plain)? {
            (content, None) => Ok(content),
            (_, Some(_)) => Err(Unopened),
        }
    }
}
