//! Mails as they arrive: files in a folder, or a small SMTP server that does as it is told.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use data_encoding::BASE64;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A mail that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) raw: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

impl Arrived {
    pub(crate) fn read(raw: &[u8]) -> Self {
        let raw = String::from_utf8(raw.to_vec()).unwrap();
        let boundary = raw.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap();
        let line = format!("--{boundary}");
        let mut parts = raw.split(&line).skip(1).map(|part| {
            let (head, body) = part.trim_start().split_once("\r\n\r\n").unwrap_or_default();
            let coded = unfolded(head).to_ascii_lowercase();
            if coded.contains("quoted-printable") {
                quoted_printable(body)
            } else if coded.contains("base64") {
                String::from_utf8(BASE64.decode(body.replace("\r\n", "").as_bytes()).unwrap()).unwrap()
            } else {
                body.to_owned()
            }
        });
        let (text, html) = (parts.next().unwrap().replace("\r\n", "\n"), parts.next().unwrap());
        Self { raw, text, html }
    }

    /// All values of a header.
    pub(crate) fn headers(&self, name: &str) -> Vec<String> {
        let head = unfolded(self.raw.split("\r\n\r\n").next().unwrap());
        let of = |line: &str| {
            let (found, value) = line.split_once(": ").unwrap();
            found.eq_ignore_ascii_case(name).then(|| value.to_owned())
        };
        head.lines().filter_map(of).collect()
    }

    /// The one value of a header.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> String {
        let values = self.headers(name);
        assert_eq!(values.len(), 1, "{name}: {}", self.raw);
        values[0].clone()
    }

    /// Every link in it.
    pub(crate) fn links(&self) -> Vec<String> {
        let words = self.text.split(|symbol: char| symbol.is_whitespace() || symbol == '\'');
        words.filter(|word| word.starts_with("http")).map(str::to_owned).collect()
    }

    /// The token of its join link.
    pub(crate) fn token(&self) -> Vec<u8> {
        let link = self.links().into_iter().find(|link| link.contains("/join#1.")).unwrap();
        data_encoding::BASE64URL_NOPAD.decode(link.split_once("#1.").unwrap().1.as_bytes()).unwrap()
    }

    /// The code in it.
    pub(crate) fn code(&self) -> String {
        let line = self.text.lines().find(|line| line.len() == 15 && line.as_bytes()[9] == b'-');
        line.unwrap().trim().to_owned()
    }
}

fn unfolded(head: &str) -> String {
    head.replace("\r\n ", " ").replace("\r\n\t", " ")
}

fn quoted_printable(body: &str) -> String {
    let joined = body.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'=' {
            let digits = std::str::from_utf8(&after[..2]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// The mails in a server's folder, oldest first, once there are `count`.
pub(crate) async fn in_folder(data: &Path, count: usize) -> Vec<Arrived> {
    let read = || -> Vec<_> {
        let entries = std::fs::read_dir(data.join("mail")).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "eml")).collect();
        paths.sort();
        paths
    };
    until(|| read().len() >= count).await;
    read().iter().map(|path| Arrived::read(&std::fs::read(path).unwrap())).collect()
}

/// Waits for something that happens.
pub(crate) async fn until(mut happened: impl FnMut() -> bool) {
    let all = async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all).await.expect("it did not happen");
}

/// What the SMTP server answers when a mail's text has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Refuse(&'static str),
    /// Keeps the mail and says nothing for ever.
    Silence,
}

#[derive(Default)]
struct State {
    arrived: Mutex<Vec<Vec<u8>>>,
    answers: Mutex<VecDeque<Answer>>,
}

/// An SMTP server.
pub(crate) struct Smtp {
    pub(crate) url: String,
    port: u16,
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl Smtp {
    pub(crate) async fn start() -> Self {
        Self::on(0).await
    }

    pub(crate) async fn on(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            let mut talks = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&shared);
                talks.spawn(async move { talk(stream, &state).await.unwrap_or_default() });
            }
        });
        Self { url: format!("smtp://127.0.0.1:{port}"), port, state, task }
    }

    /// How it answers the next mails, one each; it takes those after them.
    pub(crate) fn will(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.answers.lock().unwrap().extend(answers);
    }

    /// Answers that were not given yet.
    pub(crate) fn answers_left(&self) -> usize {
        self.state.answers.lock().unwrap().len()
    }

    /// The mails that it kept, once there are `count`.
    pub(crate) async fn arrived(&self, count: usize) -> Vec<Arrived> {
        until(|| self.state.arrived.lock().unwrap().len() >= count).await;
        self.state.arrived.lock().unwrap().iter().map(|raw| Arrived::read(raw)).collect()
    }

    /// Ends it and all its connections.
    pub(crate) async fn stop(self) -> u16 {
        self.task.abort();
        drop(self.task.await);
        self.port
    }
}

async fn talk(stream: TcpStream, state: &State) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 sink\r\n").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let answer = match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "EHLO" => "250-sink\r\n250 8BITMIME\r\n".to_owned(),
            "QUIT" => return stream.write_all(b"221 bye\r\n").await,
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mail = data(&mut stream).await?;
                let answer = state.answers.lock().unwrap().pop_front();
                match answer {
                    Some(Answer::Refuse(answer)) => format!("{answer}\r\n"),
                    Some(Answer::Silence) => {
                        state.arrived.lock().unwrap().push(mail);
                        return std::future::pending().await;
                    }
                    None => {
                        state.arrived.lock().unwrap().push(mail);
                        "250 kept\r\n".to_owned()
                    }
                }
            }
            _ => "250 ok\r\n".to_owned(),
        };
        stream.write_all(answer.as_bytes()).await?;
    }
}

async fn data(stream: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut mail = Vec::new();
    loop {
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line).await?;
        if line == b".\r\n" || line.is_empty() {
            return Ok(mail);
        }
        mail.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
