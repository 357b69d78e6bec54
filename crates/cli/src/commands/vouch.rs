//! `segue vouch`: an owner's word that an address is somebody's who has joined.

use segue_api::invites::Vouch;
use segue_domain::UserId;
use serde_json::json;

use crate::{
    account::Account,
    args,
    error::{Exit, Result},
    home::Home,
    output::Output,
    remote::Remote,
    untrusted::Untrusted,
};

/// Vouches.
pub(super) fn run(options: &args::Vouch, output: &Output) -> Result<()> {
    let account = Account::load(&Home::find()?)?;
    let who = options.who.trim().to_owned();
    let body = if who.starts_with(UserId::PREFIX) && !who.contains('@') {
        Vouch { user_id: Some(who), email: None }
    } else {
        Vouch { email: Some(who), user_id: None }
    };
    let vouched = Remote::signed_in(&account)?.vouch(&body);
    let person = vouched.map_err(|error| match error.exit {
        Exit::NotFound => error.hint("Nobody has joined with this address or id: segue invite EMAIL --vouch"),
        _ => error,
    })?;
    let text = format!(
        "Vouched for {} ({}): handoffs to {} reach them from now on.",
        Untrusted(&person.name),
        Untrusted(&person.user_id),
        Untrusted(&person.email)
    );
    output.answer(text, json!({"user_id": person.user_id, "email": person.email, "name": person.name}))
}
