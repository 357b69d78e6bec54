//! Handoffs: their state, and how their parties see them. The one statement that changes a state is in [`save`].

use segue_domain::{BundleId, Handoff, HandoffId, SessionId, State, Timestamp, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{self, Millis, Text},
    locked, on,
};

/// A handoff under the lock of a transaction, with what its rules and effects need.
#[derive(Debug)]
pub struct Loaded {
    /// Which.
    pub id: HandoffId,
    /// Where it stands.
    pub handoff: Handoff,
    /// Counts its changes.
    pub version: i64,
    /// Who gave it.
    pub sender: UserId,
    /// The sender's session.
    pub session_id: String,
    /// Its bundle.
    pub bundle: BundleId,
    /// The public description, as JSON.
    pub card: String,
    /// SHA-256 of what a claimer must show.
    pub claim_check: [u8; 32],
    /// Whether the principal whom it was loaded for is a recipient.
    pub is_recipient: bool,
}

/// A handoff to be kept.
#[derive(Debug)]
pub struct NewHandoff<'a> {
    /// Which.
    pub id: HandoffId,
    /// Who gives it.
    pub sender: UserId,
    /// The sender's session.
    pub session_id: &'a str,
    /// Its bundle.
    pub bundle: BundleId,
    /// The public description, as JSON.
    pub card: &'a str,
    /// The sender's message.
    pub message: &'a str,
    /// SHA-256 of what a claimer must show.
    pub claim_check: &'a [u8; 32],
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Who is given it.
    pub recipients: &'a [UserId],
}

#[derive(FromRow)]
struct Row {
    version: i64,
    state: String,
    sender_id: Text<UserId>,
    session_id: String,
    bundle_id: Text<BundleId>,
    card: String,
    claim_check: Vec<u8>,
    expires_at: Millis,
    viewed_at: Option<Millis>,
    ended_at: Option<Millis>,
    claimed_by: Option<Text<UserId>>,
    claimed_session_id: Option<Text<SessionId>>,
    is_recipient: bool,
}

impl Row {
    fn state(&self) -> Result<State, sqlx::Error> {
        let at = self.ended_at.map(Timestamp::from);
        let state = match (self.state.as_str(), at, self.claimed_by, self.claimed_session_id) {
            ("pending", None, None, None) => State::Pending,
            ("claimed", Some(at), Some(by), Some(session)) => State::Claimed { by: by.0, session: session.0, at },
            ("revoked", Some(at), None, None) => State::Revoked { at },
            ("declined", Some(at), None, None) => State::Declined { at },
            ("expired", Some(at), None, None) => State::Expired { at },
            _ => return Err(columns::corrupt("a handoff's state")),
        };
        Ok(state)
    }

    fn load(self, id: HandoffId) -> Result<Loaded, sqlx::Error> {
        let handoff = Handoff {
            state: self.state()?,
            expires_at: self.expires_at.into(),
            viewed_at: self.viewed_at.map(Timestamp::from),
        };
        Ok(Loaded {
            id,
            handoff,
            version: self.version,
            sender: self.sender_id.0,
            session_id: self.session_id,
            bundle: self.bundle_id.0,
            card: self.card,
            claim_check: columns::hash(&self.claim_check, "a claim check")?,
            is_recipient: self.is_recipient,
        })
    }
}

/// Adds a handoff.
pub async fn insert(tx: &mut Tx<'_>, new: &NewHandoff<'_>, now: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO handoffs (id, version, state, sender_id, session_id, bundle_id, card, message, claim_check, \
               created_at, expires_at) VALUES ($1, 1, 'pending', $2, $3, $4, $5, $6, $7, $8, $9)";
    on!(tx, |c| sqlx::query(sql)
        .bind(Text(new.id))
        .bind(Text(new.sender))
        .bind(new.session_id)
        .bind(Text(new.bundle))
        .bind(new.card)
        .bind(new.message)
        .bind(new.claim_check.as_slice())
        .bind(Millis::from(now))
        .bind(Millis::from(new.expires_at))
        .execute(c)
        .await
        .map(drop))?;
    for (position, user) in (0_i64..).zip(new.recipients) {
        let sql = "INSERT INTO handoff_recipients (handoff_id, position, user_id) VALUES ($1, $2, $3)";
        on!(tx, |c| sqlx::query(sql).bind(Text(new.id)).bind(position).bind(Text(*user)).execute(c).await.map(drop))?;
    }
    Ok(())
}

/// A handoff as one of its parties may load it, locked; nobody else finds it.
pub async fn load(tx: &mut Tx<'_>, party: UserId, id: HandoffId) -> Result<Option<Loaded>, sqlx::Error> {
    let sql = locked!(
        tx,
        "SELECT version, state, sender_id, session_id, bundle_id, card, claim_check, expires_at, viewed_at, ended_at, \
         claimed_by, claimed_session_id, \
         EXISTS (SELECT 1 FROM handoff_recipients r WHERE r.user_id = $2 AND r.handoff_id = handoffs.id) AS is_recipient \
         FROM handoffs WHERE id = $1 AND (sender_id = $2 OR \
         EXISTS (SELECT 1 FROM handoff_recipients r WHERE r.user_id = $2 AND r.handoff_id = handoffs.id))"
    );
    let row: Option<Row> = on!(tx, |c| sqlx::query_as(sql).bind(Text(id)).bind(Text(party)).fetch_optional(c).await)?;
    row.map(|row| row.load(id)).transpose()
}

/// A handoff for the sweep, locked.
pub async fn load_for_sweep(tx: &mut Tx<'_>, id: HandoffId) -> Result<Option<Loaded>, sqlx::Error> {
    let sql = locked!(
        tx,
        "SELECT version, state, sender_id, session_id, bundle_id, card, claim_check, expires_at, viewed_at, ended_at, \
         claimed_by, claimed_session_id, FALSE AS is_recipient FROM handoffs WHERE id = $1"
    );
    let row: Option<Row> = on!(tx, |c| sqlx::query_as(sql).bind(Text(id)).fetch_optional(c).await)?;
    row.map(|row| row.load(id)).transpose()
}

/// To whom a handoff goes.
pub async fn recipients(tx: &mut Tx<'_>, id: HandoffId) -> Result<Vec<UserId>, sqlx::Error> {
    let sql = "SELECT user_id FROM handoff_recipients WHERE handoff_id = $1 ORDER BY position";
    let users: Vec<Text<UserId>> = on!(tx, |c| sqlx::query_scalar(sql).bind(Text(id)).fetch_all(c).await)?;
    Ok(users.into_iter().map(|user| user.0).collect())
}

/// Handoffs that wait although their time is over; at most `limit`.
pub async fn due(tx: &mut Tx<'_>, now: Timestamp, limit: i64) -> Result<Vec<HandoffId>, sqlx::Error> {
    let sql = "SELECT id FROM handoffs WHERE state = 'pending' AND expires_at <= $1 ORDER BY expires_at LIMIT $2";
    let ids: Vec<Text<HandoffId>> =
        on!(tx, |c| sqlx::query_scalar(sql).bind(Millis::from(now)).bind(limit).fetch_all(c).await)?;
    Ok(ids.into_iter().map(|id| id.0).collect())
}

/// Writes what the state machine decided; false when somebody else changed the handoff since `loaded`, which its lock
/// forbids.
pub async fn save(tx: &mut Tx<'_>, loaded: &Loaded, after: &Handoff) -> Result<bool, sqlx::Error> {
    let (ended_at, claimed) = match &after.state {
        State::Pending => (None, None),
        State::Claimed { by, session, at } => (Some(*at), Some((*by, *session))),
        State::Revoked { at } | State::Declined { at } | State::Expired { at } => (Some(*at), None),
    };
    let sql = "UPDATE handoffs SET state = $1, version = version + 1, viewed_at = $2, ended_at = $3, claimed_by = $4, \
               claimed_session_id = $5 WHERE id = $6 AND version = $7";
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(after.state.as_str())
        .bind(after.viewed_at.map(Millis::from))
        .bind(ended_at.map(Millis::from))
        .bind(claimed.map(|(by, _)| Text(by)))
        .bind(claimed.map(|(_, session)| Text(session)))
        .bind(Text(loaded.id))
        .bind(loaded.version)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}
