//! Ann shows a code and a machine that knows nobody enters it; both reach the server through one that lies.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Barrier,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use anyhow::{Context as _, Result, ensure};
use data_encoding::BASE64URL_NOPAD;
use segue_e2e::{
    fault::signal,
    liar::Liar,
    person::{Person, Ran, fixture},
    server::{Options, Server},
    showing::Showing,
    story::ANN,
};
use serde_json::Value;
use tempfile::TempDir;

use super::{Ended, LEFT};

pub(super) const SESSION: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";
/// In the first words of the chat, and in its title.
const PLANTED: [&str; 2] = ["prompt-canary-1f", "title-canary-5b"];

/// Who is ended with Ctrl-C when the other has ended, because the lie leaves it waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// Both end by themselves.
    Nobody,
    /// The source, before anybody is let in.
    Source,
    /// The source, behind the claim.
    Delivering,
    /// The guest, as soon as it waits.
    Guest,
    /// The source is ended when the view has arrived, then the guest.
    Both,
}

/// What both did.
pub(super) struct Met {
    pub(super) source: Ran,
    pub(super) guest: Ran,
}

impl Met {
    /// Both ended like that.
    pub(super) fn ended(&self, name: &str, source: Ended, guest: Ended) {
        let words = [word(&self.source), word(&self.guest)];
        let ended = [(self.source.code, &*words[0]), (self.guest.code, &*words[1])];
        assert_eq!(ended, [source, guest], "{name}: {}{}", self.source.stderr, self.guest.stderr);
    }
}

pub(super) struct Scene {
    pub(super) root: TempDir,
    _server: Server,
    pub(super) liar: Liar,
    pub(super) ann: Person,
    pub(super) guest: Person,
    before: Vec<u8>,
}

impl Scene {
    pub(super) fn begin() -> Result<Self> {
        let root = TempDir::new()?;
        let server = Server::start(&root.path().join("server"), &Options::default())?;
        let liar = Liar::start(server.url())?;
        let ann = Person::new(&root.path().join("ann"))?;
        let link = server.owner_link().unwrap_or_default().replace(server.url(), liar.url());
        ann.json(&["join", &link, "--email", ANN, "--name", "Ann"])?;
        ann.record(&fixture("claude-code", "2.1.197"))?;
        let path = transcript(&ann);
        let title =
            format!("{{\"type\":\"custom-title\",\"customTitle\":\"{}\",\"sessionId\":\"{SESSION}\"}}\n", PLANTED[1]);
        let text = fs::read_to_string(&path)?.replace("second turn please", PLANTED[0]) + &title;
        ensure!(text.contains(PLANTED[0]), "nothing was planted");
        fs::write(&path, &text)?;
        let guest = Person::new(&root.path().join("guest"))?;
        Ok(Self { root, _server: server, liar, ann, guest, before: text.into_bytes() })
    }

    pub(super) fn show(&self) -> Result<Showing> {
        Showing::start(&self.ann, &[SESSION])
    }

    /// Shows a code for another session of Ann's.
    pub(super) fn show_this(&self, session: &str) -> Result<Showing> {
        Showing::start(&self.ann, &[session])
    }

    pub(super) fn show_this_link(&self) -> Result<Showing> {
        Showing::start(&self.ann, &[SESSION, "--link"])
    }

    /// The same chat once more, as another session; its id.
    pub(super) fn another_chat(&self) -> Result<String> {
        let id = SESSION.replace("60fd", "70fd");
        let path = transcript(&self.ann);
        fs::write(path.with_file_name(format!("{id}.jsonl")), fs::read_to_string(&path)?.replace(SESSION, &id))?;
        Ok(id)
    }

    /// A machine that knows nobody.
    pub(super) fn machine(&self, name: &str) -> Result<Person> {
        Person::new(&self.root.path().join(name))
    }

    /// Ann shows a code, the guest enters it, and Ann lets it in where she is asked.
    pub(super) fn meet(&self, waits: Waits) -> Result<Met> {
        let mut source = self.show()?;
        let Some(issued) = source.hear()? else {
            let nobody = Ran { code: 0, stdout: String::new(), stderr: String::new() };
            return Ok(Met { source: source.end()?, guest: nobody });
        };
        let code = issued["code"].as_str().context("no code is shown")?;
        let guest = enter(&self.guest, code, self.liar.url())?;
        both(source, guest, waits)
    }

    /// Whether a chat of Ann's is noted as moved.
    fn is_away(&self) -> bool {
        fs::read_dir(self.ann.segue_home().join("moved")).is_ok_and(|mut notes| notes.next().is_some())
    }

    /// What holds whatever the server said: nothing was let in unasked, nothing is readable, nothing was lost.
    pub(super) fn holds(&self, met: &Met) -> Result<()> {
        let (source, guest) = (met.source.events()?, met.guest.events()?);
        let said = |events: &[Value], name: &str| events.iter().any(|event| event["event"] == name);
        ensure!(!said(&guest, "arrived") || said(&source, "approval"), "a view arrived that nobody let in: {source:?}");
        ensure!(!said(&guest, "ready") || said(&source, "claimed"), "a chat arrived that nobody released: {source:?}");
        for ran in [&met.source, &met.guest] {
            is_honest(ran)?;
        }
        unreadable(&self.liar.bytes())?;
        ensure!(fs::read(transcript(&self.ann))? == self.before, "the source's chat was changed");
        self.liar.be_honest();
        if said(&source, "claimed") || self.is_away() {
            let back = self.ann.run(&["device", "take-back", SESSION])?;
            ensure!(back.code == 0 && !self.is_away(), "it cannot be taken back: {}", back.stderr);
        }
        Ok(())
    }
}

/// Enters a code on a machine that says yes to what arrives.
pub(super) fn enter(person: &Person, code: &str, server: &str) -> Result<Showing> {
    let entering = person.clone().with("SEGUE_DEVICE_CODE", code);
    Showing::of(&entering, &["--yes", "device", "claim", "--project", ".", "--print", "--server", server])
}

/// Sees both to their end.
pub(super) fn both(source: Showing, guest: Showing, waits: Waits) -> Result<Met> {
    both_beside(source, guest, waits, &Barrier::new(1))
}

/// The same beside others, whom this source may have been led to: it is ended when all their guests have ended.
pub(super) fn both_beside(source: Showing, guest: Showing, waits: Waits, guests: &Barrier) -> Result<Met> {
    let ids = (source.process(), guest.process());
    let (source_says, of_source) = mpsc::channel();
    let (guest_says, of_guest) = mpsc::channel();
    let source = thread::spawn(move || play(source, &source_says));
    let guest = thread::spawn(move || play(guest, &guest_says));
    let end = |side: thread::JoinHandle<Result<Ran>>| side.join().expect("watching does not panic");
    match waits {
        Waits::Nobody => Ok(Met { guest: end(guest)?, source: end(source)? }),
        Waits::Source | Waits::Delivering => {
            let guest = end(guest);
            if waits == Waits::Delivering {
                until(&of_source, "claimed");
            }
            guests.wait();
            interrupt(ids.0);
            Ok(Met { guest: guest?, source: end(source)? })
        }
        Waits::Guest => {
            let source = end(source)?;
            until(&of_guest, "waiting");
            interrupt(ids.1);
            Ok(Met { source, guest: end(guest)? })
        }
        Waits::Both => {
            until(&of_guest, "arrived");
            interrupt(ids.0);
            let source = end(source)?;
            interrupt(ids.1);
            Ok(Met { source, guest: end(guest)? })
        }
    }
}

/// Ends who waits; who ended before is seen by how.
fn interrupt(process: u32) {
    drop(signal("INT", process));
}

/// Waits until somebody has said something, or has ended.
fn until(said: &Receiver<String>, event: &str) {
    while said.recv().is_ok_and(|said| said != event) {}
}

/// Sees a command to its end; whom it asks about is let in.
fn play(mut showing: Showing, says: &Sender<String>) -> Result<Ran> {
    while let Some(event) = showing.hear()? {
        // Not everybody waits for it.
        let _told = says.send(event["event"].as_str().unwrap_or_default().to_owned());
        if event["event"] == "approval" {
            showing.type_line(event["sas"].as_str().unwrap_or_default())?;
        }
    }
    let said: Vec<_> = showing.said.iter().map(ToString::to_string).collect();
    Ok(Ran { stdout: said.join("\n"), ..showing.end()? })
}

/// The word of the error that a command ended with; empty where it succeeded.
pub(super) fn word(ran: &Ran) -> String {
    // Ctrl-C may come before a guest listens to it.
    let otherwise = if ran.code == LEFT.0 { LEFT.1 } else { "" };
    error(ran)["code"].as_str().unwrap_or(otherwise).to_owned()
}

pub(super) fn error(ran: &Ran) -> Value {
    let last = ran.stderr.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok());
    last.map(|last| last["error"].clone()).unwrap_or_default()
}

/// An error has a word, a sentence, and says what to do; and nothing reaches a terminal that moves its cursor.
pub(super) fn is_honest(ran: &Ran) -> Result<()> {
    let raw = |text: &str| text.chars().any(|symbol| symbol != '\n' && symbol.is_control() || symbol == '\u{202e}');
    ensure!(!raw(&ran.stdout) && !raw(&ran.stderr), "raw text: {:?}{:?}", ran.stdout, ran.stderr);
    if ran.code != 0 && ran.code != 130 {
        let error = error(ran);
        let filled = |field: &str| error[field].as_str().is_some_and(|text| !text.is_empty());
        ensure!(filled("message") && filled("hint"), "it does not say what to do: {}", ran.stderr);
    }
    ensure!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    Ok(())
}

pub(super) fn unreadable(bytes: &[u8]) -> Result<()> {
    let text = String::from_utf8_lossy(bytes);
    for planted in PLANTED {
        let encoded = (0..3).map(|offset| {
            let whole = BASE64URL_NOPAD.encode(&[&vec![b'x'; offset], planted.as_bytes()].concat());
            whole[4..whole.len() - 4].to_owned()
        });
        for form in encoded.chain([planted.to_owned()]) {
            ensure!(!text.contains(&form), "{planted} reached the server");
        }
    }
    Ok(())
}

pub(super) fn transcript(person: &Person) -> PathBuf {
    person.home().join(format!(".claude/projects/-home-coder-emms-sdk/{SESSION}.jsonl"))
}
