//! Claim links: `https://HOST/i/<invite id>#1.<secret>.<sender>`, for somebody who has not joined (SPEC T19). The secret opens
//! the handoff's key; `sender` is the first 16 bytes of the fingerprint of the sender's identity key, so that a handoff by
//! anybody else is refused. Both stand in the fragment, which no browser or proxy sends on.

use segue_crypto::InviteSecret;
use segue_domain::InviteId;
use segue_signed::roster::identity_fingerprint;
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use crate::{
    base64url,
    error::{CliError, Result},
    home::{self, Home},
    output::Output,
};

const VERSION: &str = "1";
/// Bytes of the sender's fingerprint in a link.
const SENDER_BYTES: usize = 16;
/// Longest link that is read from standard input, in bytes.
const LINK_BYTES_MAX: u64 = 4_096;

/// What a claim link says.
pub struct ClaimLink {
    /// The secret.
    pub secret: InviteSecret,
    sender: [u8; SENDER_BYTES],
}

impl ClaimLink {
    /// Reads a link as it was pasted.
    ///
    /// # Errors
    /// When it is no claim link; the text is not repeated, as it may hold a secret.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            CliError::usage("this is not a claim link")
                .hint("A claim link looks like https://segue.example.com/i/inv_…#1.…")
        };
        let url = Url::parse(text.trim()).map_err(|_| wrong())?;
        let fragment = Zeroizing::new(url.fragment().ok_or_else(wrong)?.to_owned());
        let rest = fragment.strip_prefix(VERSION).and_then(|rest| rest.strip_prefix('.')).ok_or_else(wrong)?;
        let (secret, sender) = rest.split_once('.').ok_or_else(wrong)?;
        let bytes = |text: &str| base64url::fixed::<16>(text).ok_or_else(wrong);
        let (secret, sender) = (InviteSecret::from_bytes(*bytes(secret)?), *bytes(sender)?);
        let id = InviteId::from_bytes(secret.id()).to_string();
        if url.path().rsplit_once("/i/").is_none_or(|(_, named)| named != id) {
            return Err(wrong());
        }
        Ok(Self { secret, sender })
    }

    /// Whether the link was made by who has this identity key.
    pub fn is_from(&self, identity_key: &[u8; 32]) -> bool {
        identity_fingerprint(identity_key)[..SENDER_BYTES] == self.sender
    }

    /// The id in the envelope.
    pub fn id(&self) -> String {
        InviteId::from_bytes(self.secret.id()).to_string()
    }

    /// The link as a person passes it on.
    pub fn write(server: &Url, secret: &InviteSecret, identity_key: &[u8; 32]) -> String {
        let base = server.as_str().trim_end_matches('/');
        let (id, sender) = (InviteId::from_bytes(secret.id()), &identity_fingerprint(identity_key)[..SENDER_BYTES]);
        let (secret, sender) = (base64url::encode(secret.expose()), base64url::encode(sender));
        format!("{base}/i/{id}#{VERSION}.{secret}.{sender}")
    }

    /// The link from the environment, standard input or a prompt; `None` when there is none.
    ///
    /// # Errors
    /// When what is there is no claim link.
    pub fn given(output: &Output) -> Result<Option<Self>> {
        if let Ok(link) = std::env::var("SEGUE_CLAIM_LINK") {
            return Self::parse(&link).map(Some);
        }
        let link = if output.may_ask() {
            output.ask("Claim link from the sender (empty to wait for their device)", "Set SEGUE_CLAIM_LINK.")?
        } else {
            output.piped("the claim link", LINK_BYTES_MAX)?.unwrap_or_default()
        };
        if link.trim().is_empty() { Ok(None) } else { Self::parse(&link).map(Some) }
    }
}

/// What a sender keeps of a claim link: who claims with it proves by it which key card is theirs.
#[derive(Serialize, Deserialize)]
pub struct Kept {
    v: u32,
    email: String,
    secret: String,
}

impl Kept {
    /// Keeps the secret of a handoff's link, for its owner only (0600).
    pub fn save(home: &Home, handoff: &str, email: &str, secret: &InviteSecret) -> Result<()> {
        home::create_dir(&home.path("claim-links"))?;
        let kept = Self { v: 1, email: email.to_owned(), secret: base64url::encode(secret.expose()) };
        home::write_json(&home.path(&format!("claim-links/{handoff}.json")), &kept)
    }

    /// The secret of a handoff's link and whom it was for, if it was made here.
    pub fn find(home: &Home, handoff: &str) -> Result<Option<(String, InviteSecret)>> {
        let kept: Option<Self> = home::read_json(&home.path(&format!("claim-links/{handoff}.json")))?;
        let read = |kept: Self| {
            let bytes = base64url::fixed(&kept.secret)?;
            Some((kept.email, InviteSecret::from_bytes(*bytes)))
        };
        Ok(kept.and_then(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_reads_back_and_names_its_sender() {
        let (server, secret) = (Url::parse("https://segue.example.com/").unwrap(), InviteSecret::from_bytes([7; 16]));
        let text = ClaimLink::write(&server, &secret, &[1; 32]);
        let link = ClaimLink::parse(&text).unwrap();
        assert_eq!(link.secret.expose(), secret.expose());
        assert!(link.is_from(&[1; 32]) && !link.is_from(&[2; 32]));
        let other = ClaimLink::write(&server, &InviteSecret::from_bytes([8; 16]), &[1; 32]);
        let mixed = format!("{}#{}", text.split('#').next().unwrap(), other.split('#').nth(1).unwrap());
        assert!(ClaimLink::parse(&mixed).is_err(), "another invite's secret");
    }

    #[test]
    fn other_text_is_refused_without_repeating_it() {
        for text in ["", "hello", "https://h/i/inv_x#1.short.x", "https://h/join#1.AAAA", "https://h/i/x#2.A.A"] {
            let error = ClaimLink::parse(text).err().unwrap();
            assert!(!error.message.contains("short") && error.exit == crate::error::Exit::Usage);
        }
    }
}
