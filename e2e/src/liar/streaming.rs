//! A live stream, event by event.

use std::{collections::VecDeque, io, pin::Pin, sync::Arc};

use axum::{
    body::{Body, Bytes},
    http::header,
    response::Response,
};
use futures::{Stream, StreamExt as _, stream};
use serde_json::Value;

use super::{Fate, Passing, Shared, Way};

/// The end of an event, or of a comment.
const END: &[u8] = b"\n\n";
/// The event whose data a rule is shown.
const PAIRING: &str = "event: pairing";

type Chunks = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>;

struct Telling {
    shared: Arc<Shared>,
    asked: Passing,
    chunks: Chunks,
    came: Vec<u8>,
    /// What is told next.
    next: VecDeque<Bytes>,
    again: Option<Bytes>,
    broken: bool,
}

/// Tells on what `response` tells.
pub(super) fn pass(shared: Arc<Shared>, asked: Passing, response: reqwest::Response) -> Response {
    let telling = Telling {
        shared,
        asked,
        chunks: Box::pin(response.bytes_stream()),
        came: Vec::new(),
        next: VecDeque::new(),
        again: None,
        broken: false,
    };
    let told = stream::unfold(telling, |mut telling| async move { Some((telling.next().await?, telling)) });
    let mut response = Response::new(Body::from_stream(told));
    let kind = "text/event-stream".parse().map(|kind| response.headers_mut().insert(header::CONTENT_TYPE, kind));
    drop(kind);
    response
}

impl Telling {
    /// None: the server has ended it.
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            if let Some(again) = &self.again {
                // So that others come to their turn.
                tokio::task::yield_now().await;
                return Some(Ok(again.clone()));
            }
            if let Some(next) = self.next.pop_front() {
                return Some(Ok(next));
            }
            if self.broken {
                return Some(Err(io::Error::other("cut")));
            }
            let chunk = self.chunks.next().await?;
            let Ok(chunk) = chunk else { return Some(Err(io::Error::other("lost"))) };
            self.came.extend_from_slice(&chunk);
            while let Some(end) = self.came.windows(END.len()).position(|window| window == END) {
                let frame: Vec<u8> = self.came.drain(..end + END.len()).collect();
                self.judge(frame);
            }
        }
    }

    fn judge(&mut self, frame: Vec<u8>) {
        let text = String::from_utf8_lossy(&frame).into_owned();
        let data = text.lines().find_map(|line| line.strip_prefix("data:")).map(str::trim_start);
        let Some(data) = data.filter(|_| text.starts_with(PAIRING)) else {
            return self.next.push_back(frame.into());
        };
        let body = data.as_bytes().to_vec();
        let mut event = Passing { way: Way::Event, body, ..self.asked.clone() };
        match self.shared.judge(&mut event) {
            Fate::Swallow => {}
            Fate::Cut => self.broken = true,
            Fate::Pass => self.next.push_back(framed(&event.body)),
            Fate::Say(_, value) => self.next.push_back(framed(value.to_string().as_bytes())),
            Fate::Repeat => self.again = Some(framed(&event.body)),
        }
        self.next.extend(event.more.iter().map(Value::to_string).map(|more| framed(more.as_bytes())));
    }
}

fn framed(data: &[u8]) -> Bytes {
    [PAIRING.as_bytes(), b"\ndata: ", data, END].concat().into()
}
