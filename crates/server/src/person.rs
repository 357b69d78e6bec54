//! What a person's address and name may be.

use segue_domain::limits::{EMAIL_BYTES_MAX, NAME_CHARS_MAX};

use crate::failure::Failure;

/// An address that could be mailed to: as it was written, and in lower case for comparing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// As it was written.
    pub written: String,
    /// In lower case.
    pub key: String,
}

impl Email {
    /// An address that was read before.
    pub(crate) fn known(written: String) -> Self {
        let key = written.to_ascii_lowercase();
        Self { written, key }
    }

    /// Reads an address. Narrow on purpose: what passes can stand in a mail's header without quoting.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        let wrong = || Failure::invalid("This is no e-mail address.").or("Write it like ann@example.com.");
        let (local, domain) = text.split_once('@').ok_or_else(wrong)?;
        let fits = (1..=64).contains(&local.len());
        let local_plain = dotted(local, |byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte));
        let domain_plain = dotted(domain, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if text.len() > EMAIL_BYTES_MAX {
            let title = format!("An e-mail address has at most {EMAIL_BYTES_MAX} bytes.");
            return Err(Failure::invalid(title).or("Use another address."));
        }
        if fits && local_plain && domain_plain { Ok(Self::known(text.to_owned())) } else { Err(wrong()) }
    }
}

/// Whether `text` is parts of allowed bytes with single dots between them.
fn dotted(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    text.split('.').all(|part| !part.is_empty() && part.bytes().all(&allowed))
}

/// A person's or a device's name.
pub(crate) fn name(text: &str) -> Result<&str, Failure> {
    let text = text.trim();
    let fits = (1..=NAME_CHARS_MAX).contains(&text.chars().count());
    if fits && !text.chars().any(char::is_control) {
        Ok(text)
    } else {
        Err(Failure::invalid(format!("A name has 1 to {NAME_CHARS_MAX} characters, none of them a control character.")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_as_written_and_compared_in_lower_case() {
        let email = Email::parse(" Ann.Lee+x@Example.COM ").unwrap();
        assert_eq!((email.written.as_str(), email.key.as_str()), ("Ann.Lee+x@Example.COM", "ann.lee+x@example.com"));
    }

    #[test]
    fn what_could_change_a_mail_header_is_no_address() {
        for text in
            ["", "ann", "@b", "a@", "a@b@c", "a b@c", "a@b\r\nBcc: c@d", "a..b@c", "a@.b", "<a@b>", "a@b,c@d", "ä@b"]
        {
            assert!(Email::parse(text).is_err(), "{text:?}");
        }
        let of = |bytes: usize| Email::parse(&format!("a@{}.example", "b".repeat(bytes - 10)));
        assert!(of(EMAIL_BYTES_MAX).is_ok());
        assert!(of(EMAIL_BYTES_MAX + 1).unwrap_err().to_string().contains("254"));
    }

    #[test]
    fn a_name_has_no_control_characters() {
        assert_eq!(name(" Ann Lee ").ok(), Some("Ann Lee"));
        assert!(name("").is_err() && name("a\nb").is_err() && name(&"ä".repeat(NAME_CHARS_MAX)).is_ok());
        assert!(name(&"ä".repeat(NAME_CHARS_MAX + 1)).unwrap_err().to_string().contains("100"));
    }
}
