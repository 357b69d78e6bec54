//! `segue recover`: this machine becomes a device of an account with its recovery code (SPEC A1); `--new-code` makes another code.
//!
//! As with a join, everything is stored here before the server hears of it, so that a recovery that is cut short at any point can be
//! repeated. The code is not used up.

mod pending;

use segue_api::{
    account::Account as Joined,
    devices::{Device, OpenRecovery, Recovery},
};
use segue_crypto::{
    Keyring, KeyringPlace, RecoveryCode, UserRoot, fingerprint::fingerprint, recovery::SEALED_ROOT_BYTES,
};
use segue_signed::{KeyCard, SignedKeyCard, sha256};
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use self::pending::{NewCode, Pending};
use super::{devices::known, join::warn_without_tls};
use crate::{
    account::{Account, Coming, with_device},
    args, environment,
    error::{CliError, Exit, Result},
    home::Home,
    link,
    output::Output,
    remote::Remote,
    untrusted::Untrusted,
};

/// Longest text that is read for a code, in bytes.
const CODE_BYTES_MAX: u64 = 256;
/// How often a card is made anew when another device of the account was faster.
const TRIES_MAX: u32 = 5;

/// Recovers, or makes another code.
pub(super) fn run(options: &args::Recover, output: &Output) -> Result<()> {
    let home = Home::find()?;
    let _lock = home.lock()?;
    if options.new_code {
        return new_code(&home, output);
    }
    let joined = Account::find(&home)?;
    let pending = Pending::find(&home)?;
    if let (Some(account), None) = (&joined, &pending)
        && !has_ended(account)?
    {
        let message = format!("{} is already signed in here at {}", Untrusted(&account.email), account.server);
        return Err(CliError::new(Exit::Conflict, "already_joined", message).hint(
            "Another recovery code: segue recover --new-code. Another account: set SEGUE_HOME to another folder.",
        ));
    }
    let here = pending.as_ref().map(|pending| &pending.account).or(joined.as_ref());
    let (server, email) = whom(options, here, output)?;
    if let Some(account) =
        here.filter(|account| account.server != server || !account.email.eq_ignore_ascii_case(&email))
    {
        let message = format!("the keys of {} at {} are here", Untrusted(&account.email), account.server);
        return Err(CliError::new(Exit::Conflict, "already_joined", message)
            .hint("To recover another account as well, set SEGUE_HOME to another folder."));
    }
    warn_without_tls(&server, output);
    let mut pending = match pending {
        Some(pending) => pending,
        None => begin(options, &server, &email, output)?,
    };
    pending.save(&home)?;
    let recovered = send(&home, &mut pending)?;
    pending.account.save(&home)?;
    report(&pending.account, &recovered, output)?;
    Pending::forget(&home)
}

/// Whether this device was removed: then it may come back in its own place.
fn has_ended(account: &Account) -> Result<bool> {
    match Remote::following(account)?.account() {
        Ok(_) => Ok(false),
        Err(error) if error.exit == Exit::NotSignedIn => Ok(true),
        Err(error) => Err(error),
    }
}

/// The server and the address; those of the account that is or was here when none are given.
fn whom(options: &args::Recover, here: Option<&Account>, output: &Output) -> Result<(Url, String)> {
    if let (None, None, Some(account)) = (&options.server, &options.email, here) {
        return Ok((account.server.clone(), account.email.clone()));
    }
    let server = match &options.server {
        Some(server) => server.clone(),
        None => output.ask("The server's address", "Give it as an argument: segue recover SERVER EMAIL")?,
    };
    let server = link::server_alone(&server).ok_or_else(|| {
        CliError::usage(format!("{} is no server's address", Untrusted(&server)))
            .hint("Write it like https://segue.example.com")
    })?;
    let email = match &options.email {
        Some(email) => email.trim().to_owned(),
        None => output.ask("Your e-mail address", "Give it as an argument: segue recover SERVER EMAIL")?,
    };
    Ok((server, email))
}

/// The code from the environment, standard input or a prompt; never an argument, which other users of the machine could read.
fn read_code(output: &Output) -> Result<RecoveryCode> {
    let text = match std::env::var("SEGUE_RECOVERY_CODE") {
        Ok(code) if !code.trim().is_empty() => code,
        _ => match output.piped("the recovery code", CODE_BYTES_MAX)? {
            Some(code) => code,
            None => output.ask("Recovery code", "Give it on standard input or in SEGUE_RECOVERY_CODE.")?,
        },
    };
    let text = Zeroizing::new(text);
    RecoveryCode::parse(&text).map_err(|error| CliError::usage(error.to_string()).hint("Type it as it was shown."))
}

/// Opens what the code opens, and makes everything that is made here.
fn begin(options: &args::Recover, server: &Url, email: &str, output: &Output) -> Result<Pending> {
    let code = read_code(output)?;
    let opened = open(server, email, &code.recover_auth()[..])?;
    let (card, root, keyring) = verify(&opened, &code)?;
    let coming = Coming {
        server,
        email: &opened.email,
        card: &card,
        root: &root,
        keyring: &keyring,
        device_events: opened.device_events,
    };
    let account = coming.as_new_device()?;
    let device_name = options.device.clone().unwrap_or_else(environment::device_name);
    Ok(Pending::new(email, account, device_name, &code.recover_auth()))
}

fn open(server: &Url, email: &str, auth: &[u8]) -> Result<Recovery> {
    let body = OpenRecovery { email: email.to_owned(), auth: auth.to_vec().into() };
    Remote::anonymous(server)?.open_recovery(&body)
}

/// What the server gave is what the code's owner had sealed: the card's keys come from the sealed root, and the keyring is the one
/// that the card names.
fn verify(opened: &Recovery, code: &RecoveryCode) -> Result<(KeyCard, UserRoot, Keyring)> {
    let card = SignedKeyCard::parse(&opened.key_card.0).map_err(|error| refused(&error))?;
    let card = card.verify_alone().map_err(|error| refused(&error))?.clone();
    let sealed: &[u8; SEALED_ROOT_BYTES] =
        opened.recovery_root.0.as_slice().try_into().map_err(|_| other("the sealed root has another length"))?;
    let root = code.open_root(&opened.user_id, card.epoch, sealed).map_err(|error| refused(&error))?;
    if card.user_id != opened.user_id || !root.is_of(&card) {
        return Err(other("the key card is not of the root that the code opens"));
    }
    let keyring = match (&card.keyring_hash, &opened.keyring) {
        (None, _) => Keyring::default(),
        (Some(hash), Some(sealed)) if *hash == sha256(&sealed.0) => {
            let place = KeyringPlace { user_id: &card.user_id, epoch: card.epoch, version: card.keyring_version };
            Keyring::open(&root.epoch(card.epoch).keyring, place, &sealed.0).map_err(|error| refused(&error))?
        }
        _ => return Err(other("the keyring is not the one that the key card names")),
    };
    Ok((card, root, keyring))
}

fn refused(error: &dyn std::error::Error) -> CliError {
    other(&error.to_string())
}

fn other(why: &str) -> CliError {
    CliError::verification(format!("the account that the server gives is not to be believed: {why}"))
        .hint("Nothing was changed. Tell whoever runs the server.")
}

/// Sends it until no other device is faster.
fn send(home: &Home, pending: &mut Pending) -> Result<Joined> {
    let mut attempt = 1;
    loop {
        let sent = Remote::anonymous(&pending.account.server)?.recover(&pending.request()?);
        match sent {
            Err(error) if error.code == "conflict" && attempt < TRIES_MAX => {
                let opened = open(&pending.account.server, &pending.email, &pending.auth()?)?;
                let card = SignedKeyCard::parse(&opened.key_card.0).map_err(|error| refused(&error))?;
                let root = pending.account.root()?;
                // With other keys than the code opened, the code is another one, too.
                let card = card
                    .verify_alone()
                    .ok()
                    .filter(|card| root.is_of(card))
                    .ok_or_else(|| other("its keys changed meanwhile"))?;
                let signed = with_device(card, &root, &pending.account.device_id, &pending.account.device_key()?)?;
                pending.account.advance(&signed, None);
                pending.save(home)?;
                attempt += 1;
            }
            Err(error) => {
                // What the server refused it does not know; another try begins anew. Without an answer it may know it.
                if error.exit != Exit::Network {
                    Pending::forget(home)?;
                }
                return Err(error);
            }
            Ok(recovered) => return Ok(recovered),
        }
    }
}

fn report(account: &Account, recovered: &Joined, output: &Output) -> Result<()> {
    let others: Vec<Device> = known(account, &Remote::following(account)?)?
        .into_iter()
        .filter(|device| !device.this && device.removed_at.is_none())
        .collect();
    let shown = fingerprint(&account.user_id, &account.key_card()?.card.identity_key);
    let line = |device: &Device| format!("  {}  {}", Untrusted(&device.device_id), Untrusted(&device.name).short(60));
    let lines: Vec<_> = others.iter().map(line).collect();
    let rest = if others.is_empty() {
        "It has no other device.".to_owned()
    } else {
        format!(
            "Its other devices:\n{}\nIf one of them is lost, remove it now: segue devices remove DEVICE",
            lines.join("\n")
        )
    };
    let text = format!(
        "This machine is a device of {} at {}.\n{rest}\n\nFingerprint    {shown}\n\
         Your recovery code stays as it is. Has somebody else seen it? segue recover --new-code",
        Untrusted(&recovered.email),
        account.server,
    );
    let devices: Vec<_> =
        others.iter().map(|device| json!({"device_id": device.device_id, "name": device.name})).collect();
    let value = json!({
        "user_id": account.user_id, "device_id": account.device_id, "email": recovered.email,
        "server": account.server, "fingerprint": shown, "other_devices": devices,
    });
    output.answer(text, value)
}

/// Makes another recovery code for the keys that are here.
fn new_code(home: &Home, output: &Output) -> Result<()> {
    let mut account = Account::load(home)?;
    output.tell(&crate::devices::follow(home, &mut account)?.news);
    let made = match NewCode::find(home)? {
        Some(made) if made.epoch == account.epoch => made,
        _ => NewCode::make(&account)?,
    };
    made.save(home)?;
    Remote::following(&account)?.new_recovery_code(&made.request()?)?;
    let text = format!(
        "Recovery code  {}\n\nWrite it down and keep it off your machines. It is shown only now, and the one before is worth nothing.",
        made.code
    );
    output.answer(text, json!({"recovery_code": made.code}))?;
    NewCode::forget(home)
}
