//! Beginning a team, and publishing its next roster: chain, index and keys in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use segue_api::{
    Code,
    teams::{CreateTeam, PublishRoster, PublishedRoster},
};
use segue_domain::{TeamId, UserId, limits, plan::Entitlement};
use segue_signed::{
    Member, Roster, SignedKeyCard, SignedRoster, TeamKeyWrap, Unverified,
    roster::{Chain, identity_fingerprint},
};

use crate::{
    app::App,
    failure::Failure,
    handing::upgrade_required,
    once::Once,
    people::{check_verified, not_joined},
    person,
    principal::Principal,
    store::{Tx, key_cards, teams, users},
};

/// Begins a team.
pub(crate) async fn create(
    app: &App,
    principal: &Principal,
    body: &CreateTeam,
    once: &Once,
) -> Result<PublishedRoster, Failure> {
    check_verified(principal)?;
    let (name, form) = (person::name(&body.name)?, Form::read(principal, &body.roster.0, &body.keys)?);
    if !app.plan(principal).includes(Entitlement::TeamHandoff) {
        return Err(upgrade_required(Entitlement::TeamHandoff));
    }
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if let Some(first) = once.first_answer(&mut tx, now).await? {
        return Ok(first);
    }
    users::lock(&mut tx, principal.user).await?;
    if teams::of(&mut tx, principal.user).await? >= limits::TEAMS_MAX {
        return Err(Failure::new(
            Code::Conflict,
            format!("You are in {} teams, the most for one who begins another.", limits::TEAMS_MAX),
        )
        .or("Leave one that you no longer need, or ask somebody else to begin it."));
    }
    let card = key_cards::current(&mut tx, principal.user).await?;
    let chain = Chain::begin(&form.signed, &card)?;
    let (id, head) = (TeamId::from_bytes(form.signed.roster.team_id), chain.head()?);
    if !teams::insert(&mut tx, id, name, now).await? {
        return Err(Failure::new(Code::Conflict, "You have begun this team already.").or("See it: segue team list."));
    }
    form.check_people(&mut tx, None, &BTreeSet::new()).await?;
    let answer = keep(&mut tx, &form, None, head, app).await?;
    once.keep(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Publishes the roster that follows the newest one.
pub(crate) async fn next(
    app: &App,
    principal: &Principal,
    id: Option<TeamId>,
    body: &PublishRoster,
    once: &Once,
) -> Result<PublishedRoster, Failure> {
    let name = body.name.as_deref().map(person::name).transpose()?;
    let form = Form::read(principal, &body.roster.0, &body.keys)?;
    let id = id.ok_or_else(Failure::not_found)?;
    let mut tx = app.db.begin().await?;
    if let Some(first) = once.first_answer(&mut tx, app.clock.now()).await? {
        return Ok(first);
    }
    teams::lock(&mut tx, id).await?;
    let row = teams::find(&mut tx, id, principal.user).await?.ok_or_else(Failure::not_found)?;
    let before = teams::roster(&mut tx, id, row.version()?).await?.roster;
    let roster = &form.signed.roster;
    if roster.team_id != *id.as_bytes() {
        return Err(Failure::invalid("The roster is another team's.").or("Send it to the team that it names."));
    }
    if Some(roster.version) != before.version.checked_add(1) {
        return Err(
            Failure::new(Code::Conflict, "Somebody else has changed this team.").or("Read it again, then try again.")
        );
    }
    if before.version >= limits::ROSTERS_MAX && roster.members.len() >= before.members.len() {
        return Err(Failure::new(
            Code::Conflict,
            format!("This team has changed {} times: it can only become smaller.", limits::ROSTERS_MAX),
        )
        .or("Begin another team with these people."));
    }
    let card = right(&mut tx, principal.user, &before, &form.signed.device_key).await?;
    let mut chain = Chain::after(before.clone());
    chain.push(&form.signed, &card)?;
    let head = chain.head()?;
    let have_it = teams::key_holders(&mut tx, id, head.epoch).await?;
    form.check_people(&mut tx, Some(&before), &have_it).await?;
    if let Some(name) = name {
        teams::rename(&mut tx, id, name).await?;
    }
    let answer = keep(&mut tx, &form, Some(&before), head, app).await?;
    once.keep(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}

/// The card that gives a signer their right: the newest of the identity key that the roster before names, which may be an earlier
/// one of theirs. The device must be active to this day.
async fn right(
    tx: &mut Tx<'_>,
    user: UserId,
    before: &Roster,
    device_key: &[u8; 32],
) -> Result<SignedKeyCard, Failure> {
    let current = key_cards::current(tx, user).await?;
    current.card.active_device(device_key).ok_or(Unverified::Device)?;
    let Some(member) = before.member(&user.to_string()) else { return Ok(current) };
    let names = |card: &SignedKeyCard| identity_fingerprint(&card.card.identity_key) == member.identity_fp;
    if names(&current) {
        return Ok(current);
    }
    Ok(key_cards::newest_first(tx, user).await?.into_iter().find(names).unwrap_or(current))
}

/// A roster and its keys, read.
struct Form {
    signed: SignedRoster,
    keys: BTreeMap<UserId, TeamKeyWrap>,
}

impl Form {
    fn read(principal: &Principal, roster: &[u8], keys: &[segue_api::Bytes]) -> Result<Self, Failure> {
        let signed = SignedRoster::parse(roster)?;
        if signed.signer_id != principal.user.to_string() || Some(signed.device_key) != principal.device_key() {
            return Err(Failure::new(
                Code::Unverified,
                "The roster is signed by another device than the one that sends it.",
            )
            .or("Sign it with this device."));
        }
        let mut wraps = BTreeMap::new();
        for bytes in keys {
            let wrap = TeamKeyWrap::parse(&bytes.0)?;
            if wraps.insert(user(&wrap.user_id)?, wrap).is_some() {
                return Err(Failure::invalid("The team key came twice for one member.").or("Send it once for each."));
            }
        }
        Ok(Self { signed, keys: wraps })
    }

    /// Who comes new has joined, and is listed under their own identity; the key comes for exactly those who have it not yet,
    /// under their current keys.
    async fn check_people(
        &self,
        tx: &mut Tx<'_>,
        before: Option<&Roster>,
        have_it: &BTreeSet<UserId>,
    ) -> Result<(), Failure> {
        let mut need_it = BTreeSet::new();
        for member in &self.signed.roster.members {
            let id = user(&member.user_id)?;
            let is_new = before.and_then(|before| before.member(&member.user_id)) != Some(member);
            let needs_key = !have_it.contains(&id);
            if is_new || needs_key {
                let card = teams::candidate(tx, id).await?.ok_or_else(not_joined)?;
                check_identity(member, &card)?;
                if let Some(wrap) = self.keys.get(&id) {
                    check_wrap(wrap, &card)?;
                }
            }
            if needs_key {
                need_it.insert(id);
            }
        }
        if self.keys.keys().eq(&need_it) {
            return Ok(());
        }
        Err(Failure::invalid("The team key must come for exactly those members who have it not yet.")
            .or("Wrap it for each of them, and for nobody else."))
    }
}

fn user(id: &str) -> Result<UserId, Failure> {
    id.parse().map_err(|_| not_joined())
}

fn check_identity(member: &Member, card: &SignedKeyCard) -> Result<(), Failure> {
    if identity_fingerprint(&card.card.identity_key) == member.identity_fp { Ok(()) } else { Err(stale_key()) }
}

fn check_wrap(wrap: &TeamKeyWrap, card: &SignedKeyCard) -> Result<(), Failure> {
    let current = wrap.key_fp == card.card.encryption_key_fingerprint() && wrap.key_epoch == card.card.epoch;
    if current { Ok(()) } else { Err(stale_key()) }
}

fn stale_key() -> Failure {
    Failure::new(Code::StaleKey, "A member's keys have changed.")
        .or("Read the members' key cards again, then try again.")
}

/// Writes the roster, what it changes in the index, and the keys.
async fn keep(
    tx: &mut Tx<'_>,
    form: &Form,
    before: Option<&Roster>,
    head: &Roster,
    app: &App,
) -> Result<PublishedRoster, Failure> {
    let id = TeamId::from_bytes(head.team_id);
    teams::add_roster(tx, id, &form.signed, app.clock.now()).await?;
    let old = before.map_or(&[][..], |before| before.members.as_slice());
    for gone in old.iter().filter(|old| head.member(&old.user_id).is_none()) {
        teams::remove_member(tx, id, user(&gone.user_id)?).await?;
    }
    for changed in head.members.iter().filter(|member| !old.contains(member)) {
        teams::put_member(tx, id, user(&changed.user_id)?, changed.role).await?;
    }
    for (user, wrap) in &form.keys {
        teams::add_key(tx, id, head.epoch, *user, wrap).await?;
    }
    Ok(PublishedRoster { team_id: id.to_string(), version: head.version, epoch: head.epoch })
}
