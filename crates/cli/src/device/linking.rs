//! Adding a device to an account: what goes from one to the other is the account's root (SPEC A1).

use segue_api::pairings::{LinkDevice, ReleaseView};
use segue_crypto::{
    Keyring, UserRoot,
    pairing::{Purpose, SizeClass},
};
use segue_signed::{KeyCard, SignedKeyCard, sha256};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{
    entering,
    offering::{self, Arrived, LetIn, Offering, Terms},
};
use crate::{
    account::{Account, Coming},
    base64url,
    error::{CliError, Exit, Result},
    output::Output,
    untrusted::Untrusted,
    upload::Uploader,
};

/// What a new device is given: JSON, sealed for it alone.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct LinkView {
    v: u32,
    user_id: String,
    email: String,
    /// The current root, base64url.
    root: String,
    /// Older ones, by epoch.
    older_roots: Vec<(u32, String)>,
    /// The current signed key card.
    key_card: String,
    /// Number of the newest event of the account's devices.
    device_events: i64,
}

/// Shows a code for a new device until one has the account.
pub fn run(uploader: &Uploader<'_>, show_link: bool, output: &Output) -> Result<()> {
    let tag = sha256(&segue_signed::lv::lv_cat(&[b"segue/link-tag/1", uploader.account.device_id.as_bytes()]));
    let terms = Terms { purpose: Purpose::Link, size_class: SizeClass::Medium, tag, command: "segue link" };
    let (offering, let_in) = offering::offer(uploader, terms, output, |offering| show(offering, show_link))?;
    let LetIn { approved, name, attempt } = let_in;
    let view = Zeroizing::new(crate::home::json(&LinkView::of(&uploader.account)?)?);
    let (release, released) = approved.release(&view, None).map_err(|error| {
        CliError::new(Exit::Error, "view", format!("the account is too long for one message: {error}"))
    })?;
    let body = ReleaseView { attempt, release: release.encode().into(), fetch_token_hash: None };
    uploader.remote.release_view(offering.id, &body)?;
    let who = Untrusted(&name).short(60);
    output.event("claimed", format!("“{who}” has the keys now."), json!({"name": who}))?;
    match offering.until_acknowledged(&released)? {
        Arrived::At(head) if head == sha256(&view) => {
            let text = format!("“{who}” is a device of your account. Not yours after all? segue devices remove DEVICE");
            output.event("ready", text, json!({"name": who}))
        }
        Arrived::At(_) | Arrived::Not(_) => Err(not_arrived()),
    }
}

fn not_arrived() -> CliError {
    CliError::new(Exit::Gone, "not_arrived", "the other device never said that it has joined")
        .hint("It has the keys all the same. If you do not know it: segue devices, then segue devices remove DEVICE.")
}

fn show(offering: &Offering<'_>, show_link: bool) -> Result<()> {
    let how = if show_link { format!("\n\nOr open there:\n\n  {}", *offering.link) } else { String::new() };
    let text = format!(
        "{}Adding a device to {}. It will be able to do everything that this one can.\n\n  {}\n\n\
         Enter this code on it within {}: segue join --code {}{how}\n\n\
         Only type it into a device of your own. {}",
        offering.qr(),
        Untrusted(&offering.uploader.account.email),
        *offering.code,
        offering.minutes(),
        offering.uploader.account.server,
        offering.keys(),
    );
    let mut value = json!({"event": "issued", "pairing_id": offering.id.to_string(), "code": *offering.code,
                           "expires_in_ms": offering.lifetime});
    if show_link {
        value["link"] = offering.link.as_str().into();
    }
    offering.output.answer(text, value)
}

impl LinkView {
    fn of(account: &Account) -> Result<Self> {
        let keyring = account.keyring()?;
        let encode = |root: &UserRoot| base64url::encode(root.expose());
        Ok(Self {
            v: 1,
            user_id: account.user_id.clone(),
            email: account.email.clone(),
            root: encode(&account.root()?),
            older_roots: keyring.roots().map(|(epoch, root)| (epoch, encode(root))).collect(),
            key_card: base64url::encode(&account.key_card()?.encode()),
            device_events: account.device_events,
        })
    }

    /// What was given, as far as it belongs together.
    fn open(&self) -> Result<(KeyCard, UserRoot, Keyring)> {
        let senseless = || CliError::verification("what the other device gave makes no account");
        let root = |text: &str| base64url::fixed(text).map(|bytes| UserRoot::from_bytes(*bytes)).ok_or_else(senseless);
        let card = base64url::decode(&self.key_card).ok_or_else(senseless)?;
        let card = SignedKeyCard::parse(&card).map_err(|_| senseless())?;
        let card = card.verify_alone().map_err(|_| senseless())?.clone();
        let current = root(&self.root)?;
        if self.v != 1 || card.user_id != self.user_id || !current.is_of(&card) {
            return Err(senseless());
        }
        let mut keyring = Keyring::default();
        for (epoch, text) in &self.older_roots {
            keyring.keep(*epoch, root(text)?).map_err(|_| senseless())?;
        }
        Ok((card, current, keyring))
    }
}

/// The account that has arrived, with this machine as a device of it, and what asks the server for that.
pub fn take(arrived: &entering::Arrived, server: &Url, device_name: &str) -> Result<(Account, LinkDevice)> {
    let view: LinkView = serde_json::from_slice(arrived.view())
        .map_err(|_| CliError::verification("what the other device gave cannot be read"))?;
    let (card, root, keyring) = view.open()?;
    let coming = Coming {
        server,
        email: &view.email,
        card: &card,
        root: &root,
        keyring: &keyring,
        device_events: view.device_events,
    };
    let account = coming.as_new_device()?;
    let request = LinkDevice {
        key_card: account.key_card()?.encode().into(),
        device_name: device_name.to_owned(),
        device_token_hash: account.token_hash()?.to_vec().into(),
    };
    Ok((account, request))
}
