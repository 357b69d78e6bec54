//! One function per route.

use reqwest::Method;
use segue_api::{
    account::{Account, AskCode, ConfirmCode, Invitation, Join, Mailed, OpenInvite, Server, SignUp},
    bundles::{Bundle, OwnWrap, Pushed},
    handoffs::{
        Claim, Claimed, Comment, Comments, Decline, Events, Handoff, Handoffs, InviteProof, LateWrap, NewComment,
        Reservation, Reserve, ReservedFor, Revoke,
    },
    invites::{CreateInvite, Invite, Person, Vouch},
    sessions::Session,
    tokens::{CreateToken, Token, Tokens},
};
use segue_domain::{BundleId, HandoffId, SessionId, TokenId};
use segue_signed::Parcel;

use super::{Place, Remote};
use crate::error::Result;

impl Remote {
    /// What the server says of itself.
    pub fn server(&self) -> Result<Server> {
        self.get("api/v1/server")
    }

    /// What an invite lets one do.
    pub fn open_invite(&self, body: &OpenInvite) -> Result<Invitation> {
        self.post("api/v1/invites/open", body)
    }

    /// Joins.
    pub fn join(&self, body: &Join) -> Result<Account> {
        self.post("api/v1/join", body)
    }

    /// Makes a personal access token.
    pub fn create_token(&self, body: &CreateToken) -> Result<Token> {
        self.post("api/v1/tokens", body)
    }

    /// One page of one's tokens.
    pub fn tokens(&self, after: Option<&str>) -> Result<Tokens> {
        self.get(&after.map_or_else(|| "api/v1/tokens".to_owned(), |after| format!("api/v1/tokens?{}", cursor(after))))
    }

    /// Ends a token.
    pub fn revoke_token(&self, id: TokenId) -> Result<()> {
        self.send(&Method::DELETE, &format!("api/v1/tokens/{id}"), &()).map(drop)
    }

    /// One's own account.
    pub fn account(&self) -> Result<Account> {
        self.get("api/v1/account")
    }

    /// Invites somebody.
    pub fn invite(&self, body: &CreateInvite) -> Result<Invite> {
        self.post("api/v1/invites", body)
    }

    /// Asks for a link to sign up with, by mail.
    pub fn sign_up(&self, body: &SignUp) -> Result<Mailed> {
        self.post("api/v1/signup", body)
    }

    /// Asks for a code that verifies one's address, by mail.
    pub fn ask_code(&self) -> Result<Mailed> {
        self.post("api/v1/account/verification", &AskCode {})
    }

    /// Verifies one's address with the code.
    pub fn confirm_code(&self, body: &ConfirmCode) -> Result<Account> {
        self.post("api/v1/account/verification/confirm", body)
    }

    /// Vouches for somebody's address.
    pub fn vouch(&self, body: &Vouch) -> Result<Person> {
        self.post("api/v1/vouches", body)
    }

    /// Stores a snapshot.
    pub fn push(&self, parcel: &Parcel<'_>) -> Result<Pushed> {
        self.post_parcel("api/v1/bundles", parcel)
    }

    /// One of one's sessions.
    pub fn session(&self, id: SessionId) -> Result<Session> {
        self.get(&format!("api/v1/sessions/{id}"))
    }

    /// What its owner needs to begin to open its newest state.
    pub fn session_bundle(&self, id: SessionId) -> Result<Bundle> {
        self.get(&format!("api/v1/sessions/{id}/bundle"))
    }

    /// Deletes a session.
    pub fn delete_session(&self, id: SessionId) -> Result<()> {
        self.send(&Method::DELETE, &format!("api/v1/sessions/{id}"), &()).map(drop)
    }

    /// A bundle's sealed manifest of at most `max` bytes.
    pub fn manifest(&self, bundle: Place, max: usize) -> Result<Vec<u8>> {
        self.get_bytes(&format!("api/v1/{bundle}/manifest"), max)
    }

    /// Stores a claimer's own wrap.
    pub fn own_wrap(&self, bundle: BundleId, body: &OwnWrap) -> Result<()> {
        self.send(&Method::PUT, &format!("api/v1/bundles/{bundle}/own-wrap"), body).map(drop)
    }

    /// The first of two steps of a handoff.
    pub fn reserve(&self, body: &Reserve) -> Result<Reservation> {
        self.post("api/v1/handoffs/reserve", body)
    }

    /// The second: the sealed bundle.
    pub fn create_handoff(&self, parcel: &Parcel<'_>) -> Result<Handoff> {
        self.post_parcel("api/v1/handoffs", parcel)
    }

    /// One page of handoffs to (`inbox`) or from (`sent`) oneself.
    pub fn handoffs(&self, which: &str, cursor: Option<&str>) -> Result<Handoffs> {
        let mut url = url::form_urlencoded::Serializer::new(String::new());
        url.append_pair("box", which);
        if let Some(cursor) = cursor {
            url.append_pair("cursor", cursor);
        }
        self.get(&format!("api/v1/handoffs?{}", url.finish()))
    }

    /// One handoff.
    pub fn handoff(&self, id: HandoffId) -> Result<Handoff> {
        self.get(&format!("api/v1/handoffs/{id}"))
    }

    /// What its parties need to begin to open it.
    pub fn handoff_bundle(&self, id: HandoffId) -> Result<Bundle> {
        self.get(&format!("api/v1/handoffs/{id}/bundle"))
    }

    /// Whom it is to be sealed for now; for its sender.
    pub fn recipient(&self, id: HandoffId) -> Result<ReservedFor> {
        self.get(&format!("api/v1/handoffs/{id}/recipient"))
    }

    /// Locks its key for who joined later.
    pub fn share_key(&self, id: HandoffId, body: &LateWrap) -> Result<Handoff> {
        self.post(&format!("api/v1/handoffs/{id}/wraps"), body)
    }

    /// Shows its sender which key card is the claimer's.
    pub fn invite_proof(&self, id: HandoffId, body: &InviteProof) -> Result<Handoff> {
        self.post(&format!("api/v1/handoffs/{id}/invite-proof"), body)
    }

    /// Takes it back.
    pub fn revoke(&self, id: HandoffId, body: &Revoke) -> Result<Handoff> {
        self.post(&format!("api/v1/handoffs/{id}/revoke"), body)
    }

    /// Refuses it.
    pub fn decline(&self, id: HandoffId, body: &Decline) -> Result<Handoff> {
        self.post(&format!("api/v1/handoffs/{id}/decline"), body)
    }

    /// Writes to the other party.
    pub fn comment(&self, id: HandoffId, body: &NewComment) -> Result<Comment> {
        self.post(&format!("api/v1/handoffs/{id}/comments"), body)
    }

    /// What its parties wrote after entry number `after`, one page.
    pub fn comments(&self, id: HandoffId, after: &str) -> Result<Comments> {
        self.get(&format!("api/v1/handoffs/{id}/comments?{}", cursor(after)))
    }

    /// What happened to it after event number `after`, one page.
    pub fn events(&self, id: HandoffId, after: &str) -> Result<Events> {
        self.get(&format!("api/v1/handoffs/{id}/events?{}", cursor(after)))
    }

    /// Claims it.
    pub fn claim(&self, id: HandoffId, body: &Claim) -> Result<Claimed> {
        self.post(&format!("api/v1/handoffs/{id}/claim"), body)
    }
}

/// `next` of a page, as a query: it is the server's word.
fn cursor(next: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair("cursor", next).finish()
}
