//! Handoffs: their state, and how their parties see them. The one statement that changes a state is in [`save`].

use segue_domain::{BundleId, Handoff, HandoffId, ProjectId, SessionId, State, Timestamp, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{self, Millis, Text},
    locked, on,
    recipients::{self, To, is_party, is_recipient},
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
    /// To whom it goes.
    pub to: To,
    /// The project of the sender's session.
    pub project: Option<ProjectId>,
    /// What it refers to, as JSON.
    pub provenance: Option<String>,
    /// What its claimer was not given of that, as JSON; none before a claim.
    pub dropped: Option<String>,
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
    /// To whom it goes.
    pub to: &'a To,
    /// The project of the sender's session.
    pub project: Option<ProjectId>,
    /// What it refers to, as JSON.
    pub provenance: Option<&'a str>,
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
    #[sqlx(flatten)]
    to: recipients::Columns,
    project_id: Option<Text<ProjectId>>,
    provenance: Option<String>,
    dropped: Option<String>,
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
            to: self.to.try_into()?,
            project: self.project_id.map(|project| project.0),
            provenance: self.provenance,
            dropped: self.dropped,
            is_recipient: self.is_recipient,
        })
    }
}

/// Adds a handoff.
pub async fn insert(tx: &mut Tx<'_>, new: &NewHandoff<'_>, now: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO handoffs (id, version, state, sender_id, session_id, bundle_id, card, message, claim_check, \
               created_at, expires_at, to_user_id, to_team_id, to_team_epoch, to_email, to_email_key, \
               project_id, provenance) \
               VALUES ($1, 1, 'pending', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    let (team, address) = (new.to.team(), new.to.address());
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
        .bind(new.to.user())
        .bind(team.map(|(id, _)| id))
        .bind(team.map(|(_, epoch)| epoch))
        .bind(address.map(|email| email.written.as_str()))
        .bind(address.map(|email| email.key.as_str()))
        .bind(new.project.map(Text))
        .bind(new.provenance)
        .execute(c)
        .await
        .map(drop))
}

macro_rules! select {
    ($is_recipient:expr, $which:expr) => {
        concat!(
            "SELECT h.version, h.state, h.sender_id, h.session_id, h.bundle_id, h.card, h.claim_check, h.expires_at, \
             h.viewed_at, h.ended_at, h.claimed_by, h.claimed_session_id, h.to_user_id, h.to_team_id, h.to_team_epoch, \
             h.to_email, h.project_id, h.provenance, h.dropped, ",
            $is_recipient,
            " AS is_recipient FROM handoffs h WHERE h.id = $1",
            $which
        )
    };
}

/// A handoff as one of its parties may load it, locked; nobody else finds it.
pub async fn load(tx: &mut Tx<'_>, party: UserId, id: HandoffId) -> Result<Option<Loaded>, sqlx::Error> {
    let sql = locked!(tx, select!(is_recipient!(), concat!(" AND ", is_party!())));
    let row: Option<Row> = on!(tx, |c| sqlx::query_as(sql).bind(Text(id)).bind(Text(party)).fetch_optional(c).await)?;
    let Some(mut loaded) = row.map(|row| row.load(id)).transpose()? else { return Ok(None) };
    if let To::Team { id: team, epoch } = loaded.to
        && loaded.is_recipient
    {
        // Again, behind the lock: PostgreSQL looked at the roster before it waited.
        loaded.is_recipient = recipients::has_key(tx, team, epoch, party).await?;
    }
    let claimer = matches!(loaded.handoff.state, State::Claimed { by, .. } if by == party);
    Ok(Some(loaded).filter(|loaded| loaded.is_recipient || claimer || loaded.sender == party))
}

/// A handoff for the sweep, locked.
pub async fn load_for_sweep(tx: &mut Tx<'_>, id: HandoffId) -> Result<Option<Loaded>, sqlx::Error> {
    let sql = locked!(tx, select!("FALSE", ""));
    let row: Option<Row> = on!(tx, |c| sqlx::query_as(sql).bind(Text(id)).fetch_optional(c).await)?;
    row.map(|row| row.load(id)).transpose()
}

/// Handoffs that wait although their time is over; at most `limit`.
pub async fn due(tx: &mut Tx<'_>, now: Timestamp, limit: i64) -> Result<Vec<HandoffId>, sqlx::Error> {
    let sql = "SELECT id FROM handoffs WHERE state = 'pending' AND expires_at <= $1 ORDER BY expires_at LIMIT $2";
    let ids: Vec<Text<HandoffId>> =
        on!(tx, |c| sqlx::query_scalar(sql).bind(Millis::from(now)).bind(limit).fetch_all(c).await)?;
    Ok(ids.into_iter().map(|id| id.0).collect())
}

/// Writes what the state machine decided, and why it ended when somebody said so; false when somebody else changed the
/// handoff since `loaded`, which its lock forbids.
pub async fn save(
    tx: &mut Tx<'_>,
    loaded: &Loaded,
    after: &Handoff,
    reason: Option<&str>,
) -> Result<bool, sqlx::Error> {
    let (ended_at, claimed) = match &after.state {
        State::Pending => (None, None),
        State::Claimed { by, session, at } => (Some(*at), Some((*by, *session))),
        State::Revoked { at } | State::Declined { at } | State::Expired { at } => (Some(*at), None),
    };
    let sql = "UPDATE handoffs SET state = $1, version = version + 1, viewed_at = $2, ended_at = $3, claimed_by = $4, \
               claimed_session_id = $5, reason = $6 WHERE id = $7 AND version = $8";
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(after.state.as_str())
        .bind(after.viewed_at.map(Millis::from))
        .bind(ended_at.map(Millis::from))
        .bind(claimed.map(|(by, _)| Text(by)))
        .bind(claimed.map(|(_, session)| Text(session)))
        .bind(reason)
        .bind(Text(loaded.id))
        .bind(loaded.version)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// Keeps what a claimer was not given, as JSON.
pub async fn set_dropped(tx: &mut Tx<'_>, id: HandoffId, dropped: &str) -> Result<(), sqlx::Error> {
    let sql = "UPDATE handoffs SET dropped = $1 WHERE id = $2";
    on!(tx, |c| sqlx::query(sql).bind(dropped).bind(Text(id)).execute(c).await.map(drop))
}

/// Keeps what a claimer proves about their key card, once.
pub async fn save_proof(tx: &mut Tx<'_>, id: HandoffId, proof: &[u8]) -> Result<(), sqlx::Error> {
    let sql = "UPDATE handoffs SET invite_proof = $1 WHERE id = $2 AND invite_proof IS NULL";
    on!(tx, |c| sqlx::query(sql).bind(proof).bind(Text(id)).execute(c).await.map(drop))
}
