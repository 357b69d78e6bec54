//! Live news of an account, each once and in its order.

use segue_api::news::{BEGIN, LAST_EVENT_ID, News, RESET};

use super::{
    Remote,
    stream::{Event, Stream},
    understand,
};
use crate::error::Result;

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
    stream: Stream<'a>,
    last: Option<i64>,
    begun: bool,
}

impl Remote {
    /// Listens after a number that is known, or from now on.
    pub fn live(&self, after: Option<i64>) -> Live<'_> {
        Live { stream: Stream::new(self, "api/v1/news".to_owned()), last: after, begun: false }
    }
}

impl Live<'_> {
    /// Waits for what is heard next. A connection that breaks, and a server that is away for a while, only make it later.
    ///
    /// # Errors
    /// When the server refuses, when what it says makes no sense, or when the first connection fails.
    pub fn hear(&mut self) -> Result<Heard> {
        loop {
            let last = self.last.map(|last| (LAST_EVENT_ID, last.to_string()));
            // Whoever was connected once is taken back; a wrong address is said at once.
            let event = self.stream.next(last.as_ref(), self.begun)?;
            if let Some(heard) = self.understand(&event)? {
                return Ok(heard);
            }
        }
    }

    fn understand(&mut self, event: &Event) -> Result<Option<Heard>> {
        let Some(id) = &event.id else { return Ok(None) };
        let number: i64 = understand(id.as_bytes())?;
        self.stream.is_well();
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
