//! Pairings: their state. The one statement that changes it is in [`save`].

use segue_domain::{
    DeviceId, Pairing, PairingId, Timestamp, UserId,
    pairing::{Claim, Confirmation, End, Expiry, Lease, Purpose, Revocation, State},
};
use segue_signed::pairing::Nameplate;
use sqlx::{AssertSqlSafe, FromRow};

use super::{
    Tx,
    columns::{self, Millis, Text, corrupt},
    locked, on,
};

/// A pairing with what its rules and its parties need.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Which.
    pub id: PairingId,
    /// Where it stands.
    pub pairing: Pairing,
    /// Counts its changes.
    pub version: i64,
    /// Whose.
    pub user: UserId,
    /// The device that shows its code.
    pub device: DeviceId,
    /// The public part of its code.
    pub nameplate: Nameplate,
    /// SHA-256 of what reads its bundle.
    pub fetch_token: Option<[u8; 32]>,
}

/// A pairing that begins.
#[derive(Debug)]
pub struct NewPairing<'a> {
    /// Which.
    pub id: PairingId,
    /// Where it stands.
    pub pairing: &'a Pairing,
    /// Whose.
    pub user: UserId,
    /// The device that shows its code.
    pub device: DeviceId,
    /// What tells the device's chats apart.
    pub chat_tag: &'a [u8; 32],
}

/// A pairing that somebody listens to.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Which.
    pub id: PairingId,
    /// Counts its changes.
    pub version: i64,
    /// Whether its time may be over.
    pub due: bool,
}

#[derive(FromRow)]
struct Row {
    id: Text<PairingId>,
    version: i64,
    user_id: Text<UserId>,
    device_id: Text<DeviceId>,
    purpose: String,
    nameplate: Text<Nameplate>,
    state: String,
    reason: Option<String>,
    failures: i64,
    expires_at: Millis,
    ended_at: Option<Millis>,
    lease_token: Option<Vec<u8>>,
    lease_same_account: bool,
    lease_until: Option<Millis>,
    confirmed_at: Option<Millis>,
    confirmed_hash: Option<Vec<u8>>,
    refused: bool,
    claim_token: Option<Vec<u8>>,
    claim_hash: Option<Vec<u8>>,
    acknowledged_at: Option<Millis>,
    closed_at: Option<Millis>,
    closed: Option<String>,
    fetch_token: Option<Vec<u8>>,
    returned_hash: Option<Vec<u8>>,
}

impl Row {
    fn state(&self) -> Result<State, sqlx::Error> {
        let at = self.ended_at.map(Timestamp::from);
        let reason = self.reason.as_deref().unwrap_or_default();
        let state = match (self.state.as_str(), at) {
            ("issued", None) => Some(State::Issued),
            ("claimed", Some(at)) => Some(State::Claimed(self.claim(at)?)),
            ("revoked", Some(at)) => Revocation::from_word(reason).map(|reason| State::Revoked { reason, at }),
            ("expired", Some(at)) => Expiry::from_word(reason).map(|reason| State::Expired { reason, at }),
            _ => None,
        };
        state.ok_or_else(|| corrupt("a pairing's state"))
    }

    fn claim(&self, at: Timestamp) -> Result<Claim, sqlx::Error> {
        let end = match (self.closed_at, self.closed.as_deref().map(End::from_word)) {
            (Some(at), Some(Some(end))) => Some((at.into(), end)),
            (None, None) => None,
            _ => return Err(corrupt("a pairing's end")),
        };
        Ok(Claim {
            at,
            token_hash: hash(self.claim_token.as_deref())?.ok_or_else(|| corrupt("a pairing's claim"))?,
            hash: hash(self.claim_hash.as_deref())?.ok_or_else(|| corrupt("a pairing's claim"))?,
            acknowledged_at: self.acknowledged_at.map(Timestamp::from),
            end,
            returned: hash(self.returned_hash.as_deref())?,
        })
    }

    fn lease(&self) -> Result<Option<Lease>, sqlx::Error> {
        let (Some(token_hash), Some(until)) = (hash(self.lease_token.as_deref())?, self.lease_until) else {
            return Ok(None);
        };
        let confirmation = match (self.confirmed_at, hash(self.confirmed_hash.as_deref())?) {
            (Some(at), Some(hash)) => Some(Confirmation { at: at.into(), hash, refused: self.refused }),
            _ => None,
        };
        Ok(Some(Lease { token_hash, same_account: self.lease_same_account, until: until.into(), confirmation }))
    }

    fn load(self) -> Result<Loaded, sqlx::Error> {
        let pairing = Pairing {
            purpose: Purpose::from_word(&self.purpose).ok_or_else(|| corrupt("a pairing's purpose"))?,
            state: self.state()?,
            expires_at: self.expires_at.into(),
            failures: u8::try_from(self.failures).map_err(|_| corrupt("a pairing's failures"))?,
            lease: self.lease()?,
        };
        Ok(Loaded {
            id: self.id.0,
            pairing,
            version: self.version,
            user: self.user_id.0,
            device: self.device_id.0,
            nameplate: self.nameplate.0,
            fetch_token: hash(self.fetch_token.as_deref())?,
        })
    }
}

fn hash(bytes: Option<&[u8]>) -> Result<Option<[u8; 32]>, sqlx::Error> {
    bytes.map(|bytes| columns::hash(bytes, "a hash of a pairing")).transpose()
}

macro_rules! select {
    ($which:literal) => {
        concat!(
            "SELECT id, version, user_id, device_id, purpose, nameplate, state, reason, failures, expires_at, ended_at, \
             lease_token, lease_same_account, lease_until, confirmed_at, confirmed_hash, refused, claim_token, claim_hash, \
             acknowledged_at, closed_at, closed, fetch_token, returned_hash FROM pairings WHERE ",
            $which
        )
    };
}

/// Adds a pairing under a nameplate; false when the nameplate is in use.
pub async fn insert(
    tx: &mut Tx<'_>,
    new: &NewPairing<'_>,
    nameplate: Nameplate,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let sql = "INSERT INTO pairings (id, version, user_id, device_id, purpose, nameplate, chat_tag, state, failures, \
               created_at, expires_at, lease_same_account, refused) \
               VALUES ($1, 1, $2, $3, $4, $5, $6, 'issued', 0, $7, $8, FALSE, FALSE) ON CONFLICT (nameplate) DO NOTHING";
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(Text(new.id))
        .bind(Text(new.user))
        .bind(Text(new.device))
        .bind(new.pairing.purpose.as_str())
        .bind(Text(nameplate))
        .bind(new.chat_tag.as_slice())
        .bind(Millis::from(now))
        .bind(Millis::from(new.pairing.expires_at))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// A pairing, locked.
pub async fn load(tx: &mut Tx<'_>, id: PairingId) -> Result<Option<Loaded>, sqlx::Error> {
    let sql = locked!(tx, select!("id = $1"));
    let row: Option<Row> = on!(tx, |c| sqlx::query_as(sql).bind(Text(id)).fetch_optional(c).await)?;
    row.map(Row::load).transpose()
}

/// A pairing as it is now.
pub async fn find(tx: &mut Tx<'_>, id: PairingId) -> Result<Option<Loaded>, sqlx::Error> {
    let row: Option<Row> = on!(tx, |c| sqlx::query_as(select!("id = $1")).bind(Text(id)).fetch_optional(c).await)?;
    row.map(Row::load).transpose()
}

/// How many changes a pairing has had.
pub async fn version(tx: &mut Tx<'_>, id: PairingId) -> Result<Option<i64>, sqlx::Error> {
    let sql = "SELECT version FROM pairings WHERE id = $1";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(id)).fetch_optional(c).await)
}

/// The pairing of a nameplate, locked.
pub async fn load_by_nameplate(tx: &mut Tx<'_>, nameplate: Nameplate) -> Result<Option<Loaded>, sqlx::Error> {
    let sql = locked!(tx, select!("nameplate = $1"));
    let row: Option<Row> = on!(tx, |c| sqlx::query_as(sql).bind(Text(nameplate)).fetch_optional(c).await)?;
    row.map(Row::load).transpose()
}

/// The codes that a device shows for a chat, locked: at most one.
pub async fn load_open(
    tx: &mut Tx<'_>,
    user: UserId,
    device: DeviceId,
    chat_tag: &[u8; 32],
) -> Result<Option<Loaded>, sqlx::Error> {
    let sql = locked!(tx, select!("user_id = $1 AND device_id = $2 AND chat_tag = $3 AND state = 'issued'"));
    let row: Option<Row> = on!(tx, |c| sqlx::query_as(sql)
        .bind(Text(user))
        .bind(Text(device))
        .bind(chat_tag.as_slice())
        .fetch_optional(c)
        .await)?;
    row.map(Row::load).transpose()
}

/// All codes that a device shows, locked.
pub async fn load_shown(tx: &mut Tx<'_>, user: UserId, device: DeviceId) -> Result<Vec<Loaded>, sqlx::Error> {
    let sql = locked!(tx, select!("user_id = $1 AND device_id = $2 AND state = 'issued'"));
    let rows: Vec<Row> = on!(tx, |c| sqlx::query_as(sql).bind(Text(user)).bind(Text(device)).fetch_all(c).await)?;
    rows.into_iter().map(Row::load).collect()
}

/// How many codes an account has shown since then.
pub async fn count_since(tx: &mut Tx<'_>, user: UserId, since: Timestamp) -> Result<i64, sqlx::Error> {
    let sql = "SELECT COUNT(*) FROM pairings WHERE user_id = $1 AND created_at > $2";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(user)).bind(Millis::from(since)).fetch_one(c).await)
}

/// Writes what the state machine decided; false when somebody else changed the pairing since `loaded`, which its lock forbids.
pub async fn save(
    tx: &mut Tx<'_>,
    loaded: &Loaded,
    after: &Pairing,
    fetch_token: Option<&[u8; 32]>,
) -> Result<bool, sqlx::Error> {
    let claim = if let State::Claimed(claim) = &after.state { Some(claim) } else { None };
    // A claim's word is made of what is below.
    let reason = if claim.is_some() { None } else { after.state.reason() };
    let lease = after.lease.as_ref();
    let confirmation = lease.and_then(|lease| lease.confirmation);
    let end = claim.and_then(|claim| claim.end);
    let sql = "UPDATE pairings SET state = $1, version = version + 1, reason = $2, failures = $3, expires_at = $4, \
               ended_at = $5, lease_token = $6, lease_same_account = $7, lease_until = $8, confirmed_at = $9, \
               confirmed_hash = $10, refused = $11, claim_token = $12, claim_hash = $13, acknowledged_at = $14, \
               closed_at = $15, closed = $16, fetch_token = $17, returned_hash = $20, \
               chat_tag = CASE WHEN $1 = 'issued' THEN chat_tag ELSE NULL END WHERE id = $18 AND version = $19";
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(after.state.as_str())
        .bind(reason)
        .bind(i64::from(after.failures))
        .bind(Millis::from(after.expires_at))
        .bind(after.state.since().map(Millis::from))
        .bind(lease.map(|lease| lease.token_hash.to_vec()))
        .bind(lease.is_some_and(|lease| lease.same_account))
        .bind(lease.map(|lease| Millis::from(lease.until)))
        .bind(confirmation.map(|sent| Millis::from(sent.at)))
        .bind(confirmation.map(|sent| sent.hash.to_vec()))
        .bind(confirmation.is_some_and(|sent| sent.refused))
        .bind(claim.map(|claim| claim.token_hash.to_vec()))
        .bind(claim.map(|claim| claim.hash.to_vec()))
        .bind(claim.and_then(|claim| claim.acknowledged_at).map(Millis::from))
        .bind(end.map(|(at, _)| Millis::from(at)))
        .bind(end.map(|(_, end)| end.as_str()))
        .bind(fetch_token.map(|hash| hash.to_vec()))
        .bind(Text(loaded.id))
        .bind(loaded.version)
        .bind(claim.and_then(|claim| claim.returned).map(|hash| hash.to_vec()))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// Whether a pairing has added a device already.
pub async fn has_linked(tx: &mut Tx<'_>, id: PairingId) -> Result<bool, sqlx::Error> {
    let sql = "SELECT linked FROM pairings WHERE id = $1";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(id)).fetch_one(c).await)
}

/// Remembers that a pairing has added a device: it adds no other.
pub async fn set_linked(tx: &mut Tx<'_>, id: PairingId) -> Result<(), sqlx::Error> {
    let sql = "UPDATE pairings SET linked = TRUE WHERE id = $1";
    on!(tx, |c| sqlx::query(sql).bind(Text(id)).execute(c).await.map(drop))
}

/// Counts a change that is not one of the state.
pub async fn touch(tx: &mut Tx<'_>, id: PairingId) -> Result<(), sqlx::Error> {
    let sql = "UPDATE pairings SET version = version + 1 WHERE id = $1";
    on!(tx, |c| sqlx::query(sql).bind(Text(id)).execute(c).await.map(drop))
}

/// Pairings whose time may be over; at most `limit`. The state machine decides.
pub async fn due(tx: &mut Tx<'_>, now: Timestamp, limit: i64) -> Result<Vec<PairingId>, sqlx::Error> {
    let delivered = now.plus_millis(-segue_domain::limits::PAIRING_DELIVERY_MS);
    let sql = "SELECT id FROM pairings WHERE (state = 'issued' AND expires_at <= $1 \
               AND (confirmed_at IS NULL OR refused OR expires_at <= $2)) \
               OR (state = 'claimed' AND closed IS NULL AND ended_at <= $3) LIMIT $4";
    let stood = now.plus_millis(-segue_domain::limits::PAIRING_APPROVAL_MS);
    let ids: Vec<Text<PairingId>> = on!(tx, |c| sqlx::query_scalar(sql)
        .bind(Millis::from(now))
        .bind(Millis::from(stood))
        .bind(Millis::from(delivered))
        .bind(limit)
        .fetch_all(c)
        .await)?;
    Ok(ids.into_iter().map(|id| id.0).collect())
}

/// How some pairings stand.
pub async fn standing(tx: &mut Tx<'_>, ids: &[PairingId], now: Timestamp) -> Result<Vec<Standing>, sqlx::Error> {
    let places: Vec<_> = (3..ids.len() + 3).map(|place| format!("${place}")).collect();
    let sql = format!(
        "SELECT id, version, (state = 'issued' AND expires_at <= $1) \
         OR (state = 'claimed' AND closed IS NULL AND ended_at <= $2) FROM pairings WHERE id IN ({})",
        places.join(", ")
    );
    let delivered = now.plus_millis(-segue_domain::limits::PAIRING_DELIVERY_MS);
    let rows: Vec<(Text<PairingId>, i64, bool)> = on!(tx, |c| {
        let mut query = sqlx::query_as(AssertSqlSafe(sql)).bind(Millis::from(now)).bind(Millis::from(delivered));
        for id in ids {
            query = query.bind(Text(*id));
        }
        query.fetch_all(c).await
    })?;
    Ok(rows.into_iter().map(|(id, version, due)| Standing { id: id.0, version, due }).collect())
}

/// Pairings that ended before then, at most `limit`: nothing of them is needed any more.
pub async fn ended_before(tx: &mut Tx<'_>, than: Timestamp, limit: i64) -> Result<Vec<PairingId>, sqlx::Error> {
    let sql = "SELECT id FROM pairings WHERE ended_at < $1 ORDER BY ended_at LIMIT $2";
    let ids: Vec<Text<PairingId>> =
        on!(tx, |c| sqlx::query_scalar(sql).bind(Millis::from(than)).bind(limit).fetch_all(c).await)?;
    Ok(ids.into_iter().map(|id| id.0).collect())
}

/// Forgets a pairing, and with it its nameplate. Its messages and its bundle have gone before.
pub async fn delete(tx: &mut Tx<'_>, id: PairingId) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM pairings WHERE id = $1";
    on!(tx, |c| sqlx::query(sql).bind(Text(id)).execute(c).await.map(drop))
}
