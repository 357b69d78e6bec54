//! Generated histories of one handoff, compared with a small reference model.

use proptest::prelude::*;
use segue_domain::{
    Handoff, SessionId, State, Timestamp, UserId,
    handoff::{Audit, Effect, Event, Rejected},
};

const EXPIRES_AT: i64 = 100;

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => Just(Event::View),
        3 => (0_u8..3, any::<[u8; 16]>()).prop_map(|(by, session)| Event::Claim {
            by: UserId::from_bytes([by; 16]),
            session: SessionId::from_bytes(session),
        }),
        1 => Just(Event::Revoke),
        2 => (0_u32..3).prop_map(|members_left| Event::Decline { members_left }),
        2 => Just(Event::Comment),
        1 => Just(Event::WrapKey),
        2 => Just(Event::Tick),
    ]
}

/// Steps of a history: an event, and how much time passes before it.
fn history() -> impl Strategy<Value = Vec<(Event, i64)>> {
    prop::collection::vec((event(), 0_i64..20), 1..40)
}

/// What the word of the state must be after `event`, written without looking at the machine.
fn expected(word: &'static str, event: &Event, late: bool) -> &'static str {
    if word != "pending" {
        return word;
    }
    match event {
        _ if late => "expired",
        Event::Claim { .. } => "claimed",
        Event::Revoke => "revoked",
        Event::Decline { members_left: 0 } => "declined",
        Event::View | Event::Decline { .. } | Event::Comment | Event::WrapKey | Event::Tick => "pending",
    }
}

fn audits(effects: &[Effect]) -> Vec<Audit> {
    effects.iter().filter_map(|effect| if let Effect::Audit(audit) = effect { Some(*audit) } else { None }).collect()
}

proptest! {
    #[test]
    fn a_history_follows_the_model(history in history()) {
        let mut handoff = Handoff::new(Timestamp::from_millis(EXPIRES_AT));
        let (mut now, mut seen, mut released, mut opened) = (0, Vec::new(), 0, 0);
        for (event, pause) in history {
            now += pause;
            let before = handoff.clone();
            let answer = handoff.apply(&event, Timestamp::from_millis(now));
            let word = expected(before.state.as_str(), &event, now >= EXPIRES_AT);
            match answer {
                Err(_) => prop_assert!(before.state.is_final(), "only a final state refuses"),
                Ok((after, effects)) => {
                    prop_assert_eq!(after.state.as_str(), word);
                    if before.state.is_final() {
                        prop_assert_eq!(&after.state, &before.state, "a final state is final");
                    }
                    let mut kinds = audits(&effects);
                    if before.state != after.state {
                        prop_assert_eq!(kinds.first().map(|kind| kind.as_str()), Some(after.state.as_str()));
                    }
                    released += effects.iter().filter(|effect| **effect == Effect::ReleaseBundle).count();
                    opened += effects.iter().filter(|effect| **effect == Effect::OpenSession).count();
                    kinds.retain(|kind| !matches!(kind, Audit::Commented | Audit::MemberDeclined | Audit::KeyWrapped));
                    seen.extend(kinds);
                    handoff = after;
                }
            }
        }
        let unique: std::collections::HashSet<_> = seen.iter().collect();
        prop_assert_eq!(unique.len(), seen.len(), "no change is audited twice");
        let claimed = matches!(handoff.state, State::Claimed { .. });
        prop_assert_eq!(opened, usize::from(claimed));
        prop_assert_eq!(released, usize::from(handoff.state.is_final() && !claimed));
    }

    #[test]
    fn one_claimer_wins_and_keeps_the_session(claims in prop::collection::vec((0_u8..4, any::<[u8; 16]>()), 1..20)) {
        let mut handoff = Handoff::new(Timestamp::from_millis(EXPIRES_AT));
        let (winner, session) = (UserId::from_bytes([claims[0].0; 16]), SessionId::from_bytes(claims[0].1));
        for (by, session) in claims {
            let by = UserId::from_bytes([by; 16]);
            let claim = Event::Claim { by, session: SessionId::from_bytes(session) };
            match handoff.apply(&claim, Timestamp::from_millis(1)) {
                Ok((after, _)) => { prop_assert_eq!(by, winner); handoff = after; }
                Err(rejected) => { prop_assert_ne!(by, winner); prop_assert_eq!(rejected, Rejected::AlreadyClaimed); }
            }
        }
        let expected = State::Claimed { by: winner, session, at: Timestamp::from_millis(1) };
        prop_assert_eq!(handoff.state, expected);
    }

    #[test]
    fn a_comment_is_never_lost(history in history()) {
        let mut handoff = Handoff::new(Timestamp::from_millis(EXPIRES_AT));
        let mut now = 0;
        for (event, pause) in history {
            now += pause;
            let answer = handoff.apply(&event, Timestamp::from_millis(now));
            if event == Event::Comment {
                let (_, effects) = answer.as_ref().unwrap();
                prop_assert!(effects.contains(&Effect::Audit(Audit::Commented)));
            }
            if let Ok((after, _)) = answer { handoff = after; }
        }
    }
}
