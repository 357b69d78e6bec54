//! `segue-bench existence`: whether the time of an answer tells a stranger that something exists.

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use segue_e2e::{
    person::Person,
    story::{BEN, id},
};
use tempfile::TempDir;

use crate::generate;
use crate::http::{Connection, get};
use crate::measure::timed;
use crate::report::{machine, per_mille, table};
use crate::stage::{Stage, Way, native_id, port_of, token};

/// How often.
#[derive(Args)]
pub(crate) struct Options {
    /// Requests for each id
    #[arg(long, default_value_t = 5_000)]
    requests: usize,
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = TempDir::new()?;
    let stage = Stage::begin(root.path(), false, Way::Direct)?;
    let session = generate::create(&stage.ann.home().join(".claude"), &stage.ann.work(), 100_000, 1)?;
    let pushed = stage.ann.json(&["push", native_id(&session)?])?;
    let handoff = stage.ann.json(&["handoff", native_id(&session)?, "--to", BEN])?;
    let invite = stage.ann.json(&["invite", "cy@example.com", "--vouch"])?;
    let cy = Person::new(&root.path().join("cy"))?;
    cy.json(&["join", &id(&invite, "link")?])?;
    let (cy, mut connection) = (token(&cy)?, Connection::open(port_of(stage.server.url())?)?);
    let mut rows = Vec::new();
    for (what, path, foreign) in [
        ("handoff", "/api/v1/handoffs/", id(&handoff, "handoff_id")?),
        ("session", "/api/v1/sessions/", id(&pushed, "session_id")?),
    ] {
        let random = another(&foreign)?;
        // Two random ids beside the foreign one: how far those two are apart is what chance does.
        let asked = [("foreign", foreign), ("random", random.clone()), ("another random", another(&random)?)];
        let requests = asked.map(|(name, id)| (name, get(&format!("{path}{id}"), Some(&cy))));
        let mut figures = [const { Vec::new() }; 3];
        for round in 0..options.requests {
            for turn in 0..requests.len() {
                let place = (round + turn) % requests.len();
                let ((status, _), wall) = timed(|| connection.ask(&requests[place].1))?;
                ensure!(status.starts_with("HTTP/1.1 404"), "a stranger was answered {status}");
                figures[place].push(wall.as_secs_f64() * 1_000_000.0);
            }
        }
        for ((name, _), figures) in requests.iter().zip(&figures) {
            let at = |part| format!("{:.1}", per_mille(figures, part));
            rows.push(vec![what.to_owned(), (*name).to_owned(), at(100), at(500), at(900)]);
        }
    }
    println!("{}\n\n{} requests for each id, in turn, on one connection.\n", machine(), options.requests);
    println!("{}", table(&["of a", "id", "p10, µs", "p50, µs", "p90, µs"], &rows));
    Ok(())
}

/// An id of the same form, of which there is nothing.
fn another(id: &str) -> Result<String> {
    let (rest, last) = id.split_at_checked(id.len().saturating_sub(8)).context("an id is longer")?;
    let turned = last.bytes().map(|byte| if byte == b'7' { 'k' } else { '7' });
    let other = format!("{rest}{}", turned.collect::<String>());
    ensure!(other != id, "an id turned is another");
    Ok(other)
}
