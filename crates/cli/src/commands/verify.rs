//! `segue verify PERSON`: compares fingerprints with somebody (SPEC A5). `segue verify`: shows the server that one reads one's mails
//! (SPEC A2).
//!
//! The code is never an argument, which other users of the machine could read. Who gives one, in `SEGUE_VERIFY_CODE` or on
//! standard input, asks for no other: a new code ends the one before.

mod person;

use segue_api::account::ConfirmCode;
use serde_json::json;

use crate::{account::Account, args, error::Result, home::Home, output::Output, remote::Remote, untrusted::Untrusted};

/// Longest text that is read for a code, in bytes.
const CODE_BYTES_MAX: u64 = 256;

/// Verifies somebody, or one's own address.
pub(super) fn run(options: &args::Verify, output: &Output) -> Result<()> {
    match &options.person {
        Some(person) => person::run(person, options.fingerprint.as_deref(), output),
        None => own_address(output),
    }
}

fn own_address(output: &Output) -> Result<()> {
    let account = Account::load(&Home::find()?)?;
    let given = given(output)?;
    let remote = Remote::signed_in(&account)?;
    let code = if let Some(code) = given {
        code
    } else {
        let mailed = remote.ask_code()?;
        let to = Untrusted(&mailed.email);
        if !output.may_ask() {
            let text = format!("A code is on its way to {to}. Give it on standard input: segue verify < FILE");
            return output.answer(text, json!({"email": mailed.email, "email_verified": false}));
        }
        output.notice(format!("A code is on its way to {to}; it works for an hour."));
        output.ask("Code", "Give it on standard input or in SEGUE_VERIFY_CODE.")?
    };
    let joined = remote.confirm_code(&ConfirmCode { code })?;
    let text = format!("{} is verified: handoffs to it reach you.", Untrusted(&joined.email));
    output.answer(text, json!({"email": joined.email, "email_verified": joined.email_verified}))
}

/// The code from the environment or from standard input that is no terminal.
fn given(output: &Output) -> Result<Option<String>> {
    match std::env::var("SEGUE_VERIFY_CODE") {
        Ok(code) if !code.trim().is_empty() => Ok(Some(code.trim().to_owned())),
        _ => output.piped("the code", CODE_BYTES_MAX),
    }
}
