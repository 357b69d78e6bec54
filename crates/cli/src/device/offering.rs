//! The source: shows a code, judges who enters it, and lets one in (SPEC D5–D9, A1).
//!
//! Secrets and counters are in memory only: when this process ends, its code is worth nothing.

mod waiting;

use std::io::{self, IsTerminal as _};

use fast_qr::{ECL, QRBuilder};
use segue_api::pairings::{IssuePairing, Pairing};
use segue_crypto::pairing::{Approved, Place, Purpose, SizeClass, Source};
use segue_domain::{Clock as _, PairingId, Timestamp, limits};
use zeroize::Zeroizing;

use super::{
    countdown,
    hearing::Hearing,
    shown::{self, Shown},
};
use crate::{
    environment::{SystemClock, random, rng},
    error::{CliError, Exit, Result},
    output::Output,
    upload::Uploader,
};

/// What is offered.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    /// What the code is for.
    pub(super) purpose: Purpose,
    /// What the view is padded to.
    pub(super) size_class: SizeClass,
    /// What tells the offers of this device apart, for the server, and tells it nothing else.
    pub(super) tag: [u8; 32],
    /// The command that makes a new code.
    pub(super) command: &'static str,
}

/// A code that is shown.
pub(super) struct Offering<'a> {
    pub(super) uploader: &'a Uploader<'a>,
    pub(super) output: &'a Output,
    pub(super) id: PairingId,
    pub(super) hearing: Hearing,
    terms: Terms,
    /// How long the code lives, in milliseconds.
    pub(super) lifetime: i64,
    /// The code and the link, to be shown.
    pub(super) code: Zeroizing<String>,
    pub(super) link: Zeroizing<String>,
    /// By this machine's clock too, nothing is released after it.
    pub(super) deadline: Timestamp,
    entering: bool,
    _shown: Shown,
}

/// Who was let in.
pub(super) struct LetIn {
    /// Releases the view to them.
    pub(super) approved: Approved,
    /// What they call themselves. Text from outside.
    pub(super) name: String,
    /// Which offer they answered.
    pub(super) attempt: u8,
}

/// What the other device says.
pub(super) enum Arrived {
    /// It has what hashes to this.
    At([u8; 32]),
    /// Nothing, and does not any more: how the pairing stands, unless nothing was heard.
    Not(Option<Box<Pairing>>),
}

/// Shows codes until somebody who knows one is let in. A person may have a new one for one that is over (SPEC D8).
pub(super) fn offer<'a>(
    uploader: &'a Uploader<'a>,
    terms: Terms,
    output: &'a Output,
    show: impl Fn(&Offering<'_>) -> Result<()>,
) -> Result<(Offering<'a>, LetIn)> {
    shown::end_abandoned(&uploader.home, &uploader.remote)?;
    let mut hearing = Hearing::interruptible();
    loop {
        let (mut offering, source) = Offering::open(uploader, terms, output, hearing)?;
        // Not before: a command that must follow what happened to the account begins once more, and reads for itself.
        if output.may_ask() && !output.is_json() {
            offering.hearing.read_lines();
        }
        show(&offering)?;
        match offering.wait(source)? {
            Waited::LetIn(offering, let_in) => return Ok((*offering, let_in)),
            Waited::Again(back) => hearing = back,
        }
    }
}

/// How waiting ended.
enum Waited<'a> {
    LetIn(Box<Offering<'a>>, LetIn),
    /// A new code is wanted.
    Again(Hearing),
}

impl<'a> Offering<'a> {
    /// Asks the server for a nameplate, and makes a code of it.
    fn open(
        uploader: &'a Uploader<'a>,
        terms: Terms,
        output: &'a Output,
        mut hearing: Hearing,
    ) -> Result<(Self, Source)> {
        let senseless = |what: &str| {
            CliError::new(Exit::Network, "answer", format!("the server does not say {what}")).hint("See segue doctor.")
        };
        let server = uploader.remote.server()?;
        let server_id = server.server_id.0.as_slice().try_into().map_err(|_| senseless("which it is"))?;
        let place = Place { purpose: terms.purpose, server_id, hid: random()? };
        // Both clocks count, and no server makes this one longer.
        let seconds = server.pairing_seconds.clamp(limits::PAIRING_SECONDS_MIN, limits::PAIRING_SECONDS_MAX);
        let source = Source::new(&mut rng()?, place, terms.size_class, seconds);
        let [code_offer, link_offer] = source.offers().map(|offer| offer.encode().into());
        let id = PairingId::from_bytes(place.hid);
        let (shown, begun) = (Shown::note(&uploader.home, id)?, SystemClock.now());
        let body = IssuePairing { chat_tag: terms.tag.to_vec().into(), code_offer, link_offer };
        let issued = uploader.remote.issue_pairing(&body)?;
        let lifetime = issued.expires_in_ms.unwrap_or_default().clamp(0, i64::from(seconds) * 1000);
        let nameplate = issued.nameplate.as_deref().and_then(|text| text.parse().ok());
        let nameplate = nameplate.ok_or_else(|| senseless("under which nameplate"))?;
        let path = if terms.purpose == Purpose::Link { "l" } else { "h" };
        let address = uploader.account.server.join(path);
        let address = address.map_err(|_| CliError::usage("the server's address is not a URL"))?;
        hearing.listen(uploader.remote.again(), id);
        let offering = Self {
            uploader,
            output,
            id,
            hearing,
            terms,
            lifetime,
            code: source.code(nameplate),
            link: Zeroizing::new(format!("{address}#{}", *source.fragment(nameplate))),
            deadline: begun.plus_millis(lifetime),
            entering: false,
            _shown: shown,
        };
        Ok((offering, source))
    }

    /// The link for a camera, where a terminal shows it.
    pub(super) fn qr(&self) -> String {
        if !io::stdout().is_terminal() || self.output.is_json() {
            return String::new();
        }
        let code = QRBuilder::new(self.link.as_str()).ecl(ECL::L).build();
        code.map(|code| format!("{}\n", code.to_str())).unwrap_or_default()
    }

    /// The lifetime as minutes and seconds.
    pub(super) fn minutes(&self) -> String {
        countdown::minutes(self.lifetime)
    }

    /// How it is ended from here.
    pub(super) fn keys(&self) -> &'static str {
        if self.hearing.reads_lines() {
            "c and Enter copies the link, n and Enter shows another code, Ctrl-C ends it."
        } else {
            "Ctrl-C ends it."
        }
    }
}
