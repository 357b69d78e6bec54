//! `segue whoami`: who is signed in here, as the server sees it.

use segue_crypto::fingerprint::fingerprint;
use serde_json::json;

use crate::{account::Account, error::Result, home::Home, output::Output, remote::Remote, untrusted::Untrusted};

/// Says who.
pub(super) fn run(output: &Output) -> Result<()> {
    let account = Account::load(&Home::find()?)?;
    let seen = Remote::signed_in(&account)?.account()?;
    let shown = fingerprint(&account.user_id, &account.key_card()?.card.identity_key);
    let text = format!(
        "{} <{}>{}\nserver       {}\nuser         {}\ndevice       {}\nplan         {}\nstorage      {} of {} MiB\nfingerprint  {shown}",
        Untrusted(&seen.name),
        Untrusted(&seen.email),
        if seen.email_verified { "" } else { " (not verified)" },
        account.server,
        account.user_id,
        account.device_id,
        Untrusted(&seen.plan),
        seen.storage_used >> 20,
        seen.storage_max >> 20,
    );
    let value = json!({
        "user_id": seen.user_id, "device_id": seen.device_id, "email": seen.email, "email_verified": seen.email_verified,
        "name": seen.name, "owner": seen.owner, "plan": seen.plan, "storage_used": seen.storage_used,
        "storage_max": seen.storage_max, "server": account.server, "fingerprint": shown,
    });
    output.answer(text, value)
}
