//! Finding people, for those who may hand something to them.

use segue_api::{Code, handoffs::RecipientKey, people::LookUp};

use crate::{answers, app::App, failure::Failure, person::Email, principal::Principal, store::users};

/// The person whose verified address this is, with their key card.
pub(crate) async fn look_up(app: &App, principal: &Principal, body: &LookUp) -> Result<RecipientKey, Failure> {
    check_verified(principal)?;
    let email = Email::parse(&body.email)?;
    let mut tx = app.db.read().await?;
    let found = users::find_by_email(&mut tx, &email.key).await?.ok_or_else(not_joined)?;
    answers::recipient_key(&mut tx, found).await
}

/// Others are told one's address, so one that nobody verified could be anybody's. This is about who asks, so it comes before
/// all that is about what they ask for.
pub(crate) fn check_verified(principal: &Principal) -> Result<(), Failure> {
    if principal.email_verified {
        return Ok(());
    }
    Err(Failure::new(Code::AddressNotVerified, "Your address is not verified, so you cannot do this yet.")
        .or("Verify it: segue verify; or ask an owner of this server to vouch for it."))
}

/// Nobody to hand anything to.
pub(crate) fn not_joined() -> Failure {
    Failure::new(Code::RecipientNotJoined, "Nobody with this verified address has joined.")
        .or("Invite them first: segue invite EMAIL.")
}
