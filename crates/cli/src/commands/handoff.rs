//! `segue handoff`: hands a session to somebody, as it is now (SPEC T1–T3).

use segue_api::handoffs::{Handoff, RecipientKey as Listed, Reservation, Reserve, ReservedFor};
use segue_crypto::RecipientKey;
use segue_domain::{HandoffId, limits::MESSAGE_CHARS_MAX};
use segue_signed::{BundleKind, SignedKeyCard, WrapKind};
use serde_json::json;

use super::{
    list::day,
    push::{Reading, describe, prepare},
};
use crate::{
    account::Account,
    args, contacts,
    error::{CliError, Exit, Result},
    home::Home,
    library::{Head, Record},
    output::Output,
    remote::Remote,
    teams::{self, Verified},
    untrusted::Untrusted,
    upload::{Purpose, Uploader, body},
};

/// How often a handoff is sealed again when the recipient's keys change meanwhile.
const SEALS_MAX: u32 = 3;

/// Hands over.
pub(super) fn run(options: &args::Handoff, output: &Output) -> Result<()> {
    if options.message.chars().count() > MESSAGE_CHARS_MAX {
        return Err(CliError::usage(format!("the message is longer than {MESSAGE_CHARS_MAX} characters"))
            .hint("Shorten it, or say it in the session itself."));
    }
    let uploader = Uploader::open(output)?;
    let mut session = prepare(&uploader, options.session.as_deref(), Reading::All, false)?;
    session.record.private |= options.private;
    if session.record.private && !options.message.is_empty() {
        return Err(CliError::usage("this session is private, and the server could read a message")
            .hint("Leave the message out, or say it in the session itself."));
    }
    session.record.no_prefix |= options.no_prefix;
    let pushed = uploader.push(&mut session.record, &mut session.capturing)?;
    let (record, capture) = (&session.record, session.capturing.wait()?);
    let head = record.head.as_ref().ok_or_else(|| CliError::new(Exit::Error, "push", "the session was not pushed"))?;

    let mut attempt = 1;
    loop {
        // Each time anew: a team's key may have changed meanwhile.
        let team = options.to_team_id.as_deref().map(|text| team(&uploader, text, output)).transpose()?;
        let reservation = reserve(&uploader.remote, &record.session_id, options, team.as_ref())?;
        let (key, name) = if let Some(team) = &team {
            (for_team(&reservation, team)?, team.said.name.as_str())
        } else {
            let recipient = listed(&reservation, options)?;
            (recipient_key(&uploader.home, &uploader.account, output, recipient)?, recipient.email.as_str())
        };
        let purpose = purpose(&reservation, head, capture.card(record.private), &options.message)?;
        let sealed = uploader.seal(record, capture, &pushed.contents, purpose, &[key])?;
        match uploader.remote.create_handoff(&body(&sealed, &[])) {
            Err(error) if error.code == "stale_key" && attempt < SEALS_MAX => attempt += 1,
            created => return report(&created?, &reservation, record, name, output),
        }
    }
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

/// The key of the team's newest roster, when the server means the same team.
fn for_team(reservation: &Reservation, team: &Verified) -> Result<RecipientKey> {
    check_id(reservation)?;
    match &reservation.recipient {
        ReservedFor::Team { team_id } if *team_id == team.id.to_string() => Ok(team.recipient()),
        _ => Err(CliError::verification("the server names another recipient than the team")
            .hint("Nothing was handed over. Tell whoever runs the server.")),
    }
}

fn check_id(reservation: &Reservation) -> Result<()> {
    let named = reservation.handoff_id.parse::<HandoffId>();
    named.map(drop).map_err(|_| CliError::verification("the server names no handoff"))
}

/// The one recipient, who must be the one that was asked for.
fn listed<'a>(reservation: &'a Reservation, options: &args::Handoff) -> Result<&'a Listed> {
    check_id(reservation)?;
    let ReservedFor::User(recipient) = &reservation.recipient else {
        return Err(CliError::new(
            Exit::NotFound,
            "recipient_not_joined",
            "nobody with this verified address has joined",
        )
        .hint("Invite them first: segue invite EMAIL."));
    };
    let same_email = options.to.as_ref().is_none_or(|email| email.trim().eq_ignore_ascii_case(&recipient.email));
    let same_user = options.to_user_id.as_ref().is_none_or(|user| *user == recipient.user_id);
    if same_email && same_user {
        return Ok(recipient);
    }
    Err(CliError::verification(format!("the server names {} as the recipient", Untrusted(&recipient.email)))
        .hint("Nothing was handed over. Tell whoever runs the server."))
}

fn recipient_key(home: &Home, account: &Account, output: &Output, recipient: &Listed) -> Result<RecipientKey> {
    let signed = SignedKeyCard::parse(&recipient.key_card.0)
        .map_err(|error| CliError::verification(format!("the recipient's key card is not one: {error}")))?;
    let acquaintance = contacts::check(home, &recipient.email, &signed)?;
    if signed.card.user_id != recipient.user_id {
        return Err(CliError::verification("the recipient's key card belongs to another account"));
    }
    // One's own keys need no first contact: they are here.
    if recipient.user_id == account.user_id && signed.card.identity_key != account.keys()?.identity.public() {
        return Err(CliError::verification("the server gives another identity key as your own")
            .hint("Nothing was handed over. Tell whoever runs the server."));
    }
    acquaintance.pin(home, output)?;
    Ok(RecipientKey {
        kind: WrapKind::User,
        id: signed.card.user_id,
        public_key: signed.card.encryption_key,
        epoch: signed.card.epoch,
    })
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
        not_after,
    })
}

fn report(created: &Handoff, reservation: &Reservation, record: &Record, to: &str, output: &Output) -> Result<()> {
    let (id, session_id) = (&reservation.handoff_id, &record.session_id);
    if created.handoff_id != *id {
        return Err(CliError::verification("the server answers with another handoff than the one that was sealed"));
    }
    let text = format!(
        "Handed {session_id} to {}.\n{}\nThey have until {}. Tell them:\n\n  segue pull-handoff {id}",
        Untrusted(to),
        describe(record),
        day(created.expires_at),
    );
    let value = json!({
        "handoff_id": id, "session_id": session_id, "status": created.status, "to": to,
        "expires_at": created.expires_at, "title": record.header.title,
        "native_id": record.header.native_id,
    });
    output.answer(text, value)
}
