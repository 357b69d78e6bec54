//! What an operator does with a server's data: check, backup, restore, migrate, people and their plans, and mails.

use std::{io::Write as _, process::ExitCode};

use anyhow::Context as _;
use segue_domain::{Clock as _, Timestamp};
use serde_json::json;

use crate::{
    accounts,
    app::SystemClock,
    backup,
    check::{self, Depth, Finding},
    config::{Command, Config, MailCommand, sources::Loaded},
    packs::Packs,
    start,
    store::{
        Db,
        migrations::{self, Migration},
        outbox,
    },
};

/// Mails that `mail list` shows: what is beyond needs another tool than eyes.
const MAILS_LISTED_MAX: i64 = 1_000;

/// Does what was asked for. Fails with exit code 1 when a check finds something.
pub async fn run(loaded: &Loaded, command: &Command) -> anyhow::Result<ExitCode> {
    let config = &loaded.config;
    match command {
        Command::Check { read_data, repair } => {
            let depth = Depth { read_data: *read_data, repair: *repair, now: SystemClock::system_time() };
            return checked(config, depth).await;
        }
        Command::Backup { folder } => {
            let (db, packs) = look_at(config).await?;
            let manifest = backup::backup(&db, &packs, folder).await?;
            say(config, &format!("Backed up {} packs, {} bytes.", manifest.packs, manifest.bytes), &manifest)?;
        }
        Command::Restore { folder } => {
            let _lock = start::lock(&config.data, start::Users::One)?;
            let database = config.database.as_ref().map(|url| url.0.as_str());
            let manifest = backup::restore(folder, &config.data, database).await?;
            say(config, &format!("Restored {} packs, {} bytes.", manifest.packs, manifest.bytes), &manifest)?;
            return checked(config, Depth { read_data: false, repair: false, now: SystemClock::system_time() }).await;
        }
        Command::Mail(MailCommand::List) => list_mails(config).await?,
        Command::Mail(MailCommand::Retry { id }) => retry_mail(config, id).await?,
        Command::Migrate { plan } => migrate(config, *plan).await?,
        Command::Config => show(loaded)?,
        Command::Users(command) => accounts::users(config, &share(config).await?, command).await?,
        Command::Plan(command) => accounts::plan(config, &share(config).await?, command).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list_mails(config: &Config) -> anyhow::Result<()> {
    let (db, _) = look_at(config).await?;
    for mail in outbox::list(&mut db.read().await?, MAILS_LISTED_MAX).await? {
        let (state, failure) = (mail.state(), mail.failure.as_deref().unwrap_or("-"));
        let text = format!(
            "{state}  {}  {}  to {}  {} attempts  {failure}",
            mail.id, mail.kind, mail.recipient, mail.attempts
        );
        let value = json!({
            "id": mail.id, "kind": mail.kind, "state": state, "recipient": mail.recipient, "attempts": mail.attempts,
            "next_attempt_at": Timestamp::from(mail.run_at).as_millis(), "failure": mail.failure,
        });
        say(config, &text, &value)?;
    }
    Ok(())
}

async fn retry_mail(config: &Config, id: &str) -> anyhow::Result<()> {
    let db = share(config).await?;
    let mut tx = db.begin().await?;
    let known = outbox::retry(&mut tx, id, SystemClock.now()).await?;
    tx.commit().await?;
    db.close().await;
    anyhow::ensure!(known, "there is no such mail: segue-server mail list");
    say(config, "It is tried again within seconds, while the server runs.", &json!({"retried": id}))
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

/// The database to write to beside a running server.
async fn share(config: &Config) -> anyhow::Result<Db> {
    let db = if let Some(url) = &config.database {
        Db::look_at_postgres(&url.0).await.context("cannot open the PostgreSQL database")?
    } else {
        let file = config.data.join("segue.db");
        Db::share_sqlite(&file).await.with_context(|| format!("cannot open the database {}", file.display()))?
    };
    migrations::expect_current(&db).await?;
    Ok(db)
}

async fn migrate(config: &Config, plan: bool) -> anyhow::Result<()> {
    let known = if config.database.is_some() || config.data.join("segue.db").exists() {
        let (db, _) = look_at(config).await?;
        let list = migrations::list(&db).await.context("cannot read which migrations the database has")?;
        db.close().await;
        list
    } else {
        migrations::none_applied()
    };
    if !plan {
        let _lock = start::lock(&config.data, start::Users::of(config))?;
        start::database(config).await?.close().await;
    }
    for Migration { version, name, applied, known } in known {
        let state = match (applied, known) {
            (true, true) => "applied",
            (true, false) => "unknown",
            (false, _) if plan => "pending",
            (false, _) => "applied now",
        };
        say(
            config,
            &format!("{version:04} {state}: {name}"),
            &json!({"version": version, "name": name, "state": state}),
        )?;
    }
    Ok(())
}

/// The options that count, as a file that would say the same.
fn show(loaded: &Loaded) -> anyhow::Result<()> {
    let config = &loaded.config;
    if config.json {
        return say(config, "", &loaded.settings);
    }
    for setting in &loaded.settings {
        let name = &setting.name;
        let line = match &setting.value {
            Some(value) if value == "true" || value == "false" => format!("{name} = {value}"),
            // A JSON text is a TOML text.
            Some(value) => format!("{name} = {}", serde_json::to_string(value)?),
            None => format!("# {name} is set, and not shown"),
        };
        say(config, &format!("{line}  # {}", setting.source), &())?;
    }
    Ok(())
}

async fn checked(config: &Config, depth: Depth) -> anyhow::Result<ExitCode> {
    let (db, packs) = look_at(config).await?;
    let found = check::check(&db, &packs, depth).await?;
    for finding in &found.findings {
        let Finding { about, id, what, advice } = finding;
        say(config, &format!("{about} {id}: {what}. {advice}"), finding)?;
    }
    for name in &found.deleted {
        say(
            config,
            &format!("object {name}: deleted, no row named it."),
            &json!({"about": "object", "deleted": name}),
        )?;
    }
    let (findings, deleted) = (found.findings.len(), found.deleted.len());
    let text = if findings == 0 { "Everything agrees.".to_owned() } else { format!("{findings} findings.") };
    say(config, &text, &json!({"clean": findings == 0, "findings": findings, "deleted": deleted}))?;
    Ok(if findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One line on standard output, for people or as JSON.
pub(crate) fn say(config: &Config, text: &str, json: &impl serde::Serialize) -> anyhow::Result<()> {
    // Names are text from others: nothing but ASCII goes out, which means the same.
    let json = if config.json { Some(ascii(&serde_json::to_string(json)?)) } else { None };
    writeln!(std::io::stdout().lock(), "{}", json.as_deref().unwrap_or(text)).context("cannot write to standard output")
}

fn ascii(json: &str) -> String {
    let mut text = String::new();
    for character in json.chars() {
        if (' '..='~').contains(&character) {
            text.push(character);
        } else {
            text.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}
