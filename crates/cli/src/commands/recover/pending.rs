//! What a recovery and a new code keep on disk until they are complete.

use segue_api::devices::{NewCode as NewCodeRequest, Recover};
use segue_crypto::RecoveryCode;
use serde::{Deserialize, Serialize};

use crate::{
    account::Account,
    base64url,
    environment::rng,
    error::{CliError, Exit, Result},
    home::{self, Home},
};

const RECOVERY_FILE: &str = "recovery.json";
const CODE_FILE: &str = "recovery_code.json";

/// A recovery that was begun.
#[derive(Serialize, Deserialize)]
pub(super) struct Pending {
    v: u32,
    /// The address as it was typed.
    pub(super) email: String,
    /// The account as it will be.
    pub(super) account: Account,
    device_name: String,
    auth: String,
}

impl Pending {
    pub(super) fn new(email: &str, account: Account, device_name: String, auth: &[u8; 32]) -> Self {
        Self { v: 1, email: email.to_owned(), account, device_name, auth: base64url::encode(auth) }
    }

    pub(super) fn find(home: &Home) -> Result<Option<Self>> {
        home::read_json(&home.path(RECOVERY_FILE))
    }

    /// Stores it; on return it is on disk.
    pub(super) fn save(&self, home: &Home) -> Result<()> {
        home::write_json(&home.path(RECOVERY_FILE), self)
    }

    /// Forgets it: it is complete, or the server refused it.
    pub(super) fn forget(home: &Home) -> Result<()> {
        remove(home, RECOVERY_FILE)
    }

    /// The code's proof.
    pub(super) fn auth(&self) -> Result<Vec<u8>> {
        decode(&self.auth)
    }

    pub(super) fn request(&self) -> Result<Recover> {
        Ok(Recover {
            email: self.email.clone(),
            auth: self.auth()?.into(),
            key_card: self.account.key_card()?.encode().into(),
            device_name: self.device_name.clone(),
            device_token_hash: self.account.token_hash()?.to_vec().into(),
        })
    }
}

/// A code that was made and not shown yet.
#[derive(Serialize, Deserialize)]
pub(super) struct NewCode {
    v: u32,
    /// Epoch of the root that it seals.
    pub(super) epoch: u32,
    /// As it is shown.
    pub(super) code: String,
    root: String,
    auth_hash: String,
}

impl NewCode {
    pub(super) fn make(account: &Account) -> Result<Self> {
        let mut rng = rng()?;
        let code = RecoveryCode::generate(&mut rng);
        let sealed = code.seal_root(&mut rng, &account.user_id, account.epoch, &account.root()?);
        Ok(Self {
            v: 1,
            epoch: account.epoch,
            code: code.expose().to_string(),
            root: base64url::encode(&sealed),
            auth_hash: base64url::encode(&code.recover_auth_hash()),
        })
    }

    pub(super) fn find(home: &Home) -> Result<Option<Self>> {
        home::read_json(&home.path(CODE_FILE))
    }

    /// Stores it; on return it is on disk.
    pub(super) fn save(&self, home: &Home) -> Result<()> {
        home::write_json(&home.path(CODE_FILE), self)
    }

    /// Forgets it: it was shown.
    pub(super) fn forget(home: &Home) -> Result<()> {
        remove(home, CODE_FILE)
    }

    pub(super) fn request(&self) -> Result<NewCodeRequest> {
        Ok(NewCodeRequest {
            epoch: self.epoch,
            recovery_root: decode(&self.root)?.into(),
            recovery_auth_hash: decode(&self.auth_hash)?.into(),
        })
    }
}

fn remove(home: &Home, file: &str) -> Result<()> {
    home::remove(&home.path(file))
}

fn decode(text: &str) -> Result<Vec<u8>> {
    base64url::bytes(text).ok_or_else(|| {
        CliError::new(Exit::Error, "pending_damaged", "what was begun on this machine is damaged")
            .hint("Move recovery.json and recovery_code.json in the client's folder away, and begin anew.")
    })
}
