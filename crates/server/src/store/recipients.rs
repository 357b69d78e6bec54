//! To whom a handoff goes, and who counts as that: a person; whoever has verified an address; each member of a team's current
//! roster who has the team key of the handoff's epoch, but its sender (`docs/protocol.md` §5, Handoff).

use segue_domain::{TeamId, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{self, Text},
    on, shared, users,
};
use crate::person::Email;

/// To whom a handoff goes: exactly one (SPEC T1, T19).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// A person.
    User(UserId),
    /// A team, whose members of one epoch are meant.
    Team {
        /// Which.
        id: TeamId,
        /// The epoch of the key that it is sealed for.
        epoch: i64,
    },
    /// An address whose person has not joined: whoever verifies it.
    Address(Email),
}

/// `h.…` columns that say to whom.
#[derive(Debug, FromRow)]
#[expect(clippy::struct_field_names, reason = "these are the columns' names")]
pub(super) struct Columns {
    to_user_id: Option<Text<UserId>>,
    to_team_id: Option<Text<TeamId>>,
    to_team_epoch: Option<i64>,
    to_email: Option<String>,
}

impl TryFrom<Columns> for To {
    type Error = sqlx::Error;

    fn try_from(columns: Columns) -> Result<Self, sqlx::Error> {
        match (columns.to_user_id, columns.to_team_id, columns.to_team_epoch, columns.to_email) {
            (Some(user), None, None, None) => Ok(Self::User(user.0)),
            (None, Some(id), Some(epoch), None) => Ok(Self::Team { id: id.0, epoch }),
            (None, None, None, Some(email)) => Ok(Self::Address(Email::known(email))),
            _ => Err(columns::corrupt("a handoff's recipient")),
        }
    }
}

impl To {
    pub(super) fn user(&self) -> Option<Text<UserId>> {
        if let Self::User(user) = self { Some(Text(*user)) } else { None }
    }

    pub(super) fn team(&self) -> Option<(Text<TeamId>, i64)> {
        if let Self::Team { id, epoch } = self { Some((Text(*id), *epoch)) } else { None }
    }

    pub(super) fn address(&self) -> Option<&Email> {
        if let Self::Address(email) = self { Some(email) } else { None }
    }
}

/// Whether `$2` is a recipient of the handoff `h`.
macro_rules! is_recipient {
    () => {
        "(COALESCE(h.to_user_id = $2, FALSE) OR EXISTS (SELECT 1 FROM users a WHERE a.id = $2 AND a.email_verified \
         AND a.email_key = h.to_email_key) OR (h.sender_id <> $2 AND EXISTS (SELECT 1 FROM team_members m \
         JOIN team_keys k ON k.team_id = m.team_id AND k.user_id = m.user_id WHERE m.team_id = h.to_team_id \
         AND m.user_id = $2 AND k.epoch = h.to_team_epoch)))"
    };
}

/// Whether `$2` is the sender, the claimer or a recipient of the handoff `h`.
macro_rules! is_party {
    () => {
        concat!("(h.sender_id = $2 OR h.claimed_by = $2 OR ", $crate::store::recipients::is_recipient!(), ")")
    };
}

/// The handoffs that `$2` is given: as [`is_recipient`] says, and those that they claimed before they left a team.
macro_rules! given {
    () => {
        "(SELECT t.id FROM handoffs t WHERE t.to_user_id = $2 \
         UNION ALL SELECT t.id FROM users a JOIN handoffs t ON t.to_email_key = a.email_key \
         WHERE a.id = $2 AND a.email_verified \
         UNION ALL SELECT t.id FROM team_members m JOIN team_keys k ON k.team_id = m.team_id AND k.user_id = m.user_id \
         JOIN handoffs t ON t.to_team_id = k.team_id AND t.to_team_epoch = k.epoch \
         WHERE m.user_id = $2 AND t.sender_id <> $2 \
         UNION ALL SELECT t.id FROM handoffs t WHERE t.claimed_by = $2 AND t.sender_id <> $2)"
    };
}

pub(super) use {given, is_party, is_recipient};

/// Whether a person is in a team's current roster and has its key of an epoch. If so they stay in it until the transaction
/// ends: who takes them out waits, so that nothing of theirs comes to pass after they were told to be out.
pub async fn has_key(tx: &mut Tx<'_>, team: TeamId, epoch: i64, user: UserId) -> Result<bool, sqlx::Error> {
    let sql = shared!(
        tx,
        "m",
        "SELECT m.user_id FROM team_members m JOIN team_keys k ON k.team_id = m.team_id AND k.user_id = m.user_id \
         WHERE m.team_id = $1 AND m.user_id = $2 AND k.epoch = $3"
    );
    let found: Option<Text<UserId>> =
        on!(tx, |c| sqlx::query_scalar(sql).bind(Text(team)).bind(Text(user)).bind(epoch).fetch_optional(c).await)?;
    Ok(found.is_some())
}

/// A team's epoch and the fingerprint of its key, if `member` is in its current roster.
pub async fn team_key(tx: &mut Tx<'_>, team: TeamId, member: UserId) -> Result<Option<(i64, [u8; 32])>, sqlx::Error> {
    let sql = "SELECT t.epoch, t.key_fp FROM teams t JOIN team_members m ON m.team_id = t.id \
               WHERE t.id = $1 AND m.user_id = $2 AND t.key_fp IS NOT NULL";
    let row: Option<(i64, Vec<u8>)> =
        on!(tx, |c| sqlx::query_as(sql).bind(Text(team)).bind(Text(member)).fetch_optional(c).await)?;
    row.map(|(epoch, key)| Ok((epoch, columns::hash(&key, "a team's key")?))).transpose()
}

/// Everybody who may claim what `sender` gives.
pub async fn people(tx: &mut Tx<'_>, to: &To, sender: UserId) -> Result<Vec<UserId>, sqlx::Error> {
    let users: Vec<Text<UserId>> = match to {
        To::User(user) => return Ok(vec![*user]),
        To::Address(email) => users::find_by_email(tx, &email.key).await?.map(|user| user.id).into_iter().collect(),
        To::Team { id, epoch } => {
            let sql = "SELECT m.user_id FROM team_members m JOIN team_keys k ON k.team_id = m.team_id \
                       AND k.user_id = m.user_id WHERE m.team_id = $1 AND k.epoch = $2 AND m.user_id <> $3 \
                       ORDER BY m.user_id";
            on!(tx, |c| sqlx::query_scalar(sql).bind(Text(*id)).bind(epoch).bind(Text(sender)).fetch_all(c).await)?
        }
    };
    Ok(users.into_iter().map(|user| user.0).collect())
}
