//! What other devices of the account did: this one follows the chain of its key cards, takes the new root where an epoch begins,
//! and tells the person of each event once (`docs/protocol.md` §2, Devices).

pub mod renewal;

use segue_api::devices::{self as api, Changes, DeviceEvent, NextCard};
use segue_crypto::{UserRoot, root_wrap::unwrap_root};
use segue_signed::{CardChange, RootWrap, SignedKeyCard};

use self::renewal::Renewal;
use crate::{
    account::Account,
    contacts,
    error::{CliError, Result},
    home::Home,
    output::Output,
    remote::Remote,
    untrusted::Untrusted,
};

/// Pages of changes that are read at once: of cards there are 20 in one, and nobody has removed so many devices.
const PAGES_MAX: u32 = 1_000;

/// What following came to.
#[derive(Debug, Default)]
pub struct Followed {
    /// Sentences that the person must be told.
    pub news: Vec<String>,
}

/// Follows what the account's other devices did. The caller has the folder's lock; what is returned was stored.
///
/// # Errors
/// Verification (exit 9) when what the server shows does not continue what is known here.
pub fn follow(home: &Home, account: &mut Account) -> Result<Followed> {
    let remote = Remote::following(account)?;
    let mut followed = Followed::default();
    for _ in 0..PAGES_MAX {
        let known = (account.key_card()?.card.seq, account.device_events);
        let page = remote.device_changes(known.0, known.1)?;
        take(home, account, &page, &mut followed)?;
        account.save(home)?;
        if (account.key_card()?.card.seq, account.device_events) == known {
            return Ok(followed);
        }
    }
    Err(other("it does not end"))
}

/// Follows, and tells the person; also what an unfinished removal of this device's own came to.
pub fn catch_up(home: &Home, output: &Output) -> Result<()> {
    let _lock = home.lock()?;
    let Some(mut account) = Account::find(home)? else { return Ok(()) };
    let followed = follow(home, &mut account)?;
    output.tell(&followed.news);
    Ok(())
}

fn take(home: &Home, account: &mut Account, page: &Changes, followed: &mut Followed) -> Result<()> {
    for next in &page.cards {
        take_card(home, account, next, followed)?;
    }
    for event in &page.events {
        // Without gaps: a number out of nowhere would hide everything below it.
        if Some(event.seq) != account.device_events.checked_add(1) {
            return Err(other("its events have a gap"));
        }
        account.device_events = event.seq;
        if event.by_device != account.device_id {
            followed.news.push(sentence(event));
        }
    }
    Ok(())
}

fn take_card(home: &Home, account: &mut Account, next: &NextCard, followed: &mut Followed) -> Result<()> {
    let before = account.key_card()?.card;
    let signed = SignedKeyCard::parse(&next.key_card.0).map_err(|error| refused(&error))?;
    signed.verify(Some(&before)).map_err(|error| refused(&error))?;
    match CardChange::between(&before, &signed.card).map_err(|error| refused(&error))? {
        CardChange::Added(_) => account.advance(&signed, None),
        CardChange::Renewed(_) => {
            // This device may have begun the epoch itself, and have been cut off before it heard that it did.
            let own = Renewal::find(home)?.filter(|own| own.is(&signed));
            let root = match &own {
                Some(own) => own.root()?,
                None => given_root(account, &before, &signed, next)?,
            };
            account.advance(&signed, Some(&root));
            contacts::renew_own(home, &signed.card)?;
            if let Some(own) = own {
                account.save(home)?;
                followed.news.push(own.code_sentence());
                own.forget(home)?;
            }
        }
    }
    Ok(())
}

/// The root that another device locked for this one.
fn given_root(
    account: &Account,
    before: &segue_signed::KeyCard,
    next: &SignedKeyCard,
    given: &NextCard,
) -> Result<UserRoot> {
    let bytes = given.root_wrap.as_ref().ok_or_else(|| {
        CliError::verification("your keys were renewed on another device, and the server does not give them to this one")
            .hint("Nothing was changed here. With the recovery code this machine becomes a device again, in another folder: SEGUE_HOME=… segue recover")
    })?;
    let wrap = RootWrap::parse(&bytes.0).map_err(|error| refused(&error))?;
    wrap.verify(before, &next.card).map_err(|error| refused(&error))?;
    unwrap_root(&account.device_key()?, &next.card, &wrap).map_err(|error| refused(&error))
}

fn refused(error: &dyn std::error::Error) -> CliError {
    other(&error.to_string())
}

fn other(why: &str) -> CliError {
    CliError::verification(format!("what the server says of your devices does not continue what is known here: {why}"))
        .hint("Nothing was changed here. Compare segue whoami on your devices, and tell whoever runs the server.")
}

/// One line for one event.
fn sentence(event: &DeviceEvent) -> String {
    let name = |name: &str, id: &str| format!("{} ({})", Untrusted(name).short(60), Untrusted(id));
    let device = name(&event.name, &event.device_id);
    let by = name(&event.by_name, &event.by_device);
    match event.kind.as_str() {
        api::ADDED => format!(
            "Your device {by} added {device}. Was that not you? segue devices remove {}",
            Untrusted(&event.device_id)
        ),
        api::RECOVERED => format!(
            "{device} became a device of your account with the recovery code. Was that not you? segue devices remove {}",
            Untrusted(&event.device_id)
        ),
        api::REMOVED if event.device_id == event.by_device => {
            format!("Your device {device} signed out; your keys are new.")
        }
        api::REMOVED => format!("Your device {by} removed {device}; your keys are new, and so is the recovery code."),
        api::CODE_MADE => format!("Your device {by} made a new recovery code; the one before is worth nothing."),
        kind => format!("{} ({device}, by {by}). See: segue devices", Untrusted(kind).short(40)),
    }
}

#[cfg(test)]
#[path = "devices_tests.rs"]
mod tests;
