//! Personal access tokens: made, listed and ended by a person's devices (SPEC A3).

use segue_api::{
    Code,
    tokens::{CreateToken, Token, Tokens},
};
use segue_domain::{Scope, Timestamp, TokenId, limits};

use crate::{
    app::App,
    failure::Failure,
    once::Once,
    page::{Cursor, Page},
    person,
    principal::Principal,
    store::tokens,
};

/// Bytes of a token's hash.
const HASH_BYTES: usize = 32;

/// Makes a token.
pub(crate) async fn create(
    app: &App,
    principal: &Principal,
    body: &CreateToken,
    once: &Once,
) -> Result<Token, Failure> {
    let name = person::name(&body.name)?;
    let scopes = scopes(&body.scopes)?;
    if !(1..=limits::TOKEN_DAYS_MAX).contains(&body.expires_in_days) {
        return Err(Failure::invalid(format!("A token lives 1 to {} days.", limits::TOKEN_DAYS_MAX)));
    }
    if body.token_hash.0.len() != HASH_BYTES {
        return Err(Failure::invalid(format!("token_hash has {HASH_BYTES} bytes.")));
    }
    let (id, now) = (TokenId::from_bytes(app.draw()?), app.clock.now());
    let mut tx = app.db.begin().await?;
    if let Some(first) = once.first_answer(&mut tx, now).await? {
        return Ok(first);
    }
    crate::store::users::lock(&mut tx, principal.user).await?;
    if tokens::count(&mut tx, principal.user, now).await? >= limits::TOKENS_MAX {
        return Err(Failure::invalid(format!(
            "There are {} tokens in use, the most that one has.",
            limits::TOKENS_MAX
        ))
        .or("Revoke one: segue token revoke ID."));
    }
    let expires_at = now.plus_hours(24 * body.expires_in_days);
    let (user, token_hash) = (principal.user, body.token_hash.0.as_slice());
    let new = tokens::NewToken { id, user, name, scopes: &scopes, token_hash, expires_at };
    if !tokens::insert(&mut tx, &new, now).await? {
        return Err(Failure::new(Code::Conflict, "This token was used before.").or("Draw a new one."));
    }
    let row = tokens::find(&mut tx, user, id).await?.ok_or_else(Failure::not_found)?;
    let answer = answer(&row);
    once.keep(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}

fn scopes(words: &[String]) -> Result<Vec<Scope>, Failure> {
    let mut scopes = words
        .iter()
        .map(|word| word.parse())
        .collect::<Result<Vec<Scope>, _>>()
        .map_err(|error| Failure::invalid("This is not what a token can be used for.").or(format!("{error}.")))?;
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() { Err(Failure::invalid("A token is for at least one thing.")) } else { Ok(scopes) }
}

/// One page of a person's tokens.
pub(crate) async fn list(app: &App, principal: &Principal, page: &Page) -> Result<Tokens, Failure> {
    let mut rows = tokens::list(&mut app.db.read().await?, principal.user, page).await?;
    let next = page.cut(&mut rows, |row| Cursor { at: row.created_at, id: row.id.0.to_string() });
    Ok(Tokens { tokens: rows.iter().map(answer).collect(), next })
}

/// Ends a token at once, everywhere.
pub(crate) async fn revoke(app: &App, principal: &Principal, id: TokenId) -> Result<(), Failure> {
    let mut tx = app.db.begin().await?;
    if !tokens::revoke(&mut tx, principal.user, id, app.clock.now()).await? {
        return Err(Failure::not_found());
    }
    Ok(tx.commit().await?)
}

fn answer(row: &tokens::Token) -> Token {
    Token {
        token_id: row.id.0.to_string(),
        name: row.name.clone(),
        scopes: row.scopes.split(' ').map(str::to_owned).collect(),
        created_at: row.created_at.as_millis(),
        expires_at: row.expires_at.as_millis(),
        revoked_at: row.revoked_at.map(|at| Timestamp::from(at).as_millis()),
    }
}
