//! `segue contacts`: the people whose keys are known here.

use segue_crypto::fingerprint::fingerprint;
use serde_json::{Value, json};

use crate::{
    commands::list::day,
    contacts::{Book, Pin},
    error::Result,
    home::Home,
    output::Output,
    untrusted::Untrusted,
};

/// Lists them.
pub(super) fn run(output: &Output) -> Result<()> {
    let book = Book::load(&Home::find()?)?;
    let lines: Vec<_> = book.contacts.iter().map(|(email, pin)| line(email, pin)).collect();
    let value = json!({"contacts": book.contacts.iter().map(|(email, pin)| to_json(email, pin)).collect::<Vec<_>>()});
    let empty = "Nobody is known here yet.".to_owned();
    output.answer(if lines.is_empty() { empty } else { lines.join("\n") }, value)
}

fn shown(pin: &Pin) -> String {
    pin.key().map(|key| fingerprint(&pin.user_id, &key)).unwrap_or_default()
}

fn line(email: &str, pin: &Pin) -> String {
    let seen = pin.first_seen.map(|at| format!("met {}", day(at))).unwrap_or_default();
    let who = Untrusted(email);
    let state = match (&pin.changed, &pin.verified) {
        (Some(changed), _) => {
            let how =
                if changed.signed_by_known { "which the known one signed" } else { "which the known one did not sign" };
            format!("shows another key now, {how}: {}; segue verify {who}", Untrusted(&changed.fingerprint))
        }
        (None, Some(verified)) => format!("verified {}", day(verified.at)),
        (None, None) => format!("not verified: segue verify {who}"),
    };
    format!("{who}  {}  {seen}  {state}", shown(pin))
}

fn to_json(email: &str, pin: &Pin) -> Value {
    json!({
        "email": email, "user_id": pin.user_id, "fingerprint": shown(pin), "first_seen": pin.first_seen,
        "verified_at": pin.verified.as_ref().map(|verified| verified.at),
        "verified_by": pin.verified.as_ref().map(|verified| &verified.by_device),
        "changed": pin.changed.as_ref().map(|changed| json!({
            "fingerprint": changed.fingerprint, "signed_by_known": changed.signed_by_known, "seen_at": changed.seen_at,
        })),
    })
}
