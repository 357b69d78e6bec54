//! Handoffs in every state that they can be in, and whose each is.

use reqwest::Method;
use segue_api::handoffs::Handoff;

use super::{routes::Real, world::World};
use crate::harness::{Person, TestServer, seal::Draft};

/// To whom one goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Person,
    Team,
    /// An address that nobody had.
    Address,
}

/// What has become of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Viewed,
    Commented,
    MemberDeclined,
    KeyWrapped,
    Claimed,
    Revoked,
    Declined,
}

/// What somebody has to do with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Sender,
    Recipient,
    TeamMate,
    ExMember,
    OtherTeam,
    Stranger,
}

/// A handoff.
pub(crate) struct Case {
    pub(crate) to: To,
    pub(crate) state: State,
    recipient: Option<Box<Person>>,
    pub(crate) real: Real,
}

impl Case {
    /// One of each.
    pub(crate) async fn all(server: &TestServer, world: &World) -> Vec<Self> {
        let mut cases = Vec::new();
        let most = [State::Pending, State::Viewed, State::Commented, State::Claimed, State::Revoked, State::Declined];
        for state in most {
            let (draft, handoff) = world.ann.hand(&world.snapshot, &world.ben).await;
            cases.push(Self::bring(world, To::Person, state, &draft, &handoff).await);
            let (draft, handoff) = world.ann.hand_to_team(&world.snapshot, &world.team).await;
            cases.push(Self::bring(world, To::Team, state, &draft, &handoff).await);
        }
        let (draft, handoff) = world.ann.hand_to_team(&world.snapshot, &world.team).await;
        cases.push(Self::bring(world, To::Team, State::MemberDeclined, &draft, &handoff).await);
        cases.push(Self::late(world).await);
        let states = server.column("SELECT DISTINCT state FROM handoffs ORDER BY state").await;
        assert_eq!(states, ["claimed", "declined", "pending", "revoked"]);
        cases
    }

    async fn bring(world: &World, to: To, state: State, draft: &Draft, handoff: &Handoff) -> Self {
        let ben = &world.ben;
        let done = match state {
            State::Pending | State::KeyWrapped => None,
            State::Viewed => Some(ben.see(handoff).await),
            State::Commented => Some(ben.comment(handoff, "which branch?").await),
            State::Claimed => Some(ben.claim(&handoff.handoff_id, draft.claim).await),
            State::Revoked => Some(world.ann.revoke(handoff).await),
            State::Declined if to == To::Team => {
                assert_eq!(world.cy.decline(handoff).await.status, 200);
                Some(ben.decline(handoff).await)
            }
            State::MemberDeclined | State::Declined => Some(ben.decline(handoff).await),
        };
        assert!(done.is_none_or(|done| done.status.is_success()), "{state:?} {to:?}");
        let (handoff, bundle) = (handoff.handoff_id.clone(), draft.bundle_id().to_string());
        Self { to, state, recipient: None, real: Real { handoff, bundle, ..world.anns.clone() } }
    }

    /// One for an address whose key was locked when its person had joined.
    async fn late(world: &World) -> Self {
        let reservation = world.ann.reserve(&world.anns.session, "zoe@example.com").await;
        let (draft, answer) = world.ann.hand_to_address(&world.snapshot, &reservation).await;
        let handoff: Handoff = answer.ok();
        let zoe = world.ann.bring("zoe@example.com").await;
        assert_eq!(world.ann.lock_for(&handoff, &zoe).await.status, 200);
        let case = Self::bring(world, To::Address, State::KeyWrapped, &draft, &handoff).await;
        Self { recipient: Some(Box::new(zoe)), ..case }
    }

    /// Everybody, by what they have to do with it.
    pub(crate) fn people<'a>(&'a self, world: &'a World) -> Vec<(Role, &'a Person)> {
        let recipient = self.recipient.as_deref().unwrap_or(&world.ben);
        vec![
            (Role::Sender, &world.ann),
            (Role::Recipient, recipient),
            (Role::TeamMate, &world.cy),
            (Role::ExMember, &world.dan),
            (Role::OtherTeam, &world.eve),
            (Role::Stranger, &world.fay),
        ]
    }

    pub(crate) fn path(&self) -> String {
        format!("/api/v1/handoffs/{}", self.real.handoff)
    }

    /// Whether it would still end by itself, one for each kind of recipient.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Pending | State::KeyWrapped)
    }

    /// Whose what is (SPEC T9–T14): a route that is not here is new.
    pub(crate) fn may(&self, role: Role, method: &Method, path: &str) -> bool {
        let claimed = self.state == State::Claimed;
        let given = role == Role::Recipient || (role == Role::TeamMate && self.to == To::Team);
        let owns = claimed && role == Role::Recipient;
        // What is said after a claim is between the two.
        let concerned = role == Role::Sender || owns || (given && !claimed);
        match (method.as_str(), path.strip_prefix("/api/v1/").unwrap()) {
            ("GET", "handoffs/{id}") => role == Role::Sender || given,
            ("GET", "handoffs/{id}/bundle" | "handoffs/{id}/events") | ("GET" | "POST", "handoffs/{id}/comments") => {
                concerned
            }
            ("POST", "handoffs/{id}/claim" | "handoffs/{id}/decline") => given,
            ("POST", "handoffs/{id}/revoke" | "handoffs/{id}/wraps") | ("GET", "handoffs/{id}/recipient") => {
                role == Role::Sender
            }
            ("POST", "handoffs/{id}/invite-proof")
            | ("GET", "bundles/{id}/manifest" | "bundles/{id}/packs/{pack_id}")
            | ("PUT", "bundles/{id}/own-wrap") => owns,
            (method, path) => panic!("whose is {method} {path}?"),
        }
    }
}
