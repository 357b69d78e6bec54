//! `segue pull-handoff`: claims a handoff, fetches, verifies and unpacks it (SPEC T6).
//!
//! Each step can be cut short and repeated: a won claim stays won, and the record is written last.

mod by_link;

use std::{fmt::Write as _, path::Path};

use data_encoding::HEXLOWER;
use segue_api::{
    Bytes,
    bundles::OwnWrap,
    handoffs::{ActiveTicket, Claim, Claimed, Dropped, DroppedBecause, Handoff, InviteProof, Role},
};
use segue_domain::{BundleId, HandoffId, SessionId};
use segue_formats::Header;
use segue_signed::Card;
use serde_json::json;

use super::handoffs::parse_id;
use crate::{
    account::Account,
    active_ticket::{self, Provenance},
    args,
    download::{self, VerifiedHandoff},
    error::{CliError, Exit, Result},
    home::Home,
    library::{ClaimedFrom, Head, Library, Record},
    output::Output,
    remote::{Place, Remote},
    untrusted::Untrusted,
    upload::owner,
};

/// Pulls.
pub(super) fn run(options: &args::PullHandoff, output: &Output) -> Result<()> {
    let named = options.handoff.as_deref().map(parse_id).transpose()?;
    let home = Home::find()?;
    let account = Account::load(&home)?;
    let (library, remote) = (Library::new(&home), Remote::signed_in(&account)?);
    let (id, link) = match named {
        Some(id) => (id, None),
        None => by_link::ask(&remote, output).map(|(id, link)| (id, Some(link)))?,
    };
    let handoff = remote.handoff(id)?;
    if handoff.role == Role::Sender {
        return Err(CliError::not_found("you sent this handoff; only its recipient can claim it")
            .hint("See where it stands: segue handoffs get ID"));
    }
    check_open(&handoff)?;
    let claimed = handoff.status == "claimed";
    let verified = download::verify_handoff(&home, &account, &remote, id, link, output, claimed)?;
    // Whatever keeps this machine from taking the session in must be known before nobody else can have it.
    library.begin()?;
    let (session, given) = claim(&account, &remote, id, &verified)?;
    let _lock = library.lock(session)?;
    let (content, known) = (library.content(session), library.find(session)?);
    let record = match known {
        Some(record) if record.claimed.as_ref().is_none_or(|from| from.handoff_id != id.to_string()) => {
            return Err(CliError::verification(format!("the server names {session}, which is another session here"))
                .hint("Nothing was changed. Tell whoever runs the server."));
        }
        Some(record) if content.is_dir() => record,
        _ => {
            let bundle = BundleId::from_bytes(verified.opened.verified().header().bundle_id);
            let contents = download::fetch(&home, &remote, Place::Held(bundle), &verified.opened, &content, output)?;
            let mut record = record(session, id, &verified, &content).inspect_err(|_| forget(&content))?;
            if let Some(active) = &given.active_ticket {
                active_ticket::put(&home, active, &id.to_string())?;
                record.provenance = Some(provenance_of(active));
                record.told.clone_from(&record.provenance);
            }
            library.save_state(&record, &contents.manifest().encode(), &verified.envelope, None)?;
            record
        }
    };
    say_what_the_card_hid(&verified.opened.verified().header().card, &record.header, output);
    report(&record, &verified, &given, output)
}

/// Whether there is still something to claim, or to continue.
fn check_open(handoff: &Handoff) -> Result<()> {
    let (exit, code, text) = match handoff.status.as_str() {
        "claimed" if handoff.claimed_session_id.is_none() => {
            (Exit::Conflict, "already_claimed", "somebody else of the team has claimed this handoff".to_owned())
        }
        "revoked" => (Exit::Gone, "revoked", "this handoff was revoked by its sender".to_owned()),
        "declined" => (Exit::Conflict, "declined", "this handoff was declined".to_owned()),
        "expired" => (Exit::Gone, "expired", "this handoff has expired".to_owned()),
        _ => return Ok(()),
    };
    let why = handoff.reason.as_deref().map(|reason| format!(": {}", Untrusted(reason))).unwrap_or_default();
    Err(CliError::new(exit, code, text + &why).hint("If you need it, ask its sender to hand it over again."))
}

/// Claims, with the own-wrap that replaces the sender's.
fn claim(
    account: &Account,
    remote: &Remote,
    id: HandoffId,
    verified: &VerifiedHandoff,
) -> Result<(SessionId, Claimed)> {
    let (proof, keys) = (verified.opened.claim_proof().to_vec(), account.keys()?);
    let own: Bytes = verified.opened.own_wrap(owner(account, &keys)).encode().into();
    // Who has a link proves it first: once the wraps have gone, nobody could come again with it.
    let at_once = verified.link.is_none().then(|| own.clone());
    let claimed = remote.claim(id, &Claim { claim_proof: proof.into(), own_wrap: at_once })?;
    let bundle = BundleId::from_bytes(verified.opened.verified().header().bundle_id);
    if claimed.bundle_id != bundle.to_string() {
        return Err(CliError::verification("the server gave another bundle than the one that was verified"));
    }
    if let Some(link) = &verified.link {
        let bundle_id = &verified.opened.verified().header().bundle_id;
        let proof = link.secret.proof(bundle_id, &account.key_card()?.card).to_vec();
        remote.invite_proof(id, &InviteProof { proof: proof.into() })?;
        remote.own_wrap(bundle, &OwnWrap { wrap: own })?;
    }
    check_given(&claimed, verified.opened.verified().header())?;
    let session = claimed.session_id.parse().map_err(|_| {
        CliError::new(Exit::Network, "answer", "the server's answer names no session").hint("See segue doctor.")
    })?;
    Ok((session, claimed))
}

/// The server may give less than the sender signed, and nothing else.
fn check_given(claimed: &Claimed, header: &segue_signed::Header) -> Result<()> {
    let Some(active) = &claimed.active_ticket else { return Ok(()) };
    let signed = |given: &Option<String>, signed: &str| given.as_ref().is_none_or(|given| given == signed);
    if signed(&active.ticket_id, &header.ticket) && signed(&active.persona, &header.persona) {
        return Ok(());
    }
    Err(CliError::verification("the server names another ticket or persona than the sender signed")
        .hint("The handoff is yours. Tell whoever runs the server."))
}

fn provenance_of(active: &ActiveTicket) -> Provenance {
    let (project_id, ticket) = (active.project_id.clone(), active.ticket_id.clone());
    Provenance { project_id, ticket, persona: active.persona.clone() }
}

/// What the handoff refers to, as far as the claimer is given it, and why not the rest.
fn references(given: &Claimed) -> String {
    let mut text = String::new();
    for Dropped { kind, ref_id, reason } in &given.dropped {
        let why = match reason {
            DroppedBecause::NotAccessible => "you are not in its project",
            DroppedBecause::Deleted => "it was deleted",
            DroppedBecause::UnknownKind => "the server knows no such kind",
        };
        let name = format!("{} {}", Untrusted(kind).short(40), Untrusted(ref_id).short(80));
        write!(text, "\nNot given to you: {} ({why})", name.trim_end()).unwrap_or_default();
    }
    if let Some(active) = &given.active_ticket {
        let ticket = active.ticket_id.as_ref().map(|id| match &active.ticket_title {
            Some(title) => format!("ticket {}, {}", Untrusted(id), Untrusted(title).short(80)),
            None => format!("ticket {}", Untrusted(id)),
        });
        let persona = active.persona.as_ref().map(|name| format!("persona {}", Untrusted(name)));
        let what: Vec<_> = ticket.into_iter().chain(persona).collect();
        let project = Untrusted(&active.project_name).short(60);
        write!(text, "\nIt is about {}. So will your next new session of {project} be.", what.join(" and "))
            .unwrap_or_default();
    }
    text
}

fn record(session: SessionId, id: HandoffId, verified: &VerifiedHandoff, content: &Path) -> Result<Record> {
    let envelope = verified.opened.verified();
    let header = envelope.header();
    Ok(Record {
        v: 1,
        session_id: session.to_string(),
        header: download::read_header(content)?,
        native: None,
        head: Some(Head { seq: header.seq, envelope_hash: HEXLOWER.encode(&envelope.hash()) }),
        private: header.card.is_private(),
        no_prefix: false,
        summary: verified.preview()?,
        claimed: Some(ClaimedFrom {
            handoff_id: id.to_string(),
            parent_session_id: header.session_id.clone(),
            sender_email: verified.sender_email.clone(),
            author_id: header.author_id.clone(),
        }),
        moved: None,
        provenance: None,
        told: None,
    })
}

/// What nobody can use does not stay. The error that is under way says more than one about this could.
fn forget(content: &Path) {
    drop(std::fs::remove_dir_all(content));
}

/// The card is the sender's word; where the content says otherwise, so do we.
fn say_what_the_card_hid(card: &Card, header: &Header, output: &Output) {
    if card.is_private() {
        return;
    }
    let title = header.title.as_deref().unwrap_or(&card.title);
    let model = header.model.as_deref().unwrap_or_default();
    for (what, said, is) in [
        ("tool", card.tool.as_str(), header.tool.as_str()),
        ("title", &card.title, title),
        ("model", &card.model, model),
    ] {
        // The card's text may be cut.
        if !is.starts_with(said) || (said.is_empty() != is.is_empty()) {
            output.warn(format!(
                "Warning: the sender announced the {what} as {:?}; in the session it is {:?}.",
                Untrusted(said).short(80),
                Untrusted(is).short(80)
            ));
        }
    }
}

fn report(record: &Record, verified: &VerifiedHandoff, given: &Claimed, output: &Output) -> Result<()> {
    let header = verified.opened.verified().header();
    let title = record.header.title.as_deref().unwrap_or("a session without title");
    let message = match header.message.as_str() {
        "" => String::new(),
        said => format!("\n\n{}", Untrusted(said).paragraphs("  ")),
    };
    let text = format!(
        "Pulled {} from {}: {}\n{} messages, {} tool calls; verified.{message}{}\n\nContinue it: segue resume {} --in {}",
        record.session_id,
        Untrusted(&verified.sender_email),
        Untrusted(title).short(80),
        record.header.counts.user_messages.saturating_add(record.header.counts.assistant_messages),
        record.header.counts.tool_calls,
        references(given),
        record.session_id,
        record.header.tool.as_str(),
    );
    let value = json!({
        "session_id": record.session_id, "handoff_id": header.handoff_id, "parent_session_id": header.session_id,
        "sender": verified.sender_email, "author_id": header.author_id, "tool": record.header.tool.as_str(),
        "native_id": record.header.native_id, "title": record.header.title, "message": header.message,
        "attachments": header.attachments, "dropped": given.dropped, "active_ticket": given.active_ticket,
    });
    output.answer(text, value)
}
