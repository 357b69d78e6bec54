//! A chat that came from another device is given back: of one's own account by a push, else as the words that were said here
//! (SPEC D12, D15). What is sealed is stored before it is sent, so that a repeat sends the same bytes.

use std::fs;

use segue_api::pairings::ReturnToSource;
use segue_domain::Clock as _;
use segue_formats::{
    Env, Found,
    active_view::{ComingBack, Draft, HeadHasher, NewWords, Pointer},
};

use super::arrived::{Arrival, too_long};
use crate::{
    account::Account,
    commands::{Reading, prepare},
    environment::SystemClock,
    error::{CliError, Exit, Result},
    home::Home,
    library::{Library, Record},
    output::Output,
    untrusted::Untrusted,
    upload::Uploader,
};

/// A chat that is given back.
pub struct Giving<'a> {
    /// The client's folder.
    pub home: &'a Home,
    /// Who is signed in here, if anybody is.
    pub account: Option<&'a Account>,
    /// Where tools keep their files.
    pub tools: &'a Env,
    /// What is known of it.
    pub record: &'a Record,
    /// Where its tool has it, if it was resumed.
    pub found: Option<&'a Found>,
    /// Where a person reads on.
    pub output: &'a Output,
}

/// What of it is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// Messages that go back.
    pub messages: u64,
    /// Messages of which not all goes back: calls of tools and their results.
    pub left_out: u64,
}

impl Giving<'_> {
    /// Makes what goes back, and seals and stores it. Gives what of it is new.
    pub fn make(&self, arrival: &mut Arrival, draft: Option<String>, now: bool) -> Result<News> {
        self.is_awaited(arrival)?;
        let found = self.found.map(as_it_is_now).transpose()?;
        let found = found.as_ref();
        if !now && found.is_some_and(is_running) {
            return Err(CliError::new(Exit::Conflict, "turn_running", "a reply is still being written here")
                .hint("Run this again when it has ended. To give the chat back as far as it came: --now"));
        }
        let (first_ids, words) = self.words(arrival, found)?;
        let (head, last, left_out) = (words.head(), words.last_id().map(str::to_owned), words.left_out());
        let is_new = head.count() != arrival.count || first_ids != words.first_ids();
        let pointer = if is_new { Pointer { anchor: last, ..Pointer::default() } } else { arrival.pointer.clone() };
        // What came as a draft goes back as one as long as nothing was said here.
        let draft =
            draft.map(|text| Draft { caret: text.len(), text }).or_else(|| arrival.draft.clone().filter(|_| !is_new));
        let (back, news) = if arrival.own {
            let seq = self.push(arrival, found)?;
            let messages = head.count().saturating_sub(arrival.count);
            (ComingBack::pushed(seq, head, draft, pointer), News { messages, left_out: 0 })
        } else {
            if first_ids.is_none() || first_ids != words.first_ids() {
                return Err(CliError::new(Exit::Conflict, "changed", "the chat was compacted or rewound here")
                    .hint("What was said cannot be put behind it over there any more. It stays here."));
            }
            let words = words.into_words().ok_or_else(|| too_long(&"it is more than 64 KiB of words"))?;
            let before = HeadHasher::behind(arrival.head_hash, arrival.count);
            let messages = words.len() as u64;
            (ComingBack::words(before, words, draft, pointer), News { messages, left_out })
        };
        let content = back.encode().map_err(|error| too_long(&error))?;
        arrival.seal(self.home, &content, SystemClock.now())?;
        Ok(news)
    }

    /// Sends what was sealed.
    pub fn send(&self, arrival: &mut Arrival) -> Result<()> {
        let (Some(sealed), Some(remote)) = (arrival.sealed()?, arrival.remote(self.account)?) else {
            return Err(over(arrival));
        };
        match remote.send_back(arrival.pairing()?, &ReturnToSource { returned: sealed.into() }) {
            Ok(_) => {}
            // Taken back in this very moment, or a day is over.
            Err(error) if matches!(error.exit, Exit::Gone | Exit::NotFound) => {
                arrival.keep_here(self.home)?;
                return Err(over(arrival));
            }
            Err(error) if error.exit == Exit::Network => {
                return Err(error.hint("Run this again: it sends the same, and nothing twice."));
            }
            Err(error) => return Err(error),
        }
        arrival.sent = true;
        arrival.save(self.home)
    }

    /// Whether the other device still waits; asked before anything is pushed.
    fn is_awaited(&self, arrival: &mut Arrival) -> Result<()> {
        let Some(remote) = arrival.remote(self.account)? else { return Err(over(arrival)) };
        match remote.pairing(arrival.pairing()?) {
            Ok(pairing) if pairing.reason.as_deref() != Some("taken_back") => Ok(()),
            Err(error) if error.exit != Exit::NotFound => Err(error),
            Ok(_) | Err(_) => {
                arrival.keep_here(self.home)?;
                Err(over(arrival))
            }
        }
    }

    /// What tells the messages that came from others, and what is there now.
    fn words(&self, arrival: &Arrival, found: Option<&Found>) -> Result<(Option<[u8; 32]>, NewWords)> {
        let format = segue_formats::format_for(self.record.header.tool);
        let content = Library::new(self.home).content(self.record.session_id()?).join("native");
        let mut came = NewWords::behind(arrival.count);
        format.view(&content, &mut came).map_err(CliError::session)?;
        let first_ids = came.first_ids();
        let Some(found) = found else { return Ok((first_ids, came)) };
        let mut words = NewWords::behind(arrival.count);
        format.capture(self.tools, found, Some(&mut words)).map_err(CliError::session)?;
        Ok((first_ids, words))
    }

    /// Pushes the session as it was found. Gives its place in the chain.
    fn push(&self, arrival: &Arrival, found: Option<&Found>) -> Result<u64> {
        let uploader = Uploader::open(self.output)?;
        let mut session = prepare(&uploader, Some(&arrival.session_id), Reading::WhatIsNew, false)?;
        uploader.push(&mut session.record, &mut session.capturing)?;
        let len = |found: &Found| fs::metadata(&found.path).map(|meta| meta.len());
        if found.is_some_and(|found| len(found).ok() != Some(found.len)) {
            return Err(CliError::new(Exit::Conflict, "turn_running", "the chat was written to in the same moment")
                .hint("Run this again when its tool has ended."));
        }
        let head = session.record.head.as_ref();
        head.map(|head| head.seq).ok_or_else(|| CliError::new(Exit::Error, "push", "the session was not pushed"))
    }
}

fn is_running(found: &Found) -> bool {
    let turn = segue_formats::format_for(found.tool).turn(found);
    turn.is_ok_and(|turn| turn.is_alive(SystemClock.now().as_millis()))
}

fn as_it_is_now(found: &Found) -> Result<Found> {
    let meta = fs::metadata(&found.path).map_err(|error| CliError::file("read", &found.path, &error))?;
    Ok(Found { len: meta.len(), ..found.clone() })
}

/// The other device does not wait any more.
fn over(arrival: &Arrival) -> CliError {
    let source = Untrusted(&arrival.source).short(60);
    CliError::new(Exit::Gone, "taken_back", format!("“{source}” has the chat back already, or a day is over"))
        .hint(format!("What was said here stays here, as a chat of its own: segue resume {}", arrival.session_id))
}
