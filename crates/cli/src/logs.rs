//! The audit logs of handoffs: verified, and the last head of each remembered, so that a log that was rewritten is noticed
//! (SPEC T11).

use std::path::PathBuf;

use data_encoding::HEXLOWER;
use segue_api::handoffs::{Event, LogHead};
use segue_domain::HandoffId;
use serde::{Deserialize, Serialize};

use crate::{
    error::{CliError, Result},
    home::{self, Home},
    remote::Remote,
};

/// Events of one log that are read: far more than the server lets a handoff have.
const EVENTS_MAX: usize = 100_000;

/// The newest event that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    v: u32,
    seq: i64,
    hash: String,
}

/// Reads all of a handoff's log and verifies it against what was seen before.
///
/// # Errors
/// Verification (exit 9) when an entry does not continue the one before, or when what was seen before is no longer in it.
pub fn read(home: &Home, remote: &Remote, id: HandoffId) -> Result<Vec<Event>> {
    let events = since(remote, id, 0)?;
    let seen = seen(home, id)?;
    verify(id, &events, 0, None)?;
    if let Some(seen) = &seen {
        let kept = usize::try_from(seen.seq - 1).ok().and_then(|index| events.get(index));
        if kept.is_none_or(|event| HEXLOWER.encode(&event.hash.0) != seen.hash) {
            return Err(rewritten(id));
        }
    }
    remember(home, id, events.last().map(|event| (event.seq, event.hash.0.as_slice())), seen.as_ref())?;
    Ok(events)
}

/// Compares the head that the server names with what was seen before, and remembers it.
///
/// # Errors
/// As [`read`].
pub fn check(home: &Home, remote: &Remote, id: HandoffId, head: &LogHead) -> Result<()> {
    let seen = seen(home, id)?;
    if let Some(seen) = &seen {
        if head.seq == seen.seq && HEXLOWER.encode(&head.hash.0) == seen.hash {
            return Ok(());
        }
        let before = HEXLOWER.decode(seen.hash.as_bytes()).map_err(|_| rewritten(id))?;
        let events = since(remote, id, seen.seq)?;
        verify(id, &events, seen.seq, Some(&before))?;
        // Events may have come since the head was named.
        if !events.iter().any(|event| event.seq == head.seq && event.hash == head.hash) {
            return Err(rewritten(id));
        }
    }
    remember(home, id, Some((head.seq, head.hash.0.as_slice())), seen.as_ref())
}

fn since(remote: &Remote, id: HandoffId, after: i64) -> Result<Vec<Event>> {
    let (mut events, mut cursor) = (Vec::new(), after.to_string());
    loop {
        let page = remote.events(id, &cursor)?;
        events.extend(page.events);
        match page.next {
            Some(next) if events.len() < EVENTS_MAX => cursor = next,
            Some(_) => return Err(CliError::verification("the log of this handoff does not end")),
            None => return Ok(events),
        }
    }
}

/// Whether events continue number `last`, whose hash is `previous`.
fn verify(id: HandoffId, events: &[Event], last: i64, previous: Option<&[u8]>) -> Result<()> {
    let (handoff_id, mut last, mut previous) = (id.to_string(), last, previous.map(<[u8]>::to_vec));
    for event in events {
        let fields = segue_signed::Event {
            handoff_id: &handoff_id,
            seq: event.seq.unsigned_abs(),
            kind: &event.kind,
            actor: &event.actor,
            actor_type: &event.actor_type,
            at: event.at.unsigned_abs(),
            payload: &event.payload,
            previous: previous.as_deref(),
        };
        let linked = event.seq == last + 1 && event.previous.as_ref().map(|hash| &hash.0) == previous.as_ref();
        if !linked || fields.hash().as_slice() != event.hash.0 {
            return Err(rewritten(id));
        }
        (last, previous) = (event.seq, Some(event.hash.0.clone()));
    }
    Ok(())
}

fn rewritten(id: HandoffId) -> CliError {
    CliError::verification(format!("the log of {id} was rewritten since you last looked, or does not hold together"))
        .hint("What the server now says about this handoff is not what it said before. Ask whoever runs it.")
}

fn path(home: &Home, id: HandoffId) -> PathBuf {
    home.path("logs").join(format!("{id}.json"))
}

fn seen(home: &Home, id: HandoffId) -> Result<Option<Seen>> {
    home::read_json(&path(home, id))
}

fn remember(home: &Home, id: HandoffId, head: Option<(i64, &[u8])>, before: Option<&Seen>) -> Result<()> {
    let Some((seq, hash)) = head else { return Ok(()) };
    let next = Seen { v: 1, seq, hash: HEXLOWER.encode(hash) };
    if before.is_some_and(|before| before.seq >= next.seq) {
        return Ok(());
    }
    home::create_dir(&home.path("logs"))?;
    home::write_json(&path(home, id), &next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: HandoffId, seq: i64, kind: &str, previous: Option<&Event>) -> Event {
        let mut event = Event {
            seq,
            kind: kind.to_owned(),
            actor: "usr_a".to_owned(),
            actor_type: "user".to_owned(),
            actor_name: None,
            at: seq,
            payload: "{}".to_owned(),
            previous: previous.map(|event| event.hash.clone()),
            hash: Vec::new().into(),
        };
        let fields = segue_signed::Event {
            handoff_id: &id.to_string(),
            seq: seq.unsigned_abs(),
            kind,
            actor: "usr_a",
            actor_type: "user",
            at: seq.unsigned_abs(),
            payload: "{}",
            previous: event.previous.as_ref().map(|hash| hash.0.as_slice()),
        };
        event.hash = fields.hash().to_vec().into();
        event
    }

    #[test]
    fn a_log_that_was_changed_anywhere_does_not_hold() {
        let id = HandoffId::from_bytes([1; 16]);
        let first = event(id, 1, "created", None);
        let second = event(id, 2, "claimed", Some(&first));
        let log = [first.clone(), second.clone()];
        assert!(verify(id, &log, 0, None).is_ok());
        assert!(verify(id, &log[1..], 1, Some(&first.hash.0)).is_ok());
        assert!(verify(id, &log[1..], 0, None).is_err(), "the beginning is missing");
        assert!(verify(HandoffId::from_bytes([2; 16]), &log, 0, None).is_err(), "another handoff's");
        let changed = Event { kind: "revoked".to_owned(), ..second.clone() };
        assert!(verify(id, &[first, changed], 0, None).is_err());
        let other = event(id, 1, "created", None);
        let other = Event { at: 9, ..other };
        assert!(verify(id, &[other, second], 0, None).is_err());
    }
}
