//! People as their operator sees them.

use segue_domain::{Plan, Timestamp, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{self, Millis, Text},
    locked, on,
};

/// A person's account.
#[derive(Debug, Clone, FromRow)]
pub struct Account {
    pub(crate) id: Text<UserId>,
    pub(crate) email: String,
    pub(crate) email_verified: bool,
    pub(crate) name: String,
    pub(crate) owner: bool,
    plan: Option<String>,
    #[sqlx(try_from = "Millis")]
    pub(crate) created_at: Timestamp,
}

impl Account {
    /// The person's own plan; none has who is on the server's.
    pub(crate) fn plan(&self) -> Result<Option<Plan>, sqlx::Error> {
        let plan = self.plan.as_deref().map(|plan| plan.parse().map_err(|_| columns::corrupt("a plan")));
        plan.transpose()
    }
}

/// How much an account has.
#[derive(Debug, Clone, Copy, FromRow)]
pub struct Extent {
    pub(crate) devices: i64,
    pub(crate) sessions: i64,
}

/// Accounts that began after another, oldest first; at most `most`.
pub async fn list(tx: &mut Tx<'_>, after: Option<&Account>, most: i64) -> Result<Vec<Account>, sqlx::Error> {
    let sql = "SELECT id, email, email_verified, name, owner, plan, created_at FROM users \
               WHERE created_at > $1 OR (created_at = $1 AND id > $2) ORDER BY created_at, id LIMIT $3";
    let (at, id) =
        after.map_or((i64::MIN, String::new()), |after| (after.created_at.as_millis(), after.id.0.to_string()));
    on!(tx, |c| sqlx::query_as(sql).bind(at).bind(id).bind(most).fetch_all(c).await)
}

/// Everybody whose id or address this is. An address that nobody has verified may be claimed by several.
pub async fn find(tx: &mut Tx<'_>, who: &str) -> Result<Vec<Account>, sqlx::Error> {
    let sql = "SELECT id, email, email_verified, name, owner, plan, created_at FROM users WHERE id = $1 OR email_key = $2 \
               ORDER BY created_at, id";
    on!(tx, |c| sqlx::query_as(sql).bind(who).bind(who.to_ascii_lowercase()).fetch_all(c).await)
}

/// How much an account has: devices that are not revoked, and sessions.
pub async fn extent(tx: &mut Tx<'_>, id: UserId) -> Result<Extent, sqlx::Error> {
    let sql = "SELECT (SELECT COUNT(*) FROM devices WHERE user_id = $1 AND revoked_at IS NULL) AS devices, \
               (SELECT COUNT(*) FROM sessions WHERE owner = $1) AS sessions";
    on!(tx, |c| sqlx::query_as(sql).bind(Text(id)).fetch_one(c).await)
}

/// The person's own plan now; nobody else changes it before this transaction ends.
pub async fn lock_plan(tx: &mut Tx<'_>, id: UserId) -> Result<Option<String>, sqlx::Error> {
    let sql = locked!(tx, "SELECT plan FROM users WHERE id = $1");
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(id)).fetch_one(c).await)
}

/// Gives a person a plan of their own, or the server's.
pub async fn set_plan(tx: &mut Tx<'_>, id: UserId, plan: Option<Plan>) -> Result<(), sqlx::Error> {
    let sql = "UPDATE users SET plan = $1 WHERE id = $2";
    on!(tx, |c| sqlx::query(sql).bind(plan.map(Plan::as_str)).bind(Text(id)).execute(c).await.map(drop))
}
