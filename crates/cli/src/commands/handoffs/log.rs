//! `segue handoffs events`: what happened to a handoff, verified against what was seen before.

use std::fmt::Write as _;

use segue_api::handoffs::Event;
use segue_domain::HandoffId;
use serde_json::{Value, json};

use crate::{
    commands::list::day, error::Result, home::Home, logs, output::Output, remote::Remote, untrusted::Untrusted,
};

pub(super) fn run(home: &Home, remote: &Remote, id: HandoffId, output: &Output) -> Result<()> {
    let events = logs::read(home, remote, id)?;
    let mut text = String::new();
    for event in &events {
        let who = event.actor_name.as_deref().unwrap_or(&event.actor);
        let line = format!(
            "{:4}  {}  {:18}  {}  {}",
            event.seq,
            day(event.at),
            Untrusted(&event.kind).short(18),
            Untrusted(who).short(40),
            more(event),
        );
        writeln!(text, "{}", line.trim_end()).unwrap_or_default();
    }
    let value = json!({"handoff_id": id.to_string(), "events": events, "verified": true});
    output.answer(format!("{text}The log holds together: {} events.", events.len()), value)
}

/// What the payload adds, as `name: value`.
fn more(event: &Event) -> String {
    let Ok(Value::Object(payload)) = serde_json::from_str(&event.payload) else { return String::new() };
    let part = |(name, value): (&String, &Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{}: {}", Untrusted(name).short(30), Untrusted(&value).short(80))
    };
    payload.iter().map(part).collect::<Vec<_>>().join(", ")
}
