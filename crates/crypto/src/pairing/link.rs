//! The secret of a link or QR code: 128 bits in the URL's fragment, which is never sent.
//!
//! The fragment is `1.NAMEPLATE.S`, S the base64url of 16 random bytes without padding.

use data_encoding::BASE64URL_NOPAD;
use rand_core::CryptoRng;
use segue_signed::pairing::Nameplate;
use zeroize::Zeroizing;

use crate::secret::redacted;

/// Bytes of the secret.
const SECRET_BYTES: usize = 16;
/// Bytes of a fragment: `1.`, a nameplate, a dot and 22 symbols.
const FRAGMENT_BYTES: usize = 2 + 4 + 1 + 22;
/// Longest link that is looked at, in bytes.
const LINK_BYTES_MAX: usize = 2048;

/// The secret part of a link.
#[derive(Clone)]
pub struct LinkSecret(Zeroizing<[u8; SECRET_BYTES]>);

redacted!(LinkSecret);

/// A text that is not the fragment of a pairing link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a pairing link, or it was cut: copy all of it from the other screen")]
pub struct NotALink;

impl LinkSecret {
    /// Draws a fresh one.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        rng.fill_bytes(bytes.as_mut_slice());
        Self(bytes)
    }

    /// What stands behind the `#`, with the nameplate that the relay gave.
    pub fn fragment(&self, nameplate: Nameplate) -> Zeroizing<String> {
        let mut fragment = Zeroizing::new(String::with_capacity(FRAGMENT_BYTES));
        fragment.push_str("1.");
        fragment.push_str(nameplate.as_str());
        fragment.push('.');
        BASE64URL_NOPAD.encode_append(self.0.as_slice(), &mut fragment);
        fragment
    }

    /// Reads a whole link, or what stands behind its `#`. Which server and purpose a link is for is read from the rest of it.
    pub fn parse(link: &str) -> Result<(Nameplate, Self), NotALink> {
        if link.len() > LINK_BYTES_MAX {
            return Err(NotALink);
        }
        let fragment = link.trim().rsplit('#').next().unwrap_or_default();
        let (nameplate, secret) = fragment.strip_prefix("1.").and_then(|rest| rest.split_once('.')).ok_or(NotALink)?;
        let nameplate = nameplate.parse().map_err(|_| NotALink)?;
        let secret = Zeroizing::new(BASE64URL_NOPAD.decode(secret.as_bytes()).map_err(|_| NotALink)?);
        let secret = secret.as_slice().try_into().map_err(|_| NotALink)?;
        Ok((nameplate, Self(Zeroizing::new(secret))))
    }

    /// The bytes: for PRS and for nothing else.
    pub(super) fn expose(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

    #[test]
    fn a_link_is_read_back_whole_or_by_its_fragment() {
        let secret = LinkSecret::generate(&mut ChaCha20Rng::seed_from_u64(1));
        let nameplate = Nameplate::from_number(0x2_1234);
        let fragment = secret.fragment(nameplate);
        assert_eq!(fragment.len(), FRAGMENT_BYTES);
        for text in [fragment.to_string(), format!(" https://segue.example/h#{}\n", *fragment)] {
            let (read_nameplate, read) = LinkSecret::parse(&text).unwrap();
            assert_eq!((read_nameplate, read.expose()), (nameplate, secret.expose()));
        }
    }

    #[test]
    fn what_is_no_link_is_refused() {
        let secret = LinkSecret::generate(&mut ChaCha20Rng::seed_from_u64(1));
        let fragment = secret.fragment(Nameplate::from_number(7));
        let cut = &fragment[..fragment.len() - 1];
        let newer = fragment.replacen('1', "2", 1);
        let padded = format!("{}==", *fragment);
        let long = format!("{}#{}", "x".repeat(LINK_BYTES_MAX), *fragment);
        // 22 symbols hold four bits more than 16 bytes; they must be zero, or one secret would have 16 spellings.
        let spelled_twice = format!("{cut}B");
        for text in ["", "1.", "1.0007", "1.0007.", cut, &newer, &padded, &long, &spelled_twice] {
            assert_eq!(LinkSecret::parse(text).unwrap_err(), NotALink, "{text}");
        }
    }
}
