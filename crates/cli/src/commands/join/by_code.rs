//! `segue join --code`: this machine becomes a device of an account by a code that another device of it shows (SPEC A1).
//!
//! Everything is stored here before the server hears of it, so that what is cut short at any point can be repeated.

use segue_api::pairings::{AcknowledgeView, LinkDevice};
use segue_crypto::{fingerprint::fingerprint, pairing::Purpose};
use segue_domain::PairingId;
use segue_signed::sha256;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::{already_joined, warn_without_tls};
use crate::{
    account::Account,
    args, base64url,
    device::{entering, given, linking},
    environment,
    error::{CliError, Exit, Result},
    home::{self, Home},
    link,
    output::Output,
    remote::Remote,
    untrusted::Untrusted,
};

const FILE: &str = "link.json";

/// What was begun.
#[derive(Serialize, Deserialize)]
struct Pending {
    v: u32,
    pairing_id: String,
    /// What this machine is known by at the pairing, base64url.
    token: String,
    /// The account as it will be.
    account: Account,
    request: LinkDevice,
    /// The sealed acknowledgement, base64url.
    acknowledgement: String,
}

/// Joins.
pub(super) fn run(options: &args::Join, home: &Home, output: &Output) -> Result<()> {
    if let Some(account) = Account::find(home)?
        && Pending::find(home)?.is_none()
    {
        return Err(already_joined(&account));
    }
    let pending = match Pending::find(home)? {
        Some(pending) => pending,
        None => begin(options, home, output)?,
    };
    let (id, token) = (pending.id()?, pending.token()?);
    let remote = Remote::destination(&pending.account.server, None, &token)?;
    let joined = remote.link_device(id, &pending.request).map_err(|error| {
        if error.exit == Exit::Network {
            return error;
        }
        // What the server refused it does not know: another code begins anew.
        drop(Pending::forget(home));
        error.hint("Make a new code on a device of the account: segue link")
    })?;
    pending.account.save(home)?;
    // The other screen says so a little earlier for it; this machine has joined either way.
    let acknowledgement = base64url::bytes(&pending.acknowledgement).ok_or_else(damaged)?.into();
    drop(remote.acknowledge_view(id, &AcknowledgeView { acknowledgement }));
    drop(remote.complete_pairing(id));
    report(&pending.account, &joined.email, output)?;
    Pending::forget(home)
}

fn begin(options: &args::Join, home: &Home, output: &Output) -> Result<Pending> {
    let server = match &options.link {
        Some(text) => Some(link::server_alone(text).ok_or_else(|| {
            CliError::usage("with --code, only a server's address is given here")
                .hint("The code itself is read from SEGUE_DEVICE_CODE, standard input or a prompt.")
        })?),
        None => None,
    };
    if let Some(server) = &server {
        warn_without_tls(server, output);
    }
    let device_name = options.device.clone().unwrap_or_else(environment::device_name);
    let arrived = entering::run(Purpose::Link, given::given(Purpose::Link, output)?, server.as_ref(), None, output)?;
    let (account, request) = linking::take(&arrived, &arrived.server, &device_name)?;
    let pending = Pending {
        v: 1,
        pairing_id: arrived.line.id.to_string(),
        token: base64url::encode(&*arrived.token),
        account,
        request,
        acknowledgement: {
            let head = sha256(arrived.view());
            base64url::encode(&arrived.into_parts(&head).0)
        },
    };
    home::write_json(&home.path(FILE), &pending)?;
    Ok(pending)
}

impl Pending {
    fn find(home: &Home) -> Result<Option<Self>> {
        home::read_json(&home.path(FILE))
    }

    fn forget(home: &Home) -> Result<()> {
        home::remove(&home.path(FILE))
    }

    fn id(&self) -> Result<PairingId> {
        self.pairing_id.parse().map_err(|_| damaged())
    }

    fn token(&self) -> Result<Zeroizing<[u8; 32]>> {
        base64url::fixed(&self.token).ok_or_else(damaged)
    }
}

fn damaged() -> CliError {
    CliError::new(Exit::Error, "pending_damaged", "what was begun on this machine is damaged")
        .hint("Move link.json in the client's folder away, and begin anew.")
}

fn report(account: &Account, email: &str, output: &Output) -> Result<()> {
    let shown = fingerprint(&account.user_id, &account.key_card()?.card.identity_key);
    let text = format!(
        "This machine is a device of {} at {} now.\nFingerprint    {shown}\n\
         The recovery code stays as it is. Your other devices are told.",
        Untrusted(email).short(80),
        account.server,
    );
    let value = json!({"user_id": account.user_id, "device_id": account.device_id, "email": email,
                       "server": account.server, "fingerprint": shown, "joined": true});
    output.answer(text, value)
}
