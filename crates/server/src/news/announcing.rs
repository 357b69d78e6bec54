//! News are written in the transaction of what they are about, as its last step: the counters of its parties are locked
//! until it ends, always in the order of their ids.

use std::collections::BTreeSet;

use segue_domain::{State, Timestamp, UserId};

use super::Topic;
use crate::{
    failure::Failure,
    store::{
        Tx,
        news::{self, NewNews},
        recipients::{self, To},
    },
};

/// Which topic is at which number. To be told once the transaction is committed.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Announced(pub(super) Vec<(Topic, i64)>);

impl Announced {
    /// One topic that is at this number now.
    pub(crate) fn one(topic: Topic, newest: i64) -> Self {
        Self(vec![(topic, newest)])
    }
}

impl Announced {
    /// Takes in what was announced in the same transaction.
    pub(crate) fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// Who has to do with a handoff.
#[derive(Debug)]
pub(crate) struct Parties<'a> {
    /// Who gave it.
    pub(crate) sender: UserId,
    /// To whom.
    pub(crate) to: &'a To,
    /// Where it stood before.
    pub(crate) state: &'a State,
}

impl Parties<'_> {
    /// Who hears of it: everybody who may claim and its sender; after a claim the two whom it concerns.
    async fn hearing(&self, tx: &mut Tx<'_>) -> Result<BTreeSet<UserId>, sqlx::Error> {
        let others = match self.state {
            State::Claimed { by, .. } => vec![*by],
            _ => recipients::people(tx, self.to, self.sender).await?,
        };
        Ok(others.into_iter().chain([self.sender]).collect())
    }
}

/// Writes news for all parties.
pub(crate) async fn announce(
    tx: &mut Tx<'_>,
    parties: &Parties<'_>,
    events: &[NewNews<'_>],
    now: Timestamp,
) -> Result<Announced, Failure> {
    let mut announced = Announced::default();
    if events.is_empty() {
        return Ok(announced);
    }
    let users: Vec<_> = parties.hearing(tx).await?.into_iter().collect();
    for event in events {
        let numbers = news::append(tx, &users, event, now).await?;
        announced.0.extend(numbers.into_iter().map(|(user, number)| (Topic::Account(user), number)));
    }
    Ok(announced)
}

/// Writes news of one's device for oneself.
pub(crate) async fn announce_device(
    tx: &mut Tx<'_>,
    user: UserId,
    event: &NewNews<'_>,
    now: Timestamp,
) -> Result<Announced, Failure> {
    let numbers = news::append(tx, &[user], event, now).await?;
    Ok(Announced(numbers.into_iter().map(|(user, number)| (Topic::Account(user), number)).collect()))
}
