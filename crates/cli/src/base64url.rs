//! Bytes in texts and in files of this machine: base64url without padding (RFC 4648, section 5). What is read is
//! taken for a secret, and erased when it is dropped, unless it is known to be none.

use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

/// As text.
pub fn encode(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// From text; `None` where it is none of that kind.
pub fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    BASE64URL_NOPAD.decode(text.as_bytes()).ok().map(Zeroizing::new)
}

/// The same of what is no secret: sealed, signed or public.
pub fn bytes(text: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()
}

/// The same, of one length.
pub fn fixed<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    decode(text)?.as_slice().try_into().ok().map(Zeroizing::new)
}
