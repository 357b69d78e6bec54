//! How much of something bounded was used in a window of time. A window is a whole multiple of its length since 1970, so two
//! servers count in the same one.

use segue_domain::Timestamp;

use super::{Tx, columns::Millis, on};

/// So many of something in so much time.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// How many.
    pub most: i64,
    /// In how many milliseconds.
    pub window_ms: i64,
}

impl Quota {
    /// When the window of a time is over.
    pub fn window_end(self, now: Timestamp) -> Timestamp {
        let window = now.as_millis().div_euclid(self.window_ms);
        Timestamp::from_millis((window + 1) * self.window_ms)
    }

    /// Uses one; false when all of this window are used.
    pub async fn take(self, tx: &mut Tx<'_>, name: &str, now: Timestamp) -> Result<bool, sqlx::Error> {
        let sql = "INSERT INTO quotas (name, window_end, used) VALUES ($1, $2, 1) ON CONFLICT (name, window_end) \
                   DO UPDATE SET used = quotas.used + 1 WHERE quotas.used < $3";
        let done = on!(tx, |c| sqlx::query(sql)
            .bind(name)
            .bind(Millis::from(self.window_end(now)))
            .bind(self.most)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(done == 1)
    }

    /// Gives one back that came to nothing.
    pub async fn give_back(self, tx: &mut Tx<'_>, name: &str, taken_at: Timestamp) -> Result<(), sqlx::Error> {
        let sql = "UPDATE quotas SET used = used - 1 WHERE name = $1 AND window_end = $2 AND used > 0";
        let end = Millis::from(self.window_end(taken_at));
        on!(tx, |c| sqlx::query(sql).bind(name).bind(end).execute(c).await.map(drop))
    }
}

/// Forgets windows that are over.
pub async fn delete_ended(tx: &mut Tx<'_>, now: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM quotas WHERE window_end <= $1";
    on!(tx, |c| sqlx::query(sql).bind(Millis::from(now)).execute(c).await.map(drop))
}
