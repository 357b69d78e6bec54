//! What the two sides of a pairing left for each other.

use segue_domain::PairingId;

use super::{Tx, columns::Text, on};

/// What a message is. Each is there once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The offer for who types the code.
    Code,
    /// The offer for who has the link.
    Link,
    /// A destination's answer.
    Answer,
    /// The source's confirmation and the sealed view.
    Release,
    /// The claimer's sealed acknowledgement.
    Acknowledgement,
    /// What the claimer sent back, sealed.
    Returned,
}

impl Kind {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Link => "link",
            Self::Answer => "answer",
            Self::Release => "release",
            Self::Acknowledgement => "acknowledgement",
            Self::Returned => "returned",
        }
    }
}

/// Leaves a message in place of the one before.
pub async fn put(tx: &mut Tx<'_>, id: PairingId, kind: Kind, bytes: &[u8]) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO pairing_messages (pairing_id, kind, bytes) VALUES ($1, $2, $3) \
               ON CONFLICT (pairing_id, kind) DO UPDATE SET bytes = excluded.bytes";
    on!(tx, |c| sqlx::query(sql).bind(Text(id)).bind(kind.as_str()).bind(bytes).execute(c).await.map(drop))
}

/// A message, if it is there.
pub async fn find(tx: &mut Tx<'_>, id: PairingId, kind: Kind) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let sql = "SELECT bytes FROM pairing_messages WHERE pairing_id = $1 AND kind = $2";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(id)).bind(kind.as_str()).fetch_optional(c).await)
}

/// Deletes messages.
pub async fn delete(tx: &mut Tx<'_>, id: PairingId, kinds: &[Kind]) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM pairing_messages WHERE pairing_id = $1 AND kind = $2";
    for kind in kinds {
        on!(&mut *tx, |c| sqlx::query(sql).bind(Text(id)).bind(kind.as_str()).execute(c).await.map(drop))?;
    }
    Ok(())
}
