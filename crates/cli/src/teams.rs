//! Teams as this machine believes in them: the server's rosters, verified one after the other from what is pinned
//! (`docs/protocol.md` §2, Teams). [`edit`] makes the next one.

pub mod edit;
mod pins;

use segue_api::teams::{ListedRoster, Team, TeamListed};
use segue_crypto::{EncryptionKey, RecipientKey, TeamKeyRef, fingerprint::same_fingerprint, team_key::unwrap_team_key};
use segue_domain::TeamId;
use segue_signed::{
    Member, MemberRole, Roster, SignedKeyCard, SignedRoster, TeamKeyWrap,
    roster::{Chain, RosterRefused, identity_fingerprint},
};

use crate::{
    account::Account,
    contacts,
    error::{CliError, Exit, Result},
    home::Home,
    output::Output,
    remote::Remote,
    untrusted::Untrusted,
};
use pins::{Book, Pin, remember};

/// How often a team is read again when its roster changes meanwhile.
const READS_MAX: u32 = 3;
/// Shortest beginning of an id that is looked up: the prefix and four symbols.
const PREFIX_CHARS_MIN: usize = TeamId::PREFIX.len() + 4;

/// A team whose newest roster was verified.
pub struct Verified {
    /// Which.
    pub id: TeamId,
    /// The newest roster.
    pub roster: Roster,
    /// What the server says beside it: name, addresses, key cards, wrapped keys.
    pub said: Team,
    pin: Pin,
    revoked: bool,
}

/// Reads a team and verifies its chain from what is pinned of it, or from its beginning.
///
/// # Errors
/// Verification (exit 9) when the chain does not hold, goes back or was forked; not found (exit 4).
pub fn read(home: &Home, account: &Account, remote: &Remote, id: TeamId, output: &Output) -> Result<Verified> {
    let team = read_as_ever(home, account, remote, id, output)?;
    if team.revoked {
        return Err(unverified(RosterRefused::Revoked).hint(format!(
            "Nothing was sent or opened. If you know who is in it, and are an admin of it: segue team mend {id}"
        )));
    }
    let own = identity_fingerprint(&account.keys()?.identity.public());
    match team.roster.member(&account.user_id) {
        Some(member) if member.identity_fp == own => Ok(team),
        Some(member) => Err(outdated(id, member.role)),
        None => Err(refused("its newest roster does not name you")),
    }
}

/// The same, also where the roster names one's identity key of an earlier epoch, or rests on a device that was revoked. Nothing may be
/// sent for it or opened with it.
fn read_as_ever(home: &Home, account: &Account, remote: &Remote, id: TeamId, output: &Output) -> Result<Verified> {
    for _ in 0..READS_MAX {
        let said = remote.team(id)?;
        let Followed { roster, pin, revoked } = follow(home, remote, &said, id, output)?;
        let same = SignedRoster::parse(&said.roster.0).is_ok_and(|signed| signed.roster == roster);
        // Somebody may have published another between the two answers.
        if !same {
            continue;
        }
        let own = account.identity_keys()?;
        let names = |member: &Member| own.iter().any(|key| identity_fingerprint(key) == member.identity_fp);
        if !roster.member(&account.user_id).is_some_and(names) {
            return Err(refused("its newest roster does not name you with your identity key"));
        }
        // What nobody has confirmed is not remembered: it would be believed from then on.
        if !revoked {
            remember(home, id, pin.clone())?;
        }
        return Ok(Verified { id, roster, said, pin, revoked });
    }
    Err(refused("the server shows another roster than its chain ends with"))
}

/// One's keys have changed, and the roster names the old ones.
fn outdated(id: TeamId, role: MemberRole) -> CliError {
    let text =
        format!("your keys are new, and {id} still names your old ones: until that is mended you are no member of it");
    let hint = match role {
        MemberRole::Admin => format!("You are an admin of it: segue team mend {id}"),
        MemberRole::Member => {
            format!(
                "Ask one of its admins for it, after comparing fingerprints (segue verify YOU): segue team mend {id}"
            )
        }
    };
    CliError::new(Exit::Conflict, "team_outdated", text).hint(hint)
}

/// A chain as it was followed.
struct Followed {
    roster: Roster,
    pin: Pin,
    /// Whether its newest roster rests on a device that was revoked: an admin may sign it again, and nobody may use it.
    revoked: bool,
}

/// The newest roster of the chain, and what to remember of it.
fn follow(home: &Home, remote: &Remote, said: &Team, id: TeamId, output: &Output) -> Result<Followed> {
    let known = Book::load(home)?.teams.remove(&id.to_string());
    let from = known.as_ref().map_or(0, |pin| pin.version.saturating_sub(1));
    let mut page = remote.rosters(id, from)?;
    let first = page.rosters.first().ok_or_else(older)?;
    let (mut chain, mut pin) = begin(id, known.as_ref(), first, said)?;
    let mut last = first.clone();
    let mut skip = 1;
    loop {
        for listed in page.rosters.iter().skip(skip) {
            let (signed, card) = parse(listed)?;
            let now = newest_card(said, &signed, &card)?;
            chain.push_now(&signed, &card, &now.card).map_err(unverified)?;
            pin.advance(chain.newest());
            last = listed.clone();
        }
        // However the server pages: a page without a next version is the last one.
        if page.next.is_none() || page.rosters.len() <= skip {
            break;
        }
        page = remote.rosters(id, chain.newest().version)?;
        skip = 0;
    }
    let revoked = match chain.head() {
        Ok(_) => false,
        Err(RosterRefused::Revoked) => true,
        Err(error) => return Err(unverified(error)),
    };
    let (signed, card) = parse(&last)?;
    let card = newest_card(said, &signed, &card)?;
    contacts::check(home, &last.signer.email, &card)?.pin(home, output)?;
    say_news(known.as_ref(), &pin, id, output)?;
    Ok(Followed { roster: chain.newest().clone(), pin, revoked })
}

fn begin(id: TeamId, known: Option<&Pin>, first: &ListedRoster, said: &Team) -> Result<(Chain, Pin)> {
    let (signed, card) = parse(first)?;
    let now = newest_card(said, &signed, &card)?.card;
    if signed.roster.team_id != *id.as_bytes() {
        return Err(refused("the server gives another team's roster"));
    }
    let Some(known) = known else {
        let chain = Chain::begin_now(&signed, &card, &now).map_err(unverified)?;
        return Ok((chain, Pin::begin(&signed.roster, &said.name)));
    };
    if !known.is_at(&signed.roster) {
        return Err(if signed.roster.version < known.version { older() } else { forked() });
    }
    let chain = Chain::resume_now(&signed, &card, &now).map_err(unverified)?;
    Ok((chain, Pin { name: said.name.clone(), ..known.clone() }))
}

/// The card that a signer has now, which says whether their device was revoked. It is of another identity key than gave them their
/// right when they have removed a device since. Of who is no member any more the server shows none.
fn newest_card(said: &Team, signed: &SignedRoster, right: &SignedKeyCard) -> Result<SignedKeyCard> {
    let Some(member) = said.members.iter().find(|member| member.person.user_id == signed.signer_id) else {
        return Ok(right.clone());
    };
    let newest = SignedKeyCard::parse(&member.person.key_card.0).map_err(|error| refused(&error.to_string()))?;
    newest.verify_alone().map_err(|error| refused(&error.to_string()))?;
    Ok(newest)
}

fn parse(listed: &ListedRoster) -> Result<(SignedRoster, SignedKeyCard)> {
    let signed = SignedRoster::parse(&listed.roster.0).map_err(|error| refused(&error.to_string()))?;
    let card = SignedKeyCard::parse(&listed.signer.key_card.0).map_err(|error| refused(&error.to_string()))?;
    Ok((signed, card))
}

fn say_news(known: Option<&Pin>, pin: &Pin, id: TeamId, output: &Output) -> Result<()> {
    let name = Untrusted(&pin.name);
    match known {
        None => output.warn(format!(
            "First contact with the team {name} ({id}): fingerprint {}\nCompare it with an admin of the team: segue team trust {id} FINGERPRINT",
            pin.fingerprint()?
        )),
        Some(known) if known.name != pin.name => {
            output.warn(format!("The team {} ({id}) is called {name} now.", Untrusted(&known.name)));
        }
        Some(_) => {}
    }
    Ok(())
}

impl Verified {
    /// The fingerprint that two people compare.
    pub fn fingerprint(&self) -> Result<String> {
        self.pin.fingerprint()
    }

    /// Whether it was compared.
    pub fn is_trusted(&self) -> bool {
        self.pin.trusted
    }

    /// Compares it with what a person was told.
    ///
    /// # Errors
    /// Verification (exit 9) when it is another.
    pub fn trust(&mut self, home: &Home, told: &str) -> Result<()> {
        if !same_fingerprint(told, &self.fingerprint()?) {
            return Err(refused("its fingerprint is another one than you were told")
                .hint("Do not use this team. Tell whoever told you the fingerprint, not by Segue."));
        }
        self.pin.trusted = true;
        remember(home, self.id, self.pin.clone())
    }

    /// The team as a bundle's recipient.
    pub fn recipient(&self) -> RecipientKey {
        TeamKeyRef::of(&self.roster).recipient(&self.id.to_string())
    }

    /// The team key of an epoch, if one was given it.
    ///
    /// # Errors
    /// Verification (exit 9) when what one was given is not the key that the roster of that epoch names.
    pub fn key(&self, account: &Account, epoch: u32) -> Result<EncryptionKey> {
        let public_key = self.pin.key(epoch).ok_or_else(|| refused("it never had the key that this is sealed for"))?;
        let given = self.said.keys.iter().find(|key| key.epoch == epoch).ok_or_else(|| {
            CliError::not_found("you were not given the team key that this is sealed for")
                .hint("Ask its sender to hand it over again.")
        })?;
        let wrap = TeamKeyWrap::parse(&given.wrap.0).map_err(|error| refused(&error.to_string()))?;
        let team = TeamKeyRef { team_id: self.id.as_bytes(), epoch, public_key: &public_key };
        let key = unwrap_team_key(&account.keys_of(wrap.key_epoch)?.encryption, team, &wrap);
        key.map_err(|error| refused(&format!("the team key that you were given is no good: {error}")))
    }

    /// Whether the server shows another key card of a member than the roster names: they have new keys, and count as no member until
    /// an admin has taken them.
    pub fn is_outdated(&self, member: &Member) -> bool {
        let said = self.said.members.iter().find(|said| said.person.user_id == member.user_id);
        let card = said.and_then(|said| SignedKeyCard::parse(&said.person.key_card.0).ok());
        card.is_some_and(|card| identity_fingerprint(&card.card.identity_key) != member.identity_fp)
    }

    /// A member's address as the server says it; the roster names ids only.
    pub fn email(&self, member: &Member) -> &str {
        let said = self.said.members.iter().find(|said| said.person.user_id == member.user_id);
        said.map_or("", |said| said.person.email.as_str())
    }
}

/// The team that is meant: its id, the only one that begins so, or the only one of that name.
///
/// # Errors
/// Not found (exit 4); ambiguous (exit 2); verification (exit 9) when the server gives a known team's name to another.
pub fn resolve(home: &Home, remote: &Remote, text: &str) -> Result<TeamId> {
    let text = text.trim();
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let book = Book::load(home)?;
    let begins = |id: &str| text.len() >= PREFIX_CHARS_MIN && id.starts_with(text);
    let meant: Vec<_> = list(remote)?.into_iter().filter(|team| team.name == text || begins(&team.team_id)).collect();
    match meant.as_slice() {
        [] => {
            Err(CliError::not_found(format!("you are in no team called {}", Untrusted(text)))
                .hint("See segue team list."))
        }
        [team] => {
            let other = book.teams.iter().find(|(id, pin)| **id != team.team_id && pin.name == text);
            if let (Some((other, _)), false) = (other, book.teams.contains_key(&team.team_id)) {
                return Err(refused(&format!("the server calls it as {} is called here", Untrusted(other)))
                    .hint("If that team was renamed or has ended, say the other one's id: segue team list."));
            }
            team.team_id.parse().map_err(|_| {
                CliError::new(Exit::Network, "answer", "the server's answer names no team").hint("See segue doctor.")
            })
        }
        several => {
            let ids: Vec<_> = several.iter().take(10).map(|team| Untrusted(&team.team_id).to_string()).collect();
            let message = format!("{} means {} teams", Untrusted(text), several.len());
            Err(CliError::new(Exit::Usage, "ambiguous", message).hint(format!("Say which one: {}", ids.join(", "))))
        }
    }
}

/// All of one's teams, as the server says.
pub fn list(remote: &Remote) -> Result<Vec<TeamListed>> {
    let (mut teams, mut cursor) = (Vec::new(), None);
    loop {
        let page = remote.teams(cursor.as_deref())?;
        let grew = !page.teams.is_empty();
        teams.extend(page.teams);
        cursor = page.next.filter(|_| grew);
        if cursor.is_none() {
            return Ok(teams);
        }
    }
}

fn refused(why: &str) -> CliError {
    CliError::verification(format!("this team is not to be believed: {why}"))
        .hint("Nothing was sent or opened. Tell an admin of the team, and whoever runs the server.")
}

fn unverified(error: RosterRefused) -> CliError {
    refused(&error.to_string())
}

fn older() -> CliError {
    refused("the server shows an older roster than was seen here before")
}

fn forked() -> CliError {
    refused("the server shows another history of it than was seen here before")
}
