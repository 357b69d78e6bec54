//! `segue verify PERSON`: both fingerprints, and whether they were compared.

use segue_crypto::fingerprint::{fingerprint, same_fingerprint};
use segue_signed::SignedKeyCard;
use serde_json::json;

use crate::{
    account::Account,
    contacts::{self, Book},
    error::{CliError, Exit, Result},
    home::Home,
    output::Output,
    remote::Remote,
    untrusted::Untrusted,
};

/// Shows both, asks or compares, and remembers.
pub(super) fn run(person: &str, told: Option<&str>, output: &Output) -> Result<()> {
    let home = Home::find()?;
    let account = Account::load(&home)?;
    let book = Book::load(&home)?;
    let email = book.address_of(person.trim()).unwrap_or(person.trim()).to_owned();
    let listed = Remote::signed_in(&account)?.look_up(&email)?;
    let card = SignedKeyCard::parse(&listed.key_card.0)
        .map_err(|error| CliError::verification(format!("their key card is not one: {error}")))?;
    if !listed.email.eq_ignore_ascii_case(&email) || listed.user_id != card.card.user_id {
        return Err(CliError::verification(format!("the server names {} instead", Untrusted(&listed.email))));
    }
    if listed.user_id == account.user_id {
        return Err(CliError::usage("that is you: your own keys are here").hint("Your fingerprint: segue whoami"));
    }
    let known = book.find(&email);
    let theirs = fingerprint(&card.card.user_id, &card.card.identity_key);
    let yours = fingerprint(&account.user_id, &account.key_card()?.card.identity_key);
    let before = known.and_then(|pin| Some(fingerprint(&pin.user_id, &pin.key()?)));
    let changed = before.as_ref().is_some_and(|before| *before != theirs);
    let who = Untrusted(&email);
    output.notice(format!("{who}  {theirs}\nyou  {yours}"));
    if let Some(before) = before.filter(|_| changed) {
        output.warn(format!("The fingerprint of {who} was {before} until now."));
    }
    confirm(&email, &theirs, told, output)?;
    contacts::verify(&home, &email, &card, &account.device_id)?;
    let text = format!("{who} is verified: {theirs}");
    let value = json!({
        "email": email, "user_id": listed.user_id, "fingerprint": theirs, "own_fingerprint": yours,
        "verified": true, "changed": changed,
    });
    output.answer(text, value)
}

/// A person compared, or told what is compared here.
fn confirm(email: &str, theirs: &str, told: Option<&str>, output: &Output) -> Result<()> {
    if let Some(told) = told {
        if same_fingerprint(told, theirs) {
            return Ok(());
        }
        return Err(CliError::verification(format!("the fingerprint of {} is another one than you were told", Untrusted(email)))
            .hint("Nothing was changed. Do not hand over to them before you know why: the server may show another key than theirs."));
    }
    let question = format!(
        "Ask them, not by Segue: segue whoami shows them theirs, segue verify yours. Are both the same there as here, for {}?",
        Untrusted(email)
    );
    if output.agrees(&question, "Compare them and confirm with --yes, or give the fingerprint that they told you: segue verify PERSON FINGERPRINT")? {
        return Ok(());
    }
    Err(CliError::new(Exit::Error, "not_confirmed", "nobody was verified")
        .hint("What is known of them stays as it was."))
}
