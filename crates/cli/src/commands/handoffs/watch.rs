//! `segue handoffs watch`: one line for each of one's news, until it is interrupted.

use segue_api::{devices, handoffs::Handoff, news::News};
use serde_json::json;

use super::{name_of, to_json};
use crate::{
    commands::list::day,
    error::Result,
    output::Output,
    remote::{Heard, Remote},
    untrusted::Untrusted,
};

/// Waits and prints.
pub(super) fn run(remote: &Remote, after: Option<i64>, output: &Output) -> Result<()> {
    let mut live = remote.live(after);
    loop {
        match live.hear()? {
            Heard::Begin(seq) => {
                output.notice(format!("Waiting for news after number {seq}. End with Ctrl-C."));
                if output.is_json() {
                    output.answer("", json!({"seq": seq, "kind": "begin"}))?;
                }
            }
            Heard::Reset(seq) => {
                let text = "Some news are not kept any more: see segue handoffs inbox and sent.";
                output.answer(format!("{seq}  {text}"), json!({"seq": seq, "kind": "reset"}))?;
            }
            Heard::News(seq, news) => tell(remote, seq, &news, output)?,
        }
    }
}

fn tell(remote: &Remote, seq: i64, news: &News, output: &Output) -> Result<()> {
    if let Some(device) = &news.device_id {
        let value = json!({
            "seq": seq, "kind": news.kind, "device_id": device, "event_seq": news.event_seq, "at": news.at,
        });
        return output
            .answer(format!("{seq}  {}  {}  {}", day(news.at), Untrusted(device), of_device(&news.kind)), value);
    }
    let found = find(remote, news);
    let value = json!({
        "seq": seq,
        "kind": news.kind,
        "handoff_id": news.handoff_id,
        "event_seq": news.event_seq,
        "at": news.at,
        "handoff": found.as_ref().map(|(handoff, _)| to_json(handoff)),
    });
    let said = found.map_or_else(|| Untrusted(&news.kind).short(40), |(handoff, mine)| sentence(news, &handoff, mine));
    output.answer(format!("{seq}  {}  {}  {said}", day(news.at), Untrusted(&news.handoff_id)), value)
}

/// What happened to a device of one's account.
fn of_device(kind: &str) -> String {
    match kind {
        devices::ADDED => "A device was added to your account. See: segue devices".to_owned(),
        devices::RECOVERED => {
            "A device was added to your account with the recovery code. See: segue devices".to_owned()
        }
        devices::REMOVED => "A device was removed from your account; your keys are new".to_owned(),
        devices::CODE_MADE => "This device made a new recovery code".to_owned(),
        kind => Untrusted(kind).short(40),
    }
}

/// The handoff, and whether one gave it. From the lists: to get it alone would tell its sender that it was looked at.
fn find(remote: &Remote, news: &News) -> Option<(Handoff, bool)> {
    let boxes = [("inbox", false), ("sent", true)];
    boxes.into_iter().find_map(|(which, mine)| {
        // Without it the line says less; that the server is away is found out by the stream.
        let page = remote.handoffs(which, None).ok()?;
        let handoff = page.handoffs.into_iter().find(|handoff| handoff.handoff_id == news.handoff_id)?;
        Some((handoff, mine))
    })
}

fn sentence(news: &News, handoff: &Handoff, mine: bool) -> String {
    let title = if handoff.card.title.is_empty() { "a session" } else { &handoff.card.title };
    let title = Untrusted(title).short(60);
    let sender = person(&handoff.sender.name, &handoff.sender.email);
    let id = Untrusted(&handoff.handoff_id);
    match news.kind.as_str() {
        "created" if mine => format!("You handed {title} to {}", Untrusted(name_of(&handoff.recipient)).short(60)),
        "created" => format!("{sender} hands you {title}. See: segue handoffs get {id}"),
        "claimed" => match &handoff.claimed_by {
            Some(claimer) => format!("{} claimed {title}", person(&claimer.name, &claimer.email)),
            None => format!("Claimed: {title}"),
        },
        "viewed" => format!("Looked at: {title}"),
        "revoked" => format!("{sender} took back {title}"),
        "declined" => format!("Declined: {title}"),
        "member_declined" => format!("One of the team declined {title}"),
        "expired" => format!("Expired: {title}"),
        "commented" => format!("A comment on {title}. Read: segue handoffs comments {id}"),
        "key_wrapped" => format!("{sender} locked the key of {title} for who joined"),
        kind => format!("{}: {title}", Untrusted(kind).short(40)),
    }
}

fn person(name: &str, email: &str) -> String {
    format!("{} <{}>", Untrusted(name).short(60), Untrusted(email).short(80))
}
