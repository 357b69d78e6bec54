//! News of each account: which event of which handoff or device, numbered without gaps under the account's locked counter, so that
//! the numbers are in the order of the commits.

use segue_domain::{DeviceId, HandoffId, Timestamp, UserId};
use sqlx::{AssertSqlSafe, FromRow};

use super::{
    Tx,
    columns::{self, Millis, Text},
    on,
    recipients::is_party,
};

/// What news are about.
#[derive(Debug, Clone, Copy)]
pub enum About {
    /// A handoff.
    Handoff(HandoffId),
    /// One's own device.
    Device(DeviceId),
}

impl About {
    /// The columns: one of them says something.
    fn columns(self) -> (String, Option<Text<DeviceId>>) {
        match self {
            Self::Handoff(id) => (id.to_string(), None),
            Self::Device(id) => (String::new(), Some(Text(id))),
        }
    }
}

/// An event that somebody hears of.
#[derive(Debug, Clone, Copy)]
pub struct NewNews<'a> {
    /// Of what.
    pub about: About,
    /// The event's kind.
    pub kind: &'a str,
    /// The event's number.
    pub event: i64,
}

/// One of the news, as its reader may have it now.
#[derive(Debug, FromRow)]
pub struct News {
    pub(crate) seq: i64,
    #[sqlx(try_from = "Millis")]
    pub(crate) at: Timestamp,
    pub(crate) kind: String,
    /// Empty when they are about a device.
    pub(crate) handoff_id: String,
    pub(crate) device_id: Option<String>,
    pub(crate) event_seq: i64,
    /// Whether its reader is still a party, or it is their own device.
    pub(crate) may: bool,
}

/// Which news of an account are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Number of the newest; 0 when there never was one.
    pub newest: i64,
    /// Number before the oldest that is kept.
    pub before: i64,
}

/// A token that may listen, and how far its account's news are.
#[derive(Debug)]
pub struct Standing {
    pub(crate) token_hash: [u8; 32],
    pub(crate) newest: i64,
}

/// How far the numbers leap in a backup: further than anything that can happen to an account after it.
const LEAP: i64 = 1_000_000_000;
/// Accounts in one statement: far below the parameters that either database takes.
const ACCOUNTS_AT_ONCE: usize = 500;

/// Adds news of some accounts and returns their numbers. Their counters are locked in the order of `users`, which is the same
/// everywhere; whoever else adds to one of them waits until the transaction ends.
pub async fn append(
    tx: &mut Tx<'_>,
    users: &[UserId],
    new: &NewNews<'_>,
    now: Timestamp,
) -> Result<Vec<(UserId, i64)>, sqlx::Error> {
    let mut numbers = Vec::with_capacity(users.len());
    for some in users.chunks(ACCOUNTS_AT_ONCE) {
        numbers.extend(count(tx, some).await?);
        insert(tx, some, new, now).await?;
    }
    Ok(numbers)
}

async fn count(tx: &mut Tx<'_>, users: &[UserId]) -> Result<Vec<(UserId, i64)>, sqlx::Error> {
    let places: Vec<_> = (1..=users.len()).map(|place| format!("(${place}, 1)")).collect();
    let sql = format!(
        "INSERT INTO news_counters (user_id, seq) VALUES {} \
         ON CONFLICT (user_id) DO UPDATE SET seq = news_counters.seq + 1 RETURNING user_id, seq",
        places.join(", ")
    );
    let numbers: Vec<(Text<UserId>, i64)> = on!(tx, |c| {
        let mut query = sqlx::query_as(AssertSqlSafe(sql));
        for user in users {
            query = query.bind(Text(*user));
        }
        query.fetch_all(c).await
    })?;
    Ok(numbers.into_iter().map(|(user, number)| (user.0, number)).collect())
}

async fn insert(tx: &mut Tx<'_>, users: &[UserId], new: &NewNews<'_>, now: Timestamp) -> Result<(), sqlx::Error> {
    let places: Vec<_> = (6..users.len() + 6).map(|place| format!("${place}")).collect();
    let sql = format!(
        "INSERT INTO news (user_id, seq, at, kind, handoff_id, event_seq, device_id) \
         SELECT c.user_id, c.seq, $1, $2, $3, $4, $5 FROM news_counters c WHERE c.user_id IN ({})",
        places.join(", ")
    );
    let (handoff, device) = new.about.columns();
    on!(tx, |c| {
        let mut query = sqlx::query(AssertSqlSafe(sql));
        query = query.bind(Millis::from(now)).bind(new.kind).bind(handoff).bind(new.event).bind(device);
        for user in users {
            query = query.bind(Text(*user));
        }
        query.execute(c).await.map(drop)
    })
}

/// News of an account after number `after`, oldest first; at most `limit`.
pub async fn list(tx: &mut Tx<'_>, user: UserId, after: i64, limit: i64) -> Result<Vec<News>, sqlx::Error> {
    let sql = concat!(
        "SELECT n.seq, n.at, n.kind, n.handoff_id, n.device_id, n.event_seq, n.device_id IS NOT NULL OR COALESCE(",
        is_party!(),
        ", FALSE) AS may FROM news n LEFT JOIN handoffs h ON h.id = n.handoff_id \
         WHERE n.user_id = $2 AND n.seq > $1 ORDER BY n.seq LIMIT $3"
    );
    on!(tx, |c| sqlx::query_as(sql).bind(after).bind(Text(user)).bind(limit).fetch_all(c).await)
}

/// Which news of an account are kept.
pub async fn kept(tx: &mut Tx<'_>, user: UserId) -> Result<Kept, sqlx::Error> {
    let sql = "SELECT c.seq, (SELECT MIN(n.seq) FROM news n WHERE n.user_id = c.user_id) \
               FROM news_counters c WHERE c.user_id = $1";
    let row: Option<(i64, Option<i64>)> = on!(tx, |c| sqlx::query_as(sql).bind(Text(user)).fetch_optional(c).await)?;
    let (newest, oldest) = row.unwrap_or_default();
    Ok(Kept { newest, before: oldest.map_or(newest, |oldest| oldest - 1) })
}

/// Those of some tokens that are valid, each with the number of its account's newest news.
pub async fn standing(tx: &mut Tx<'_>, tokens: &[[u8; 32]], now: Timestamp) -> Result<Vec<Standing>, sqlx::Error> {
    let places: Vec<_> = (2..tokens.len() + 2).map(|place| format!("${place}")).collect();
    let places = places.join(", ");
    let sql = format!(
        "SELECT d.token_hash, COALESCE(c.seq, 0) FROM devices d LEFT JOIN news_counters c ON c.user_id = d.user_id \
         WHERE d.revoked_at IS NULL AND d.token_hash IN ({places}) UNION ALL \
         SELECT t.token_hash, COALESCE(c.seq, 0) FROM tokens t LEFT JOIN news_counters c ON c.user_id = t.user_id \
         WHERE t.revoked_at IS NULL AND t.expires_at > $1 AND t.token_hash IN ({places})"
    );
    let rows: Vec<(Vec<u8>, i64)> = on!(tx, |c| {
        let mut query = sqlx::query_as(AssertSqlSafe(sql)).bind(Millis::from(now));
        for token in tokens {
            query = query.bind(token.as_slice());
        }
        query.fetch_all(c).await
    })?;
    let standing = rows
        .into_iter()
        .map(|(token, newest)| Ok(Standing { token_hash: columns::hash(&token, "a token's hash")?, newest }));
    standing.collect()
}

/// Drops what is older, of at most `limit` accounts, and what has a smaller number than that, so that what is kept has no gap.
/// Says of how many accounts.
pub async fn delete_older(tx: &mut Tx<'_>, than: Timestamp, limit: i64) -> Result<usize, sqlx::Error> {
    let sql = "SELECT user_id, MAX(seq) FROM news WHERE at < $1 GROUP BY user_id LIMIT $2";
    let old: Vec<(String, i64)> =
        on!(tx, |c| sqlx::query_as(sql).bind(Millis::from(than)).bind(limit).fetch_all(c).await)?;
    for (user, newest) in &old {
        let sql = "DELETE FROM news WHERE user_id = $1 AND seq <= $2";
        on!(tx, |c| sqlx::query(sql).bind(user).bind(newest).execute(c).await.map(drop))?;
    }
    Ok(old.len())
}

/// Drops all news, and goes on with numbers that no client can know: in a backup, whose own would be given a second time once it
/// is restored. Every client is told to read again.
pub async fn begin_anew(tx: &mut Tx<'_>) -> Result<(), sqlx::Error> {
    for sql in [
        "INSERT INTO news_counters (user_id, seq) SELECT id, 0 FROM users WHERE TRUE ON CONFLICT (user_id) DO NOTHING",
        "DELETE FROM news",
    ] {
        on!(&mut *tx, |c| sqlx::query(sql).execute(c).await.map(drop))?;
    }
    let sql = "UPDATE news_counters SET seq = seq + $1";
    on!(tx, |c| sqlx::query(sql).bind(LEAP).execute(c).await.map(drop))
}
