//! Sealed messages of a pairing: AES-256-GCM, nonce 0^4 ‖ seq u64be, aad `lv_cat("segue/pair/msg/1", type u8, th)`.

use aes_gcm::{AeadInOut as _, Aes256Gcm, KeyInit as _, Nonce};
use segue_signed::{
    Signature,
    lv::{Reader, Writer, lv_cat},
    pairing::SizeClass,
};
use zeroize::Zeroizing;

use crate::sealing::{TAG_BYTES, Unopened};

/// A field of a frame and its length, at most: lengths of up to 64 KiB take three bytes.
const FIELD_OVERHEAD: usize = 3;

/// All messages there are. Each has a type, and a place in the one key that it is sealed under: no two share both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    /// ds#0.
    Hello,
    /// sd#0.
    View,
    /// ds#1.
    Acknowledgement,
    /// back#0.
    Return,
}

impl Message {
    fn number(self) -> u8 {
        match self {
            Self::Hello => 1,
            Self::View => 2,
            Self::Acknowledgement => 3,
            Self::Return => 4,
        }
    }

    fn sequence(self) -> u64 {
        match self {
            Self::Hello | Self::View | Self::Return => 0,
            Self::Acknowledgement => 1,
        }
    }

    fn nonce(self) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.sequence().to_be_bytes());
        nonce
    }

    fn aad(self, th: &[u8; 64]) -> Vec<u8> {
        lv_cat(&[b"segue/pair/msg/1", &[self.number()], th])
    }

    /// Seals `plain`. The caller answers for `key` sealing this message once: the states that call this are used up by it.
    pub(super) fn seal(self, key: &[u8; 32], th: &[u8; 64], plain: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(plain.len() + TAG_BYTES);
        bytes.extend_from_slice(plain);
        Aes256Gcm::new(key.into())
            .encrypt_in_place(&Nonce::from(self.nonce()), &self.aad(th), &mut bytes)
            .expect("no message comes near GCM's 64 GiB");
        bytes
    }

    /// Opens what [`Self::seal`] sealed.
    pub(super) fn open(self, key: &[u8; 32], th: &[u8; 64], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        let mut bytes = Zeroizing::new(sealed.to_vec());
        Aes256Gcm::new(key.into())
            .decrypt_in_place(&Nonce::from(self.nonce()), &self.aad(th), &mut *bytes)
            .map_err(|_| Unopened)?;
        Ok(bytes)
    }
}

/// What does not fit into its size class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes do not fit into {room}")]
pub struct TooLong {
    /// So long it is.
    pub bytes: usize,
    /// So much fits.
    pub room: usize,
}

/// Content bytes that always fit into `class` beside a signature.
pub(super) fn room(class: SizeClass) -> usize {
    class.bytes() - FIELD_OVERHEAD - (1 + 64)
}

/// `lv_cat(content, signature|"")` and zero bytes up to the size of `class`.
pub(super) fn frame(
    class: SizeClass,
    content: &[u8],
    signature: Option<&[u8; 64]>,
) -> Result<Zeroizing<Vec<u8>>, TooLong> {
    if content.len() > room(class) {
        return Err(TooLong { bytes: content.len(), room: room(class) });
    }
    let mut writer = Writer::with_capacity(class.bytes());
    writer.bytes(content).optional(signature.map(<[u8; 64]>::as_slice));
    let mut frame = Zeroizing::new(writer.finish());
    frame.resize(class.bytes(), 0);
    Ok(frame)
}

/// Content and signature of a frame.
pub(super) type Framed = (Zeroizing<Vec<u8>>, Option<Signature>);

/// Reads a frame back: its length must be that of `class`, what follows must be zero bytes.
pub(super) fn unframe(class: SizeClass, frame: &[u8]) -> Result<Framed, Unopened> {
    if frame.len() != class.bytes() {
        return Err(Unopened);
    }
    let mut reader = Reader::new(frame);
    let content = Zeroizing::new(reader.bytes("content").map_err(|_| Unopened)?.to_vec());
    let signature = reader.optional_array("signature").map_err(|_| Unopened)?;
    if content.len() > room(class) || reader.remaining().iter().any(|byte| *byte != 0) {
        return Err(Unopened);
    }
    Ok((content, signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_its_size_whatever_is_in_it() {
        for class in SizeClass::ALL {
            for bytes in [0, 1, 127, 128, room(class) - 1, room(class)] {
                for signature in [None, Some([7; 64])] {
                    let framed = frame(class, &vec![1; bytes], signature.as_ref()).unwrap();
                    assert_eq!(framed.len(), class.bytes());
                    let (content, read) = unframe(class, &framed).unwrap();
                    assert_eq!((content.len(), read), (bytes, signature));
                }
            }
            let refused = frame(class, &vec![1; room(class) + 1], None).unwrap_err();
            assert_eq!(refused, TooLong { bytes: room(class) + 1, room: room(class) });
        }
    }

    #[test]
    fn padding_is_zero_and_a_class_is_kept() {
        let framed = frame(SizeClass::Small, b"view", None).unwrap();
        assert_eq!(unframe(SizeClass::Medium, &framed).unwrap_err(), Unopened);
        for at in [6, 7, SizeClass::Small.bytes() - 1] {
            let mut changed = framed.clone();
            changed[at] = 1;
            assert_eq!(unframe(SizeClass::Small, &changed).unwrap_err(), Unopened, "byte {at}");
        }
    }

    #[test]
    fn a_message_opens_as_itself_only() {
        let all = [Message::Hello, Message::View, Message::Acknowledgement, Message::Return];
        for message in all {
            let sealed = message.seal(&[1; 32], &[2; 64], b"plain");
            for other in all {
                assert_eq!(
                    other.open(&[1; 32], &[2; 64], &sealed).is_ok(),
                    other == message,
                    "{message:?} as {other:?}"
                );
            }
            assert!(
                message.open(&[0; 32], &[2; 64], &sealed).is_err()
                    && message.open(&[1; 32], &[0; 64], &sealed).is_err()
            );
        }
    }
}
