//! `segue token`: personal access tokens for CI and agents (SPEC A3).

use std::fmt::Write as _;

use segue_api::tokens::{CreateToken, TOKEN_PREFIX, Token as Made};
use segue_domain::{Scope, TokenId};
use segue_signed::sha256;
use serde_json::json;
use zeroize::Zeroizing;

use super::list::day;
use crate::{
    account::Account,
    args::tokens::Token,
    base64url,
    environment::random,
    error::{CliError, Result},
    home::Home,
    output::Output,
    remote::Remote,
    untrusted::Untrusted,
};

/// Works on tokens.
pub(super) fn run(options: &Token, output: &Output) -> Result<()> {
    let account = Account::load(&Home::find()?)?;
    let remote = Remote::signed_in(&account)?;
    match options {
        Token::Create { name, scopes, days } => create(&account, &remote, name, scopes, *days, output),
        Token::List(page) => list(&remote, page.cursor.as_deref(), output),
        Token::Revoke { token } => revoke(&remote, token, output),
    }
}

/// Draws a token here; the server gets its hash.
fn create(account: &Account, remote: &Remote, name: &str, scopes: &[Scope], days: u32, output: &Output) -> Result<()> {
    let secret = Zeroizing::new(random::<32>()?);
    let made = remote.create_token(&CreateToken {
        name: name.to_owned(),
        scopes: scopes.iter().map(Scope::to_string).collect(),
        expires_in_days: days,
        token_hash: sha256(&*secret).to_vec().into(),
    })?;
    let token = Zeroizing::new(format!("{TOKEN_PREFIX}{}", base64url::encode(&*secret)));
    let value = json!({
        "token_id": made.token_id, "token": token.as_str(), "scopes": made.scopes, "expires_at": made.expires_at,
    });
    output.answer(token.as_str(), value)?;
    output.notice(format!(
        "Shown once. Until {} use it with:\n  SEGUE_SERVER={} SEGUE_TOKEN=… segue handoffs inbox",
        day(made.expires_at),
        account.server
    ));
    Ok(())
}

fn list(remote: &Remote, cursor: Option<&str>, output: &Output) -> Result<()> {
    let page = remote.tokens(cursor)?;
    let mut text = String::new();
    for token in &page.tokens {
        writeln!(text, "{}", line(token)).unwrap_or_default();
    }
    if let Some(next) = &page.next {
        writeln!(text, "More: segue token list --cursor {}", Untrusted(next)).unwrap_or_default();
    }
    let text = if text.is_empty() {
        "No tokens. Make one: segue token create NAME --scope handoffs:read"
    } else {
        text.trim_end()
    };
    output.answer(text, json!({"tokens": page.tokens, "next": page.next}))
}

fn line(token: &Made) -> String {
    let state = match token.revoked_at {
        Some(at) => format!("revoked {}", day(at)),
        None => format!("until {}", day(token.expires_at)),
    };
    let (id, name, scopes) = (Untrusted(&token.token_id), Untrusted(&token.name).short(30), token.scopes.join(" "));
    format!("{id}  {state:24}  {name}  {}", Untrusted(&scopes))
}

fn revoke(remote: &Remote, token: &str, output: &Output) -> Result<()> {
    let id: TokenId = token.trim().parse().map_err(|_| {
        CliError::not_found(format!("{} is not a token's id", Untrusted(token))).hint("See segue token list.")
    })?;
    remote.revoke_token(id)?;
    output.answer(format!("Revoked {id}."), json!({"token_id": id.to_string(), "revoked": true}))
}
