//! `segue join`: makes this device's keys and joins a server (SPEC A1).
//!
//! Keys and tokens are made and stored here before the server hears of them, so that a join that is cut short at any
//! point can be repeated with the same link.

mod by_code;

use data_encoding::HEXLOWER;
use segue_api::account::{Invitation, Join, OpenInvite, SignUp};
use segue_crypto::{DeviceKey, Keyring, RecoveryCode, UserRoot, fingerprint::fingerprint};
use segue_domain::{Clock as _, DeviceId};
use segue_signed::{Device, DeviceKind, KeyCard, sha256};
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use crate::{
    account::{Account, NewAccount, PendingJoin},
    args, base64url,
    environment::{self, SystemClock, random},
    error::{CliError, Exit, Result},
    home::Home,
    link::{self, JoinLink},
    output::Output,
    remote::{Remote, is_loopback},
    untrusted::Untrusted,
};

/// Longest link that is read from standard input, in bytes.
const LINK_BYTES_MAX: u64 = 4_096;
/// Epoch of the first keys.
const FIRST_EPOCH: u32 = 1;

/// Joins.
pub(super) fn run(options: &args::Join, output: &Output) -> Result<()> {
    let home = Home::find()?;
    let _lock = home.lock()?;
    if options.code {
        return by_code::run(options, &home, output);
    }
    let text = read_link(options.link.as_deref(), output)?;
    let joined = Account::find(&home)?;
    if let (Some(server), Some(email), None) = (link::server_alone(&text), &options.email, &joined) {
        return sign_up(&server, email, output);
    }
    let link = JoinLink::parse(&text);
    let link = match (link, &joined) {
        (Err(_), Some(account)) => return Err(already_joined(account)),
        (link, _) => link?,
    };
    warn_without_tls(&link.server, output);
    let invite_hash = HEXLOWER.encode(&sha256(&*link.token));
    let remote = Remote::anonymous(&link.server)?;
    let mut pending = match (PendingJoin::find(&home, &invite_hash)?, &joined) {
        // Joined, but the recovery code was never shown: it is shown now.
        (Some(pending), _) => pending,
        (None, Some(account)) => return Err(already_joined(account)),
        (None, None) => begin(options, &link, &remote, invite_hash, output)?,
    };
    pending.account.server = link.server.clone();
    pending.save(&home)?;
    let account = match remote.join(&request(&pending, &link)?) {
        Ok(account) => account,
        Err(error) => {
            // What the server refused it does not know; other options may please it. Without an answer it may know it.
            if error.exit != Exit::Network && joined.is_none() {
                pending.forget(&home)?;
            }
            return Err(error);
        }
    };
    pending.account.save(&home)?;
    report(&pending, &account, output)?;
    pending.forget(&home)
}

pub(super) fn warn_without_tls(server: &Url, output: &Output) {
    if server.scheme() == "http" && !is_loopback(server) {
        output.warn("Warning: this server is reached without TLS: anyone on the way can use your access and read your messages.");
    }
}

/// Asks a server that lets people sign up for a link; it comes by mail, which verifies the address.
fn sign_up(server: &Url, email: &str, output: &Output) -> Result<()> {
    warn_without_tls(server, output);
    let mailed = Remote::anonymous(server)?.sign_up(&SignUp { email: email.trim().to_owned() })?;
    let text = format!(
        "If {} may sign up, a link is on its way there. Then: segue join LINK\n\
         Nothing in your mailbox? The server may take people by invite only, or it was asked for within the last hour.",
        Untrusted(&mailed.email)
    );
    output.answer(text, json!({"email": mailed.email, "joined": false}))
}

fn already_joined(account: &Account) -> CliError {
    let message = format!("{} is already signed in here at {}", Untrusted(&account.email), account.server);
    CliError::new(Exit::Conflict, "already_joined", message)
        .hint("To join another server as well, set SEGUE_HOME to another folder.")
}

/// The link from the command line, the environment or standard input.
fn read_link(argument: Option<&str>, output: &Output) -> Result<String> {
    if let Some(link) = argument.filter(|link| *link != "-") {
        return Ok(link.to_owned());
    }
    if let Ok(link) = std::env::var("SEGUE_JOIN_LINK") {
        return Ok(link);
    }
    if let Some(link) = output.piped("the invite link", LINK_BYTES_MAX)? {
        return Ok(link);
    }
    output.ask("Invite link", "Give the link as an argument, in SEGUE_JOIN_LINK or on standard input.")
}

/// Asks the server what the invite is for, and makes everything that is made here.
fn begin(
    options: &args::Join,
    link: &JoinLink,
    remote: &Remote,
    invite_hash: String,
    output: &Output,
) -> Result<PendingJoin> {
    let invitation =
        remote.open_invite(&OpenInvite { token: link.token.to_vec().into() }).map_err(|error| match error.exit {
            Exit::NotFound => {
                CliError::new(Exit::Gone, "invite_gone", "this invite was used, has expired or never was")
                    .hint("Ask for a new one.")
            }
            _ => error,
        })?;
    let email = choose_email(options, &invitation, output)?;
    let local_part = email.split('@').next().unwrap_or_default();
    let name = options.name.clone().unwrap_or_else(|| local_part.to_owned());
    let device_name = options.device.clone().unwrap_or_else(environment::device_name);
    let mut rng = environment::rng()?;
    let (root, device_key) = (UserRoot::generate(&mut rng), DeviceKey::generate(&mut rng));
    let keys = root.epoch(FIRST_EPOCH);
    let now = SystemClock.now().as_wire();
    let card = KeyCard {
        user_id: invitation.user_id,
        seq: 1,
        previous: None,
        identity_key: keys.identity.public(),
        encryption_key: keys.encryption.public(),
        epoch: FIRST_EPOCH,
        devices: vec![Device {
            id: DeviceId::from_bytes(random()?).to_string(),
            key: device_key.public(),
            kind: DeviceKind::Full,
            added_at: now,
            revoked_at: None,
        }],
        keyring_version: 0,
        keyring_hash: None,
        created_at: now,
    };
    let key_card = keys.identity.sign_card(card);
    let token = Zeroizing::new(random::<32>()?);
    let account = Account::new(&NewAccount {
        server: &link.server,
        email: &email,
        token: &token,
        root: &root,
        device_key: &device_key,
        key_card: &key_card,
        keyring: &Keyring::default(),
        device_events: 0,
    });
    let code = RecoveryCode::generate(&mut rng);
    let sealed = code.seal_root(&mut rng, &account.user_id, FIRST_EPOCH, &root);
    Ok(PendingJoin {
        invite_hash,
        account,
        recovery_code: code.expose().to_string(),
        recovery_root: base64url::encode(&sealed),
        recovery_auth_hash: base64url::encode(&code.recover_auth_hash()),
        name,
        device_name,
    })
}

fn choose_email(options: &args::Join, invitation: &Invitation, output: &Output) -> Result<String> {
    match (&invitation.email, &options.email) {
        (Some(invited), Some(given)) if !invited.eq_ignore_ascii_case(given) => {
            Err(CliError::usage(format!("this invite is for {}", Untrusted(invited)))
                .hint("Leave --email out, or ask for an invite to your other address."))
        }
        (Some(invited), _) => Ok(invited.clone()),
        (None, Some(given)) => Ok(given.clone()),
        (None, None) => output.ask("Your e-mail address", "Give it with --email."),
    }
}

fn request(pending: &PendingJoin, link: &JoinLink) -> Result<Join> {
    let account = &pending.account;
    Ok(Join {
        token: link.token.to_vec().into(),
        email: account.email.clone(),
        name: pending.name.clone(),
        key_card: account.key_card()?.encode().into(),
        device_name: pending.device_name.clone(),
        device_token_hash: sha256(&stored(account.token())?).to_vec().into(),
        recovery_root: stored(&pending.recovery_root)?.into(),
        recovery_auth_hash: stored(&pending.recovery_auth_hash)?.into(),
    })
}

fn stored(text: &str) -> Result<Vec<u8>> {
    base64url::bytes(text).ok_or_else(|| {
        CliError::new(Exit::Error, "pending_damaged", "the unfinished join on this machine is damaged")
            .hint("Remove the folder joins in the client's folder and ask for a new invite.")
    })
}

fn report(pending: &PendingJoin, joined: &segue_api::account::Account, output: &Output) -> Result<()> {
    let account = &pending.account;
    let recovery = &pending.recovery_code;
    let shown = fingerprint(&account.user_id, &account.key_card()?.card.identity_key);
    let verified = if joined.email_verified {
        "Handoffs to this address reach you."
    } else {
        "Your address is not verified: you can neither hand over nor receive. segue verify does that by mail."
    };
    let text = format!(
        "Joined {} as {}.\n{verified}\n\nFingerprint    {shown}\nRecovery code  {recovery}\n\n\
         Write the recovery code down and keep it off this machine. It is shown only now, and it is\n\
         the only way back to your sessions if you lose this device.",
        account.server,
        Untrusted(&joined.email),
    );
    let value = json!({
        "user_id": account.user_id, "device_id": account.device_id, "email": joined.email,
        "email_verified": joined.email_verified, "server": account.server, "fingerprint": shown,
        "recovery_code": recovery,
    });
    output.answer(text, value)
}
