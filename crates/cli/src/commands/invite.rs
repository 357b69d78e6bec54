//! `segue invite`: prints a single-use link for somebody to join with.

use segue_api::invites::CreateInvite;
use segue_signed::sha256;
use serde_json::json;
use zeroize::Zeroizing;

use crate::{
    account::Account, args, environment::random, error::Result, home::Home, link::JoinLink, output::Output,
    remote::Remote, untrusted::Untrusted,
};

/// Invites.
pub(super) fn run(options: &args::Invite, output: &Output) -> Result<()> {
    let account = Account::load(&Home::find()?)?;
    let token = Zeroizing::new(random::<32>()?);
    let invite = Remote::signed_in(&account)?.invite(&CreateInvite {
        email: options.email.trim().to_owned(),
        vouch: options.vouch,
        token_hash: sha256(&*token).to_vec().into(),
    })?;
    let link = JoinLink::write(&account.server, &token);
    output.answer(
        &link,
        json!({
            "invite_id": invite.invite_id, "email": invite.email, "vouched": invite.vouched,
            "expires_at": invite.expires_at, "link": link,
        }),
    )?;
    let who = Untrusted(&invite.email);
    output.notice(format!("Give this link to {who} and to nobody else: whoever opens it first joins as {who}."));
    if !invite.vouched {
        output.notice("The link does not verify the address. An owner can vouch for it: segue invite EMAIL --vouch");
    }
    Ok(())
}
