//! Generated histories of one pairing, compared with a small reference model.

use proptest::prelude::*;
use segue_domain::{
    Pairing, Timestamp, limits,
    pairing::{Effect, Event, Purpose, Rejected, Revocation, State, may_reissue},
};

const TOKENS: u8 = 3;

fn purpose() -> impl Strategy<Value = Purpose> {
    prop_oneof![9 => Just(Purpose::Handoff), 1 => Just(Purpose::Link)]
}

/// Mostly the events that a pairing waits for, so that histories get far; 0 stands for the attempt of the moment.
fn event() -> impl Strategy<Value = Event> {
    let token = || prop_oneof![6 => Just(0), 2 => Just(1), 1 => Just(TOKENS - 1)].prop_map(|token: u8| [token; 32]);
    let hash = || prop_oneof![5 => Just([0; 32]), 1 => Just([1; 32])];
    let attempt = || prop_oneof![8 => Just(0_u8), 1 => 1_u8..4];
    prop_oneof![
        6 => (purpose(), token(), any::<bool>())
            .prop_map(|(purpose, token_hash, same_account)| Event::Lease { purpose, token_hash, same_account }),
        9 => (token(), attempt(), hash()).prop_map(|(token_hash, attempt, hash)| Event::Confirm { token_hash, attempt, hash }),
        2 => attempt().prop_map(|attempt| Event::Mismatch { attempt }),
        4 => (attempt(), hash()).prop_map(|(attempt, hash)| Event::Claim { attempt, hash }),
        1 => (0..Revocation::ALL.len()).prop_map(|reason| Event::Revoke { reason: Revocation::ALL[reason] }),
        3 => token().prop_map(|token_hash| Event::Acknowledge { token_hash }),
        1 => token().prop_map(|token_hash| Event::Complete { token_hash }),
        2 => (token(), hash()).prop_map(|(token_hash, hash)| Event::Return { token_hash, hash }),
        1 => Just(Event::TakeBack),
        1 => Just(Event::Tick),
    ]
}

/// `event` with the attempt of the moment filled in.
fn now_for(pairing: &Pairing, event: Event) -> Event {
    let at = pairing.attempt();
    match event {
        Event::Confirm { token_hash, attempt: 0, hash } => Event::Confirm { token_hash, attempt: at, hash },
        Event::Mismatch { attempt: 0 } => Event::Mismatch { attempt: at },
        Event::Claim { attempt: 0, hash } => Event::Claim { attempt: at, hash },
        event => event,
    }
}

/// Steps of a history: an event, and how many milliseconds pass before it.
fn history() -> impl Strategy<Value = Vec<(Event, i64)>> {
    let pause = prop_oneof![8 => 0_i64..2_000, 3 => 0_i64..40_000, 1 => 0_i64..4_000_000];
    prop::collection::vec((event(), pause), 1..60)
}

fn start() -> Pairing {
    Pairing::issue(Purpose::Handoff, 60, Timestamp::from_millis(0))
}

/// Who may read the view, of all who ever might.
fn readers(pairing: &Pairing, now: Timestamp) -> Vec<u8> {
    (0..TOKENS).filter(|token| pairing.view_is_readable(&[*token; 32], now)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn there_is_one_end_and_one_claimer_and_only_the_claimer_reads(history in history()) {
        let (mut pairing, mut now) = (start(), 0);
        let mut confirmed_now: Option<[u8; 32]> = None;
        let (mut ends, mut claimer) = (Vec::new(), None);
        for (event, pause) in history {
            now += pause;
            let at = Timestamp::from_millis(now);
            let event = now_for(&pairing, event);
            let before = pairing.clone();
            let late = before.state == State::Issued && !before.is_open(at);
            let Ok((after, effects)) = pairing.apply(&event, at) else {
                continue;
            };
            if before != after {
                prop_assert!(effects.contains(&Effect::Announce), "both sides hear of every change");
            }
            if before.state.is_final() {
                prop_assert_eq!(before.state.as_str(), after.state.as_str(), "a final word stays");
                prop_assert_eq!(before.state.since(), after.state.since());
            } else if after.state.is_final() {
                ends.push(after.state.as_str());
                prop_assert!(after.state.reason().is_some());
                let expected = match &event {
                    _ if late => "expired",
                    Event::Claim { .. } => "claimed",
                    Event::Mismatch { .. } | Event::Revoke { .. } => "revoked",
                    other => panic!("{other:?} ended it"),
                };
                prop_assert_eq!(after.state.as_str(), expected);
            }
            if let (State::Claimed(claim), State::Issued) = (&after.state, &before.state) {
                prop_assert_eq!(Some(claim.token_hash), confirmed_now, "the claimer is who confirmed");
                prop_assert_eq!(at < before.deadline(), true);
                claimer = Some(claim.token_hash[0]);
            }
            confirmed_now = after.lease.as_ref()
                .filter(|lease| lease.confirmation.is_some_and(|sent| !sent.refused))
                .map(|lease| lease.token_hash);
            let readers = readers(&after, at);
            match &after.state {
                State::Claimed(claim) if claim.acknowledged_at.is_none() && claim.end.is_none() => {
                    prop_assert_eq!(readers, claimer.into_iter().collect::<Vec<_>>());
                }
                _ => prop_assert!(readers.is_empty(), "{:?} is read by {:?}", after.state, readers),
            }
            prop_assert!(after.failures <= limits::PAIRING_GUESSES_MAX);
            if after.failures == limits::PAIRING_GUESSES_MAX {
                prop_assert_eq!(after.state.reason(), Some("too_many_guesses"));
            }
            pairing = after;
        }
        prop_assert!(ends.len() <= 1, "{ends:?}");
    }

    #[test]
    fn what_must_go_goes_once_and_nothing_stays_behind(history in history()) {
        let (mut pairing, mut now, mut gone) = (start(), 0, Vec::new());
        for (event, pause) in history.into_iter().chain([(Event::Tick, 1 << 40), (Event::Tick, 1 << 40)]) {
            now += pause;
            let event = now_for(&pairing, event);
            if let Ok((after, effects)) = pairing.apply(&event, Timestamp::from_millis(now)) {
                gone.extend(effects);
                pairing = after;
            }
        }
        prop_assert!(pairing.state.is_final(), "time ends everything");
        prop_assert!(gone.contains(&Effect::DropHandshake));
        let count = |effect| gone.iter().filter(|gone| **gone == effect).count();
        prop_assert_eq!(count(Effect::DropBackfill), 1);
        let claimed = matches!(pairing.state, State::Claimed(_));
        prop_assert_eq!(count(Effect::DropView) > 0, claimed);
        let held = (0..TOKENS).any(|token| pairing.backfill_is_readable(&[token; 32], Timestamp::from_millis(now)));
        prop_assert!(!held && pairing.forgotten_at().is_some());
    }

    #[test]
    fn a_lease_is_held_by_one_until_it_is_over_or_the_account_comes(history in history()) {
        let (mut pairing, mut now) = (start(), 0);
        for (event, pause) in history {
            now += pause;
            let at = Timestamp::from_millis(now);
            let event = now_for(&pairing, event);
            let held = pairing.held(at).cloned();
            if let Ok((after, _)) = pairing.apply(&event, at) {
                if let (Some(held), Some(next)) = (held, after.held(at)) && held.token_hash != next.token_hash {
                    prop_assert!(!held.same_account && next.same_account && held.confirmation.is_none());
                }
                pairing = after;
            }
        }
    }

    /// Whatever its order, a repeat of an event that was taken changes nothing and is not refused.
    #[test]
    fn a_repeat_of_what_was_taken_is_taken_and_changes_nothing(history in history()) {
        let (mut pairing, mut now) = (start(), 0);
        for (event, pause) in history {
            now += pause;
            let at = Timestamp::from_millis(now);
            let event = now_for(&pairing, event);
            if let Ok((after, _)) = pairing.apply(&event, at) {
                let in_time = match &pairing.state {
                    State::Claimed(claim) => claim.end.is_some() || at < claim.lapses_at(),
                    State::Issued => pairing.is_open(at),
                    State::Revoked { .. } | State::Expired { .. } => true,
                };
                let revokes = matches!(after.state, State::Revoked { .. });
                if in_time && !revokes {
                    prop_assert_eq!(after.apply(&event, at), Ok((after.clone(), Vec::new())), "{:?}", event);
                }
                pairing = after;
            }
        }
    }
}

fn leased(pairing: &Pairing, now: Timestamp) -> Pairing {
    let lease = Event::Lease { purpose: Purpose::Handoff, token_hash: [1; 32], same_account: false };
    pairing.apply(&lease, now).unwrap().0
}

fn confirmed(pairing: &Pairing, now: Timestamp) -> Pairing {
    let attempt = pairing.attempt();
    leased(pairing, now).apply(&Event::Confirm { token_hash: [1; 32], attempt, hash: [2; 32] }, now).unwrap().0
}

/// SPEC D9: revoke, claim and expiry in any order have one winner, and the losers hear which.
#[test]
fn of_revoke_claim_and_expiry_the_first_wins() {
    let at = Timestamp::from_millis;
    let ready = confirmed(&start(), at(59_999));
    let (revoke, claim) = (Event::Revoke { reason: Revocation::User }, Event::Claim { attempt: 1, hash: [5; 32] });
    let revoked = ready.apply(&revoke, at(60_000)).unwrap().0;
    assert_eq!(revoked.apply(&claim, at(60_000)), Err(Rejected::Revoked(Revocation::User)));
    let claimed = ready.apply(&claim, at(60_000)).unwrap().0;
    assert_eq!(claimed.apply(&revoke, at(60_000)), Err(Rejected::AlreadyClaimed));
    let too_late = 60_000 + limits::PAIRING_APPROVAL_MS;
    assert_eq!(ready.apply(&claim, at(too_late - 1)).unwrap().0.state.as_str(), "claimed");
    for event in [claim, revoke, Event::Tick] {
        let expired = ready.apply(&event, at(too_late)).unwrap().0;
        assert_eq!((expired.state.as_str(), expired.state.reason()), ("expired", Some("unanswered")));
    }
    assert_eq!(start().apply(&Event::Tick, at(60_000)).unwrap().0.state.reason(), Some("unclaimed"));
    assert!(start().is_open(at(59_999)) && !start().is_open(at(60_000)));
}

/// SPEC D7: the third wrong confirmation burns the code, and a right one afterwards comes too late.
#[test]
fn the_third_wrong_confirmation_burns_it() {
    let now = Timestamp::from_millis(1);
    let mut pairing = start();
    for attempt in 1..limits::PAIRING_GUESSES_MAX {
        pairing = confirmed(&pairing, now).apply(&Event::Mismatch { attempt }, now).unwrap().0;
        assert_eq!((pairing.state.as_str(), pairing.attempt()), ("issued", attempt + 1));
        let again = Event::Confirm { token_hash: [1; 32], attempt, hash: [2; 32] };
        assert_eq!(pairing.apply(&again, now), Err(Rejected::Mismatch), "the guesser hears that it was wrong");
    }
    let third = confirmed(&pairing, now);
    let burned = third.apply(&Event::Mismatch { attempt: 3 }, now).unwrap().0;
    assert_eq!((burned.state.as_str(), burned.state.reason()), ("revoked", Some("too_many_guesses")));
    let refused = burned.apply(&Event::Claim { attempt: 3, hash: [3; 32] }, now);
    assert_eq!(refused, Err(Rejected::Revoked(Revocation::TooManyGuesses)));
}

/// SPEC D8: the clock stands while a confirmation waits, and goes on from there when it was wrong.
#[test]
fn a_waiting_confirmation_stops_the_clock() {
    let at = Timestamp::from_millis;
    let waiting = confirmed(&start(), at(50_000));
    assert_eq!(waiting.deadline(), at(60_000 + limits::PAIRING_APPROVAL_MS));
    let refused = waiting.apply(&Event::Mismatch { attempt: 1 }, at(57_000)).unwrap().0;
    assert_eq!(refused.deadline(), at(67_000));
    let clock_set_back = waiting.apply(&Event::Mismatch { attempt: 1 }, at(40_000)).unwrap().0;
    assert_eq!(clock_set_back.deadline(), at(60_000));
}

/// SPEC D10: nobody reads the view before the claim, the claimer alone after it, and nobody after the acknowledgement.
#[test]
fn a_view_is_read_by_the_claimer_between_claim_and_acknowledgement() {
    let now = Timestamp::from_millis(1);
    let later = now.plus_millis(limits::PAIRING_DELIVERY_MS);
    let ready = confirmed(&start(), now);
    assert!(readers(&ready, now).is_empty());
    let claimed = ready.apply(&Event::Claim { attempt: 1, hash: [5; 32] }, now).unwrap().0;
    assert_eq!((readers(&claimed, now), readers(&claimed, later)), (vec![1], Vec::new()));
    let arrived = claimed.apply(&Event::Acknowledge { token_hash: [1; 32] }, now).unwrap().0;
    assert!(readers(&arrived, now).is_empty() && arrived.backfill_is_readable(&[1; 32], now));
    assert!(!arrived.backfill_is_readable(&[2; 32], now) && !arrived.backfill_is_readable(&[1; 32], later));
    for (pairing, event) in [(&claimed, Event::TakeBack), (&arrived, Event::Complete { token_hash: [1; 32] })] {
        let over = pairing.apply(&event, now).unwrap().0;
        assert!(readers(&over, now).is_empty() && !over.backfill_is_readable(&[1; 32], now));
    }
}

#[test]
fn a_lifetime_is_within_the_operators_range() {
    let lifetime = |seconds| Pairing::issue(Purpose::Link, seconds, Timestamp::from_millis(0)).deadline().as_millis();
    assert_eq!([59, 60, 900, 901].map(lifetime), [60_000, 60_000, 900_000, 900_000]);
}

#[test]
fn after_two_burned_codes_within_ten_minutes_none_comes_by_itself() {
    let at = Timestamp::from_millis;
    let now = at(limits::PAIRING_BURNED_MS + 5);
    assert!(may_reissue(&[], now) && may_reissue(&[at(6)], now));
    assert!(!may_reissue(&[at(6), at(7)], now));
    assert!(may_reissue(&[at(5), at(7)], now), "ten minutes ago does not count any more");
}

#[test]
fn every_word_reads_back() {
    for reason in Revocation::ALL {
        assert_eq!(Revocation::from_word(reason.as_str()), Some(reason));
    }
    for purpose in [Purpose::Handoff, Purpose::Link] {
        assert_eq!(Purpose::from_word(purpose.as_str()), Some(purpose));
    }
    assert_eq!((Revocation::from_word("user "), Purpose::from_word("")), (None, None));
}
