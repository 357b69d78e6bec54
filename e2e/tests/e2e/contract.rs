//! The server keeps to `openapi.json`, whoever asks and whatever they send: schemathesis draws requests from the document and
//! compares the answers with it (`docs/testing.md`).

use std::{env, path::Path, process::Command, thread};

use anyhow::{Context as _, Result, ensure};
use segue_e2e::{
    person::{Person, fixture},
    story::{BEN, Story, id, invite},
};
use serde_json::{Value, json};
use tempfile::TempDir;

const SESSION: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";

/// What must hold of every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance";

/// A server with something of everything on it.
struct Scene {
    story: Story,
    /// Names of those who ask, with their tokens.
    askers: Vec<(&'static str, String)>,
    real: Value,
}

impl Scene {
    fn set(root: &TempDir) -> Result<Self> {
        let story = Story::begin(root.path())?;
        let (ann, ben) = (&story.ann, &story.ben);
        let [cy, dan] = ["cy", "dan"].map(|name| Person::new(&root.path().join(name)));
        let (cy, dan) = (cy?, dan?);
        invite(ann, &cy, "cy@example.com")?;
        invite(ann, &dan, "dan@example.com")?;
        ann.record(&fixture("claude-code", "2.1.197"))?;
        let (mut projects, mut refs) = (Vec::new(), Vec::new());
        for name in ["SDK", "Throw-away"] {
            projects.push(id(&ann.json(&["project", "create", name])?, "project_id")?);
            ann.json(&["project", "use", name])?;
            refs.push(id(&ann.json(&["ticket", "create", "Fix it"])?, "ref_id")?);
            ann.json(&["persona", "create", "reviewer"])?;
            ann.json(&["wiki", "create", "deploy"])?;
            ann.json(&["kb", "create", "Learned"])?;
        }
        ann.json(&["project", "use", "SDK"])?;
        ann.json(&["project", "add", "SDK", BEN])?;
        let mut teams = Vec::new();
        for name in ["Parsers", "Throw-away"] {
            let team = id(&ann.json(&["team", "create", name])?, "team_id")?;
            for member in [BEN, "cy@example.com"] {
                ann.json(&["team", "add", &team, member])?;
            }
            teams.push(team);
        }
        let ticket = refs[0].clone();
        let mut handoffs = Vec::new();
        for more in [&["--message", "x"][..], &[], &[], &[], &[]] {
            handoffs.push(story.hand_over(SESSION, more)?);
        }
        story.pull(&handoffs[1])?;
        ann.json(&["handoffs", "revoke", &handoffs[2], "--reason", "stale"])?;
        ben.json(&["handoffs", "decline", &handoffs[3], "--reason", "wrong queue"])?;
        ben.json(&["handoffs", "comment", &handoffs[0], "--body", "which branch?"])?;
        handoffs.push(id(&ann.json(&["handoff", SESSION, "--to-team-id", &teams[0]])?, "handoff_id")?);
        let mut askers = vec![("nobody", String::new())];
        // What a program may do with a token that is for everything.
        let scopes =
            ["handoffs:read", "handoffs:write", "sessions:read", "projects:read", "projects:write", "teams:read"];
        let scopes: Vec<_> = scopes.iter().flat_map(|scope| ["--scope", scope]).collect();
        let program = ann.json(&[&["token", "create", "ci"], &scopes[..]].concat())?;
        askers.push(("token", id(&program, "token")?));
        let people = [("sender", ann), ("recipient", ben), ("team-mate", &cy), ("stranger", &dan)];
        for (name, person) in people {
            askers.push((name, account(person, "token")?));
        }
        refs.extend(["reviewer", "deploy", "1"].map(str::to_owned));
        let users: Vec<_> = people.iter().map(|(_, person)| account(person, "user_id")).collect::<Result<_>>()?;
        let listed = ann.json(&["list"])?;
        let sessions: Vec<_> =
            listed["sessions"].as_array().into_iter().flatten().map(|one| one["session_id"].clone()).collect();
        let real = json!({
            "token_id": [id(&program, "token_id")?], "handoff_id": handoffs, "project_id": projects, "team_id": teams, "to_team_id": teams, "ref_id": refs,
            "ticket": [ticket], "user_id": users, "to_user_id": users, "kind": ["ticket", "persona", "wiki_page", "kb_entry"],
            "session_id": sessions.into_iter().filter(|one| !one.is_null()).collect::<Vec<_>>(),
            "email": [BEN, "new@example.com"], "to_email": [BEN, "new@example.com"], "role": ["member", "admin"],
        });
        Ok(Self { story, askers, real })
    }

    /// Asks as each of them at the same time; `words` are schemathesis' own.
    fn ask(&self, words: &[&str]) -> Result<()> {
        let python = env::var_os("SEGUE_E2E_PYTHON").context("run cargo xtask check, or set SEGUE_E2E_PYTHON")?;
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let ask = |(name, token): &(&'static str, String)| -> Result<()> {
            let folder = tempfile::tempdir()?;
            let mut command = Command::new(&python);
            command.args(["-m", "schemathesis.cli", "run"]).arg(here.join("../crates/api/openapi.json"));
            command.args(["--url", self.story.server.url(), "--checks", CHECKS, "--no-color"]);
            // A stream has no end to compare.
            command.args(["--warnings", "off", "--exclude-path", "/api/v1/news"]).args(words);
            command.current_dir(folder.path()).env("PYTHONPATH", here.join("tests"));
            command.env("SCHEMATHESIS_HOOKS", "contract_hooks");
            // By the environment: everybody on the machine may read a command line.
            command.env("SEGUE_CONTRACT_TOKEN", token).env("SEGUE_CONTRACT_REAL", self.real.to_string());
            let output = command.output()?;
            let said = String::from_utf8_lossy(&output.stdout);
            ensure!(output.status.success(), "as {name}:\n{said}{}", String::from_utf8_lossy(&output.stderr));
            ensure!(said.contains("passed"), "as {name} nothing was asked:\n{said}");
            Ok(())
        };
        let failures: Vec<_> = thread::scope(|scope| {
            let all: Vec<_> = self.askers.iter().map(|asker| scope.spawn(move || ask(asker))).collect();
            all.into_iter().filter_map(|asked| asked.join().expect("asking does not panic").err()).collect()
        });
        ensure!(
            failures.is_empty(),
            "{}",
            failures.iter().map(|one| format!("{one:#}")).collect::<Vec<_>>().join("\n\n")
        );
        Ok(())
    }
}

/// What the client keeps of its account.
fn account(person: &Person, field: &str) -> Result<String> {
    let file: Value = serde_json::from_slice(&std::fs::read(person.segue_home().join("account.json"))?)?;
    id(&file, field)
}

#[test]
fn no_answer_is_undocumented_whoever_asks() -> Result<()> {
    let root = TempDir::new()?;
    Scene::set(&root)?.ask(&[
        "--phases",
        "examples,fuzzing",
        "--max-examples",
        "4",
        "--generation-deterministic",
        "--no-shrink",
    ])
}

#[test]
#[ignore = "long: thousands of requests by everybody"]
fn no_answer_is_undocumented_whatever_is_sent() -> Result<()> {
    let root = TempDir::new()?;
    Scene::set(&root)?.ask(&[
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        "100",
        "--generation-database",
        "none",
    ])
}
