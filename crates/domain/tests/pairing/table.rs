//! The whole machine as one reviewed table: every state, every event, in time and too late. Events with the same answer
//! stand together, and a time is left out when it changes nothing.

use std::fmt::Write as _;

use segue_domain::{
    Pairing, Timestamp, limits,
    pairing::{Claim, Confirmation, Effect, End, Event, Expiry, Lease, Purpose, Revocation, State},
};

const EXPIRES_AT: i64 = 100_000;
const HOLDER: [u8; 32] = [1; 32];
const OTHER: [u8; 32] = [2; 32];
const OWN: [u8; 32] = [3; 32];
const SENT: [u8; 32] = [8; 32];
const CHANGED: [u8; 32] = [9; 32];

fn pairing(state: State, failures: u8, lease: impl Into<Option<Lease>>) -> Pairing {
    let expires_at = Timestamp::from_millis(EXPIRES_AT);
    Pairing { purpose: Purpose::Handoff, state, expires_at, failures, lease: lease.into() }
}

fn lease(same_account: bool, sent: Option<bool>) -> Lease {
    let confirmation = sent.map(|refused| Confirmation { at: Timestamp::from_millis(60_000), hash: SENT, refused });
    Lease { token_hash: HOLDER, same_account, until: Timestamp::from_millis(80_000), confirmation }
}

fn claimed(acknowledged: bool, end: Option<End>) -> Pairing {
    let at = Timestamp::from_millis(65_000);
    let acknowledged_at = acknowledged.then_some(at);
    let end = end.map(|end| (at, end));
    let claim = Claim { at, token_hash: HOLDER, hash: SENT, acknowledged_at, end, returned: None };
    pairing(State::Claimed(claim), 0, lease(false, Some(false)))
}

fn returned(end: Option<End>) -> Pairing {
    let before = claimed(true, end);
    let State::Claimed(claim) = before.state else { panic!("it is claimed") };
    Pairing { state: State::Claimed(Claim { returned: Some(SENT), ..claim }), ..before }
}

fn pairings() -> [(&'static str, Pairing); 14] {
    let at = Timestamp::from_millis(65_000);
    [
        ("issued", pairing(State::Issued, 0, None)),
        ("issued, leased", pairing(State::Issued, 0, lease(false, None))),
        ("issued, leased by the account", pairing(State::Issued, 0, lease(true, None))),
        ("issued, confirmed", pairing(State::Issued, 0, lease(false, Some(false)))),
        ("issued, refused once", pairing(State::Issued, 1, lease(false, Some(true)))),
        ("issued, refused twice, confirmed", pairing(State::Issued, 2, lease(false, Some(false)))),
        ("claimed", claimed(false, None)),
        ("claimed, acknowledged", claimed(true, None)),
        ("claimed, completed", claimed(true, Some(End::Completed))),
        ("claimed, completed, sent back", returned(Some(End::Completed))),
        ("claimed, taken back", claimed(false, Some(End::TakenBack))),
        ("claimed, lapsed", claimed(false, Some(End::Lapsed))),
        ("revoked", pairing(State::Revoked { reason: Revocation::User, at }, 0, lease(false, Some(false)))),
        ("expired", pairing(State::Expired { reason: Expiry::Unclaimed, at }, 0, None)),
    ]
}

fn events() -> Vec<(&'static str, Event)> {
    let lease = |purpose, token_hash, same_account| Event::Lease { purpose, token_hash, same_account };
    let confirm = |token_hash, attempt, hash| Event::Confirm { token_hash, attempt, hash };
    vec![
        ("lease by the holder", lease(Purpose::Handoff, HOLDER, false)),
        ("lease by another", lease(Purpose::Handoff, OTHER, false)),
        ("lease by the account", lease(Purpose::Handoff, OWN, true)),
        ("lease to link", lease(Purpose::Link, OTHER, false)),
        ("confirm", confirm(HOLDER, 1, SENT)),
        ("confirm with other bytes", confirm(HOLDER, 1, CHANGED)),
        ("confirm by another", confirm(OTHER, 1, SENT)),
        ("confirm attempt 2", confirm(HOLDER, 2, SENT)),
        ("mismatch of attempt 1", Event::Mismatch { attempt: 1 }),
        ("mismatch of attempt 3", Event::Mismatch { attempt: 3 }),
        ("claim of attempt 1", Event::Claim { attempt: 1, hash: SENT }),
        ("claim with other bytes", Event::Claim { attempt: 1, hash: CHANGED }),
        ("claim of attempt 3", Event::Claim { attempt: 3, hash: CHANGED }),
        ("revoke", Event::Revoke { reason: Revocation::User }),
        ("acknowledge", Event::Acknowledge { token_hash: HOLDER }),
        ("acknowledge by another", Event::Acknowledge { token_hash: OTHER }),
        ("complete", Event::Complete { token_hash: HOLDER }),
        ("complete by another", Event::Complete { token_hash: OTHER }),
        ("send back", Event::Return { token_hash: HOLDER, hash: SENT }),
        ("send other bytes back", Event::Return { token_hash: HOLDER, hash: CHANGED }),
        ("send back by another", Event::Return { token_hash: OTHER, hash: SENT }),
        ("take back", Event::TakeBack),
        ("tick", Event::Tick),
    ]
}

fn describe(before: &Pairing, after: &Pairing, effects: &[Effect]) -> String {
    let mut text = after.state.as_str().to_owned();
    if let Some(reason) = after.state.reason() {
        write!(text, " ({reason})").unwrap();
    }
    if after.failures != before.failures {
        write!(text, ", failures {}", after.failures).unwrap();
    }
    if after.expires_at != before.expires_at {
        write!(text, ", ends {} ms later", after.expires_at.as_millis() - before.expires_at.as_millis()).unwrap();
    }
    if after.lease != before.lease {
        let lease = after.lease.as_ref().unwrap();
        let holder = [(HOLDER, "the holder"), (OTHER, "another"), (OWN, "the account")];
        let holder = holder.iter().find(|(hash, _)| *hash == lease.token_hash).unwrap().1;
        let word = match lease.confirmation {
            None => "leased by",
            Some(confirmation) if confirmation.refused => "refused",
            Some(_) => "confirmed by",
        };
        write!(text, ", {word} {holder}").unwrap();
    }
    let sent_back = |pairing: &Pairing| matches!(&pairing.state, State::Claimed(claim) if claim.returned.is_some());
    if sent_back(after) && !sent_back(before) {
        text.push_str(", sent back");
    }
    let effects: Vec<_> = effects
        .iter()
        .map(|effect| match effect {
            Effect::Announce => "announce",
            Effect::DropHandshake => "drop handshake",
            Effect::DropView => "drop view",
            Effect::DropBackfill => "drop backfill",
        })
        .collect();
    format!("{text}: {}", effects.join(", "))
}

fn answer(pairing: &Pairing, event: &Event, now: i64) -> String {
    match pairing.apply(event, Timestamp::from_millis(now)) {
        Ok((after, effects)) if after == *pairing && effects.is_empty() => "-".to_owned(),
        Ok((after, effects)) => describe(pairing, &after, &effects),
        Err(rejected) => format!("refused: {rejected}"),
    }
}

/// What every event comes to; events with the same answer stand together.
fn block(pairing: &Pairing, now: i64) -> String {
    let mut answers: Vec<(String, Vec<&str>)> = Vec::new();
    for (name, event) in events() {
        let answer = answer(pairing, &event, now);
        match answers.iter_mut().find(|(known, _)| *known == answer) {
            Some((_, names)) => names.push(name),
            None => answers.push((answer, vec![name])),
        }
    }
    let all = events().len();
    answers.into_iter().fold(String::new(), |mut text, (answer, names)| {
        let names = if names.len() == all { "everything".to_owned() } else { names.join(" · ") };
        writeln!(text, "  {names}\n    → {answer}").unwrap();
        text
    })
}

#[test]
fn every_state_answers_every_event_as_reviewed() {
    let times = [
        ("in time", 70_000),
        ("the lease is over", 80_000),
        ("the time is over", EXPIRES_AT),
        ("a stopped clock is over too", EXPIRES_AT + limits::PAIRING_APPROVAL_MS),
        ("an hour later", 65_000 + limits::PAIRING_DELIVERY_MS),
    ];
    let mut table = String::new();
    for (name, pairing) in pairings() {
        let mut before = String::new();
        for (when, now) in times {
            let block = block(&pairing, now);
            if block != before {
                writeln!(table, "{name} · {when}\n{block}").unwrap();
                before = block;
            }
        }
    }
    insta::assert_snapshot!(table);
}
