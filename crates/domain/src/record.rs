//! Records of a project, and references to them: what a handoff may carry (SPEC T2, T15).

use std::{fmt, str::FromStr};

use crate::{
    id::TicketId,
    limits::{PERSONA_CHARS_MAX, WIKI_SLUG_CHARS_MAX},
};

/// Digits of a knowledge base entry's number: more entries than a project may have.
const KB_DIGITS_MAX: usize = 10;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// A piece of work, open or closed; called `tkt_…`.
    Ticket,
    /// A way to work, for a model; called by its name.
    Persona,
    /// Something that was learned; called by its number in the project.
    KbEntry,
    /// A page; called by its slug.
    WikiPage,
}

/// A text that is no kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a kind of record")]
pub struct NotAKind;

impl RecordKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Ticket, Self::Persona, Self::KbEntry, Self::WikiPage];

    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Persona => "persona",
            Self::KbEntry => "kb_entry",
            Self::WikiPage => "wiki_page",
        }
    }

    /// Whether a record of this kind may be called `text`.
    pub fn may_be_called(self, text: &str) -> bool {
        match self {
            Self::Ticket => text.parse::<TicketId>().is_ok(),
            Self::Persona => is_name(text, PERSONA_CHARS_MAX),
            Self::KbEntry => {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
                digits && (1..=KB_DIGITS_MAX).contains(&text.len())
            }
            Self::WikiPage => is_name(text, WIKI_SLUG_CHARS_MAX),
        }
    }

    /// Whether a handoff may attach records of this kind; a persona is named by itself (SPEC T2).
    pub fn is_attachable(self) -> bool {
        self != Self::Persona
    }
}

/// Begins with a letter or digit, so that no name is `..`, an option or a hidden file.
fn is_name(text: &str, max: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=max).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii() && plain(first as u8))
        && text.bytes().all(|byte| plain(byte) || b"._-".contains(&byte))
}

impl FromStr for RecordKind {
    type Err = NotAKind;

    fn from_str(text: &str) -> Result<Self, NotAKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(NotAKind)
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A record of some project, by its kind and what it is called there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// What it is.
    pub kind: RecordKind,
    /// What it is called: [`RecordKind::may_be_called`].
    pub ref_id: String,
}

/// A text that is no reference to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAReference {
    /// Nothing of this kind can be attached.
    #[error("its kind is none of kb_entry, wiki_page and ticket")]
    UnknownKind,
    /// Nothing of this kind is called that.
    #[error("nothing of this kind is called that")]
    Name,
}

impl Reference {
    /// A reference to a record of a kind that is known.
    pub fn new(kind: RecordKind, ref_id: &str) -> Result<Self, NotAReference> {
        if kind.may_be_called(ref_id) { Ok(Self { kind, ref_id: ref_id.to_owned() }) } else { Err(NotAReference::Name) }
    }

    /// Reads an attachment, `kind:ref_id`.
    pub fn attachment(text: &str) -> Result<Self, NotAReference> {
        let (kind, ref_id) = text.split_once(':').ok_or(NotAReference::UnknownKind)?;
        let kind: RecordKind = kind.parse().map_err(|_| NotAReference::UnknownKind)?;
        if kind.is_attachable() { Self::new(kind, ref_id) } else { Err(NotAReference::UnknownKind) }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.kind, self.ref_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_own_names() {
        let ticket = TicketId::from_bytes([7; 16]).to_string();
        assert!(RecordKind::Ticket.may_be_called(&ticket) && !RecordKind::WikiPage.may_be_called(&"a".repeat(256)));
        for (kind, max) in [(RecordKind::Persona, 50), (RecordKind::WikiPage, 255)] {
            assert!(kind.may_be_called(&"a".repeat(max)) && !kind.may_be_called(&"a".repeat(max + 1)), "{kind}");
            assert!(kind.may_be_called("on-call.2_a"));
            for wrong in ["", ".", "..", "-x", "A", "a b", "a/b", "ä", "a%2f", "a:b"] {
                assert!(!kind.may_be_called(wrong), "{kind} {wrong}");
            }
        }
        assert!(RecordKind::KbEntry.may_be_called("1") && RecordKind::KbEntry.may_be_called("9999999999"));
        for wrong in ["", "0", "01", "-1", "1.0", "10000000000", "x"] {
            assert!(!RecordKind::KbEntry.may_be_called(wrong), "{wrong}");
        }
    }

    #[test]
    fn an_attachment_reads_back_and_nothing_else_is_one() {
        for text in ["kb_entry:12", "wiki_page:how-we-deploy", "ticket:tkt_00000000000000000000000000"] {
            assert_eq!(Reference::attachment(text).unwrap().to_string(), text);
        }
        for text in ["", "kb_entry", "file:/etc/passwd", "persona:reviewer", "KB_ENTRY:1"] {
            assert_eq!(Reference::attachment(text), Err(NotAReference::UnknownKind), "{text}");
        }
        for text in ["kb_entry:x", "wiki_page:", "ticket:tkt_1", "wiki_page:a:b"] {
            assert_eq!(Reference::attachment(text), Err(NotAReference::Name), "{text}");
        }
    }
}
