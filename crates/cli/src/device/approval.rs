//! Who may have the chat: a device of one's own account, or whom a person at this machine approves (SPEC D7).

use segue_api::pairings::Pairing;
use segue_crypto::pairing::{Approved, ClientKind, Confirmed};
use segue_domain::{Timestamp, limits};
use serde_json::json;

use super::hearing::{Happening, Hearing};
use crate::{account::Account, error::Result, output::Output, untrusted::Untrusted};

/// What came of asking.
pub(super) enum Decision {
    /// It may.
    Approved(Approved),
    /// It may not, by a person's word or because nobody answered.
    Refused,
    /// The pairing ended meanwhile.
    Ended(Box<Pairing>),
}

/// Whether a destination that knows the secret may have the chat.
pub(super) fn decide(
    confirmed: Box<Confirmed>,
    account: &Account,
    hearing: &mut Hearing,
    until: Timestamp,
    output: &Output,
) -> Result<Decision> {
    let name = Untrusted(&confirmed.hello().name).short(60);
    let confirmed = match confirmed.approve_own_device(&account.key_card()?.card) {
        Ok(approved) => {
            output.event(
                "own_device",
                format!("{name}, a device of yours, has entered the code."),
                json!({"name": name}),
            )?;
            return Ok(Decision::Approved(approved));
        }
        Err(confirmed) => confirmed,
    };
    let (sas, kind) = (confirmed.sas(), if confirmed.hello().kind == ClientKind::Web { "web" } else { "cli" });
    let text = format!(
        "An unknown device has entered the code. It calls itself “{name}” ({kind}). It must show {sas} as well.\n\
         Only let in a device that is in your own hands. To let it in, type {sas}; anything else refuses it."
    );
    output.event("approval", text, json!({"name": name, "kind": kind, "sas": sas}))?;
    if output.refuses_input() {
        output.warn("Nobody can be asked (--no-input): the device was refused.");
        return Ok(Decision::Refused);
    }
    hearing.read_lines();
    let until = until.plus_millis(limits::PAIRING_APPROVAL_MS);
    loop {
        match hearing.next(until)? {
            // The four symbols show that it is this device that is meant. --yes never answers this.
            Happening::Said(line) if line.eq_ignore_ascii_case(&sas) => {
                return Ok(Decision::Approved(confirmed.approved_by_person()));
            }
            Happening::Said(_) | Happening::Silent | Happening::TimeOver => return Ok(Decision::Refused),
            Happening::Stands(pairing) if pairing.state != "issued" => return Ok(Decision::Ended(pairing)),
            Happening::Stands(_) => {}
        }
    }
}
