//! Repeatable requests (SPEC T18): the repeat of a changing request gives the first answer.
//!
//! A key is taken in the transaction that does the work, so work and answer are kept together or not at all; a request
//! that was refused leaves its key free.

use segue_api::{Code, IDEMPOTENCY_KEY};
use segue_domain::{Timestamp, UserId};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    failure::Failure,
    store::{Tx, idempotency},
};

/// What a request may be recognised by.
#[derive(Debug, Clone)]
pub(crate) struct Once {
    /// Who asks: a key means something to one person only.
    pub(crate) user: UserId,
    /// The Idempotency-Key, if there is one.
    pub(crate) key: Option<Key>,
    /// The route as it is documented.
    pub(crate) route: String,
}

/// An Idempotency-Key and what it came with.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// As it was sent.
    pub(crate) text: String,
    /// SHA-256 over method, path and the body's SHA-256.
    pub(crate) request_hash: [u8; 32],
}

impl Once {
    /// The first answer when this is a repeat; else takes the key for this transaction.
    pub(crate) async fn first_answer<T: DeserializeOwned>(
        &self,
        tx: &mut Tx<'_>,
        now: Timestamp,
    ) -> Result<Option<T>, Failure> {
        let Some(key) = &self.key else { return Ok(None) };
        if idempotency::begin(tx, self.user, &key.text, &self.route, &key.request_hash, now).await? {
            return Ok(None);
        }
        let known = idempotency::find(tx, self.user, &key.text).await?;
        let answer = known.filter(|known| known.request_hash == key.request_hash).and_then(|known| known.answer);
        let answer = answer.ok_or_else(|| {
            Failure::new(Code::IdempotencyKeyReused, format!("This {IDEMPOTENCY_KEY} came with another request."))
                .or("Draw a new key for each new request.")
        })?;
        Ok(Some(serde_json::from_str(&answer).map_err(anyhow::Error::from)?))
    }

    /// Frees the key: the request was refused, although something else is kept.
    pub(crate) async fn give_back(&self, tx: &mut Tx<'_>) -> Result<(), Failure> {
        match &self.key {
            Some(key) => Ok(idempotency::delete(tx, self.user, &key.text).await?),
            None => Ok(()),
        }
    }

    /// Keeps the answer for repeats.
    pub(crate) async fn keep<T: Serialize>(&self, tx: &mut Tx<'_>, answer: &T) -> Result<(), Failure> {
        if let Some(key) = &self.key {
            let answer = serde_json::to_string(answer).map_err(anyhow::Error::from)?;
            idempotency::finish(tx, self.user, &key.text, &answer).await?;
        }
        Ok(())
    }
}
