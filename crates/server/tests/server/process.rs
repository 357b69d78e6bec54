//! The program itself: what it prints, what it leaves on disk, what survives a kill.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use data_encoding::BASE64URL_NOPAD;
use futures::SinkExt as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{
    Person,
    seal::{Draft, TestPack},
};

/// A server process; killed when dropped.
pub(crate) struct Program {
    child: Child,
    out: BufReader<ChildStdout>,
    pub(crate) ready: Value,
}

impl Program {
    pub(crate) fn command(data: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_segue-server"));
        command.args(["--listen", "127.0.0.1:0", "--json", "--data"]).arg(data);
        command.env_remove("SEGUE_DATABASE_URL").stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn start(command: &mut Command) -> Self {
        Self::ready(command.spawn().unwrap())
    }

    /// Waits until a process is ready.
    pub(crate) fn ready(mut child: Child) -> Self {
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        Self { child, out, ready: serde_json::from_str(&line).unwrap() }
    }

    pub(crate) fn url(&self) -> &str {
        self.ready["url"].as_str().unwrap()
    }

    /// Sends a signal by its name, and reads what else was printed.
    pub(crate) fn end(mut self, signal: &str) -> (Option<i32>, String, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        let (mut rest, mut log) = (String::new(), String::new());
        self.out.read_to_string(&mut rest).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (status.code(), rest, log)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let program = Program::start(&mut Program::command(&data));
    let link = program.ready["owner_link"].as_str().unwrap().to_owned();
    let token = link.strip_prefix(&format!("{}/join#1.", program.url())).unwrap();
    let ann = Person::join(program.url(), &BASE64URL_NOPAD.decode(token.as_bytes()).unwrap(), "ann@example.com").await;
    let mut head = None;
    let packs: Vec<_> = (0..10).map(|_| TestPack::new(10_000)).collect();
    for pack in &packs {
        assert_eq!(ann.upload(pack).await.status, 201);
        let draft = match &head {
            None => Draft::snapshot(&ann, "ses_00000000000000000000000000", &[pack]),
            Some(before) => Draft::next(
                &ann,
                before,
                &packs[..=packs.iter().position(|p| p.entry == pack.entry).unwrap()].iter().collect::<Vec<_>>(),
            ),
        };
        head = Some(ann.push(&draft).await.0);
    }
    assert_eq!(program.end("KILL").0, None);

    let program = Program::start(&mut Program::command(&data));
    assert_eq!(program.ready["event"], "ready");
    assert!(program.ready.get("owner_link").is_none(), "somebody has joined");
    let ann = ann.at(program.url());
    let session: segue_api::sessions::Session = ann.get("/api/v1/sessions/ses_00000000000000000000000000").await.ok();
    assert_eq!(session.seq, 10);
    for pack in &packs {
        let fetched = ann.get(&format!("/api/v1/bundles/{}/packs/{}", session.bundle_id, pack.id())).await;
        assert!(fetched.body == pack.bytes);
    }
    let (code, rest, log) = program.end("TERM");
    assert_eq!((code, rest.as_str()), (Some(0), ""), "one line and a clean end");
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
    assert!(!log.contains(token) && !log.contains(&ann.token));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_after_a_kill() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let program = Program::start(&mut Program::command(&data));
    let token = program.ready["owner_link"].as_str().unwrap().rsplit_once('.').unwrap().1.to_owned();
    let ann = Person::join(program.url(), &BASE64URL_NOPAD.decode(token.as_bytes()).unwrap(), "ann@example.com").await;
    let pack = TestPack::new(3_000_000);
    let (mut sender, body) = futures::channel::mpsc::channel(1);
    let request = ann.request(reqwest::Method::PUT, &format!("/api/v1/packs/{}", pack.id()));
    let sending = tokio::spawn(request.body(reqwest::Body::wrap_stream(body)).send());
    sender.send(Ok::<_, std::io::Error>(pack.bytes[..2_500_000].to_vec())).await.unwrap();
    let came = || {
        let files = std::fs::read_dir(data.join("packs/partial")).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>()
    };
    while came() < 2_000_000 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!(program.end("KILL").0, None);
    assert!(sending.await.unwrap().is_err());

    let program = Program::start(&mut Program::command(&data));
    let ann = ann.at(program.url());
    let (offset, complete) = ann.progress(&pack).await.unwrap();
    assert!((2_000_000..=2_500_000).contains(&offset) && !complete);
    let stored: segue_api::bundles::Pack = ann.send_rest(&pack, usize::try_from(offset).unwrap()).await.ok();
    assert_eq!(stored.sha256, data_encoding::HEXLOWER.encode(&pack.entry.sha256));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_is_checked_and_backed_up_and_the_backup_runs() {
    let folder = TempDir::new().unwrap();
    let (data, kept, again) = (folder.path().join("data"), folder.path().join("kept"), folder.path().join("again"));
    let program = Program::start(&mut Program::command(&data));
    let token = program.ready["owner_link"].as_str().unwrap().rsplit_once('.').unwrap().1.to_owned();
    let ann = Person::join(program.url(), &BASE64URL_NOPAD.decode(token.as_bytes()).unwrap(), "ann@example.com").await;
    let pack = TestPack::new(5_000);
    let (_, session) = ann.push_new(&pack).await;
    let operate = |data: &Path, words: &[&str], last: Option<&Path>| {
        let output = Program::command(data).args(words).args(last).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let clean = "{\"clean\":true,\"findings\":0,\"deleted\":0}\n";
    assert_eq!(operate(&data, &["check", "--read-data"], None), (Some(0), clean.to_owned(), String::new()));
    let (code, said, _) = operate(&data, &["backup"], Some(&kept));
    assert!(code == Some(0) && said.contains(r#""packs":1"#), "{said}");
    assert_eq!(operate(&data, &["restore"], Some(&kept)).0, Some(1), "a server runs there");
    assert_eq!(operate(&again, &["restore"], Some(&kept)).0, Some(0));
    let restored = Program::start(&mut Program::command(&again));
    let path = format!("/api/v1/bundles/{}/packs/{}", session.bundle_id, pack.id());
    assert!(ann.at(restored.url()).get(&path).await.body == pack.bytes);
    restored.end("TERM");
    // With no server running, and with something to find.
    program.end("TERM");
    assert_eq!(operate(&data, &["check"], None).0, Some(0));
    std::fs::rename(data.join("packs"), data.join("elsewhere")).unwrap();
    let (code, said, _) = operate(&data, &["check"], None);
    assert!(code == Some(1) && said.contains("its bytes are missing"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_own_account_may_read_the_data_folder_and_only_one_server_may_use_it() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let program = Program::start(&mut Program::command(&data));
    let token = program.ready["owner_link"].as_str().unwrap().rsplit_once('.').unwrap().1.to_owned();
    let ann = Person::join(program.url(), &BASE64URL_NOPAD.decode(token.as_bytes()).unwrap(), "ann@example.com").await;
    assert_eq!(ann.upload(&TestPack::new(5_000)).await.status, 201);
    let mut folders = vec![data.clone()];
    while let Some(path) = folders.pop() {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        if path.is_dir() {
            folders.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    // Neither one of the same kind, nor one with another database.
    for database in [None, Some("postgres://nobody@127.0.0.1:1/none")] {
        let mut second = Program::command(&data);
        second.envs(database.map(|url| ("SEGUE_DATABASE_URL", url)));
        let second = second.output().unwrap();
        let said = String::from_utf8_lossy(&second.stderr).into_owned();
        assert!(!second.status.success() && second.stdout.is_empty());
        assert!(said.contains("another segue-server already runs on the data folder"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_comes_from_files_and_a_stuck_handshake_holds_nobody_up() {
    let folder = TempDir::new().unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut command = Program::command(&folder.path().join("data"));
    command.arg("--tls-cert").arg(&certificate).arg("--tls-key").arg(&key);
    let program = Program::start(&mut command);
    let address = program.url().strip_prefix("https://").unwrap().to_owned();
    let mut stuck = Vec::new();
    for _ in 0..20 {
        stuck.push(tokio::net::TcpStream::connect(&address).await.unwrap());
    }
    let root = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let http = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
    let answer = http.get(format!("{}/api/v1/server", program.url())).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_2));
    drop(stuck);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_counts_at_once_and_a_broken_one_never() {
    let folder = TempDir::new().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let renew = || {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap()
    };
    let trusting =
        |root: &reqwest::Certificate| reqwest::Client::builder().tls_certs_only([root.clone()]).build().unwrap();
    let first = renew();
    let mut command = Program::command(&folder.path().join("data"));
    let program = Program::start(command.arg("--tls-cert").arg(&certificate).arg("--tls-key").arg(&key));
    let url = format!("{}/livez", program.url());
    let before = trusting(&first);
    let answers = async |http: &reqwest::Client| http.get(&url).send().await.is_ok_and(|answer| answer.status() == 200);
    assert!(answers(&before).await);
    let second = renew();
    assert!(answers(&trusting(&second)).await && !answers(&trusting(&first)).await);
    assert!(answers(&before).await, "its connection is still open");
    std::fs::write(&certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    for _ in 0..3 {
        assert!(answers(&trusting(&second)).await);
    }
    std::fs::remove_file(&certificate).unwrap();
    assert!(answers(&trusting(&second)).await);
    let third = renew();
    assert!(answers(&trusting(&third)).await);
    let (_, _, log) = program.end("TERM");
    // Once for each of the two.
    assert_eq!(log.matches("the new certificate cannot be used, the old one stays").count(), 2, "{log}");
}
