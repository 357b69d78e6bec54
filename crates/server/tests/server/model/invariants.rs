//! What holds after every step. The numbers are those of the invariants in `docs/testing.md`; I3 and I11 are steps of their own.

use segue_domain::PackId;
use serde_json::Value;

use super::world::{EVE, World};
use crate::operating::soon;

impl World {
    async fn rows(&self, sql: &'static str) -> Vec<String> {
        self.server().column(sql).await
    }

    /// I1: a handoff has the claimer and the session that the one claim was answered with.
    pub(super) async fn i1_one_claims(&self) {
        let sql = "SELECT id || ' ' || claimed_by || ' ' || claimed_session_id FROM handoffs WHERE claimed_by IS NOT NULL \
                   ORDER BY created_at";
        let claimed = self.handoffs.iter().filter_map(|known| {
            let (by, session) = (&self.people[&known.reference.claimer?].user_id, known.session.as_ref()?);
            Some(format!("{} {by} {session}", known.id))
        });
        assert_eq!(self.rows(sql).await, claimed.collect::<Vec<_>>());
    }

    /// I2 and I4: what was acknowledged, and nothing else, has its one event, in order; `check` follows the hashes.
    pub(super) async fn i4_one_event_for_each_change(&self) {
        let sql = "SELECT e.handoff_id || ' ' || e.seq || ' ' || e.kind || ' ' || e.actor FROM events e \
                   JOIN handoffs h ON h.id = e.handoff_id ORDER BY h.created_at, e.seq";
        let mut expected = Vec::new();
        for known in &self.handoffs {
            for (seq, (kind, actor)) in (1..).zip(&known.reference.log) {
                let actor = actor.map_or("server", |who| &self.people[&who].user_id);
                expected.push(format!("{} {seq} {kind} {actor}", known.id));
            }
        }
        assert_eq!(self.rows(sql).await, expected);
        let back = "SELECT COUNT(*) FROM events e JOIN events l ON l.handoff_id = e.handoff_id AND l.seq > e.seq AND l.at < e.at";
        assert_eq!(self.server().count(back).await, 0, "time goes back in a log");
    }

    /// I5: each handoff is in the one state that the first of what ended it gave it.
    pub(super) async fn i5_what_is_over_stays_over(&self) {
        let sql = "SELECT id || ' ' || state FROM handoffs ORDER BY created_at";
        let states = self.handoffs.iter().map(|known| format!("{} {}", known.id, known.reference.state));
        assert_eq!(self.rows(sql).await, states.collect::<Vec<_>>());
    }

    /// I6: `segue-server check` finds nothing: packs, references, bundles, sessions, logs, teams.
    pub(super) async fn i6_everything_agrees(&self) {
        assert_eq!(soon(self.server()).await, []);
    }

    /// I7: a claimed session opens, whatever its sender did to theirs.
    pub(super) async fn i7_what_was_claimed_opens(&self) {
        for known in &self.handoffs {
            let (Some(claimer), Some(session)) = (known.reference.claimer, &known.session) else { continue };
            let path = format!("/api/v1/sessions/{session}");
            assert_eq!(self.people[&claimer].get(&path).await.status, 200);
            let pack = PackId::from_bytes(known.draft.envelope.packs[0].id);
            for rest in ["manifest".to_owned(), format!("packs/{pack}")] {
                let path = format!("/api/v1/bundles/{}/{rest}", known.draft.bundle_id());
                assert_eq!(self.people[&claimer].get(&path).await.status, 200, "{path}");
            }
        }
    }

    /// I9: a stranger gets for the newest handoff what anybody gets for none.
    pub(super) async fn i9_a_stranger_finds_nothing(&self) {
        let Some(known) = self.handoffs.last() else { return };
        let look = async |id: &str| {
            let answer = self.people[&EVE].get(&format!("/api/v1/handoffs/{id}")).await;
            let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
            body.as_object_mut().unwrap().remove("request_id");
            (answer.status, body)
        };
        assert_eq!(look(&known.id).await, look("hnd_00000000000000000000000000").await);
    }

    /// I10: the other party is told of what was done, once, and of nothing else.
    pub(super) async fn i10_one_mail_for_each_reader(&self) {
        let mails = self.handoffs.iter().flat_map(|known| {
            known.mails.iter().map(|(seq, who)| format!("{}.{seq}.{}", known.id, self.people[who].user_id))
        });
        let sql = "SELECT id FROM outbox WHERE kind <> 'handoff_invite'";
        let (mut mails, mut sent) = (mails.collect::<Vec<_>>(), self.rows(sql).await);
        mails.sort_unstable();
        sent.sort_unstable();
        assert_eq!(sent, mails);
    }
}
