//! What an operator asks the program for beside a running server (`docs/operating.md`).

use std::{collections::BTreeSet, process::Command};

use segue_api::account::Account;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    harness::{Database, TestServer},
    process::Program,
};

/// The program on a running server's data.
fn program(server: &TestServer) -> Command {
    let mut command = Program::command(server.folder.path());
    if let Database::Postgres(url) = &server.database {
        command.env("SEGUE_DATABASE_URL", url);
    }
    command
}

/// Exit code, what was said as JSON, and what went wrong.
fn run(command: &mut Command) -> (Option<i32>, Vec<Value>, String) {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let said = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code(), said, String::from_utf8(output.stderr).unwrap())
}

on_both! {
    async fn people_are_listed_and_a_plan_counts_from_the_next_request_on(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (code, all, _) = run(program(&server).args(["users", "list"]));
        // The clock stands still: they joined in one moment.
        let addresses: BTreeSet<_> = all.iter().map(|user| user["email"].as_str().unwrap()).collect();
        assert_eq!((code, addresses), (Some(0), BTreeSet::from(["owner@example.com", "ben@example.com"])));
        let plan = async || ben.get("/api/v1/account").await.ok::<Account>().plan;
        assert_eq!(plan().await, "team");
        let (code, said, _) = run(program(&server).args(["plan", "set", "BEN@example.com", "free", "--json"]));
        assert!(code == Some(0) && said[0]["plan"] == "free", "{said:?}");
        assert_eq!(plan().await, "free");
        let (_, said, _) = run(program(&server).args(["plan", "get", &ben.user_id]));
        assert_eq!((said[0]["plan"].as_str(), said[0]["plan_is_default"].as_bool()), (Some("free"), Some(false)));
        // Once more changes nothing; back to the server's.
        for plan in ["free", "default"] {
            assert_eq!(run(program(&server).args(["plan", "set", &ben.user_id, plan])).0, Some(0));
        }
        assert_eq!(plan().await, "team");
        let events = "SELECT detail || ' ' || actor FROM account_events WHERE kind = 'plan_changed' ORDER BY at";
        let changes = [r#"{"from":"default","to":"free"} operator"#, r#"{"from":"free","to":"default"} operator"#];
        assert_eq!(server.column(events).await, changes);
        let (_, said, _) = run(program(&server).args(["users", "show", &ann.user_id]));
        assert!(said[0]["devices"] == 1 && said[0]["owner"] == true && said[0]["storage_used"] == 0, "{said:?}");
    }

    async fn who_is_not_there_and_what_is_no_plan_is_said(server: TestServer) {
        let ben = server.ann_and_ben().await.1;
        for words in [&["users", "show", "eve@example.com"][..], &["plan", "set", "usr_none", "free"]] {
            let (code, said, why) = run(program(&server).args(words));
            assert!(code == Some(1) && said.is_empty() && why.contains("nobody has this address or id"), "{why}");
        }
        let (code, _, why) = run(program(&server).args(["plan", "set", &ben.user_id, "golden"]));
        assert!(code == Some(2) && why.contains("free, pro, team, enterprise or default"), "{why}");
        // Two who say that an address is theirs, and none who has shown it.
        server.damage("UPDATE users SET email_verified = FALSE, email_key = 'x@example.com'").await;
        let (code, _, why) = run(program(&server).args(["plan", "set", "x@example.com", "free"]));
        assert!(code == Some(1) && why.contains("2 accounts say that this is their address"), "{why}");
        assert_eq!(server.count("SELECT COUNT(*) FROM users WHERE plan IS NOT NULL").await, 0);
    }

    async fn the_database_of_a_newer_server_is_left_alone(server: TestServer) {
        server.ann_and_ben().await;
        server.damage("DELETE FROM _sqlx_migrations WHERE version = 11").await;
        server.damage("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                       SELECT 9999, 'from the future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1").await;
        let (code, all, _) = run(program(&server).args(["migrate", "--plan"]));
        let state = |version: i64| all.iter().find(|one| one["version"] == version).unwrap()["state"].clone();
        assert_eq!((code, state(1), state(11), state(9999)), (Some(0), "applied".into(), "pending".into(), "unknown".into()));
        let before = server.column("SELECT description FROM _sqlx_migrations ORDER BY version").await;
        for words in [&[][..], &["migrate"], &["plan", "set", "ben@example.com", "free"]] {
            let (code, said, why) = run(program(&server).args(words));
            assert!(code == Some(1) && said.is_empty(), "{words:?}: {said:?}");
            assert!(why.contains("the database is of a newer segue-server"), "{words:?}: {why}");
        }
        assert_eq!(server.column("SELECT description FROM _sqlx_migrations ORDER BY version").await, before);
        assert_eq!(server.count("SELECT COUNT(*) FROM users WHERE plan IS NOT NULL").await, 0);
    }
}

fn migrates(database: &Database) {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let command = || {
        let mut command = Program::command(&data);
        if let Database::Postgres(url) = database {
            command.env("SEGUE_DATABASE_URL", url);
        }
        command
    };
    let states = |words: &[&str]| {
        let (code, all, why) = run(command().arg("migrate").args(words));
        assert_eq!(code, Some(0), "{why}");
        all.iter().map(|one| one["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for _ in 0..2 {
        let planned = states(&["--plan"]);
        assert!(planned.len() > 5 && planned.iter().all(|state| state == "pending"), "{planned:?}");
    }
    assert!(!data.exists(), "a plan makes nothing");
    assert!(states(&[]).iter().all(|state| state == "applied now"));
    assert!(states(&["--plan"]).iter().all(|state| state == "applied"));
    assert_eq!(Program::start(&mut command()).end("TERM").0, Some(0));
}

#[test]
fn migrations_are_planned_then_applied_on_sqlite() {
    migrates(&Database::sqlite());
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_are_planned_then_applied_on_postgres() {
    if let Some(database) = Database::empty_postgres().await {
        migrates(&database);
    }
}

#[test]
fn the_options_that_count_are_shown_without_secrets() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("segue.toml");
    std::fs::write(&file, "plan = \"pro\"\nrequests-per-minute = 100\n").unwrap();
    let mut command = Program::command(folder.path());
    command.arg("--config").arg(&file).arg("config").env("SEGUE_DATABASE_URL", "postgres://u:hunter2@h/d");
    let output = command.env("SEGUE_REQUESTS_PER_MINUTE", "50").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let all: Vec<Value> = serde_json::from_str(&said).unwrap();
    let of = |name: &str| all.iter().find(|one| one["name"] == name).unwrap().clone();
    assert_eq!((&of("plan")["value"], &of("plan")["source"]), (&"pro".into(), &"file".into()));
    assert_eq!(
        (&of("requests-per-minute")["value"], &of("requests-per-minute")["source"]),
        (&"50".into(), &"environment".into())
    );
    assert!(of("database")["value"].is_null() && !said.contains("hunter2"), "{said}");
}
