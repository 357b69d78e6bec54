//! Joining, and inviting others to join (SPEC A1, A2).

use std::net::IpAddr;

use data_encoding::BASE64URL_NOPAD;
use segue_api::{
    Code,
    account::{Account, Invitation, Join, Mailed, OpenInvite, SignUp},
    invites::{CreateInvite, Invite},
};
use segue_domain::{DeviceId, InviteId, Timestamp, UserId, limits};
use segue_signed::{Device, DeviceKind, SignedKeyCard, sha256};

use crate::{
    answers,
    app::App,
    config,
    failure::Failure,
    mail,
    once::Once,
    person::{self, Email},
    principal::{Credential, Principal},
    rates,
    recovering::{self, is_hash},
    store::{Tx, devices, invites, key_cards, quotas::Quota, users},
};

/// Sign-ups from one network address.
const SIGN_UPS: Quota = Quota { most: limits::SIGN_UPS_PER_HOUR, window_ms: 60 * 60 * 1000 };
/// Bytes of a token.
const TOKEN_BYTES: usize = 32;

/// What a token's invite lets one do. Used, expired and unknown ones look alike.
pub async fn open_invite(app: &App, body: &OpenInvite) -> Result<Invitation, Failure> {
    let mut tx = app.db.read().await?;
    let invite = invites::find_by_token(&mut tx, &sha256(&body.token.0)).await?.ok_or_else(Failure::not_found)?;
    let closed = invite.owner && users::any(&mut tx).await?;
    if closed || invite.used_by.is_some() || invite.expires_at <= app.clock.now() {
        return Err(Failure::not_found());
    }
    Ok(Invitation {
        user_id: invite.user_id.0.to_string(),
        email: invite.email,
        owner: invite.owner,
        invited_by: invite.inviter,
        expires_at: invite.expires_at.as_millis(),
    })
}

/// Makes an account from an invite, once; the same join again gives the same account.
pub async fn join(app: &App, body: &Join) -> Result<Account, Failure> {
    let form = Form::read(body)?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let invite = invites::find_by_token(&mut tx, &sha256(&body.token.0)).await?.ok_or_else(Failure::not_found)?;
    let user = invite.user_id.0;
    let open = !invite.owner || nobody_has_joined(&mut tx).await?;
    if open && invites::use_up(&mut tx, invite.id.0, user, now).await? {
        form.fits(&invite)?;
        enrol(&mut tx, &form, body, &invite, now).await?;
    } else if !is_repeat(&mut tx, &form, body, &invite).await? {
        return Err(Failure::not_found());
    }
    let principal = Principal {
        user,
        credential: Credential::Device { id: form.device, key: form.device_key },
        owner: invite.owner,
        email_verified: invite.verifies(),
        plan: None,
        device_events: 0,
    };
    let account = answers::account(app, &mut tx, &principal).await?;
    tx.commit().await?;
    Ok(account)
}

/// Whether the first person is still to come. Several processes may each have printed an owner link: whoever uses one of them
/// first makes the others wait here, and then they are worth nothing.
async fn nobody_has_joined(tx: &mut Tx<'_>) -> Result<bool, sqlx::Error> {
    invites::lock_owner_links(tx).await?;
    Ok(!users::any(tx).await?)
}

/// A join whose parts have been read.
struct Form<'a> {
    email: Email,
    name: &'a str,
    device_name: &'a str,
    card: SignedKeyCard,
    device: DeviceId,
    device_key: [u8; 32],
}

impl<'a> Form<'a> {
    fn read(body: &'a Join) -> Result<Self, Failure> {
        let card = SignedKeyCard::parse(&body.key_card.0)?;
        card.verify(None)?;
        let one_device = || Failure::invalid("The first key card lists exactly one full device.");
        let [Device { id, key, kind: DeviceKind::Full, revoked_at: None, .. }] = card.card.devices.as_slice() else {
            return Err(one_device());
        };
        let (device, device_key) = (id.parse().map_err(|_| one_device())?, *key);
        is_hash(&body.device_token_hash.0, "device_token_hash")?;
        recovering::check_sealed(&body.recovery_root.0, &body.recovery_auth_hash.0)?;
        Ok(Self {
            email: Email::parse(&body.email)?,
            name: person::name(&body.name)?,
            device_name: person::name(&body.device_name)?,
            card,
            device,
            device_key,
        })
    }

    fn fits(&self, invite: &invites::Invite) -> Result<(), Failure> {
        if self.card.card.user_id != invite.user_id.0.to_string() {
            return Err(Failure::new(Code::Unverified, "The key card is not for the account that the invite makes."));
        }
        if invite.email.as_ref().is_some_and(|email| !email.eq_ignore_ascii_case(&self.email.written)) {
            return Err(Failure::invalid("This invite is for another address."));
        }
        Ok(())
    }
}

async fn enrol(
    tx: &mut Tx<'_>,
    form: &Form<'_>,
    body: &Join,
    invite: &invites::Invite,
    now: Timestamp,
) -> Result<(), Failure> {
    let user = invite.user_id.0;
    let email_verified = invite.verifies();
    if email_verified && users::find_by_email(tx, &form.email.key).await?.is_some() {
        return Err(Failure::new(Code::Conflict, "This address belongs to another account.")
            .or("Join with another address, or sign in to that account."));
    }
    let new = users::NewUser {
        id: user,
        email: &form.email.written,
        email_key: &form.email.key,
        email_verified,
        name: form.name,
        owner: invite.owner,
        card_seq: form.card.card.seq,
        recovery_root: &body.recovery_root.0,
        recovery_auth_hash: &body.recovery_auth_hash.0,
    };
    users::insert(tx, &new, now).await?;
    key_cards::insert(tx, user, &form.card, now).await?;
    let device = devices::NewDevice {
        user,
        id: form.device,
        name: form.device_name,
        key: &form.device_key,
        token_hash: &body.device_token_hash.0,
    };
    devices::insert(tx, &device, now).await?;
    let kind = if invite.owner { "owner_joined" } else { "joined" };
    Ok(users::record(tx, user, kind, &user.to_string(), now).await?)
}

/// Whether this is the join that used the invite up, sent again: same key card, same device token.
async fn is_repeat(tx: &mut Tx<'_>, form: &Form<'_>, body: &Join, invite: &invites::Invite) -> Result<bool, Failure> {
    let user = invite.user_id.0;
    if users::find(tx, user).await?.is_none() {
        return Ok(false);
    }
    let same_card = key_cards::current(tx, user).await? == form.card;
    let token_hash = devices::token_hash(tx, user, form.device).await?;
    Ok(same_card && token_hash.is_some_and(|hash| hash == body.device_token_hash.0))
}

/// Invites somebody. The inviter's device drew the token.
pub(crate) async fn invite(
    app: &App,
    principal: &Principal,
    body: &CreateInvite,
    once: &Once,
) -> Result<Invite, Failure> {
    let email = Email::parse(&body.email)?;
    if let Some(token_hash) = &body.token_hash {
        is_hash(&token_hash.0, "token_hash")?;
    }
    if body.vouch && !principal.owner {
        return Err(Failure::new(Code::OwnerOnly, "Only an owner may vouch for an address.")
            .or("Invite without vouching, or ask an owner."));
    }
    let (id, user) = (InviteId::from_bytes(app.draw()?), UserId::from_bytes(app.draw()?));
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if let Some(first) = once.first_answer(&mut tx, now).await? {
        return Ok(first);
    }
    let expires_at = now.plus_hours(limits::INVITE_HOURS);
    let new = invites::NewInvite {
        id,
        user_id: user,
        email: Some(&email),
        vouched: body.vouch,
        owner: false,
        invited_by: Some(principal.user),
        expires_at,
    };
    invites::insert(&mut tx, &new, now).await?;
    if let Some(token_hash) = &body.token_hash {
        if !invites::add_token(&mut tx, id, &token_hash.0, false).await? {
            return Err(Failure::new(Code::Conflict, "This token was used for another invite.").or("Draw a new one."));
        }
    } else if !mail::enqueue_invite(&mut tx, id, &email, principal.user, now).await? {
        return Err(too_many_invites());
    }
    if body.vouch {
        users::record(&mut tx, user, "vouched", &principal.user.to_string(), now).await?;
    }
    let answer = Invite {
        invite_id: id.to_string(),
        mailed: body.token_hash.is_none(),
        email: email.written,
        vouched: body.vouch,
        expires_at: expires_at.as_millis(),
    };
    once.keep(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}

fn too_many_invites() -> Failure {
    let hours = "The server mails one invite a day from you to one address";
    let title = format!("{hours}, and at most {} in all.", limits::INVITE_MAILS_PER_DAY);
    Failure::new(Code::RateLimited, title).or("Leave --mail out for a link that you give them yourself.")
}

/// Mails a link to sign up with to whoever has an address, where the server lets people sign up. What it answers, and what it does
/// before that, is the same for every address: nobody learns who is known here (SPEC A2).
pub(crate) async fn sign_up(app: &App, body: &SignUp, from: IpAddr) -> Result<Mailed, Failure> {
    let email = Email::parse(&body.email)?;
    if app.settings.sign_up == config::SignUp::Invite {
        return Err(Failure::new(Code::SignUpClosed, "People join this server by invite only.")
            .or("Ask somebody who has joined to invite you."));
    }
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    // A proxy on this machine brings everybody from one address.
    if !from.is_loopback() && !SIGN_UPS.take(&mut tx, &format!("sign-ups {}", rates::network(from)), now).await? {
        let wait = (SIGN_UPS.window_end(now).as_millis() - now.as_millis()) / 1000;
        let title = format!("More than {} sign-ups in an hour.", limits::SIGN_UPS_PER_HOUR);
        return Err(Failure::later(Code::RateLimited, title, wait.unsigned_abs() + 1));
    }
    mail::enqueue_sign_up(&mut tx, &email, now).await?;
    tx.commit().await?;
    Ok(Mailed { email: email.written })
}

/// The token of a fresh owner link while nobody has joined. Those of earlier starts stay open, since another process may have
/// printed them a moment ago; the first that is used ends all.
pub async fn owner_token(app: &App) -> anyhow::Result<Option<String>> {
    let (token, id) = (app.draw::<TOKEN_BYTES>()?, InviteId::from_bytes(app.draw()?));
    let user = UserId::from_bytes(app.draw()?);
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if users::any(&mut tx).await? {
        return Ok(None);
    }
    let new = invites::NewInvite {
        id,
        user_id: user,
        email: None,
        vouched: false,
        owner: true,
        invited_by: None,
        expires_at: now.plus_hours(limits::OWNER_LINK_HOURS),
    };
    invites::insert(&mut tx, &new, now).await?;
    let kept = invites::add_token(&mut tx, id, &sha256(&token), false).await?;
    tx.commit().await?;
    anyhow::ensure!(kept, "the machine gave the same random bytes twice");
    Ok(Some(BASE64URL_NOPAD.encode(&token)))
}
