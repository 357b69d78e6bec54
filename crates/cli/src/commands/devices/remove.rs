//! `segue devices remove`: everything is locked anew for those who stay.

use segue_api::devices::{Device, OpenRecovery};
use serde_json::json;

use super::known;
use crate::{
    account::Account,
    contacts,
    devices::{follow, renewal::Renewal},
    error::{CliError, Exit, Result},
    home::Home,
    output::Output,
    remote::Remote,
    untrusted::Untrusted,
};

/// Shortest beginning of an id that is looked up: the prefix and four symbols.
const PREFIX_CHARS_MIN: usize = "dev_".len() + 4;

/// Removes one, or finishes what was cut short.
pub(super) fn run(named: &str, output: &Output) -> Result<()> {
    let home = Home::find()?;
    let _lock = home.lock()?;
    let mut account = Account::load(&home)?;
    if let Some(renewal) = Renewal::find(&home)? {
        output.notice("A removal was cut short here; it is completed first.");
        return finish(&home, account, &renewal, output);
    }
    output.tell(&follow(&home, &mut account)?.news);
    let devices = known(&account, &Remote::following(&account)?)?;
    let device = choose(&devices, named)?;
    let others: Vec<_> = devices.iter().filter(|other| stays(other, device)).collect();
    if others.is_empty() {
        return Err(CliError::usage("this is the account's only device: without it, nobody could open anything any more")
            .hint("Make another one first: segue recover, on that machine. Or keep the recovery code and delete the client's folder."));
    }
    let question = if device.this {
        "Sign this machine out? Its keys are deleted, your other devices get new ones, and there is a new recovery code.".to_owned()
    } else {
        format!("Remove {}? What it has, it keeps; it gets nothing new.", Untrusted(&device.name).short(60))
    };
    if !output.agrees(&question, "Confirm with --yes.")? {
        return output.answer("Nothing was changed.", json!({"device_id": device.device_id, "removed": false}));
    }
    let renewal = Renewal::make(&account, &[&device.device_id])?;
    renewal.save(&home)?;
    finish(&home, account, &renewal, output)
}

fn stays(other: &Device, device: &Device) -> bool {
    other.removed_at.is_none() && other.kind == "full" && other.device_id != device.device_id
}

/// The device that is meant: its id, the only one that begins so, or the only one of that name.
fn choose<'a>(devices: &'a [Device], named: &str) -> Result<&'a Device> {
    let named = named.trim();
    let begins = |id: &str| named.len() >= PREFIX_CHARS_MIN && id.starts_with(named);
    let active = devices.iter().filter(|device| device.removed_at.is_none());
    let meant: Vec<_> = active
        .filter(|device| {
            device.device_id == named || begins(&device.device_id) || device.name.eq_ignore_ascii_case(named)
        })
        .collect();
    match meant.as_slice() {
        [device] => Ok(device),
        [] => {
            Err(CliError::not_found(format!("you have no device called {}", Untrusted(named)))
                .hint("See segue devices."))
        }
        several => {
            let ids: Vec<_> = several.iter().take(10).map(|device| Untrusted(&device.device_id).to_string()).collect();
            let message = format!("{} means {} devices", Untrusted(named), several.len());
            Err(CliError::new(Exit::Usage, "ambiguous", message).hint(format!("Say which one: {}", ids.join(", "))))
        }
    }
}

/// Sends it, and when the server has taken it, takes the new keys and shows the code.
fn finish(home: &Home, mut account: Account, renewal: &Renewal, output: &Output) -> Result<()> {
    let leaves = renewal.removed.contains(&account.device_id);
    match Remote::following(&account)?.renew(&renewal.request()?) {
        Ok(_) => {}
        // Who signed out was answered, and did not hear it: the new code counts.
        Err(error) if error.exit == Exit::NotSignedIn && leaves && is_taken(&account, renewal)? => {}
        Err(error) => {
            // What the server refused it does not know. Without an answer it may know it.
            if error.exit != Exit::Network {
                renewal.forget(home)?;
            }
            return Err(error);
        }
    }
    if leaves {
        // The code before the keys go: whoever is cut off here is shown it again.
        report(renewal, leaves, output)?;
        Account::forget(home)?;
    } else {
        let card = renewal.key_card()?;
        if account.key_card()? != card {
            account.advance(&card, Some(&renewal.root()?));
            contacts::renew_own(home, &card.card)?;
            account.save(home)?;
        }
        report(renewal, leaves, output)?;
    }
    renewal.forget(home)
}

/// Whether the server knows the new code, and so has taken the removal that made it.
fn is_taken(account: &Account, renewal: &Renewal) -> Result<bool> {
    let body = OpenRecovery { email: account.email.clone(), auth: renewal.recover_auth()?.into() };
    match Remote::anonymous(&account.server)?.open_recovery(&body) {
        Ok(_) => Ok(true),
        Err(error) if error.exit == Exit::Network => Err(error),
        Err(_) => Ok(false),
    }
}

fn report(renewal: &Renewal, leaves: bool, output: &Output) -> Result<()> {
    let done = if leaves {
        "This machine is signed out. The sessions on it stay; your other devices go on."
    } else {
        "Removed; its access has ended. What it had it keeps, what comes is locked for new keys. Your other devices take them \
         with their next command."
    };
    let text = format!(
        "{done}\n\nRecovery code  {}\n\nWrite it down and keep it off your machines. It is shown only now, and the one before is worth nothing.\n\
         Who handed you something, or is handed something by you, will be asked to verify you again: your fingerprint is new.\n\
         Each admin of your teams takes your new key: segue team mend TEAM. Personal tokens are not a device's: segue token list.",
        renewal.code()
    );
    output.answer(text, json!({"removed": renewal.removed, "signed_out": leaves, "recovery_code": renewal.code()}))
}
