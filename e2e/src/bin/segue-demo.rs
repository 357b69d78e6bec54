//! The demo: Ann hands a recorded Claude Code session to Ben, and moves it to her tablet, on this machine. `cargo xtask demo` builds and runs it.
#![expect(clippy::print_stdout, reason = "it tells a story to the person who started it")]

use std::{env, io::Read as _, path::Path, thread};

use anyhow::{Context as _, Result, ensure};
use segue_e2e::{
    Claude, ModelStub, conversation,
    person::{Person, fixture},
    server::{Options, Server, program},
    showing::Showing,
    story::{ANN, BEN, id},
};

const SESSION: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";
const MESSAGE: &str = "The parser works, the tests do not. Over to you.";

fn main() -> Result<()> {
    let once = env::args().any(|argument| argument == "--once");
    let folder = tempfile::Builder::new().prefix("segue-demo-").tempdir()?;
    let root = folder.path().canonicalize()?;
    let server = Server::start(&root.join("server"), &Options::default())?;
    let (ann, ben) = (Person::new(&root.join("ann"))?, Person::new(&root.join("ben"))?);

    tell(&format!("A server listens on {}. It will see ciphertext and a card, nothing else.", server.url()));
    meet(&server, &ann, &ben)?;
    let handoff = hand_over(&ann)?;
    let (session, native_path) = take(&ben, &handoff)?;
    show_real_tool(&ben)?;
    move_over(&ann, &Person::new(&root.join("tablet"))?, server.url())?;

    println!("\nBen's restored session: {native_path}");
    if once {
        println!("Next: cargo xtask demo, without --once, leaves the server running for you to try it yourself.");
        return Ok(());
    }
    let programs = program("segue")?;
    let programs = programs.parent().unwrap_or(Path::new(".")).display();
    println!("\nThe server is still running. Be Ben, in another terminal:\n");
    println!("  export PATH={programs}:$PATH HOME={} SEGUE_HOME={}", ben.home().display(), ben.segue_home().display());
    println!("  cd {} && segue list && segue show {session} && segue whoami && segue doctor", ben.work().display());
    println!("\nPress Enter here to end it; everything under {} is removed.", root.display());
    // Without a terminal the server stays up until this program is stopped.
    if std::io::stdin().read(&mut [0])? == 0 {
        thread::park();
    }
    Ok(())
}

fn tell(sentence: &str) {
    println!("\n── {sentence}");
}

/// Runs a command as somebody, shows it as they would see it, and returns what it answered.
fn act(name: &str, person: &Person, arguments: &[&str]) -> Result<String> {
    let quoted = |word: &&str| if word.contains([' ', '#']) { format!("'{word}'") } else { (*word).to_owned() };
    println!("\n{name}$ segue {}", arguments.iter().map(quoted).collect::<Vec<_>>().join(" "));
    let ran = person.run(arguments)?;
    for line in ran.stdout.lines().chain(ran.stderr.lines()) {
        println!("  {line}");
    }
    ensure!(ran.code == 0, "segue ended with {}", ran.code);
    Ok(ran.stdout)
}

/// The first id of a kind in an answer.
fn find(answer: &str, prefix: &str) -> Result<String> {
    let word = answer.split_whitespace().find(|word| word.starts_with(prefix));
    Ok(word.with_context(|| format!("no {prefix} id was answered"))?.trim_end_matches([':', '.']).to_owned())
}

fn meet(server: &Server, ann: &Person, ben: &Person) -> Result<()> {
    tell("Ann owns it. Her keys are made on her machine.");
    let link = server.owner_link().context("the server printed no owner link")?;
    act("ann", ann, &["join", link, "--email", ANN])?;
    tell("She invites Ben and vouches for his address.");
    let link = act("ann", ann, &["invite", BEN, "--vouch"])?;
    act("ben", ben, &["join", link.trim()]).map(drop)
}

fn hand_over(ann: &Person) -> Result<String> {
    tell("Ann has worked with Claude Code: a session with tool calls, a sub-agent, a spilled output and a task.");
    ann.record(&fixture("claude-code", "2.1.197"))?;
    act("ann", ann, &["list"])?;
    tell("She hands it to Ben: sealed here, for him alone.");
    find(&act("ann", ann, &["handoff", SESSION, "--to", BEN, "--message", MESSAGE])?, "hnd_")
}

fn take(ben: &Person, handoff: &str) -> Result<(String, String)> {
    tell("Ben looks, claims, and verifies every byte.");
    act("ben", ben, &["handoffs", "inbox"])?;
    act("ben", ben, &["handoffs", "get", handoff])?;
    let session = find(&act("ben", ben, &["pull-handoff", handoff])?, "ses_")?;
    tell("He puts it where his own Claude Code finds it, in his own checkout.");
    act("ben", ben, &["resume", &session, "--project", ".", "--print"])?;
    let native_path = id(&ben.json(&["resume", &session, "--print"])?, "native_path")?;
    Ok((session, native_path))
}

fn move_over(ann: &Person, tablet: &Person, server: &str) -> Result<()> {
    tell("Ann moves it to her tablet by ten characters. That has no account, so she is asked.");
    let mut showing = Showing::start(ann, &[SESSION])?;
    let code = showing.code()?;
    println!("\nann$ segue device start\n  {code}");
    let tablet = tablet.clone().with("SEGUE_DEVICE_CODE", code);
    let server = server.to_owned();
    let claim = thread::spawn(move || {
        let words = ["--yes", "device", "claim", "--project", ".", "--print", "--server", &server];
        act("tablet", &tablet, &words).map(drop)
    });
    let asked = showing.approve()?;
    println!("  The other device shows {0} as well: {0}", id(&asked, "sas")?);
    claim.join().expect("entering a code does not panic")?;
    let session = id(&showing.until("ready")?, "session_id")?;
    tell("The tablet holds it now. Ann takes it back.");
    act("ann", ann, &["device", "status"])?;
    act("ann", ann, &["device", "take-back", &session]).map(drop)
}

fn show_real_tool(ben: &Person) -> Result<()> {
    if env::var_os("SEGUE_E2E_CLAUDE").is_none() {
        return Ok(());
    }
    tell("The real Claude Code continues it, against a model server on this machine.");
    let stub = ModelStub::start()?;
    let arguments = ["-p", "and now go on", "--resume", SESSION, "--model", "claude-sonnet-4-5"];
    println!("\nben$ claude {}", arguments.join(" "));
    let output = Claude::from_env().run(&ben.home(), &ben.work(), stub.url(), &arguments)?;
    println!("  {}", String::from_utf8_lossy(&output.stdout).trim());
    ensure!(output.status.success(), "claude ended with {}", output.status);
    let requests = stub.requests();
    let turns = conversation::of(requests.last().context("the model was asked nothing")?);
    println!("  (its request held {} turns: Ann's whole conversation, then Ben's new one)", turns.len());
    Ok(())
}
