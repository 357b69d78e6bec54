//! A team whose rows are put there by hand: what the server asks of them, without rosters and keys.

use segue_api::handoffs::{Handoff, Reservation, Reserve, ReservedFor};
use segue_domain::TeamId;
use segue_server::store::Db;
use segue_signed::{Recipient, Roster, SignedEnvelope, Wrap, WrapKind, keycard::key_fingerprint};

use super::{
    Person, TestServer,
    seal::{Draft, draw},
};

/// A team.
pub(crate) struct Team {
    pub(crate) id: String,
    key_fp: [u8; 32],
    epoch: u32,
}

impl Team {
    /// A team of `sender` and `members`, all of whom have its key.
    pub(crate) async fn of(server: &TestServer, sender: &Person, members: &[Person]) -> Self {
        let team = Self { id: TeamId::from_bytes(draw()).to_string(), key_fp: draw(), epoch: 1 };
        let key = data_encoding::HEXLOWER.encode(&team.key_fp);
        let key = if matches!(server.app.db, Db::Sqlite { .. }) { format!("x'{key}'") } else { format!("'\\x{key}'") };
        let (id, now) = (&team.id, 0);
        server.run(format!("INSERT INTO teams (id, name, version, epoch, created_at, key_fp) VALUES ('{id}', 'team', 1, 1, {now}, {key})")).await;
        for person in members.iter().chain([sender]) {
            team.add(server, person).await;
        }
        team
    }

    /// The team of a roster that was published.
    pub(crate) fn published(roster: &Roster) -> Self {
        let key_fp = key_fingerprint(&roster.team_key);
        Self { id: TeamId::from_bytes(roster.team_id).to_string(), key_fp, epoch: roster.epoch }
    }

    /// Adds a member who has the team's key.
    pub(crate) async fn add(&self, server: &TestServer, person: &Person) {
        let (id, user) = (&self.id, &person.user_id);
        server
            .run(format!("INSERT INTO team_members (team_id, user_id, role) VALUES ('{id}', '{user}', 'member')"))
            .await;
        let wrap = if matches!(server.app.db, Db::Sqlite { .. }) { "x'00'" } else { "'\\x00'" };
        server
            .run(format!("INSERT INTO team_keys (team_id, epoch, user_id, wrap) VALUES ('{id}', 1, '{user}', {wrap})"))
            .await;
    }

    /// Takes a member out of the roster.
    pub(crate) async fn remove(&self, server: &TestServer, person: &Person) {
        let (id, user) = (&self.id, &person.user_id);
        server.run(format!("DELETE FROM team_members WHERE team_id = '{id}' AND user_id = '{user}'")).await;
    }
}

impl Person {
    /// Hands a pushed session over to a team.
    pub(crate) async fn hand_to_team(&self, snapshot: &SignedEnvelope, team: &Team) -> (Draft, Handoff) {
        let draft = self.seal_for_team(snapshot, team).await;
        (draft.clone(), self.post("/api/v1/handoffs", &draft.body(&draft.sign(self))).await.ok())
    }

    /// What would hand it over, reserved and not sent.
    pub(crate) async fn seal_for_team(&self, snapshot: &SignedEnvelope, team: &Team) -> Draft {
        self.seal_for_team_until(snapshot, team, None).await
    }

    /// The same, for so many hours.
    pub(crate) async fn seal_for_team_until(
        &self,
        snapshot: &SignedEnvelope,
        team: &Team,
        expires_in_hours: Option<u32>,
    ) -> Draft {
        let (session_id, to_team_id) = (snapshot.envelope.header.session_id.clone(), Some(team.id.clone()));
        let body = Reserve { session_id, to_team_id, expires_in_hours, ..Reserve::default() };
        let reservation: Reservation = self.post("/api/v1/handoffs/reserve", &body).await.ok();
        assert_eq!(reservation.recipient, ReservedFor::Team { team_id: team.id.clone() });
        let mut draft = Draft::handoff(self, snapshot, &reservation.handoff_id, reservation.not_after, &[]);
        draft.lock_for_team(team);
        draft
    }
}

impl Draft {
    /// Makes the team its only recipient.
    pub(crate) fn lock_for_team(&mut self, team: &Team) {
        let (kind, id, key_fp, epoch) = (WrapKind::Team, team.id.clone(), team.key_fp, team.epoch);
        self.wraps = vec![Wrap { kind, id: id.clone(), key_fp, epoch, enc: Some(draw()), ct: draw() }];
        self.envelope.header.recipients = vec![Recipient { kind, id, key_fp, epoch }];
    }
}
