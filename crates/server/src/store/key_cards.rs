//! Signed key cards: a chain for each person, of which the newest counts.

use segue_domain::{Timestamp, UserId};
use segue_signed::SignedKeyCard;

use super::{
    Tx,
    columns::{self, Millis, Text},
    on,
};

/// Adds a card to a person's chain.
pub async fn insert(tx: &mut Tx<'_>, user: UserId, card: &SignedKeyCard, now: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO key_cards (user_id, seq, card, created_at) VALUES ($1, $2, $3, $4)";
    on!(tx, |c| sqlx::query(sql)
        .bind(Text(user))
        .bind(i64::from(card.card.seq))
        .bind(card.encode())
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(drop))
}

/// A person's current card. Every person has one.
pub async fn current(tx: &mut Tx<'_>, user: UserId) -> Result<SignedKeyCard, sqlx::Error> {
    let sql = "SELECT k.card FROM key_cards k JOIN users u ON u.id = k.user_id AND u.card_seq = k.seq WHERE u.id = $1";
    let bytes: Vec<u8> = on!(tx, |c| sqlx::query_scalar(sql).bind(Text(user)).fetch_one(c).await)?;
    SignedKeyCard::parse(&bytes).map_err(|_| columns::corrupt("a key card"))
}

/// Adds the card that follows the newest, and lets it count. The caller has locked the user.
pub async fn append(tx: &mut Tx<'_>, user: UserId, card: &SignedKeyCard, now: Timestamp) -> Result<(), sqlx::Error> {
    insert(tx, user, card, now).await?;
    let sql = "UPDATE users SET card_seq = $1 WHERE id = $2";
    on!(tx, |c| sqlx::query(sql).bind(i64::from(card.card.seq)).bind(Text(user)).execute(c).await.map(drop))
}

/// The card at a position of a person's chain.
pub async fn at(tx: &mut Tx<'_>, user: UserId, seq: u32) -> Result<Option<SignedKeyCard>, sqlx::Error> {
    let sql = "SELECT card FROM key_cards WHERE user_id = $1 AND seq = $2";
    let bytes: Option<Vec<u8>> =
        on!(tx, |c| sqlx::query_scalar(sql).bind(Text(user)).bind(i64::from(seq)).fetch_optional(c).await)?;
    bytes.map(|bytes| SignedKeyCard::parse(&bytes).map_err(|_| columns::corrupt("a key card"))).transpose()
}

/// A person's cards after a position, oldest first; at most `limit`.
pub async fn after(tx: &mut Tx<'_>, user: UserId, seq: u32, limit: i64) -> Result<Vec<SignedKeyCard>, sqlx::Error> {
    let sql = "SELECT card FROM key_cards WHERE user_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    let all: Vec<Vec<u8>> =
        on!(tx, |c| sqlx::query_scalar(sql).bind(Text(user)).bind(i64::from(seq)).bind(limit).fetch_all(c).await)?;
    all.iter().map(|bytes| SignedKeyCard::parse(bytes).map_err(|_| columns::corrupt("a key card"))).collect()
}

/// All cards of a person, newest first.
pub async fn newest_first(tx: &mut Tx<'_>, user: UserId) -> Result<Vec<SignedKeyCard>, sqlx::Error> {
    let sql = "SELECT card FROM key_cards WHERE user_id = $1 ORDER BY seq DESC";
    let all: Vec<Vec<u8>> = on!(tx, |c| sqlx::query_scalar(sql).bind(Text(user)).fetch_all(c).await)?;
    all.iter().map(|bytes| SignedKeyCard::parse(bytes).map_err(|_| columns::corrupt("a key card"))).collect()
}
