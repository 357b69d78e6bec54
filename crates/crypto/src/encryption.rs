//! EK, the encryption key: an X25519 key that wraps are made for. A team's key and an invite's key are such keys too.

use hpke::{Kem as _, Serializable as _, kem::X25519HkdfSha256};
use segue_signed::keycard::key_fingerprint;
use zeroize::Zeroizing;

use crate::secret::secret;

/// An X25519 private key, clamped when used (RFC 7748 §5).
#[derive(Clone)]
pub struct EncryptionKey(Zeroizing<[u8; 32]>);

secret!(EncryptionKey);

impl EncryptionKey {
    /// The public key.
    pub fn public(&self) -> [u8; 32] {
        X25519HkdfSha256::sk_to_pk(&self.private()).to_bytes().into()
    }

    /// `key_fp` of the public key: what a wrap names.
    pub fn fingerprint(&self) -> [u8; 32] {
        key_fingerprint(&self.public())
    }

    pub(crate) fn private(&self) -> <X25519HkdfSha256 as hpke::Kem>::PrivateKey {
        hpke::Deserializable::from_bytes(self.expose()).expect("any 32 bytes are an X25519 private key")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    /// RFC 7748 §6.1, Alice's key pair.
    #[test]
    fn known_answer_of_rfc_7748() {
        let private = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
        let private = HEXLOWER.decode(private.as_bytes()).unwrap().try_into().unwrap();
        assert_eq!(
            HEXLOWER.encode(&EncryptionKey::from_bytes(private).public()),
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
        );
    }
}
