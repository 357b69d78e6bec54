//! Live news: one long answer, taken up again where it was cut.

use std::{str, time::Duration};

use reqwest::{Method, Response, StatusCode};
use segue_api::news::{BEGIN, LAST_EVENT_ID, News, RESET};

use super::{Remote, cut, refused, understand};
use crate::{
    environment::random,
    error::{CliError, Exit, Result},
};

/// First wait before connecting again; each further one is twice as long, while nothing is heard.
const WAIT: Duration = Duration::from_millis(500);
/// Longest wait: a server that is back is found within this time.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Bytes of an event that has not ended: far above what a server sends.
const EVENT_BYTES_MAX: usize = 64 * 1024;

/// What was heard, and its number.
#[derive(Debug)]
pub enum Heard {
    /// The stream begins behind this number; said once.
    Begin(i64),
    /// News up to this number are not kept any more.
    Reset(i64),
    /// News.
    News(i64, News),
}

/// News as they come, each number once and in its order, over as many connections as it takes.
pub struct Live<'a> {
    remote: &'a Remote,
    response: Option<Response>,
    events: Events,
    last: Option<i64>,
    begun: bool,
    wait: Duration,
}

impl Remote {
    /// Listens after a number that is known, or from now on.
    pub fn live(&self, after: Option<i64>) -> Live<'_> {
        Live { remote: self, response: None, events: Events::default(), last: after, begun: false, wait: WAIT }
    }
}

impl Live<'_> {
    /// Waits for what is heard next. A connection that breaks, and a server that is away for a while, only make it later.
    ///
    /// # Errors
    /// When the server refuses, when what it says makes no sense, or when the first connection fails.
    pub fn hear(&mut self) -> Result<Heard> {
        loop {
            while let Some(event) = self.events.next()? {
                if let Some(heard) = self.understand(&event)? {
                    return Ok(heard);
                }
            }
            if let Err(error) = self.more() {
                // Whoever was connected once is taken back; a wrong address is said at once.
                if !self.begun || error.exit != Exit::Network {
                    return Err(error);
                }
                self.pause()?;
            }
        }
    }

    /// Reads more of the answer, or connects again.
    fn more(&mut self) -> Result<()> {
        let Some(mut response) = self.response.take() else {
            self.events = Events::default();
            self.response = Some(self.connect()?);
            return Ok(());
        };
        let chunk = self.remote.runtime.block_on(response.chunk()).map_err(|error| cut(&error))?;
        let chunk = chunk.ok_or_else(|| CliError::new(Exit::Network, "cut", "the server ended the stream"))?;
        self.response = Some(response);
        self.events.push(&chunk)
    }

    fn connect(&self) -> Result<Response> {
        let mut request = self.remote.request(Method::GET, "api/v1/news")?;
        if let Some(last) = self.last {
            request = request.header(LAST_EVENT_ID, last);
        }
        self.remote.runtime.block_on(async {
            let response = request.send().await.map_err(|error| self.remote.unreachable(&error))?;
            if response.status() == StatusCode::OK { Ok(response) } else { Err(refused(response).await) }
        })
    }

    /// Waits, less up to a half that is drawn, so that not all clients of a server that is back come at once.
    fn pause(&mut self) -> Result<()> {
        let [drawn] = random::<1>()?;
        let wait = self.wait.mul_f64(1.0 - f64::from(drawn) / 512.0);
        self.remote.runtime.block_on(async { tokio::time::sleep(wait).await });
        self.wait = (self.wait * 2).min(WAIT_MAX);
        Ok(())
    }

    fn understand(&mut self, event: &Event) -> Result<Option<Heard>> {
        if let Some(wait) = event.retry {
            self.wait = Duration::from_millis(wait).clamp(WAIT, WAIT_MAX);
        }
        let Some(id) = &event.id else { return Ok(None) };
        let number: i64 = understand(id.as_bytes())?;
        self.wait = WAIT;
        if event.kind == RESET {
            self.last = Some(number);
            return Ok(Some(Heard::Reset(number)));
        }
        if event.kind == BEGIN {
            let first = !self.begun;
            (self.begun, self.last) = (true, Some(number));
            return Ok(first.then_some(Heard::Begin(number)));
        }
        if self.last.is_some_and(|last| number <= last) {
            // Known already.
            return Ok(None);
        }
        let news = understand(event.data.as_bytes())?;
        self.last = Some(number);
        Ok(Some(Heard::News(number, news)))
    }
}

/// A server-sent event.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    kind: String,
    id: Option<String>,
    data: String,
    retry: Option<u64>,
}

/// Bytes on their way to become events. What a cut left of one is dropped: it comes again.
#[derive(Debug, Default)]
struct Events {
    bytes: Vec<u8>,
    event: Event,
    some: bool,
}

impl Events {
    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        if (!self.bytes.contains(&b'\n') && self.bytes.len() > EVENT_BYTES_MAX)
            || self.event.data.len() > EVENT_BYTES_MAX
        {
            return Err(CliError::new(Exit::Error, "answer", "an event is longer than it may be"));
        }
        Ok(())
    }

    /// The next whole event; comments are none.
    fn next(&mut self) -> Result<Option<Event>> {
        while let Some(end) = self.bytes.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let line =
                str::from_utf8(&line).map_err(|_| CliError::new(Exit::Error, "answer", "an event is no text"))?;
            let line = line.trim_end_matches(['\n', '\r']);
            if !line.is_empty() {
                self.field(line);
            } else if std::mem::take(&mut self.some) {
                return Ok(Some(std::mem::take(&mut self.event)));
            }
        }
        Ok(None)
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.event.kind),
            "id" => self.event.id = Some(value.to_owned()),
            "data" if self.event.data.is_empty() => value.clone_into(&mut self.event.data),
            "data" => self.event.data.extend(["\n", value]),
            "retry" => self.event.retry = value.parse().ok(),
            // A comment, or what a newer server says.
            _ => return,
        }
        self.some = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parts: &[&[u8]]) -> Result<Vec<Event>> {
        let (mut events, mut all) = (Events::default(), Vec::new());
        for part in parts {
            events.push(part)?;
            while let Some(event) = events.next()? {
                all.push(event);
            }
        }
        Ok(all)
    }

    #[test]
    fn events_are_the_same_however_their_bytes_are_cut() {
        let text = ":\n\nevent: claimed\nid: 7\ndata: {\"a\":\ndata: 1}\nfuture: x\n\n:\n\nretry: 1000\r\n\r\nid: 8\n";
        let event =
            Event { kind: "claimed".to_owned(), id: Some("7".to_owned()), data: "{\"a\":\n1}".to_owned(), retry: None };
        let expected = vec![event, Event { retry: Some(1_000), ..Event::default() }];
        for size in 1..=text.len() {
            assert_eq!(read(&text.as_bytes().chunks(size).collect::<Vec<_>>()).unwrap(), expected, "{size}");
        }
    }

    #[test]
    fn an_event_that_never_ends_and_what_is_no_text_are_refused() {
        let line = vec![b'x'; EVENT_BYTES_MAX];
        assert_eq!(read(&[&line]).unwrap(), []);
        assert!(read(&[&line, b"x"]).is_err());
        let data = [b"data: ", &line[..], b"\n"].concat();
        assert!(read(&[&data, &data, b"\n"]).is_err());
        assert!(read(&[b"id: \xff\n\n"]).is_err());
    }
}
