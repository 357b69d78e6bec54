//! Pairings: one function per route, and their live stream.

use segue_api::{
    account::Account,
    bundles::Bundle,
    pairings::{
        AcknowledgeView, AnswerPairing, FETCH_TOKEN, IssuePairing, LeasePairing, Leased, LinkDevice, Nothing, PAIRING,
        Pairing, RefuseAnswer, ReleaseView, ReturnToSource, RevokePairing,
    },
};
use segue_domain::PairingId;
use segue_signed::Parcel;

use super::{Place, Remote, stream::Stream, understand};
use crate::error::Result;

impl Remote {
    /// Shows a code.
    pub fn issue_pairing(&self, body: &IssuePairing) -> Result<Pairing> {
        self.post("api/v1/pairings", body)
    }

    /// Takes a lease on a code.
    pub fn lease_pairing(&self, body: &LeasePairing) -> Result<Leased> {
        self.post("api/v1/pairings/lease", body)
    }

    /// How a pairing stands.
    pub fn pairing(&self, id: PairingId) -> Result<Pairing> {
        self.get(&format!("api/v1/pairings/{id}"))
    }

    /// Answers the offer.
    pub fn answer_pairing(&self, id: PairingId, body: &AnswerPairing) -> Result<Pairing> {
        self.post(&format!("api/v1/pairings/{id}/answer"), body)
    }

    /// Refuses the answer that waits.
    pub fn refuse_answer(&self, id: PairingId, body: &RefuseAnswer) -> Result<Pairing> {
        self.post(&format!("api/v1/pairings/{id}/refuse"), body)
    }

    /// Releases the view.
    pub fn release_view(&self, id: PairingId, body: &ReleaseView) -> Result<Pairing> {
        self.post(&format!("api/v1/pairings/{id}/claim"), body)
    }

    /// Becomes a device of the account that the pairing links to.
    pub fn link_device(&self, id: PairingId, body: &LinkDevice) -> Result<Account> {
        self.post(&format!("api/v1/pairings/{id}/device"), body)
    }

    /// Acknowledges the view.
    pub fn acknowledge_view(&self, id: PairingId, body: &AcknowledgeView) -> Result<Pairing> {
        self.post(&format!("api/v1/pairings/{id}/acknowledge"), body)
    }

    /// Says that everything has arrived.
    pub fn complete_pairing(&self, id: PairingId) -> Result<Pairing> {
        self.post(&format!("api/v1/pairings/{id}/complete"), &Nothing {})
    }

    /// Sends something back.
    pub fn send_back(&self, id: PairingId, body: &ReturnToSource) -> Result<Pairing> {
        self.post(&format!("api/v1/pairings/{id}/return"), body)
    }

    /// Says that what was sent back has arrived.
    pub fn received_return(&self, id: PairingId) -> Result<Pairing> {
        self.post(&format!("api/v1/pairings/{id}/received"), &Nothing {})
    }

    /// Ends a pairing that nobody has claimed.
    pub fn revoke_pairing(&self, id: PairingId, reason: &str) -> Result<Pairing> {
        self.post(&format!("api/v1/pairings/{id}/revoke"), &RevokePairing { reason: reason.to_owned() })
    }

    /// Takes a chat back.
    pub fn take_back(&self, id: PairingId) -> Result<Pairing> {
        self.post(&format!("api/v1/pairings/{id}/take-back"), &Nothing {})
    }

    /// Stores the bundle that follows a view.
    pub fn put_pairing_bundle(&self, id: PairingId, parcel: &Parcel<'_>) -> Result<Pairing> {
        self.put_parcel(&format!("api/v1/{}", Place::OfPairing(id)), parcel)
    }

    /// What is needed to begin to open that bundle; `token` came in the view.
    pub fn pairing_bundle(&mut self, id: PairingId, token: &[u8; 32]) -> Result<Bundle> {
        self.present(FETCH_TOKEN, token);
        self.get(&format!("api/v1/{}", Place::OfPairing(id)))
    }

    /// Listens to a pairing.
    pub fn live_pairing(&self, id: PairingId) -> LivePairing<'_> {
        LivePairing { stream: Stream::new(self, format!("api/v1/pairings/{id}/live")) }
    }
}

/// How a pairing stands, now and after each change, over as many connections as it takes.
pub struct LivePairing<'a> {
    stream: Stream<'a>,
}

impl LivePairing<'_> {
    /// Waits for how it stands.
    ///
    /// # Errors
    /// When the server refuses, or when what it says makes no sense. A server that is away is waited for.
    pub fn hear(&mut self) -> Result<Pairing> {
        loop {
            let event = self.stream.next(None, true)?;
            if event.kind == PAIRING {
                self.stream.is_well();
                return understand(event.data.as_bytes());
            }
        }
    }
}
