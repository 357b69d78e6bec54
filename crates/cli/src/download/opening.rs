//! With what a handoff's wrap is opened: one's own key, one's team's, or that of a claim link.

use segue_bundle::{OpenedBundle, Reader, open::VerifiedEnvelope};
use segue_signed::{SignedEnvelope, Wrap, WrapKind};

use super::refused;
use crate::{
    account::Account,
    claim_link::ClaimLink,
    error::{CliError, Exit, Result},
    home::Home,
    output::Output,
    remote::Remote,
    teams,
    untrusted::Untrusted,
    upload::owner,
};

/// What opens a wrap.
pub(super) enum Opening {
    /// One's own wrap: of who made the handoff, or claimed it.
    Own,
    /// One's own key.
    User,
    /// One's own key, for which the sender locked the bundle after one had joined (SPEC T19).
    Late,
    /// The key of one's team.
    Team,
    /// A claim link.
    Link(ClaimLink),
}

impl Opening {
    /// What `wrap` asks for; `link` asks for a claim link.
    pub(super) fn of(wrap: &Wrap, envelope: &[u8], link: impl FnOnce() -> Result<ClaimLink>) -> Result<Self> {
        Ok(match wrap.kind {
            WrapKind::Own => Self::Own,
            WrapKind::Team => Self::Team,
            WrapKind::User if is_for_an_invite(envelope) => Self::Late,
            WrapKind::User => Self::User,
            WrapKind::Invite => Self::Link(link()?),
        })
    }

    /// As whom the envelope is read.
    pub(super) fn reader<'a>(&self, wrap: &'a Wrap, account: &'a Account) -> Reader<'a> {
        match self {
            Self::Own => Reader::Holder,
            Self::Late => Reader::LateJoiner,
            Self::User => Reader::Recipient { kind: WrapKind::User, id: &account.user_id },
            Self::Team | Self::Link(_) => Reader::Recipient { kind: wrap.kind, id: &wrap.id },
        }
    }

    /// Opens it.
    pub(super) fn open(
        &self,
        verified: VerifiedEnvelope,
        wrap: &Wrap,
        home: &Home,
        account: &Account,
        remote: &Remote,
        output: &Output,
    ) -> Result<OpenedBundle> {
        let keys = || account.keys_of(wrap.epoch);
        let opened = match self {
            Self::Own => verified.unwrap_own(owner(account, &keys()?), wrap),
            Self::User => verified.unwrap(&keys()?.encryption, wrap),
            Self::Late => verified.unwrap_late(&keys()?.encryption, &account.user_id, wrap),
            Self::Team => {
                // Of a team whose chain names oneself, and the key that it had in that epoch.
                let team = wrap.id.parse().map_err(|_| CliError::verification("the handoff is for no team"))?;
                let key = teams::read(home, account, remote, team, output)?.key(account, wrap.epoch)?;
                verified.unwrap(&key, wrap)
            }
            Self::Link(link) if !link.is_from(&verified.header().identity_key) => {
                return Err(CliError::verification("this handoff is not by who made the claim link")
                    .hint("Nothing was claimed. Ask the sender, not by Segue, and tell whoever runs the server."));
            }
            Self::Link(link) => verified.unwrap(&link.secret.encryption(), wrap),
        };
        opened.map_err(|error| refused(&error))
    }

    /// The claim link, if it was one.
    pub(super) fn into_link(self) -> Option<ClaimLink> {
        if let Self::Link(link) = self { Some(link) } else { None }
    }
}

fn is_for_an_invite(envelope: &[u8]) -> bool {
    SignedEnvelope::parse(envelope).is_ok_and(|signed| signed.envelope.header.is_for_an_invite())
}

/// The claim link, unless it is given, without which who joined later waits for the sender's device (SPEC T19).
pub(super) fn claim_link(given: Option<ClaimLink>, wrap: &Wrap, sender: &str, output: &Output) -> Result<ClaimLink> {
    let asked = given.map_or_else(|| ClaimLink::given(output), |link| Ok(Some(link)))?;
    let link = asked.ok_or_else(|| {
        let text = format!("waiting for the device of {}", Untrusted(sender));
        CliError::new(Exit::Conflict, "waiting_for_key", text).hint(
            "This handoff was sealed before you joined. Its sender's Segue locks it for you with `segue handoffs share-key`; \
             or they give you the claim link: set SEGUE_CLAIM_LINK or pipe it in.",
        )
    })?;
    if link.id() == wrap.id {
        return Ok(link);
    }
    Err(CliError::usage("this claim link is for another handoff").hint("Ask the sender which handoff it belongs to."))
}
