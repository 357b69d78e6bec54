//! `segue handoffs`: looks at handoffs to and from oneself, and answers them.

mod end;
mod log;
mod share_key;
mod talk;
mod watch;

use std::fmt::Write as _;

use segue_api::handoffs::{Handoff, Recipient, Role};
use segue_domain::HandoffId;
use serde_json::{Value, json};

use super::list::day;
use crate::{
    account::Account,
    args::Handoffs,
    download::{self, VerifiedHandoff},
    error::{CliError, Result},
    home::Home,
    logs,
    output::Output,
    remote::Remote,
    untrusted::Untrusted,
};

/// Looks.
pub(super) fn run(options: Handoffs, output: &Output) -> Result<()> {
    let home = Home::find()?;
    let remote = Remote::caller(&home)?;
    match options {
        Handoffs::Inbox(page) => list(&remote, "inbox", page.cursor.as_deref(), output),
        Handoffs::Sent(page) => list(&remote, "sent", page.cursor.as_deref(), output),
        Handoffs::Get(one) => get(&home, &remote, parse_id(&one.handoff)?, output),
        Handoffs::Summary(one) => summary(&home, &account(&home, &remote)?, &remote, parse_id(&one.handoff)?, output),
        Handoffs::Watch { after } => watch::run(&remote, after, output),
        Handoffs::Revoke { handoff, reason } => end::revoke(&remote, parse_id(&handoff)?, &reason, output),
        Handoffs::Decline { handoff, reason } => end::decline(&remote, parse_id(&handoff)?, reason.as_deref(), output),
        Handoffs::Comment { handoff, body } => talk::write(&remote, parse_id(&handoff)?, &body, output),
        Handoffs::Comments(one) => talk::read(&remote, parse_id(&one.handoff)?, output),
        Handoffs::ShareKey(one) => {
            share_key::run(&home, &account(&home, &remote)?, &remote, parse_id(&one.handoff)?, output)
        }
        Handoffs::Events(one) => log::run(&home, &remote, parse_id(&one.handoff)?, output),
    }
}

fn list(remote: &Remote, which: &str, cursor: Option<&str>, output: &Output) -> Result<()> {
    let page = remote.handoffs(which, cursor)?;
    let value = json!({"handoffs": page.handoffs.iter().map(to_json).collect::<Vec<_>>(), "next": page.next});
    let mut text = String::new();
    for handoff in &page.handoffs {
        let (preposition, other) = if which == "inbox" {
            ("from", handoff.sender.email.as_str())
        } else {
            ("to", name_of(&handoff.recipient))
        };
        let line = format!(
            "{}  {}  {:8}  {preposition} {}  {}",
            Untrusted(&handoff.handoff_id),
            day(handoff.created_at),
            Untrusted(&handoff.status),
            Untrusted(other).short(40),
            Untrusted(&handoff.card.title).short(48),
        );
        // Writing to a String cannot fail.
        writeln!(text, "{}", line.trim_end()).unwrap_or_default();
    }
    if let Some(next) = &page.next {
        writeln!(text, "More: segue handoffs {which} --cursor {}", Untrusted(next)).unwrap_or_default();
    }
    let empty = if which == "inbox" { "No handoffs to you." } else { "No handoffs from you." };
    output.answer(if text.is_empty() { empty } else { text.trim_end() }, value)
}

/// The account whose keys open sealed content; a token has none.
fn account(home: &Home, remote: &Remote) -> Result<Account> {
    if !remote.is_by_token() {
        return Account::load(home);
    }
    Err(CliError::usage("a token opens nothing that is sealed").hint("Unset SEGUE_TOKEN, on a device that has joined."))
}

fn get(home: &Home, remote: &Remote, id: HandoffId, output: &Output) -> Result<()> {
    let handoff = remote.handoff(id)?;
    if let Some(head) = &handoff.log_head {
        logs::check(home, remote, id, head)?;
    }
    if !remote.is_by_token() {
        share_key::check_proof(home, remote, &handoff, output)?;
    }
    let mut value = to_json(&handoff);
    let mut text = describe(&handoff);
    if handoff.awaits_key {
        text.push_str(&awaits_key(&handoff));
    } else if handoff.status == "pending" && handoff.role != Role::Sender && !remote.is_by_token() {
        // The card is the server's copy of what the sender signed: shown as true only after it was verified.
        let verified = download::verify_handoff(home, &account(home, remote)?, remote, id, None, output, false)?;
        check_signed(&handoff, &verified)?;
        if let Some(summary) = verified.preview()? {
            value["summary"] = summary.clone();
            text.push_str(&super::show::summarise(&summary));
        }
        write!(text, "\n\nTake it with: segue pull-handoff {id}").unwrap_or_default();
    }
    output.answer(text, value)
}

/// What is missing before somebody who joined later can open it.
fn awaits_key(handoff: &Handoff) -> String {
    let sender = Untrusted(&handoff.sender.name).short(60);
    let (id, link) = (&handoff.handoff_id, "the claim link");
    if handoff.role == Role::Sender {
        format!("\n\nThey need {link}. Or, once they have joined: segue handoffs share-key {}", Untrusted(id))
    } else {
        format!(
            "\n\nWaiting for {sender}'s device. Or ask {sender} for {link}: segue pull-handoff {} asks for it.",
            Untrusted(id)
        )
    }
}

/// The sealed summary, which its sender's client wrote: also before the claim (SPEC T20).
fn summary(home: &Home, account: &Account, remote: &Remote, id: HandoffId, output: &Output) -> Result<()> {
    let over = remote.handoff(id)?.status != "pending";
    let verified = download::verify_handoff(home, account, remote, id, None, output, over)?;
    let summary = verified.preview()?.ok_or_else(|| {
        CliError::not_found("this handoff has no summary").hint("Its sender's client wrote none, or it has ended.")
    })?;
    let text = super::show::summarise(&summary);
    let text = if text.is_empty() { "Nothing but conversation." } else { text.trim_start() };
    output.answer(text, json!({"handoff_id": id.to_string(), "summary": summary}))
}

/// The server may not put other words into the sender's mouth than those they signed.
fn check_signed(handoff: &Handoff, verified: &VerifiedHandoff) -> Result<()> {
    let header = verified.opened.verified().header();
    let (shown, signed) = (&handoff.card, &header.card);
    let same_card = shown.tool == signed.tool
        && shown.model == signed.model
        && shown.title == signed.title
        && shown.git_remote == signed.git_remote
        && shown.git_branch == signed.git_branch
        && (shown.user_messages, shown.assistant_messages, shown.tool_calls)
            == (signed.user_messages, signed.assistant_messages, signed.tool_calls);
    let same_sender =
        handoff.sender.user_id == header.sender_id && handoff.sender.email.eq_ignore_ascii_case(&verified.sender_email);
    let same_references = handoff.ticket.as_deref().unwrap_or_default() == header.ticket
        && handoff.persona.as_deref().unwrap_or_default() == header.persona
        && handoff.attachments == header.attachments;
    if same_card && same_sender && same_references && handoff.message == header.message {
        return Ok(());
    }
    Err(CliError::verification("the server shows another card, message or sender than was signed")
        .hint("Do not believe it. Tell whoever runs the server."))
}

/// Reads a handoff's id, alone or in the address of its page. A claim link is not repeated: it is a secret.
pub(super) fn parse_id(text: &str) -> Result<HandoffId> {
    if text.contains('#') {
        return Err(CliError::usage("a claim link is no argument: other users of this machine could read it")
            .hint("Run segue pull-handoff alone and paste it when it asks, pipe it in, or set SEGUE_CLAIM_LINK."));
    }
    let address = text.trim().rsplit_once("/i/").filter(|(server, _)| server.starts_with("http"));
    address.map_or(text.trim(), |(_, id)| id).parse().map_err(|_| {
        CliError::not_found(format!("{} is not a handoff", Untrusted(text)))
            .hint("A handoff's id looks like hnd_0123…; see segue handoffs inbox.")
    })
}

fn describe(handoff: &Handoff) -> String {
    let card = &handoff.card;
    let mut text = format!(
        "{}  {}\nfrom      {} <{}>\nto        {}\ncreated   {}\nends      {}",
        Untrusted(&handoff.handoff_id),
        Untrusted(&handoff.status),
        Untrusted(&handoff.sender.name),
        Untrusted(&handoff.sender.email),
        described(&handoff.recipient),
        day(handoff.created_at),
        day(handoff.expires_at),
    );
    let counts = format!(
        "{} messages, {} tool calls",
        card.user_messages.saturating_add(card.assistant_messages),
        card.tool_calls
    );
    let facts = [
        ("title", &card.title),
        ("tool", &card.tool),
        ("model", &card.model),
        ("git", &card.git_remote),
        ("branch", &card.git_branch),
        ("size", &counts),
    ];
    for (name, fact) in facts {
        if !card.tool.is_empty() && !fact.is_empty() {
            write!(text, "\n{name:8}  {}", Untrusted(fact)).unwrap_or_default();
        }
    }
    if let Some(claimer) = &handoff.claimed_by {
        write!(text, "\nclaimed   by {} <{}>", Untrusted(&claimer.name), Untrusted(&claimer.email)).unwrap_or_default();
    }
    if let Some(reason) = &handoff.reason {
        write!(text, "\nreason    {}", Untrusted(reason)).unwrap_or_default();
    }
    let referred = [("ticket", &handoff.ticket), ("persona", &handoff.persona)];
    let referred = referred.into_iter().filter_map(|(name, reference)| Some((name, reference.as_ref()?)));
    for (name, reference) in referred.chain(handoff.attachments.iter().map(|reference| ("with", reference))) {
        write!(text, "\n{name:8}  {}", Untrusted(reference).short(120)).unwrap_or_default();
    }
    if card.tool.is_empty() {
        text.push_str("\nprivate   its sender tells the server nothing about it");
    }
    if !handoff.message.is_empty() {
        write!(text, "\n\n{}", Untrusted(&handoff.message).paragraphs("  ")).unwrap_or_default();
    }
    text
}

/// An address, or a team's name.
pub(super) fn name_of(recipient: &Recipient) -> &str {
    match recipient {
        Recipient::User(party) => &party.email,
        Recipient::Team { name, .. } => name,
        Recipient::Address { email } => email,
    }
}

fn described(recipient: &Recipient) -> String {
    match recipient {
        Recipient::User(party) => format!("{} <{}>", Untrusted(&party.name), Untrusted(&party.email)),
        Recipient::Team { team_id, name } => format!("the team {} ({})", Untrusted(name), Untrusted(team_id)),
        // Who has joined meanwhile and waits for the key reads this too.
        Recipient::Address { email } => format!("{}, who had not joined when it was sent", Untrusted(email)),
    }
}

fn to_json(handoff: &Handoff) -> Value {
    // The API's own shape; serialising it cannot fail.
    serde_json::to_value(handoff).unwrap_or_default()
}
