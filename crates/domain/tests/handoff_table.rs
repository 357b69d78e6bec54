//! The whole machine as one reviewed table: every state, every event, in time and too late.

use std::fmt::Write as _;

use segue_domain::{
    Handoff, SessionId, State, Timestamp, UserId,
    handoff::{Effect, Event},
};

const IN_TIME: Timestamp = Timestamp::from_millis(5);
const TOO_LATE: Timestamp = Timestamp::from_millis(10);
const WINNER: UserId = UserId::from_bytes([1; 16]);
const OTHER: UserId = UserId::from_bytes([2; 16]);
const SESSION: SessionId = SessionId::from_bytes([3; 16]);

fn states() -> [State; 5] {
    let at = Timestamp::from_millis(3);
    [
        State::Pending,
        State::Claimed { by: WINNER, session: SESSION, at },
        State::Revoked { at },
        State::Declined { at },
        State::Expired { at },
    ]
}

fn events() -> [(&'static str, Event); 9] {
    [
        ("view", Event::View),
        ("claim by the winner", Event::Claim { by: WINNER, session: SessionId::from_bytes([9; 16]) }),
        ("claim by another", Event::Claim { by: OTHER, session: SessionId::from_bytes([8; 16]) }),
        ("revoke", Event::Revoke),
        ("decline, nobody left", Event::Decline { members_left: 0 }),
        ("decline, two left", Event::Decline { members_left: 2 }),
        ("comment", Event::Comment),
        ("wrap key", Event::WrapKey),
        ("tick", Event::Tick),
    ]
}

fn describe(effect: Effect) -> String {
    match effect {
        Effect::Audit(audit) => format!("audit {}", audit.as_str()),
        Effect::Mail(audit) => format!("mail {}", audit.as_str()),
        Effect::Announce => "announce".to_owned(),
        Effect::OpenSession => "open session".to_owned(),
        Effect::ReleaseBundle => "release bundle".to_owned(),
    }
}

fn row(state: &State, event: &Event, now: Timestamp) -> String {
    let handoff = Handoff { state: state.clone(), expires_at: TOO_LATE, viewed_at: None };
    match handoff.apply(event, now) {
        Ok((after, effects)) if after == handoff && effects.is_empty() => "-".to_owned(),
        Ok((after, effects)) => {
            let effects: Vec<_> = effects.into_iter().map(describe).collect();
            let viewed = if after.viewed_at.is_some() { " (viewed)" } else { "" };
            format!("{}{viewed}: {}", after.state.as_str(), effects.join(", "))
        }
        Err(rejected) => format!("refused: {rejected}"),
    }
}

#[test]
fn every_state_answers_every_event_as_reviewed() {
    let mut table = String::new();
    for (when, now) in [("in time", IN_TIME), ("too late", TOO_LATE)] {
        for state in states() {
            for (name, event) in events() {
                let start = format!("{when} · {} · {name}", state.as_str());
                writeln!(table, "{start:45} → {}", row(&state, &event, now)).unwrap();
            }
        }
    }
    insta::assert_snapshot!(table);
}
