//! A live stream as a client reads it.

use reqwest::{Method, Response};
use segue_api::news::{LAST_EVENT_ID, News};

use super::{Person, raw::PATIENCE};

/// One server-sent event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) kind: String,
    pub(crate) id: i64,
    pub(crate) data: String,
    /// When to come back, in milliseconds.
    pub(crate) retry: Option<u64>,
}

impl Sent {
    #[track_caller]
    pub(crate) fn news(&self) -> News {
        let news: News = serde_json::from_str(&self.data).unwrap();
        assert_eq!(news.kind, self.kind);
        news
    }
}

/// A stream that is open.
pub(crate) struct Live {
    response: Response,
    text: String,
    heartbeats: usize,
}

impl Person {
    /// Listens from now on, or after a number.
    pub(crate) async fn listen(&self, after: Option<i64>) -> Live {
        let mut request = self.request(Method::GET, "/api/v1/news");
        if let Some(after) = after {
            request = request.header(LAST_EVENT_ID, after);
        }
        Live::of(request.send().await.unwrap())
    }
}

impl Live {
    pub(crate) fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new(), heartbeats: 0 }
    }

    /// Waits for the next event; none when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                match read(&block) {
                    Some(sent) => return Some(sent),
                    None => self.heartbeats += 1,
                }
                continue;
            }
            let more = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("the stream is silent");
            // A stream that is cut has ended as well.
            self.text.push_str(std::str::from_utf8(&more.ok().flatten()?).unwrap());
        }
    }

    /// Waits for so many comments, between which nothing is said.
    pub(crate) async fn heartbeats(&mut self, count: usize) {
        while self.heartbeats < count {
            let more = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("the stream is silent");
            self.text.push_str(std::str::from_utf8(&more.unwrap().expect("the stream has ended")).unwrap());
            while let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                assert_eq!(read(&block), None);
                self.heartbeats += 1;
            }
        }
    }

    /// Waits for so many events.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<Sent> {
        let mut all = Vec::new();
        while all.len() < count {
            all.push(self.next().await.expect("the stream has ended"));
        }
        all
    }
}

/// The event of its lines; none for a comment.
fn read(block: &str) -> Option<Sent> {
    let mut sent = None;
    for line in block.lines() {
        let (field, value) = line.split_once(": ").unwrap_or((line, ""));
        let event: &mut Sent = if field.is_empty() || field == ":" { continue } else { sent.get_or_insert_default() };
        match field {
            "event" => value.clone_into(&mut event.kind),
            "id" => event.id = value.parse().unwrap(),
            "data" => value.clone_into(&mut event.data),
            "retry" => event.retry = Some(value.parse().unwrap()),
            _ => {}
        }
    }
    sent
}

/// What happened and its numbers.
pub(crate) fn kinds(sent: &[Sent]) -> Vec<(&str, i64)> {
    sent.iter().map(|sent| (sent.kind.as_str(), sent.id)).collect()
}
