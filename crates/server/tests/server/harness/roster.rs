//! Teams as a client would make them, but with keys that are random bytes.

use ed25519_dalek::Signer as _;
use segue_api::{
    Bytes,
    teams::{CreateTeam, PublishRoster, PublishedRoster, Team},
};
use segue_domain::TeamId;
use segue_signed::{Member, MemberRole, Roster, SignedRoster, TeamKeyWrap, roster::identity_fingerprint, sig};

use super::{Person, person::Answer, seal::draw};

/// People with their roles.
pub(crate) type People<'a> = &'a [(&'a Person, MemberRole)];

fn members(people: People<'_>) -> Vec<Member> {
    let mut members: Vec<_> = people
        .iter()
        .map(|(person, role)| Member {
            user_id: person.user_id.clone(),
            identity_fp: identity_fingerprint(&person.card().identity_key),
            role: *role,
        })
        .collect();
    members.sort_by(|one, other| one.user_id.cmp(&other.user_id));
    members
}

/// The first roster of a team.
pub(crate) fn first(by: &Person, people: People<'_>) -> Roster {
    let (members, team_key) = (members(people), draw());
    let team_id = Roster::first_id(&by.user_id, &team_key, &members);
    Roster { team_id, version: 1, previous: None, epoch: 1, team_key, members }
}

/// The roster after `before` with these people.
pub(crate) fn after(before: &Roster, people: People<'_>) -> Roster {
    let mut roster = Roster {
        version: before.version + 1,
        previous: Some(before.hash()),
        members: members(people),
        ..before.clone()
    };
    if !people.is_empty() && roster.leaves_out(before) {
        roster.epoch += 1;
        roster.team_key = draw();
    }
    roster
}

/// A team key for each, which nobody could open.
pub(crate) fn keys(people: &[&Person]) -> Vec<Bytes> {
    let wrap = |person: &&Person| TeamKeyWrap {
        user_id: person.user_id.clone(),
        key_fp: person.card().encryption_key_fingerprint(),
        key_epoch: person.card().epoch,
        enc: draw(),
        ct: draw(),
    };
    people.iter().map(|person| wrap(person).encode().into()).collect()
}

pub(crate) fn id(roster: &Roster) -> TeamId {
    TeamId::from_bytes(roster.team_id)
}

impl Person {
    pub(crate) fn sign_roster(&self, roster: &Roster) -> SignedRoster {
        let device_key = self.device_key.verifying_key().to_bytes();
        let bytes = SignedRoster::to_sign(roster, &self.user_id, &device_key);
        let signature = self.device_key.sign(&sig::signed_bytes(SignedRoster::SIGNATURE_LABEL, &bytes)).to_bytes();
        SignedRoster { roster: roster.clone(), signer_id: self.user_id.clone(), device_key, signature }
    }

    pub(crate) async fn create_team(&self, roster: &Roster, keys: Vec<Bytes>) -> Answer {
        let body = CreateTeam { name: "Parsers".to_owned(), roster: self.sign_roster(roster).encode().into(), keys };
        self.post("/api/v1/teams", &body).await
    }

    /// Begins a team with oneself as admin and others as members.
    pub(crate) async fn team_with(&self, others: &[&Self]) -> Roster {
        let people: Vec<_> = others.iter().map(|other| (*other, MemberRole::Member)).collect();
        let people = [vec![(self, MemberRole::Admin)], people].concat();
        let roster = first(self, &people);
        let created =
            self.create_team(&roster, keys(&people.iter().map(|(person, _)| *person).collect::<Vec<_>>())).await;
        assert_eq!(created.status, 201, "{}", String::from_utf8_lossy(&created.body));
        assert_eq!(created.ok::<PublishedRoster>().team_id, id(&roster).to_string());
        roster
    }

    pub(crate) async fn publish(&self, roster: &Roster, keys: Vec<Bytes>) -> Answer {
        let body = PublishRoster { roster: self.sign_roster(roster).encode().into(), keys, name: None };
        self.post(&format!("/api/v1/teams/{}/rosters", id(roster)), &body).await
    }

    pub(crate) async fn team(&self, roster: &Roster) -> Team {
        self.get(&format!("/api/v1/teams/{}", id(roster))).await.ok()
    }
}
