//! Server-sent events: one long answer, taken up again where it was cut.

use std::{str, time::Duration};

use reqwest::{Method, Response, StatusCode};

use super::{Remote, cut, refused};
use crate::{
    environment::random,
    error::{CliError, Exit, Result},
};

/// First wait before connecting again; each further one is twice as long, while nothing is heard.
const WAIT: Duration = Duration::from_millis(500);
/// Longest wait: a server that is back is found within this time.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Bytes of an event that has not ended: above the largest sealed view in JSON.
const EVENT_BYTES_MAX: usize = 128 * 1024;

/// Events as they come, over as many connections as it takes.
pub(super) struct Stream<'a> {
    remote: &'a Remote,
    path: String,
    response: Option<Response>,
    events: Events,
    wait: Duration,
}

impl<'a> Stream<'a> {
    /// Of this path. Connects with the first event.
    pub(super) fn new(remote: &'a Remote, path: String) -> Self {
        Self { remote, path, response: None, events: Events::default(), wait: WAIT }
    }

    /// Waits for the next event. With `again`, a connection that breaks and a server that is away for a while only make it
    /// later; `header` is sent with each connection.
    ///
    /// # Errors
    /// When the server refuses, or when what it says makes no sense.
    pub(super) fn next(&mut self, header: Option<&(&str, String)>, again: bool) -> Result<Event> {
        loop {
            if let Some(event) = self.events.next()? {
                if let Some(wait) = event.retry {
                    self.wait = Duration::from_millis(wait).clamp(WAIT, WAIT_MAX);
                }
                return Ok(event);
            }
            if let Err(error) = self.more(header) {
                if !again || error.exit != Exit::Network {
                    return Err(error);
                }
                self.pause()?;
            }
        }
    }

    /// What came made sense: after the next cut it is not waited for long.
    pub(super) fn is_well(&mut self) {
        self.wait = WAIT;
    }

    /// Reads more of the answer, or connects again.
    fn more(&mut self, header: Option<&(&str, String)>) -> Result<()> {
        let Some(mut response) = self.response.take() else {
            self.events = Events::default();
            self.response = Some(self.connect(header)?);
            return Ok(());
        };
        let chunk = self.remote.runtime.block_on(response.chunk()).map_err(|error| cut(&error))?;
        let chunk = chunk.ok_or_else(|| CliError::new(Exit::Network, "cut", "the server ended the stream"))?;
        self.response = Some(response);
        self.events.push(&chunk)
    }

    fn connect(&self, header: Option<&(&str, String)>) -> Result<Response> {
        let mut request = self.remote.request(Method::GET, &self.path)?;
        if let Some((name, value)) = header {
            request = request.header(*name, value);
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
}

/// A server-sent event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) kind: String,
    pub(super) id: Option<String>,
    pub(super) data: String,
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
