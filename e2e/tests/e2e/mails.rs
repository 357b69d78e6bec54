//! Mails as they arrive at an SMTP server of another make, read by another program (SPEC T5, T12, A2).

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use segue_e2e::{
    person::{Person, fixture},
    server::{Options, Server},
    story::{BEN, id, join_as_owner},
};
use serde_json::Value;
use tempfile::TempDir;

const SESSION: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";

/// The SMTP server; ends with the test.
struct Sink {
    child: Child,
    folder: PathBuf,
    port: u16,
}

fn python(script: &str) -> Result<Command> {
    let python = env::var_os("SEGUE_E2E_PYTHON").context("run cargo xtask check, or set SEGUE_E2E_PYTHON")?;
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script));
    Ok(command)
}

impl Sink {
    fn start(folder: &Path, port: u16) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut command = python("smtp_sink.py")?;
        let mut child = command.arg(folder).arg(port.to_string()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("stdout was asked for")?).read_line(&mut line)?;
        Ok(Self { child, folder: folder.to_owned(), port: line.trim().parse()? })
    }

    /// The mail that came as number `count`, once it is there.
    fn mail(&self, count: usize) -> Result<Value> {
        let path = self.folder.join(format!("{count:04}.eml"));
        for _ in 0..600 {
            if path.exists() {
                let output = python("read_mail.py")?.arg(&path).output()?;
                ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                return Ok(serde_json::from_slice(&output.stdout)?);
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        anyhow::bail!("mail {count} did not come")
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Already gone is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn header(mail: &Value, name: &str) -> Result<String> {
    let values = mail["headers"][name].as_array().with_context(|| format!("no {name}: {mail}"))?;
    ensure!(values.len() == 1, "{name} stands {} times", values.len());
    id(&values[0].as_str().map(|text| serde_json::json!({"x": text})).unwrap_or_default(), "x")
}

fn word<'a>(mail: &'a Value, prefix: &str) -> Result<&'a str> {
    let text = mail["text"].as_str().unwrap_or_default();
    let mut words = text.split(|symbol: char| symbol.is_whitespace() || symbol == '\'');
    words.find(|word| word.starts_with(prefix)).with_context(|| format!("no {prefix} in {text}"))
}

/// Runs `segue` with words on its standard input.
fn say(person: &Person, arguments: &[&str], words: &str) -> Result<Value> {
    let mut command = person.command(arguments)?;
    let mut child =
        command.arg("--json").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("stdin was asked for")?.write_all(words.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[test]
fn people_sign_up_are_invited_verify_and_hand_over_by_mail() -> Result<()> {
    let folder = TempDir::new()?;
    let sink = Sink::start(&folder.path().join("mails"), 0)?;
    let url = format!("smtp://127.0.0.1:{}", sink.port);
    let variables = vec![("SEGUE_SMTP_URL".into(), url.into()), ("SEGUE_SIGN_UP".into(), "domains:example.com".into())];
    let arguments = ["--mail-from", "Segue <segue@example.org>"].map(Into::into).to_vec();
    let server = Server::start(&folder.path().join("server"), &Options { arguments, variables, ..Options::default() })?;
    let person = |name: &str| Person::new(&folder.path().join(name));
    let (ann, ben, cy, dan) = (person("ann")?, person("ben")?, person("cy")?, person("dan")?);
    join_as_owner(&server, &ann)?;

    // Ben is invited by mail; the link verifies.
    let invited = ann.json(&["invite", BEN, "--mail"])?;
    assert!(invited["mailed"] == true && invited.get("link").is_none(), "{invited}");
    let mail = sink.mail(1)?;
    assert_eq!(mail["defects"], serde_json::json!([]));
    assert_eq!((header(&mail, "from")?.as_str(), header(&mail, "to")?.as_str()), ("Segue <segue@example.org>", BEN));
    assert_eq!(header(&mail, "x-envelope")?, format!("segue@example.org > {BEN}"));
    assert_eq!(header(&mail, "subject")?, "Ann invites you to Segue");
    assert_eq!(ben.json(&["join", word(&mail, "http")?])?["email_verified"], true);

    // Cy signs up with nothing but an address.
    let asked = cy.json(&["join", server.url(), "--email", "cy@example.com"])?;
    assert_eq!(asked["joined"], false);
    assert_eq!(cy.json(&["join", word(&sink.mail(2)?, "http")?])?["email_verified"], true);

    // Dan joined with a printed link, and verifies his address later. The code is never an argument.
    let link = id(&ann.json(&["invite", "dan@example.com"])?, "link")?;
    assert_eq!(dan.json(&["join", &link])?["email_verified"], false);
    assert_eq!(dan.json(&["verify"])?["email_verified"], false);
    let mail = sink.mail(3)?;
    let text = mail["text"].as_str().unwrap_or_default();
    let code =
        text.lines().map(str::trim).find(|line| line.len() == 11 && line.as_bytes()[5] == b'-').context("no code")?;
    assert!(!header(&mail, "subject")?.contains(code));
    assert_eq!(say(&dan, &["verify"], &code.to_lowercase())?["email_verified"], true);

    // An owner vouches for somebody who has joined.
    let eve = person("eve")?;
    let link = id(&ann.json(&["invite", "eve@example.com"])?, "link")?;
    eve.json(&["join", &link])?;
    assert_eq!(ann.json(&["vouch", "eve@example.com"])?["email"], "eve@example.com");
    assert_eq!(eve.json(&["whoami"])?["email"], "eve@example.com");

    // A handoff: card, message and command, and nothing of the session.
    ann.record(&fixture("claude-code", "2.1.197"))?;
    let message = "Look at </pre><script>alert(1)</script> {{x}} — schön";
    let handoff = id(&ann.json(&["handoff", SESSION, "--to", BEN, "--message", message])?, "handoff_id")?;
    let mail = sink.mail(4)?;
    assert_eq!(mail["defects"], serde_json::json!([]));
    assert!(header(&mail, "subject")?.starts_with("Ann handed you"), "{mail}");
    let (text, html) = (mail["text"].as_str().unwrap_or_default(), mail["html"].as_str().unwrap_or_default());
    assert!(
        text.contains(&format!("> {message}")) && text.contains(&format!("segue pull-handoff {handoff}\n")),
        "{text}"
    );
    assert!(
        !html.contains("<script") && html.contains("&lt;script&gt;alert(1)&lt;/script&gt; {{x}} — schön"),
        "{html}"
    );
    assert!(!text.contains("second turn please") && !html.contains("second turn please"));

    // Fay has no account: the mail brings her the way in, and Ann the claim link.
    let handed = ann.json(&["handoff", SESSION, "--to", "fay@example.com", "--show-link"])?;
    let mail = sink.mail(5)?;
    let fay = person("fay")?;
    assert_eq!(fay.json(&["join", word(&mail, "http")?])?["email_verified"], true);
    let secret = id(&handed, "claim_link")?;
    let (_, secret) = secret.split_once("#1.").context("a claim link has a secret")?;
    assert!(!mail.to_string().contains(secret), "the claim link is in no mail");
    let fay = fay.with("SEGUE_CLAIM_LINK", id(&handed, "claim_link")?);
    assert!(fay.json(&["pull-handoff", &id(&handed, "handoff_id")?])?["session_id"].is_string());
    assert!(header(&sink.mail(6)?, "subject")?.starts_with("fay claimed"));

    a_mail_is_only_late(sink, &ben, &handoff, &folder.path().join("server"))?;
    // Neither links nor codes are in the log.
    let log = server.log()?;
    assert!(!log.contains("#1.") && !log.contains(code) && !log.contains("panicked"), "{log}");
    Ok(())
}

/// While the SMTP server is away everything goes on, and the mail about the claim waits until it is back.
fn a_mail_is_only_late(sink: Sink, ben: &Person, handoff: &str, data: &Path) -> Result<()> {
    let (port, kept) = (sink.port, sink.folder.clone());
    drop(sink);
    assert!(ben.json(&["pull-handoff", handoff])?["session_id"].is_string());
    let program = segue_e2e::server::program("segue-server")?;
    let list = || -> Result<String> {
        let output = Command::new(&program).arg("--data").arg(data).args(["--json", "mail", "list"]).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    };
    while !list()?.contains("\"failure\":\"") {
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let waiting: Value = serde_json::from_str(list()?.lines().next().context("nothing waits")?)?;
    assert_eq!((&waiting["state"], &waiting["kind"]), (&"waiting".into(), &"claimed".into()));
    std::fs::rename(&kept, kept.with_extension("before"))?;
    let sink = Sink::start(&kept, port)?;
    let retry = |id: &str| Command::new(&program).arg("--data").arg(data).args(["mail", "retry", id]).output();
    assert_eq!(retry("nothing")?.status.code(), Some(1));
    assert!(retry(waiting["id"].as_str().unwrap_or_default())?.status.success());
    let mail = sink.mail(1)?;
    assert!(header(&mail, "subject")?.starts_with("ben claimed"), "{mail}");
    assert!(header(&mail, "references")?.starts_with(&format!("<{handoff}.1.usr_")));
    Ok(())
}
