//! The server never sees a word of a session: planted strings are found nowhere in what it stores, logs, is sent or
//! answers.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use data_encoding::BASE64URL_NOPAD;
use segue_e2e::{
    person::{Person, fixture},
    server::{Options, Server},
    showing::Showing,
    story::{ANN, BEN, Story, id, invite},
};
use tempfile::TempDir;

use crate::recorder::Recorder;

const SESSION: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";
/// In a prompt, a tool call's input and output, a path, a title, a remote, a branch.
const PLANTED: [&str; 7] = [
    "prompt-canary-1f",
    "input-canary-2e",
    "output-canary-3d",
    "path-canary-4c",
    "title-canary-5b",
    "remote-canary-6a",
    "branch-canary-79",
];

fn plant(person: &Person) -> Result<()> {
    person.record(&fixture("claude-code", "2.1.197"))?;
    let project = person.work().join(PLANTED[3]);
    let remote = format!("https://git.example.com/{}.git", PLANTED[5]);
    for arguments in [&["init", "--quiet"][..], &["remote", "add", "origin", &remote]] {
        fs::create_dir_all(&project)?;
        ensure!(Command::new("git").arg("-C").arg(&project).args(arguments).status()?.success(), "git {arguments:?}");
    }
    let path = person.home().join(format!(".claude/projects/-home-coder-emms-sdk/{SESSION}.jsonl"));
    let text = fs::read_to_string(&path)?
        .replace("second turn please", PLANTED[0])
        .replace("hello-from-tool; pwd", PLANTED[1])
        .replace("hello-from-tool\\n", PLANTED[2])
        .replace("/home/coder/emms/sdk", &project.display().to_string())
        .replace("\"gitBranch\":\"main\"", &format!("\"gitBranch\":\"{}\"", PLANTED[6]));
    let title =
        format!("{{\"type\":\"custom-title\",\"customTitle\":\"{}\",\"sessionId\":\"{SESSION}\"}}\n", PLANTED[4]);
    for planted in [PLANTED[0], PLANTED[1], PLANTED[2], PLANTED[3], PLANTED[6]] {
        assert!(text.contains(planted), "{planted} was not planted");
    }
    fs::write(&path, text + &title)?;
    Ok(())
}

/// `text` as it stands in bytes that were base64url-encoded at any of the three offsets, without its uncertain ends.
fn encoded(text: &str) -> impl Iterator<Item = String> {
    (0..3).map(move |offset| {
        let shifted = [&vec![b'x'; offset], text.as_bytes()].concat();
        let whole = BASE64URL_NOPAD.encode(&shifted);
        whole[4..whole.len() - 4].to_owned()
    })
}

fn assert_unreadable(what: &str, bytes: &[u8]) {
    for planted in PLANTED {
        for form in encoded(planted).chain([planted.to_owned()]) {
            let found = bytes.windows(form.len()).any(|window| window == form.as_bytes());
            assert!(!found, "{planted} is readable in {what}");
        }
    }
}

fn search(path: &Path) -> Result<usize> {
    let mut files = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?.path();
        if entry.is_dir() {
            files += search(&entry)?;
        } else {
            assert_unreadable(&entry.display().to_string(), &fs::read(&entry)?);
            files += 1;
        }
    }
    Ok(files)
}

/// Without `--private` the card is public, and this very search finds it: title, remote and branch were planted well.
#[test]
fn a_public_card_is_found_by_the_same_search() -> Result<()> {
    let root = TempDir::new()?;
    let story = Story::begin(root.path())?;
    plant(&story.ann)?;
    story.hand_over(SESSION, &["--message", "a-message-canary"])?;
    let database = fs::read(root.path().join("server/segue.db-wal"))?;
    let found = |planted: &str| database.windows(planted.len()).any(|window| window == planted.as_bytes());
    for public in [PLANTED[4], PLANTED[5], PLANTED[6], "a-message-canary"] {
        assert!(found(public), "{public}");
    }
    for secret in &PLANTED[..4] {
        assert!(!found(secret), "{secret}");
    }
    Ok(())
}

#[test]
fn nothing_readable_is_stored_logged_sent_or_answered() -> Result<()> {
    let root = TempDir::new()?;
    let data = root.path().join("server");
    let server = Server::start(&data, &Options::default())?;
    let wire = Recorder::start(server.url())?;
    let (ann, ben) = (Person::new(&root.path().join("ann"))?, Person::new(&root.path().join("ben"))?);
    let link = server.owner_link().unwrap_or_default().replace(server.url(), wire.url());
    ann.json(&["join", &link, "--email", ANN])?;
    invite(&ann, &ben, BEN)?;
    plant(&ann)?;

    let handoff = id(&ann.json(&["handoff", SESSION, "--to", BEN, "--private"])?, "handoff_id")?;
    for arguments in [&["handoffs", "inbox"][..], &["handoffs", "get", &handoff]] {
        ben.json(arguments)?;
    }
    let session = id(&ben.json(&["pull-handoff", &handoff])?, "session_id")?;
    let resumed = ben.json(&["resume", &session, "--project", ".", "--print"])?;
    let restored = fs::read_to_string(id(&resumed, "native_path")?)?;
    assert!(PLANTED.iter().filter(|planted| restored.contains(**planted)).count() >= 6, "Ben has it all");
    ben.json(&["push", &session, "--private"])?;
    ann.json(&["delete", SESSION, "--yes"])?;

    assert_unreadable("the log", server.log()?.as_bytes());
    assert!(search(&data)? >= 3, "database and packs are there");
    server.kill()?;
    search(&data)?;
    let (sent, answered) = wire.bytes();
    assert!(sent.len() > 10_000 && answered.len() > 10_000, "the wire was recorded");
    assert_unreadable("requests", &sent);
    assert_unreadable("responses", &answered);
    Ok(())
}

/// What a process has in memory now and may write to.
#[cfg(target_os = "linux")]
fn memory(process: u32) -> Result<Vec<u8>> {
    use std::os::unix::fs::FileExt as _;
    let (maps, memory) =
        (fs::read_to_string(format!("/proc/{process}/maps"))?, fs::File::open(format!("/proc/{process}/mem"))?);
    let mut all = Vec::new();
    for line in
        maps.lines().filter(|line| line.split_whitespace().nth(1).is_some_and(|rights| rights.starts_with("rw")))
    {
        let (from, to) = line.split_whitespace().next().and_then(|range| range.split_once('-')).context("a range")?;
        let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
        let mut bytes = vec![0; usize::try_from(to - from)?];
        // What cannot be read was never written.
        if memory.read_exact_at(&mut bytes, from).is_ok() {
            all.extend(bytes);
        }
    }
    Ok(all)
}

/// SPEC D10: the relay between two devices has no word of a chat, no title, no draft and no secret of a code, in its files, its log, its
/// memory, or on the wire.
#[cfg(target_os = "linux")]
#[test]
fn nothing_readable_passes_the_relay_between_two_devices() -> Result<()> {
    let root = TempDir::new()?;
    let data = root.path().join("server");
    let server = Server::start(&data, &Options::default())?;
    let wire = Recorder::start(server.url())?;
    let (ann, other) = (Person::new(&root.path().join("ann"))?, Person::new(&root.path().join("other"))?);
    let link = server.owner_link().unwrap_or_default().replace(server.url(), wire.url());
    ann.json(&["join", &link, "--email", ANN])?;
    plant(&ann)?;
    let draft = ann.work().join("draft");
    fs::write(&draft, PLANTED.join(" "))?;
    let mut showing = Showing::start(&ann, &[SESSION, "--link", "--draft", &draft.display().to_string()])?;
    let issued = showing.until("issued")?;
    let (code, link) = (id(&issued, "code")?, id(&issued, "link")?);
    let entering = other.with("SEGUE_DEVICE_CODE", code.clone());
    let server_url = wire.url().to_owned();
    let claim = std::thread::spawn(move || {
        entering.run(&["--json", "device", "claim", "--yes", "--project", ".", "--print", "--server", &server_url])
    });
    showing.approve()?;
    showing.until("ready")?;
    let claimed = claim.join().expect("entering a code does not panic")?;
    assert!(PLANTED.iter().filter(|planted| claimed.stdout.contains(**planted)).count() >= 2, "{}", claimed.stdout);

    let memory = memory(server.id())?;
    assert!(
        memory.len() > 1_000_000 && memory.windows(9).any(|window| window == b"pairings/"),
        "it is the server's memory"
    );
    let secret = link.rsplit('.').next().context("a secret")?.to_owned();
    let (sent, answered) = wire.bytes();
    let log = server.log()?;
    server.kill()?;
    let files: Vec<u8> =
        fs::read(data.join("segue.db"))?.into_iter().chain(fs::read(data.join("segue.db-wal"))?).collect();
    for (what, bytes) in [
        ("memory", &memory),
        ("files", &files),
        ("requests", &sent),
        ("answers", &answered),
        ("log", &log.into_bytes()),
    ] {
        assert_unreadable(what, bytes);
        for secret in [&code, &code.replace('-', ""), &secret] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "a secret is in {what}");
        }
    }
    search(&data)?;
    Ok(())
}
