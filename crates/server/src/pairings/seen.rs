//! A pairing as each side may see it.

use segue_api::pairings::Pairing as Seen;
use segue_domain::{DeviceId, PairingId, Timestamp, UserId, pairing::State};

use crate::{
    app::App,
    failure::Failure,
    principal::{Credential, Principal},
    store::{
        Tx, bundles,
        pairing_messages::{self as messages, Kind},
        pairings::{self, Loaded},
    },
};

/// Who looks at a pairing.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    /// The account that shows the code, by one of its devices or tokens.
    Source {
        /// The account.
        user: UserId,
        /// The device; none for a token.
        device: Option<DeviceId>,
    },
    /// Who knows the id, and presents a token with this hash.
    Destination([u8; 32]),
}

impl Side {
    /// Somebody who is signed in.
    pub(crate) fn of(principal: &Principal) -> Self {
        let device = if let Credential::Device { id, .. } = principal.credential { Some(id) } else { None };
        Self::Source { user: principal.user, device }
    }

    /// Whether it may see the pairing at all. Its id is known to the account and to who once had a lease.
    pub(super) fn may_see(&self, loaded: &Loaded) -> bool {
        match self {
            Self::Source { user, .. } => loaded.user == *user,
            Self::Destination(_) => true,
        }
    }

    /// Whether it is the very device that shows the code.
    pub(super) fn is_source(&self, loaded: &Loaded) -> bool {
        matches!(self, Self::Source { user, device } if loaded.user == *user && *device == Some(loaded.device))
    }
}

/// The pairing as it is now, and what is there for `side`.
pub(crate) async fn see(app: &App, id: PairingId, side: &Side) -> Result<Seen, Failure> {
    loop {
        let mut tx = app.db.read().await?;
        let loaded = pairings::find(&mut tx, id).await?.filter(|loaded| side.may_see(loaded));
        let (loaded, now) = (loaded.ok_or_else(Failure::not_found)?, app.clock.now());
        if is_over(&loaded, now) {
            drop(tx);
            super::tick(app, id).await?;
            continue;
        }
        let answer = seen(app, &mut tx, &loaded, side, now).await?;
        // On PostgreSQL each question has a moment of its own: a view that was just deleted must not seem to be missing from a
        // pairing that still waits for it. Each round more is a change more, and a pairing has few.
        if pairings::version(&mut tx, id).await? == Some(loaded.version) {
            return Ok(answer);
        }
    }
}

fn is_over(loaded: &Loaded, now: Timestamp) -> bool {
    match &loaded.pairing.state {
        State::Issued => now >= loaded.pairing.deadline(),
        State::Claimed(claim) => claim.end.is_none() && now >= claim.lapses_at(),
        State::Revoked { .. } | State::Expired { .. } => false,
    }
}

/// What `side` sees of a loaded pairing.
pub(super) async fn seen(
    app: &App,
    tx: &mut Tx<'_>,
    loaded: &Loaded,
    side: &Side,
    now: Timestamp,
) -> Result<Seen, Failure> {
    let (pairing, id) = (&loaded.pairing, loaded.id);
    let issued = pairing.state == State::Issued;
    let expires_in_ms = issued.then(|| (pairing.deadline().as_millis() - now.as_millis()).max(0));
    let mut seen = Seen {
        pairing_id: id.to_string(),
        purpose: pairing.purpose.as_str().to_owned(),
        version: loaded.version,
        state: pairing.state.as_str().to_owned(),
        reason: pairing.state.reason().map(str::to_owned),
        attempt: pairing.attempt(),
        expires_in_ms,
        server_id: app.server_id.to_vec().into(),
        nameplate: None,
        device_id: None,
        entering: false,
        answer: None,
        refused: false,
        release: None,
        acknowledgement: None,
        bundle_ready: false,
        returned: None,
    };
    match side {
        Side::Source { .. } => {
            seen.nameplate = Some(loaded.nameplate.to_string());
            seen.device_id = Some(loaded.device.to_string());
            seen.entering = pairing.held(now).is_some();
            if side.is_source(loaded) {
                if pairing.confirmation().is_some() {
                    seen.answer = messages::find(tx, id, Kind::Answer).await?.map(Into::into);
                }
                seen.acknowledgement = messages::find(tx, id, Kind::Acknowledgement).await?.map(Into::into);
                seen.returned = messages::find(tx, id, Kind::Returned).await?.map(Into::into);
            }
        }
        Side::Destination(token) => {
            let own = pairing.lease.as_ref().filter(|lease| lease.token_hash == *token);
            seen.refused = own.and_then(|lease| lease.confirmation).is_some_and(|sent| sent.refused);
            if pairing.view_is_readable(token, now) {
                seen.release = messages::find(tx, id, Kind::Release).await?.map(Into::into);
            }
            seen.bundle_ready =
                pairing.backfill_is_readable(token, now) && bundles::of_pairing(tx, id).await?.is_some();
            let claimer = matches!(&pairing.state, State::Claimed(claim) if claim.token_hash == *token);
            if !claimer && matches!(pairing.state, State::Claimed(_)) {
                // How the delivery goes is between the two.
                seen.reason = Some("taken".to_owned());
            }
        }
    }
    Ok(seen)
}
