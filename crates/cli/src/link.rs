//! Join links: `https://HOST/join#1.<token>`. The token stands in the fragment, which no browser or proxy sends on.

use url::Url;
use zeroize::Zeroizing;

use crate::{
    base64url,
    error::{CliError, Result},
};

const VERSION: &str = "1";

/// Where to join, and with what.
pub struct JoinLink {
    /// The server, without path.
    pub server: Url,
    /// The invite's token.
    pub token: Zeroizing<[u8; 32]>,
}

impl JoinLink {
    /// Reads a link as it was pasted.
    ///
    /// # Errors
    /// When it is no join link; the text is not repeated, as it may hold a token.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            CliError::usage("this is not a join link").hint("A join link looks like https://segue.example.com/join#1.…")
        };
        let mut server = Url::parse(text.trim()).map_err(|_| wrong())?;
        let fragment = server.fragment().ok_or_else(wrong)?.to_owned();
        let token = fragment.strip_prefix(VERSION).and_then(|rest| rest.strip_prefix('.')).ok_or_else(wrong)?;
        let token = base64url::fixed(token).ok_or_else(wrong)?;
        if !matches!(server.scheme(), "https" | "http") || !server.path().ends_with("/join") {
            return Err(wrong());
        }
        let path = server.path().trim_end_matches("join").to_owned();
        server.set_path(&path);
        server.set_fragment(None);
        server.set_query(None);
        Ok(Self { server, token })
    }

    /// The link as a person passes it on.
    pub fn write(server: &Url, token: &[u8; 32]) -> String {
        let base = server.as_str().trim_end_matches('/');
        format!("{base}/join#{VERSION}.{}", base64url::encode(token))
    }
}

/// The server when a text is a server's address and no link.
pub fn server_alone(text: &str) -> Option<Url> {
    let mut server = Url::parse(text.trim()).ok()?;
    let alone = server.fragment().is_none() && server.query().is_none() && matches!(server.scheme(), "https" | "http");
    if !server.path().ends_with('/') {
        server.set_path(&format!("{}/", server.path()));
    }
    alone.then_some(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_reads_back() {
        let server = Url::parse("https://segue.example.com:8443/").unwrap();
        let link = JoinLink::parse(&JoinLink::write(&server, &[7; 32])).unwrap();
        assert_eq!((link.server, *link.token), (server, [7; 32]));
    }

    #[test]
    fn a_servers_address_is_no_link() {
        let server = server_alone(" https://segue.example.com/x ").unwrap();
        assert_eq!(server.as_str(), "https://segue.example.com/x/");
        for text in ["https://h/join#1.A", "https://h/#", "https://h/?a", "ftp://h/", "h"] {
            assert!(server_alone(text).is_none(), "{text}");
        }
    }

    #[test]
    fn other_text_is_refused_without_repeating_it() {
        for text in
            ["", "hello", "https://host/join", "https://host/join#1.short", "ftp://host/join#1.AAAA", "https://h/x#2.A"]
        {
            let error = JoinLink::parse(text).err().unwrap();
            assert!(!error.message.contains("short") && error.exit == crate::error::Exit::Usage);
        }
    }
}
