//! What a session is sealed on: what was pushed of it before is not sent again.

use segue_bundle::Contents;
use segue_signed::SignedEnvelope;

use super::previous;
use crate::{
    error::Result,
    library::{Library, Record},
};

/// What of a session is at the server, as far as this machine knows.
pub struct Basis {
    /// Its last state.
    pub(super) previous: Option<(Contents, SignedEnvelope)>,
    /// Whether what a capture trusts is what that state was made of.
    pub(super) at_head: bool,
    /// Whether what was appended is compressed with what stands before it.
    pub(super) prefixes: bool,
}

impl Basis {
    /// Of a session that is known here, or of one that is not.
    pub fn of(library: &Library, record: Option<&Record>) -> Result<Self> {
        let Some(record) = record else { return Ok(Self { previous: None, at_head: false, prefixes: true }) };
        let previous = previous(library, record.session_id()?);
        let at_head =
            previous.as_ref().zip(record.head.as_ref()).is_some_and(|((_, envelope), head)| head.is_of(envelope));
        Ok(Self { previous, at_head, prefixes: !record.no_prefix })
    }

    /// Nothing is there that could be used.
    pub(super) fn nothing(record: &Record) -> Self {
        Self { previous: None, at_head: false, prefixes: !record.no_prefix }
    }

    /// Whether what is sealed on the one is as well sealed on the other.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        let hash = |basis: &Self| basis.previous.as_ref().map(|(_, envelope)| envelope.hash());
        (hash(self), self.at_head, self.prefixes) == (hash(other), other.at_head, other.prefixes)
    }
}
