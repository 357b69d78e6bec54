//! `segue invite`: a single-use link for somebody to join with, printed, or mailed by the server.

use segue_api::invites::{CreateInvite, Invite};
use segue_signed::sha256;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    account::Account, args, environment::random, error::Result, home::Home, link::JoinLink, output::Output,
    remote::Remote, untrusted::Untrusted,
};

/// Invites.
pub(super) fn run(options: &args::Invite, output: &Output) -> Result<()> {
    let account = Account::load(&Home::find()?)?;
    let token = Zeroizing::new(random::<32>()?);
    let token_hash = (!options.mail).then(|| sha256(&*token).to_vec().into());
    let email = options.email.trim().to_owned();
    let body = CreateInvite { email, vouch: options.vouch, token_hash };
    let invite = Remote::signed_in(&account)?.invite(&body)?;
    let who = Untrusted(&invite.email);
    if options.mail {
        return output.answer(format!("The server mails a link to {who}."), told(&invite));
    }
    let link = JoinLink::write(&account.server, &token);
    let mut value = told(&invite);
    value["link"] = json!(link);
    output.answer(&link, value)?;
    output.notice(format!("Give this link to {who} and to nobody else: whoever opens it first joins as {who}."));
    if !invite.vouched {
        output.notice(
            "The link does not verify the address: they can do that by mail (segue verify), or an owner vouches for it (segue vouch).",
        );
    }
    Ok(())
}

fn told(invite: &Invite) -> Value {
    json!({
        "invite_id": invite.invite_id, "email": invite.email, "vouched": invite.vouched,
        "expires_at": invite.expires_at, "mailed": invite.mailed,
    })
}
