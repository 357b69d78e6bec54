//! Making a team's next roster.

use segue_api::{
    Bytes,
    handoffs::RecipientKey,
    teams::{CreateTeam, PublishRoster},
};
use segue_crypto::{EncryptionKey, TeamKeyRef, team_key::wrap_team_key};
use segue_domain::TeamId;
use segue_signed::{KeyCard, Member, MemberRole, Roster, SignedKeyCard, roster::identity_fingerprint};

use super::{Verified, pins, read, read_as_ever};
use crate::{
    account::Account,
    contacts,
    environment::rng,
    error::{CliError, Exit, Result},
    home::Home,
    output::Output,
    remote::Remote,
};

/// How often a roster is made again when another admin was faster, or a member's keys have changed.
const PUBLISHES_MAX: u32 = 5;

/// Who edits, and where.
#[derive(Clone, Copy)]
pub struct Editor<'a> {
    /// Where pins are.
    pub home: &'a Home,
    /// Whose device signs.
    pub account: &'a Account,
    /// The server.
    pub remote: &'a Remote,
    /// Where news go.
    pub output: &'a Output,
}

/// What the next roster changes.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// All members, in any order.
    pub members: Vec<Member>,
    /// Verified key cards of those who come new.
    pub cards: Vec<KeyCard>,
    /// Another name.
    pub name: Option<String>,
}

impl Editor<'_> {
    /// Begins a team of oneself alone.
    pub fn create(&self, name: &str) -> Result<Verified> {
        let (keys, own) = (self.account.keys()?, self.account.key_card()?.card);
        let team_key = EncryptionKey::generate(&mut rng()?);
        let members = vec![Member {
            user_id: self.account.user_id.clone(),
            identity_fp: identity_fingerprint(&keys.identity.public()),
            role: MemberRole::Admin,
        }];
        let team_id = Roster::first_id(&self.account.user_id, &team_key.public(), &members);
        let first = Roster { team_id, version: 1, previous: None, epoch: 1, team_key: team_key.public(), members };
        let body = CreateTeam {
            name: name.to_owned(),
            roster: self.sign(&first)?,
            keys: vec![wrapped(&team_key, &first, &own)?],
        };
        self.remote.create_team(&body)?;
        let id = TeamId::from_bytes(team_id);
        // One's own team needs no first contact.
        let mut pin = pins::Pin::begin(&first, name);
        pin.trusted = true;
        pins::remember(self.home, id, pin)?;
        read(self.home, self.account, self.remote, id, self.output)
    }

    /// Publishes what `change` makes of the newest roster; nothing when it wants nothing changed. Of two admins at once, the
    /// later one reads again.
    pub fn publish(&self, id: TeamId, change: impl Fn(&Verified) -> Result<Option<Change>>) -> Result<Option<Roster>> {
        self.publish_after(read, id, change)
    }

    /// Takes the present keys of everybody who has new ones, also one's own, and signs what a removed device had signed; nothing when
    /// there is nothing of that. `confirm` asks whether a team that rests on such a device is what it should be.
    pub fn mend(&self, id: TeamId, confirm: impl Fn(&Verified) -> Result<()>) -> Result<Option<Roster>> {
        self.publish_after(read_as_ever, id, |team| {
            if team.revoked {
                confirm(team)?;
            }
            let mut change = Change { members: team.roster.members.clone(), ..Change::default() };
            for member in change.members.iter_mut().filter(|member| team.is_outdated(member)) {
                let said = team.said.members.iter().find(|said| said.person.user_id == member.user_id);
                let card =
                    self.meet(&said.ok_or_else(|| super::refused("the server hides a member's key card"))?.person)?;
                member.identity_fp = identity_fingerprint(&card.identity_key);
                change.cards.push(card);
            }
            Ok((team.revoked || !change.cards.is_empty()).then_some(change))
        })
    }

    fn publish_after(
        &self,
        read: impl Fn(&Home, &Account, &Remote, TeamId, &Output) -> Result<Verified>,
        id: TeamId,
        change: impl Fn(&Verified) -> Result<Option<Change>>,
    ) -> Result<Option<Roster>> {
        let mut attempt = 1;
        loop {
            let team = read(self.home, self.account, self.remote, id, self.output)?;
            let Some(wanted) = change(&team)? else { return Ok(None) };
            let (next, body) = self.next(&team, wanted)?;
            match self.remote.publish_roster(id, &body) {
                Err(error) if matches!(error.code, "conflict" | "stale_key") && attempt < PUBLISHES_MAX => attempt += 1,
                published => {
                    published?;
                    let mut pin = team.pin;
                    pin.advance(&next);
                    pins::remember(self.home, id, pin)?;
                    return Ok(Some(next));
                }
            }
        }
    }

    fn next(&self, team: &Verified, wanted: Change) -> Result<(Roster, PublishRoster)> {
        let before = &team.roster;
        let mut members = wanted.members;
        members.sort_by(|one, other| one.user_id.cmp(&other.user_id));
        let mut next = Roster {
            version: before.version.saturating_add(1),
            previous: Some(before.hash()),
            members,
            ..before.clone()
        };
        let ends = next.is_dissolved();
        if !ends && !next.members.iter().any(|member| member.role == MemberRole::Admin) {
            return Err(CliError::usage("the team would have no admin")
                .hint("Make somebody else one first, segue team add TEAM EMAIL --admin; or end the team: segue team delete TEAM"));
        }
        let keys = if !ends && next.leaves_out(before) {
            let fresh = EncryptionKey::generate(&mut rng()?);
            next.epoch = next.epoch.saturating_add(1);
            next.team_key = fresh.public();
            self.wrap(&fresh, &next, team, &wanted.cards, &next.members)?
        } else {
            let new = next.members.iter().filter(|member| before.member(&member.user_id).is_none());
            let new: Vec<_> = new.cloned().collect();
            if new.is_empty() {
                Vec::new()
            } else {
                self.wrap(&team.key(self.account, before.epoch)?, &next, team, &wanted.cards, &new)?
            }
        };
        let body = PublishRoster { roster: self.sign(&next)?, keys, name: wanted.name };
        Ok((next, body))
    }

    fn sign(&self, roster: &Roster) -> Result<Bytes> {
        Ok(self.account.device_key()?.sign_roster(roster.clone(), &self.account.user_id).encode().into())
    }

    fn wrap(
        &self,
        key: &EncryptionKey,
        roster: &Roster,
        team: &Verified,
        new: &[KeyCard],
        members: &[Member],
    ) -> Result<Vec<Bytes>> {
        let wrap = |member: &Member| {
            let card = match new.iter().find(|card| card.user_id == member.user_id) {
                Some(card) => card.clone(),
                None => self.card_of(team, member)?,
            };
            wrapped(key, roster, &card)
        };
        members.iter().map(wrap).collect()
    }

    /// The verified key card of somebody who is a member already.
    fn card_of(&self, team: &Verified, member: &Member) -> Result<KeyCard> {
        let said = team.said.members.iter().find(|said| said.person.user_id == member.user_id);
        let said = said.ok_or_else(|| super::refused("the server hides a member's key card"))?;
        let card = self.meet(&said.person)?;
        if card.user_id == member.user_id && identity_fingerprint(&card.identity_key) == member.identity_fp {
            return Ok(card);
        }
        let who = crate::untrusted::Untrusted(&said.person.email).to_string();
        Err(CliError::new(
            Exit::Conflict,
            "team_outdated",
            format!("{who} has new keys, and the team still names the old ones"),
        )
        .hint("Take them first: segue team mend TEAM"))
    }

    /// Verifies somebody's key card and pins it.
    pub fn meet(&self, person: &RecipientKey) -> Result<KeyCard> {
        let signed = SignedKeyCard::parse(&person.key_card.0).map_err(|error| super::refused(&error.to_string()))?;
        let acquaintance = contacts::check(self.home, &person.email, &signed)?;
        if signed.card.user_id != person.user_id {
            return Err(CliError::verification("the server gives a key card of another account"));
        }
        if person.user_id == self.account.user_id && signed.card.identity_key != self.account.keys()?.identity.public()
        {
            return Err(CliError::verification("the server gives another identity key as your own"));
        }
        acquaintance.pin(self.home, self.output)?;
        Ok(signed.card)
    }
}

fn wrapped(key: &EncryptionKey, roster: &Roster, card: &KeyCard) -> Result<Bytes> {
    let wrap = wrap_team_key(&mut rng()?, key, TeamKeyRef::of(roster), card)
        .map_err(|error| CliError::new(Exit::Verification, "verification_failed", error.to_string()))?;
    Ok(wrap.encode().into())
}
