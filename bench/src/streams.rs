//! `segue-bench streams`: what idle live connections cost the server in memory.

use anyhow::{Context as _, Result};
use clap::Args;
use segue_e2e::{person::Person, story::id};
use tempfile::TempDir;

use crate::http::Connection;
use crate::measure::resident_kb;
use crate::report::{machine, table};
use crate::stage::{Stage, Way, port_of, token};

/// Streams of one account, as many as the server lets it have.
const OF_ACCOUNT: u64 = 16;

/// How many.
#[derive(Args)]
pub(crate) struct Options {
    /// Connections that wait for news
    #[arg(long, default_value_t = 2_000)]
    streams: u64,
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = TempDir::new()?;
    // The connections come from one address, and say that they come from one for each account.
    let proxies = vec![("SEGUE_TRUSTED_PROXIES".into(), "127.0.0.1".into())];
    let stage = Stage::begin_with(root.path(), false, Way::Direct, proxies)?;
    let accounts = (0..options.streams.div_ceil(OF_ACCOUNT)).map(|number| {
        let invite = stage.ann.json(&["invite", &format!("p{number}@example.com"), "--vouch"])?;
        let person = Person::new(&root.path().join(format!("p{number}")))?;
        person.json(&["join", &id(&invite, "link")?])?;
        token(&person)
    });
    let tokens = accounts.collect::<Result<Vec<_>>>()?;
    let memory = || resident_kb(stage.server.id()).context("the server is gone");
    let (port, mut all) = (port_of(stage.server.url())?, Vec::new());
    let mut rows = vec![vec!["0".to_owned(), memory()?.to_string(), String::new()]];
    let before = memory()?;
    for number in 0..options.streams {
        let account = number / OF_ACCOUNT;
        let token = tokens.get(usize::try_from(account)?).context("an account for each stream")?;
        let request = format!(
            "GET /api/v1/news HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\
             X-Forwarded-For: 10.0.{}.{}\r\n\r\n",
            account / 256,
            account % 256
        );
        let mut stream = Connection::open(port)?;
        stream.begin(request.as_bytes(), "event: begin")?;
        all.push(stream);
        let open = number + 1;
        if open % 500 == 0 || open == options.streams {
            let now = memory()?;
            let each = now.saturating_sub(before) / open;
            rows.push(vec![open.to_string(), now.to_string(), each.to_string()]);
        }
    }
    println!("{}\n\nPlain HTTP, SQLite; {OF_ACCOUNT} connections of each account.\n", machine());
    println!("{}", table(&["live connections", "resident, KiB", "for each, KiB"], &rows));
    Ok(())
}
