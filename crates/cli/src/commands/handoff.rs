//! `segue handoff`: hands a session to somebody, as it is now (SPEC T1–T3).

mod recipient;

use segue_api::handoffs::{Handoff, Reservation, Reserve};
use segue_domain::{HandoffId, limits::MESSAGE_CHARS_MAX};
use segue_signed::BundleKind;
use serde_json::json;

use self::recipient::Recipient;
pub(super) use self::recipient::user_key;
use super::{
    list::day,
    push::{Reading, describe, prepare},
};
use crate::{
    args,
    error::{CliError, Exit, Result},
    library::{Head, Record},
    output::Output,
    provenance::{self, References},
    remote::Remote,
    teams::{self, Verified},
    untrusted::Untrusted,
    upload::{Purpose, Uploader, body},
};

/// How often a handoff is sealed again when the recipient's keys change meanwhile.
const SEALS_MAX: u32 = 3;

/// Hands over.
pub(super) fn run(options: &args::Handoff, output: &Output) -> Result<()> {
    check_recipient(options)?;
    if options.message.chars().count() > MESSAGE_CHARS_MAX {
        return Err(CliError::usage(format!("the message is longer than {MESSAGE_CHARS_MAX} characters"))
            .hint("Shorten it, or say it in the session itself."));
    }
    let references = References::read(options.ticket.as_deref(), options.persona.as_deref(), &options.attach)?;
    let uploader = Uploader::open(output)?;
    let mut session = prepare(&uploader, options.session.as_deref(), Reading::All, false)?;
    session.record.private |= options.private;
    if session.record.private && !options.message.is_empty() {
        return Err(CliError::usage("this session is private, and the server could read a message")
            .hint("Leave the message out, or say it in the session itself."));
    }
    session.record.no_prefix |= options.no_prefix;
    provenance::assign(&uploader.home, &mut session.record, session.first)?;
    references.clone().for_session(&session.record)?;
    let pushed = uploader.push(&mut session.record, &mut session.capturing)?;
    provenance::settle(&uploader, &mut session.record)?;
    let references = references.for_session(&session.record)?;
    let (record, capture) = (&session.record, session.capturing.wait()?);
    let head = record.head.as_ref().ok_or_else(|| CliError::new(Exit::Error, "push", "the session was not pushed"))?;

    let mut attempt = 1;
    loop {
        // Each time anew: a team's key may have changed meanwhile.
        let team = options.to_team_id.as_deref().map(|text| team(&uploader, text, output)).transpose()?;
        let reservation = reserve(&uploader.remote, &record.session_id, options, team.as_ref())?;
        let recipient =
            Recipient::find(&uploader.home, &uploader.account, output, &reservation, options, team.as_ref())?;
        let purpose = purpose(&reservation, head, capture.card(record.private), &options.message)?;
        let purpose = Purpose { references: references.clone(), ..purpose };
        let sealed = uploader.seal(record, capture, &pushed.contents, purpose, std::slice::from_ref(&recipient.key))?;
        match uploader.remote.create_handoff(&body(&sealed, &[])) {
            Err(error) if error.code == "stale_key" && attempt < SEALS_MAX => attempt += 1,
            created => {
                let created = created?;
                if created.handoff_id != reservation.handoff_id {
                    return Err(CliError::verification("the server answers with another handoff than was sealed"));
                }
                let link = recipient.keep_link(&uploader.home, &uploader.account, &created.handoff_id)?;
                return report(&created, record, &recipient, link, options, output);
            }
        }
    }
}

/// Somebody must be named. Who names a handoff and nobody most likely means to take it.
fn check_recipient(options: &args::Handoff) -> Result<()> {
    if options.to.is_some() || options.to_user_id.is_some() || options.to_team_id.is_some() {
        return Ok(());
    }
    let handoff = options.session.as_deref().filter(|text| text.parse::<HandoffId>().is_ok());
    Err(handoff.map_or_else(
        || {
            CliError::usage("nobody is named to hand the session to")
                .hint("Add --to EMAIL, --to-user-id USER or --to-team-id TEAM.")
        },
        |id| {
            CliError::usage(format!("{id} is a handoff, and nobody is named to hand it on to"))
                .hint(format!("To take it: segue pull-handoff {id}. To hand it on: segue handoff {id} --to EMAIL."))
        },
    ))
}

fn reserve(remote: &Remote, session_id: &str, options: &args::Handoff, team: Option<&Verified>) -> Result<Reservation> {
    remote.reserve(&Reserve {
        session_id: session_id.to_owned(),
        to_email: options.to.as_ref().map(|email| email.trim().to_owned()),
        to_user_id: options.to_user_id.clone(),
        to_team_id: team.map(|team| team.id.to_string()),
        expires_in_hours: options.expires_hours,
    })
}

fn team(uploader: &Uploader, text: &str, output: &Output) -> Result<Verified> {
    let (home, remote) = (&uploader.home, &uploader.remote);
    teams::read(home, &uploader.account, remote, teams::resolve(home, remote, text)?, output)
}

fn purpose(reservation: &Reservation, head: &Head, card: segue_signed::Card, message: &str) -> Result<Purpose> {
    let not_after = u64::try_from(reservation.not_after)
        .map_err(|_| CliError::verification("the server grants an end before 1970"))?;
    Ok(Purpose {
        kind: BundleKind::Handoff,
        handoff_id: reservation.handoff_id.clone(),
        seq: head.seq,
        parent: Some(head.hash()?),
        card,
        message: message.to_owned(),
        references: References::default(),
        not_after,
    })
}

fn report(
    created: &Handoff,
    record: &Record,
    recipient: &Recipient,
    link: Option<String>,
    options: &args::Handoff,
    output: &Output,
) -> Result<()> {
    let (id, session_id) = (&created.handoff_id, &record.session_id);
    let text = format!(
        "Handed {session_id} to {}.\n{}\nThey have until {}. {}",
        Untrusted(&recipient.name),
        describe(record),
        day(created.expires_at),
        match &link {
            None => format!("Tell them:\n\n  segue pull-handoff {id}"),
            Some(link) => format!(
                "They have not joined yet: the server's mail invites them. Give them this claim link yourself, in a way that the\n\
                 server's owner does not read; with it and their mailbox they can claim (segue pull-handoff asks for it):\n\n  {link}\n\n\
                 Without it: segue handoffs share-key {id}, once they have joined."
            ),
        },
    );
    let mut value = json!({
        "handoff_id": id, "session_id": session_id, "status": created.status, "to": recipient.name,
        "expires_at": created.expires_at, "title": record.header.title,
        "native_id": record.header.native_id, "joined": link.is_none(),
    });
    if let Some(link) = link.filter(|_| options.show_link) {
        value["claim_link"] = link.into();
    }
    output.answer(text, value)
}
