//! `segue push`: seals a session and stores it on the server, for oneself.

use std::{
    fs::{self, File},
    sync::Arc,
};

use segue_domain::SessionId;
use segue_formats::{Env, Found, Header};
use serde_json::json;

use crate::{
    args,
    capture::{Capture, Capturing},
    device::held,
    environment::{self, random},
    error::{CliError, Result},
    library::{Library, Native, Record},
    output::Output,
    provenance,
    resolve::{Chosen, resolve, with_record},
    untrusted::Untrusted,
    upload::{Uploader, previous},
};

/// Pushes.
pub(super) fn run(options: &args::Push, output: &Output) -> Result<()> {
    let uploader = Uploader::open(output)?;
    let mut session = prepare(&uploader, options.session.as_deref(), Reading::WhatIsNew, options.as_new)?;
    session.record.private |= options.private;
    session.record.no_prefix |= options.no_prefix;
    provenance::assign(&uploader.home, &mut session.record, session.first)?;
    let pushed = uploader.push(&mut session.record, &mut session.capturing)?;
    provenance::settle(&uploader, &mut session.record)?;
    let (record, bytes) = (&session.record, session.capturing.wait()?.bytes());
    let id = &record.session_id;
    let seq = record.head.as_ref().map_or(0, |head| head.seq);
    let sent = pushed.plan.new_pack_bytes;
    let text = if pushed.unchanged {
        format!("{id} is on the server as it is here.")
    } else {
        format!("Pushed {id}: {}, sealed and compressed to {}.", size(bytes), size(sent))
    };
    let text = format!("{text}\n{}", describe(record));
    let value = json!({
        "session_id": id, "seq": seq, "unchanged": pushed.unchanged, "bytes": bytes,
        "bytes_sent": if pushed.unchanged { 0 } else { sent }, "provenance": record.provenance,
    });
    output.answer(text, value)
}

/// A session that is to be pushed, locked against other commands.
pub struct Prepared {
    pub record: Record,
    pub capturing: Capturing,
    /// Whether it was never captured before.
    pub(super) first: bool,
    _locks: Vec<File>,
}

/// Which session this is, for a person to notice a wrong one.
pub(super) fn describe(record: &Record) -> String {
    let title = record.header.title.as_deref().unwrap_or("a session without title");
    let native = record.native.as_ref().map(|native| native.cwd.display().to_string());
    let directory = native.or_else(|| record.header.cwd.clone()).unwrap_or_default();
    format!("  {} · {}", Untrusted(title).short(60), Untrusted(&directory))
}

/// How much of a session is read.
pub(crate) enum Reading {
    /// What was appended, where nothing else seems to have changed.
    WhatIsNew,
    /// Everything, compared with what was pushed.
    All,
    /// Nothing more: all of it was just captured, and this is what is meant.
    Captured(Arc<Capture>),
}

/// Begins to capture a session, and gives it an id if it has none, or a fresh one with `as_new`.
pub(crate) fn prepare(
    uploader: &Uploader<'_>,
    named: Option<&str>,
    reading: Reading,
    as_new: bool,
) -> Result<Prepared> {
    let (library, tools) = (&uploader.library, environment::tools()?);
    let Chosen { record, found } = resolve(library, &tools, named)?;
    // Behind its lock, a session that two commands meet for the first time gets one id.
    let mut locks: Vec<File> = found.iter().map(|found| library.lock_native(found)).collect::<Result<_>>()?;
    let record = match (&found, record) {
        (Some(found), None) => with_record(&library.records()?, found.clone()).record,
        (_, record) => record,
    };
    let id = match &record {
        Some(record) => record.session_id()?,
        None => SessionId::from_bytes(random()?),
    };
    locks.push(library.lock(id)?);
    held::check(&uploader.home, &id.to_string())?;
    // Looked at again behind the locks: another command may have pushed more meanwhile.
    let record = library.find(id)?.or(record);
    let (found, first) = (found.map(as_long_as_it_is_now), record.is_none());
    let record = match (record, &found) {
        (Some(old), Some(found)) if as_new => Some(renew(library, old, found)?),
        (Some(_), None) if as_new => {
            return Err(CliError::usage("only a session that its tool has here can become a new one")
                .hint("Continue it first: segue resume SESSION --print"));
        }
        (None, Some(found)) => Some(first_record(id, found, None)),
        (record, _) => record,
    };
    let record = record.ok_or_else(|| CliError::not_found("there is no such session").hint("See segue list."))?;
    let capturing = begin(uploader, &tools, &record, found.as_ref(), reading)?;
    Ok(Prepared { record, capturing, first, _locks: locks })
}

fn as_long_as_it_is_now(found: Found) -> Found {
    let len = fs::metadata(&found.path).map_or(found.len, |metadata| metadata.len());
    Found { len, ..found }
}

/// Makes what the tool has another session. The old one stays known, to be deleted or pulled.
fn renew(library: &Library, old: Record, found: &Found) -> Result<Record> {
    let new = first_record(SessionId::from_bytes(random()?), found, Some(&old));
    library.save(&Record { native: None, ..old })?;
    Ok(new)
}

fn begin(
    uploader: &Uploader<'_>,
    tools: &Env,
    record: &Record,
    found: Option<&Found>,
    reading: Reading,
) -> Result<Capturing> {
    let (library, id) = (&uploader.library, record.session_id()?);
    match found {
        Some(found) => {
            let known = |head| library.progress(id, head);
            match reading {
                Reading::Captured(capture) => Ok(capture.into()),
                Reading::WhatIsNew => Capturing::start(tools, found, record.head.as_ref().and_then(known).as_ref()),
                Reading::All => Capturing::start(tools, found, None),
            }
        }
        None if record.has_content() => {
            let card = previous(library, id).map(|(_, envelope)| envelope.envelope.header.card);
            Ok(Capture::from_content(library, record, card.as_ref())?.into())
        }
        None => Err(CliError::not_found("the tool no longer has this session").hint("See segue list.")),
    }
}

/// What is known of a session before it is read.
fn first_record(id: SessionId, found: &Found, like: Option<&Record>) -> Record {
    Record {
        v: 1,
        session_id: id.to_string(),
        header: Header::of(found),
        native: Some(Native {
            id: found.native_id.clone(),
            cwd: found.cwd.clone().unwrap_or_default(),
            path: found.path.clone(),
        }),
        head: None,
        private: like.is_some_and(|like| like.private),
        no_prefix: like.is_some_and(|like| like.no_prefix),
        summary: None,
        claimed: None,
        moved: None,
        provenance: like.and_then(|like| like.provenance.clone()),
        told: None,
    }
}

/// A size for a person.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        _ => format!("{}.{} MiB", bytes >> 20, (bytes >> 10 & 1023) * 10 / 1024),
    }
}
