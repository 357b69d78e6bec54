//! Verifying that an address is a person's: by a mailed code, or by an owner's word (SPEC A2).

use segue_api::{
    Code,
    account::{Account, ConfirmCode, Mailed},
    invites::{Person, Vouch},
};
use segue_domain::{UserId, limits};
use segue_signed::{lv::lv_cat, sha256};
use subtle::ConstantTimeEq as _;

use crate::{
    answers,
    app::App,
    failure::Failure,
    mail,
    once::Once,
    person::Email,
    principal::Principal,
    store::{Tx, quotas::Quota, users, verifications},
};

/// Codes for one account.
const CODES: Quota = Quota { most: limits::CODES_PER_HOUR, window_ms: 60 * 60 * 1000 };
/// Symbols of a code: 50 bits, of which five tries an hour guess nothing.
const CODE_SYMBOLS: usize = 10;
/// Crockford's base32: no letter that looks like a digit.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Mails one a code.
pub(crate) async fn ask(app: &App, principal: &Principal, once: &Once) -> Result<Mailed, Failure> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if let Some(first) = once.first_answer(&mut tx, now).await? {
        return Ok(first);
    }
    let user = users::find(&mut tx, principal.user).await?.ok_or_else(Failure::not_found)?;
    if user.email_verified {
        return Err(verified_already());
    }
    if !CODES.take(&mut tx, &format!("codes {}", principal.user), now).await? {
        let wait = (CODES.window_end(now).as_millis() - now.as_millis()) / 1000;
        let title = format!("More than {} codes in an hour.", limits::CODES_PER_HOUR);
        return Err(Failure::later(Code::RateLimited, title, wait.unsigned_abs() + 1));
    }
    let answer = Mailed { email: user.email.clone() };
    verifications::begin(&mut tx, principal.user, now.plus_hours(limits::CODE_HOURS)).await?;
    mail::enqueue_verification(&mut tx, user, app.draw()?, now).await?;
    once.keep(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Verifies one's address with the code that was mailed there.
pub(crate) async fn confirm(
    app: &App,
    principal: &Principal,
    body: &ConfirmCode,
    once: &Once,
) -> Result<Account, Failure> {
    let now = app.clock.now();
    let hash = code_hash(principal.user, &plain_code(&body.code));
    let mut tx = app.db.begin().await?;
    if let Some(first) = once.first_answer(&mut tx, now).await? {
        return Ok(first);
    }
    let known = verifications::lock(&mut tx, principal.user).await?;
    let known = known.filter(|known| known.expires_at > now && known.wrong < limits::CODE_TRIES_MAX);
    let code_hash = known.and_then(|known| known.code_hash).ok_or_else(|| {
        Failure::new(Code::Expired, "No code is waiting: it was used, is over, or was tried too often.")
            .or("Ask for another: segue verify.")
    })?;
    if !bool::from(code_hash.as_slice().ct_eq(&hash)) {
        verifications::count_wrong(&mut tx, principal.user).await?;
        // Without the key of this request, so that the right code may come under it.
        once.give_back(&mut tx).await?;
        tx.commit().await?;
        return Err(Failure::new(Code::WrongProof, "This is not the code of the newest mail.")
            .or(format!("Look at the newest mail; {} wrong tries end a code.", limits::CODE_TRIES_MAX)));
    }
    verifications::delete(&mut tx, principal.user).await?;
    let user = users::find(&mut tx, principal.user).await?.ok_or_else(Failure::not_found)?;
    verify(&mut tx, &user).await?;
    users::record(&mut tx, principal.user, "verified", &principal.user.to_string(), now).await?;
    let answer = answers::account(app, &mut tx, principal).await?;
    once.keep(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Vouches for somebody's address, as an owner.
pub(crate) async fn vouch(app: &App, principal: &Principal, body: &Vouch, once: &Once) -> Result<Person, Failure> {
    if !principal.owner {
        return Err(Failure::new(Code::OwnerOnly, "Only an owner may vouch for an address.").or("Ask an owner."));
    }
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if let Some(first) = once.first_answer(&mut tx, now).await? {
        return Ok(first);
    }
    let user = whom(&mut tx, body).await?;
    verify(&mut tx, &user).await?;
    users::record(&mut tx, user.id.0, "vouched", &principal.user.to_string(), now).await?;
    let answer = Person { user_id: user.id.0.to_string(), email: user.email, name: user.name };
    once.keep(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}

async fn whom(tx: &mut Tx<'_>, body: &Vouch) -> Result<users::User, Failure> {
    match (&body.email, &body.user_id) {
        (Some(email), None) => {
            let key = Email::parse(email)?.key;
            let mut found = users::unverified_by_email(tx, &key).await?;
            if found.len() > 1 {
                return Err(Failure::new(Code::Conflict, "Several accounts were made under this address.")
                    .or("Ask the person for their user id (segue whoami), and vouch for that."));
            }
            match found.pop() {
                Some(user) => Ok(user),
                None => users::find_by_email(tx, &key).await?.ok_or_else(Failure::not_found),
            }
        }
        (None, Some(id)) => {
            let id: UserId = id.parse().map_err(|_| Failure::not_found())?;
            users::find(tx, id).await?.ok_or_else(Failure::not_found)
        }
        _ => Err(Failure::invalid("Name exactly one of email and user_id.")),
    }
}

/// Lets an address count. Who comes here has shown that they read its mailbox, or is an owner, so they may be told of the other.
async fn verify(tx: &mut Tx<'_>, user: &users::User) -> Result<(), Failure> {
    if user.email_verified {
        return Err(verified_already());
    }
    let taken = || {
        Failure::new(Code::Conflict, "Another account has this address and is verified already.")
            .or("Use that account, or join with another address.")
    };
    if users::find_by_email(tx, &user.email.to_ascii_lowercase()).await?.is_some() {
        return Err(taken());
    }
    if users::verify(tx, user.id.0).await? { Ok(()) } else { Err(verified_already()) }
}

fn verified_already() -> Failure {
    Failure::new(Code::Conflict, "This address is verified already.")
}

/// A code from random bytes.
pub(crate) fn code(drawn: [u8; CODE_SYMBOLS]) -> String {
    drawn.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect()
}

/// A code as people read it.
pub(crate) fn grouped(code: &str) -> String {
    let (first, second) = code.split_at(code.len() / 2);
    format!("{first}-{second}")
}

/// A code as it was meant: case, blanks and hyphens do not count, and what looks like a digit is one.
fn plain_code(text: &str) -> String {
    let symbols = text.chars().filter(|symbol| !symbol.is_whitespace() && *symbol != '-').take(CODE_SYMBOLS + 1);
    let meant = |symbol: char| match symbol.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    symbols.map(meant).collect()
}

/// What the database keeps of a code.
pub(crate) fn code_hash(user: UserId, code: &str) -> [u8; 32] {
    sha256(&lv_cat(&[b"segue/verification/1", user.as_bytes(), code.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_was_meant() {
        let code = code([0, 1, 31, 32, 255, 10, 11, 12, 13, 14]);
        assert_eq!((code.as_str(), grouped(&code).as_str()), ("01Z0ZABCDE", "01Z0Z-ABCDE"));
        for typed in ["01Z0Z-ABCDE", " o1zoz abcde\n", "OLZ0ZABCDE", "0iz0z-abcde"] {
            assert_eq!(plain_code(typed), code);
        }
        assert_ne!(plain_code("01Z0ZABCDE0"), code);
    }
}
