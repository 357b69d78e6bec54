//! To whom a handoff is sealed: the one that was asked for, under a key that is theirs.

use segue_api::handoffs::{RecipientKey as Listed, Reservation, ReservedFor};
use segue_crypto::{InviteSecret, RecipientKey};
use segue_domain::{HandoffId, InviteId};
use segue_signed::{SignedKeyCard, WrapKind};

use crate::{
    account::Account,
    args,
    claim_link::{ClaimLink, Kept},
    contacts,
    environment::rng,
    error::{CliError, Result},
    home::Home,
    output::Output,
    teams::Verified,
    untrusted::Untrusted,
};

/// Whom a handoff is sealed for.
pub(super) struct Recipient {
    /// The key.
    pub(super) key: RecipientKey,
    /// What to call them: an address, or a team's name.
    pub(super) name: String,
    /// What the claim link holds, when they have not joined.
    pub(super) invite: Option<InviteSecret>,
}

impl Recipient {
    /// The one that the server reserved for, who must be the one that was asked for.
    pub(super) fn find(
        home: &Home,
        account: &Account,
        output: &Output,
        reservation: &Reservation,
        options: &args::Handoff,
        team: Option<&Verified>,
    ) -> Result<Self> {
        if reservation.handoff_id.parse::<HandoffId>().is_err() {
            return Err(CliError::verification("the server names no handoff"));
        }
        let asked = options.to.as_deref().map(str::trim);
        match (&reservation.recipient, team) {
            (ReservedFor::Team { team_id }, Some(team)) if *team_id == team.id.to_string() => {
                Ok(Self { key: team.recipient(), name: team.said.name.clone(), invite: None })
            }
            (ReservedFor::Team { team_id }, _) => Err(another(team_id)),
            (ReservedFor::User(listed), _) => {
                let same_email = asked.is_none_or(|email| email.eq_ignore_ascii_case(&listed.email));
                let same_user = options.to_user_id.as_ref().is_none_or(|user| *user == listed.user_id);
                if !same_email || !same_user || team.is_some() {
                    return Err(another(&listed.email));
                }
                let key = user_key(home, account, output, listed)?;
                Ok(Self { key, name: listed.email.clone(), invite: None })
            }
            (ReservedFor::Address { email }, _) if asked.is_some_and(|asked| asked.eq_ignore_ascii_case(email)) => {
                Self::invited(home, email)
            }
            (ReservedFor::Address { email }, _) => Err(another(email)),
        }
    }

    /// Somebody who has not joined: whoever has the link and the address.
    fn invited(home: &Home, email: &str) -> Result<Self> {
        if contacts::is_known(home, email)? {
            return Err(CliError::verification(format!("the server says that {} has not joined", Untrusted(email)))
                .hint("You have met them here before. Nothing was handed over. Tell whoever runs the server."));
        }
        let secret = InviteSecret::generate(&mut rng()?);
        let key = secret.recipient(InviteId::from_bytes(secret.id()).to_string());
        Ok(Self { key, name: email.to_owned(), invite: Some(secret) })
    }

    /// The claim link, whose secret is kept here before it is shown.
    pub(super) fn keep_link(&self, home: &Home, account: &Account, handoff: &str) -> Result<Option<String>> {
        let Some(secret) = &self.invite else { return Ok(None) };
        Kept::save(home, handoff, &self.name, secret)?;
        Ok(Some(ClaimLink::write(&account.server, secret, &account.keys()?.identity.public())))
    }
}

fn another(name: &str) -> CliError {
    CliError::verification(format!("the server names {} as the recipient", Untrusted(name)))
        .hint("Nothing was handed over. Tell whoever runs the server.")
}

/// The key of a person whose card verifies and contradicts nothing that is known of them.
pub(crate) fn user_key(home: &Home, account: &Account, output: &Output, listed: &Listed) -> Result<RecipientKey> {
    let signed = SignedKeyCard::parse(&listed.key_card.0)
        .map_err(|error| CliError::verification(format!("the recipient's key card is not one: {error}")))?;
    let acquaintance = contacts::check(home, &listed.email, &signed)?;
    if signed.card.user_id != listed.user_id {
        return Err(CliError::verification("the recipient's key card belongs to another account"));
    }
    // One's own keys need no first contact: they are here.
    if listed.user_id == account.user_id && signed.card.identity_key != account.keys()?.identity.public() {
        return Err(CliError::verification("the server gives another identity key as your own")
            .hint("Nothing was handed over. Tell whoever runs the server."));
    }
    acquaintance.pin(home, output)?;
    Ok(RecipientKey {
        kind: WrapKind::User,
        id: signed.card.user_id,
        public_key: signed.card.encryption_key,
        epoch: signed.card.epoch,
    })
}
