//! What an operator does with a server's data: check, backup, restore, and mails.

use std::{io::Write as _, process::ExitCode};

use anyhow::Context as _;
use segue_domain::{Clock as _, Timestamp};

use crate::{
    app::SystemClock,
    backup,
    check::{self, Depth, Finding},
    config::{Command, Config, MailCommand},
    packs::Packs,
    start,
    store::{Db, outbox},
};

/// Mails that `mail list` shows: what is beyond needs another tool than eyes.
const MAILS_LISTED_MAX: i64 = 1_000;

/// Does what was asked for. Fails with exit code 1 when a check finds something.
pub async fn run(config: &Config, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check { read_data, repair } => {
            let depth = Depth { read_data: *read_data, repair: *repair, now: SystemClock::system_time() };
            checked(config, depth).await
        }
        Command::Backup { folder } => {
            let (db, packs) = look_at(config).await?;
            let manifest = backup::backup(&db, &packs, folder).await?;
            say(config, &format!("Backed up {} packs, {} bytes.", manifest.packs, manifest.bytes), &manifest)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Restore { folder } => {
            let _lock = start::lock(&config.data)?;
            let database = config.database.as_ref().map(|url| url.0.as_str());
            let manifest = backup::restore(folder, &config.data, database).await?;
            say(config, &format!("Restored {} packs, {} bytes.", manifest.packs, manifest.bytes), &manifest)?;
            checked(config, Depth { read_data: false, repair: false, now: SystemClock::system_time() }).await
        }
        Command::Mail(MailCommand::List) => list_mails(config).await,
        Command::Mail(MailCommand::Retry { id }) => retry_mail(config, id).await,
    }
}

async fn list_mails(config: &Config) -> anyhow::Result<ExitCode> {
    let (db, _) = look_at(config).await?;
    for mail in outbox::list(&mut db.read().await?, MAILS_LISTED_MAX).await? {
        let (state, failure) = (mail.state(), mail.failure.as_deref().unwrap_or("-"));
        let text = format!(
            "{state}  {}  {}  to {}  {} attempts  {failure}",
            mail.id, mail.kind, mail.recipient, mail.attempts
        );
        let value = serde_json::json!({
            "id": mail.id, "kind": mail.kind, "state": state, "recipient": mail.recipient, "attempts": mail.attempts,
            "next_attempt_at": Timestamp::from(mail.run_at).as_millis(), "failure": mail.failure,
        });
        say(config, &text, &value)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn retry_mail(config: &Config, id: &str) -> anyhow::Result<ExitCode> {
    let db = if let Some(url) = &config.database {
        Db::look_at_postgres(&url.0).await.context("cannot open the PostgreSQL database")?
    } else {
        let file = config.data.join("segue.db");
        anyhow::ensure!(file.is_file(), "there is no database {}", file.display());
        Db::open_sqlite(&file).await.with_context(|| format!("cannot open the database {}", file.display()))?
    };
    let mut tx = db.begin().await?;
    let known = outbox::retry(&mut tx, id, SystemClock.now()).await?;
    tx.commit().await?;
    db.close().await;
    anyhow::ensure!(known, "there is no such mail: segue-server mail list");
    say(config, "It is tried again within seconds, while the server runs.", &serde_json::json!({"retried": id}))?;
    Ok(ExitCode::SUCCESS)
}

async fn look_at(config: &Config) -> anyhow::Result<(Db, Packs)> {
    let db = if let Some(url) = &config.database {
        Db::look_at_postgres(&url.0).await.context("cannot open the PostgreSQL database")?
    } else {
        let file = config.data.join("segue.db");
        Db::look_at_sqlite(&file).await.with_context(|| format!("cannot open the database {}", file.display()))?
    };
    Ok((db, Packs::look_at(&config.data.join("packs"))))
}

async fn checked(config: &Config, depth: Depth) -> anyhow::Result<ExitCode> {
    let (db, packs) = look_at(config).await?;
    let findings = check::check(&db, &packs, depth).await?;
    for finding in &findings {
        let Finding { about, id, what, advice } = finding;
        say(config, &format!("{about} {id}: {what}. {advice}"), finding)?;
    }
    if findings.is_empty() && !config.json {
        say(config, "Everything agrees.", &())?;
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn say(config: &Config, text: &str, json: &impl serde::Serialize) -> anyhow::Result<()> {
    let json = if config.json { Some(serde_json::to_string(json)?) } else { None };
    writeln!(std::io::stdout().lock(), "{}", json.as_deref().unwrap_or(text)).context("cannot write to standard output")
}
