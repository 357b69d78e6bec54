//! Device Handoff between two machines, each a real command line with a home of its own (SPEC D).

use std::{
    fs,
    path::Path,
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result, ensure};
use segue_e2e::{
    fault::{Random, signal},
    native::Native,
    person::{Person, Ran, fixture},
    relay::{Relay, Way},
    showing::Showing,
    story::{Story, id},
    terminal::Terminal,
};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const SESSION: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";

/// Ann, who has a session, and a machine that knows nobody.
pub(crate) struct Scene {
    pub(crate) story: Story,
    pub(crate) other: Person,
}

impl Scene {
    pub(crate) fn begin(root: &Path) -> Result<Self> {
        let story = Story::begin(root)?;
        story.ann.record(&fixture("claude-code", "2.1.197"))?;
        Ok(Self { story, other: Person::new(&root.join("other"))? })
    }

    /// Another machine of Ann's account.
    pub(crate) fn of_the_account(&self, root: &Path) -> Result<Person> {
        let device = Person::new(&root.join("laptop"))?;
        fs::create_dir_all(device.segue_home())?;
        fs::copy(self.story.ann.segue_home().join("account.json"), device.segue_home().join("account.json"))?;
        Ok(device)
    }

    pub(crate) fn show(&self, more: &[&str]) -> Result<Showing> {
        Showing::start(&self.story.ann, &[&[SESSION], more].concat())
    }

    pub(crate) fn url(&self) -> &str {
        self.story.server.url()
    }
}

/// Enters a code on a machine, in the background.
pub(crate) fn enter(person: &Person, code: &str, more: &[&str]) -> JoinHandle<Result<Ran>> {
    let person = person.clone().with("SEGUE_DEVICE_CODE", code);
    let all: Vec<String> = ["--json", "device", "claim", "--project", ".", "--print"]
        .iter()
        .chain(more)
        .map(|&word| word.to_owned())
        .collect();
    thread::spawn(move || person.run(&all))
}

pub(crate) fn entered(claim: JoinHandle<Result<Ran>>) -> Result<Ran> {
    claim.join().expect("entering a code does not panic")
}

pub(crate) fn event(ran: &Ran, name: &str) -> Result<Value> {
    let found = ran.events()?.into_iter().find(|event| event["event"] == name);
    found.with_context(|| format!("it never said {name}: {}{}", ran.stdout, ran.stderr))
}

/// The path of the transcript that the tool would continue.
pub(crate) fn resumed(ran: &Ran) -> Result<String> {
    let last = ran.events()?.pop().context("nothing was said")?;
    id(&last, "native_path")
}

/// Moves Ann's session; her id of it, and what the other machine said.
pub(crate) fn go(story: &Story, there: &Person, more: &[&str]) -> Result<(String, Ran)> {
    let mut showing = Showing::start(&story.ann, &[&[SESSION], more].concat())?;
    let claim = enter(there, &showing.code()?, &["--yes", "--server", story.server.url()]);
    if !there.segue_home().join("account.json").exists() {
        showing.approve()?;
    }
    let session = id(&showing.until("ready")?, "session_id")?;
    let ran = entered(claim)?;
    ensure!(ran.code == 0, "{}{}", ran.stdout, ran.stderr);
    resumed(&ran)?;
    Ok((session, ran))
}

#[test]
fn a_chat_moves_to_a_machine_without_an_account_by_ten_characters() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let mut showing = scene.show(&[])?;
    let code = showing.code()?;
    assert_eq!((code.len(), code.chars().nth(5)), (11, Some('-')));
    let claim = enter(&scene.other, &code.to_lowercase().replace('-', " "), &["--yes", "--server", scene.url()]);
    let asked = showing.approve()?;
    let claimed = showing.until("claimed")?;
    let there = entered(claim)?;
    ensure!(there.code == 0, "{}{}", there.stdout, there.stderr);
    assert_eq!(event(&there, "waiting")?["sas"], asked["sas"], "both screens show the same four symbols");
    let arrived = event(&there, "arrived")?;
    assert_eq!(arrived["session_id"], claimed["session_id"]);
    showing.until("ready")?;
    assert_eq!(showing.end()?.code, 0);
    // The same bytes, where the tool of that machine finds them.
    let native = scene.story.ann.home().join(format!(".claude/projects/-home-coder-emms-sdk/{SESSION}.jsonl"));
    let (sent, received) = (fs::read_to_string(native)?, fs::read_to_string(resumed(&there)?)?);
    assert_eq!(sent.lines().count(), received.lines().count());
    assert!(sent.lines().zip(received.lines()).all(|(a, b)| a == b || a.contains("tool-results")));
    Ok(())
}

#[test]
fn a_device_of_the_same_account_needs_no_approval_and_a_link_no_server() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let laptop = scene.of_the_account(root.path())?;
    let mut showing = scene.show(&["--link"])?;
    let link = id(&showing.until("issued")?, "link")?;
    assert!(link.starts_with(&format!("{}/h#1.", scene.url().trim_end_matches('/'))), "{link}");
    let there = entered(enter(&laptop, &link, &[]))?;
    ensure!(there.code == 0, "{}{}", there.stdout, there.stderr);
    showing.until("own_device")?;
    let session = id(&showing.until("ready")?, "session_id")?;
    assert!(showing.said.iter().all(|said| said["event"] != "approval"));
    // One session on both: what the laptop pushes next continues it.
    assert_eq!(event(&there, "ready")?["session_id"], session.as_str());
    let pushed = laptop.json(&["push", &session])?;
    assert_eq!(pushed["session_id"], session.as_str());
    Ok(())
}

/// What a camera sees of a terminal whose letters are light.
fn photographed(screen: &str) -> Result<String> {
    let drawn = |line: &&str| line.chars().count() > 20 && line.chars().all(|symbol| " █▀▄".contains(symbol));
    let rows: Vec<Vec<char>> = screen.lines().filter(drawn).map(|line| line.chars().collect()).collect();
    let width = rows.first().context("no code is drawn")?.len();
    // A module in four pixels each way; a character is two modules high.
    let light = |x: usize, y: usize| match rows[y / 8].get(x / 4) {
        Some('█') => true,
        Some('▀') => y % 8 < 4,
        Some('▄') => y % 8 >= 4,
        _ => false,
    };
    let mut image =
        rqrr::PreparedImage::prepare_from_greyscale(
            width * 4,
            rows.len() * 8,
            |x, y| {
                if light(x, y) { u8::MAX } else { 0 }
            },
        );
    let grids = image.detect_grids();
    Ok(grids.first().context("no camera sees a code")?.decode()?.1)
}

#[test]
fn the_code_that_a_camera_sees_leads_there() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let laptop = scene.of_the_account(root.path())?;
    let mut terminal = Terminal::start(&scene.story.ann, &["device", "start", SESSION])?;
    let link = photographed(&terminal.until("Ctrl-C ends it.")?)?;
    assert!(link.starts_with(&format!("{}/h#1.", scene.url().trim_end_matches('/'))), "{link}");
    let there = entered(enter(&laptop, &link, &[]))?;
    ensure!(there.code == 0, "{}{}", there.stdout, there.stderr);
    terminal.until("Ready on “")?;
    terminal.end()
}

#[test]
fn what_another_device_holds_is_neither_resumed_nor_pushed_nor_handed_over_until_it_is_back() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let ann = &scene.story.ann;
    for way in ["take-back", "fork"] {
        let (session, _) = go(&scene.story, &scene.other, &[])?;
        for refused in [
            vec!["resume", SESSION, "--print"],
            vec!["push", SESSION],
            vec!["handoff", SESSION, "--to", "ben@example.com"],
            vec!["device", "start", SESSION],
        ] {
            let ran = ann.run(&refused)?;
            assert_eq!(ran.code, 5, "{refused:?}: {}", ran.stderr);
            assert!(ran.stderr.contains("continues on “") && ran.stderr.contains("take-back"), "{}", ran.stderr);
        }
        let held = ann.json(&["device", "status"])?;
        assert_eq!(
            (held["moved"][0]["session_id"].as_str(), held["moved"][0]["state"].as_str()),
            (Some(&*session), Some("claimed"))
        );
        ann.json(&["device", way, SESSION])?;
        assert_eq!(ann.run(&["resume", SESSION, "--print"])?.code, 0);
        assert_eq!(ann.json(&["device", "status"])?["moved"], serde_json::json!([]));
        assert_eq!(ann.run(&["device", way, SESSION])?.code, 4);
    }
    Ok(())
}

#[test]
fn wrong_codes_are_told_and_the_third_burns_the_code() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let mut showing = scene.show(&[])?;
    let code = showing.code()?;
    for attempt in 1..=3 {
        let guess = wrong(&code, attempt);
        let ran = entered(enter(&scene.other, &guess, &["--server", scene.url()]))?;
        assert_eq!(ran.code, if attempt == 3 { 10 } else { 9 }, "{}", ran.stderr);
        assert_eq!(showing.until("wrong_code")?["attempt"], attempt);
    }
    let ended = showing.end()?;
    assert_eq!(ended.code, 10);
    assert!(ended.stderr.contains("too_many_guesses"), "{}", ended.stderr);
    let late = entered(enter(&scene.other, &code, &["--server", scene.url()]))?;
    assert_eq!(late.code, 4);
    Ok(())
}

/// A code for the same chat with another secret. Its check symbol is right, or it would be noticed before it is a try
/// (`docs/protocol.md` §6).
pub(crate) fn wrong(code: &str, number: usize) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let digit = |symbol: u8| ALPHABET.iter().position(|&known| known == symbol).expect("it is a symbol of a code");
    let mut digits: Vec<usize> = code.bytes().filter(|&symbol| symbol != b'-').map(digit).collect();
    digits[4] = (digits[4] + number) % 32;
    let times = |value: usize, power: usize| {
        (0..power).fold(value, |value, _| if value & 16 == 0 { value << 1 } else { value << 1 & 31 ^ 0b00101 })
    };
    digits[9] = digits[..9].iter().enumerate().fold(0, |sum, (place, &digit)| sum ^ times(digit, place + 1));
    digits.into_iter().map(|digit| char::from(ALPHABET[digit])).collect()
}

#[test]
fn a_device_that_is_not_let_in_gets_nothing() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let mut showing = scene.show(&[])?;
    let claim = enter(&scene.other, &showing.code()?, &["--yes", "--server", scene.url()]);
    showing.until("approval")?;
    showing.type_line("yes")?;
    let refused = showing.end()?;
    assert_eq!((refused.code, refused.stderr.contains("not_approved")), (10, true));
    let there = entered(claim)?;
    assert_eq!(there.code, 10, "{}", there.stderr);
    assert!(there.events()?.iter().all(|event| event["event"] != "arrived"));
    // Nothing was moved: the chat is Ann's as before.
    assert_eq!(scene.story.ann.run(&["resume", SESSION, "--print"])?.code, 0);
    Ok(())
}

#[test]
fn who_ends_it_with_ctrl_c_ends_the_code_as_well() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let mut showing = scene.show(&[])?;
    let code = showing.code()?;
    signal("INT", showing.process())?;
    let ended = showing.end()?;
    assert_eq!((ended.code, ended.stderr.contains("revoked")), (130, true), "{}", ended.stderr);
    assert_eq!(entered(enter(&scene.other, &code, &["--server", scene.url()]))?.code, 4);
    Ok(())
}

/// What a destination sends and receives until it shows the chat.
fn bytes_until_shown(scene: &Scene, relay: &Relay, session: &str) -> Result<u64> {
    let mut showing = Showing::start(&scene.story.ann, &[session])?;
    let code = showing.code()?;
    let ways = [Way::Up, Way::Down];
    let passed = || ways.map(|way| relay.passed(way)).iter().sum::<u64>();
    let before = passed();
    let claim = enter(&scene.other, &code, &["--dry-run", "--server", relay.url()]);
    showing.approve()?;
    let shown = entered(claim)?;
    let bytes = passed() - before;
    event(&shown, "arrived")?;
    let told = showing.end()?;
    ensure!(told.code == 10 && told.stderr.contains("did not take the chat over"), "{}", told.stderr);
    scene.story.ann.json(&["device", "take-back", session])?;
    Ok(bytes)
}

#[test]
fn as_many_bytes_show_a_chat_of_20_messages_as_one_of_20_000() -> Result<()> {
    let root = TempDir::new()?;
    let (scene, relay, mut random) = (Scene::begin(root.path())?, Relay::start()?, Random::new(7));
    relay.lead_to(scene.url())?;
    let mut bytes_of = |messages: u32| -> Result<u64> {
        let mut native = Native::begin(&scene.story.ann, &mut random, 100)?;
        for _ in 1..messages {
            native.grow(&scene.story.ann, &mut random, 100)?;
        }
        bytes_until_shown(&scene, &relay, native.id())
    };
    let (short, long) = (bytes_of(20)?, bytes_of(20_000)?);
    // One event more tells whoever listens sooner, and numbers have a digit more or less.
    assert!(short.abs_diff(long) <= 512, "{short} and {long} bytes");
    // The view's class in base64, and what is said around it.
    assert!(long < 100 * 1024, "{long} bytes");
    Ok(())
}

#[test]
fn who_takes_a_fork_has_a_chat_of_its_own_and_the_source_keeps_its() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let laptop = scene.of_the_account(root.path())?;
    let mut showing = scene.show(&[])?;
    let there = entered(enter(&laptop, &showing.code()?, &["--fork"]))?;
    ensure!(there.code == 0, "{}{}", there.stdout, there.stderr);
    let claimed = showing.until("claimed")?;
    let told = showing.end()?;
    ensure!(told.code == 10 && told.stderr.contains("did not take the chat over"), "{}", told.stderr);
    let fork = id(&event(&there, "ready")?, "session_id")?;
    assert_ne!(claimed["session_id"], fork.as_str());
    scene.story.ann.json(&["device", "take-back", SESSION])?;
    // Both go on, and both are pushed.
    for (person, session) in [(&scene.story.ann, SESSION), (&laptop, &*fork)] {
        person.json(&["push", session])?;
    }
    Ok(())
}

#[test]
fn who_does_not_want_what_came_tells_the_source_at_once() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let mut showing = scene.show(&[])?;
    let claim = enter(&scene.other, &showing.code()?, &["--no-input", "--server", scene.url()]);
    showing.approve()?;
    assert_ne!(entered(claim)?.code, 0);
    let told = showing.end()?;
    ensure!(told.code == 10 && told.stderr.contains("did not take the chat over"), "{}", told.stderr);
    let status = scene.story.ann.run(&["device", "status"])?.stdout;
    assert!(status.contains("was not taken by “"), "{status}");
    let held = scene.story.ann.run(&["resume", SESSION, "--print"])?;
    assert!(held.code == 5 && held.stderr.contains("did not take it over"), "{}", held.stderr);
    scene.story.ann.json(&["device", "take-back", SESSION])?;
    Ok(())
}

#[test]
fn a_source_that_cannot_give_what_it_showed_ends_its_code() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let mut showing = scene.show(&[])?;
    let claim = enter(&scene.other, &showing.code()?, &["--yes", "--server", scene.url()]);
    let asked = showing.until("approval")?;
    let native = scene.story.ann.home().join(format!(".claude/projects/-home-coder-emms-sdk/{SESSION}.jsonl"));
    fs::rename(&native, root.path().join("gone"))?;
    showing.type_line(&id(&asked, "sas")?)?;
    let ended = showing.end()?;
    assert_ne!(ended.code, 0);
    assert!(ended.stderr.contains("Nothing was given away"), "{}", ended.stderr);
    let told = entered(claim)?;
    assert_eq!((told.code, told.stderr.contains("cancelled this handoff")), (10, true), "{}", told.stderr);
    Ok(())
}
