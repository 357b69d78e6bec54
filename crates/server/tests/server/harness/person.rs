//! A person with one device: real keys, real signatures, requests over the network.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::{Signer as _, SigningKey};
use reqwest::{Method, RequestBuilder, StatusCode};
use segue_api::{
    IDEMPOTENCY_KEY, PACK_SHA256, Problem, UPLOAD_COMPLETE, UPLOAD_OFFSET,
    account::{Account, Invitation, Join, OpenInvite},
    bundles::Pushed,
    handoffs::{Claim, Handoff, Reservation, Reserve},
    invites::CreateInvite,
    sessions::Session,
};
use segue_domain::{DeviceId, SessionId};
use segue_signed::{Device, DeviceKind, KeyCard, SignedEnvelope, SignedKeyCard, sha256, sig};
use serde::{Serialize, de::DeserializeOwned};

use super::seal::{Draft, TestPack, draw};

/// A person who has joined.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) url: String,
    pub(crate) user_id: String,
    pub(crate) email: String,
    pub(crate) token: String,
    pub(crate) device_key: SigningKey,
    pub(crate) identity: SigningKey,
    /// What proves the recovery code.
    pub(crate) auth: [u8; 32],
    pub(crate) signed_card: SignedKeyCard,
    pub(crate) http: reqwest::Client,
}

/// A request's body: JSON, or a parcel.
pub(crate) trait Payload {
    fn onto(&self, request: RequestBuilder) -> RequestBuilder;
}

impl<T: Serialize> Payload for T {
    fn onto(&self, request: RequestBuilder) -> RequestBuilder {
        request.json(self)
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }

    /// What was answered, which must be a success.
    #[track_caller]
    pub(crate) fn ok<T: DeserializeOwned>(&self) -> T {
        assert!(self.status.is_success(), "{}: {}", self.status, String::from_utf8_lossy(&self.body));
        serde_json::from_slice(&self.body).unwrap()
    }

    /// How far the upload is, as the headers say.
    #[track_caller]
    pub(crate) fn progress(&self) -> (u64, bool) {
        let offset = self.headers[UPLOAD_OFFSET].to_str().unwrap().parse().unwrap();
        (offset, self.headers[UPLOAD_COMPLETE] == "?1")
    }

    /// Status and stable word of a refusal.
    #[track_caller]
    pub(crate) fn refused(&self) -> (u16, String) {
        let problem: Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem.status, self.status.as_u16());
        assert_eq!(self.headers["content-type"], "application/problem+json");
        (problem.status, serde_json::to_value(problem.code).unwrap().as_str().unwrap().to_owned())
    }
}

impl Person {
    /// Joins with a token, as `segue join` does.
    pub(crate) async fn join(url: &str, token: &[u8], email: &str) -> Self {
        let mut person = Self::prepare(url, token, email).await;
        let account: Account = person.send_join(token).await.ok();
        assert_eq!(account.user_id, person.user_id);
        account.email.clone_into(&mut person.email);
        person
    }

    /// Opens an invite and makes keys for it.
    pub(crate) async fn prepare(url: &str, token: &[u8], email: &str) -> Self {
        let http = reqwest::Client::new();
        let body = OpenInvite { token: token.to_vec().into() };
        let opened = Answer::of(http.post(format!("{url}/api/v1/invites/open")).json(&body)).await;
        let invitation: Invitation = opened.ok();
        let (identity, device_key) = (SigningKey::from_bytes(&draw()), SigningKey::from_bytes(&draw()));
        let card = KeyCard {
            user_id: invitation.user_id.clone(),
            seq: 1,
            previous: None,
            identity_key: identity.verifying_key().to_bytes(),
            encryption_key: draw(),
            epoch: 1,
            devices: vec![Device {
                id: DeviceId::from_bytes(draw()).to_string(),
                key: device_key.verifying_key().to_bytes(),
                kind: DeviceKind::Full,
                added_at: super::BEGIN.as_wire(),
                revoked_at: None,
            }],
            keyring_version: 0,
            keyring_hash: None,
            created_at: super::BEGIN.as_wire(),
        };
        let signature = identity.sign(&sig::signed_bytes(KeyCard::SIGNATURE_LABEL, &card.encode())).to_bytes();
        Self {
            url: url.to_owned(),
            user_id: invitation.user_id,
            email: email.to_owned(),
            token: BASE64URL_NOPAD.encode(&draw::<32>()),
            device_key,
            identity,
            auth: draw(),
            signed_card: SignedKeyCard { card, signature, old_signature: None },
            http,
        }
    }

    pub(crate) async fn send_join(&self, token: &[u8]) -> Answer {
        let body = Join {
            token: token.to_vec().into(),
            email: self.email.clone(),
            name: "A Person".to_owned(),
            key_card: self.signed_card.encode().into(),
            device_name: "laptop".to_owned(),
            device_token_hash: sha256(&BASE64URL_NOPAD.decode(self.token.as_bytes()).unwrap()).to_vec().into(),
            recovery_root: vec![7; 60].into(),
            recovery_auth_hash: sha256(&self.auth).to_vec().into(),
        };
        Answer::of(self.http.post(format!("{}/api/v1/join", self.url)).json(&body)).await
    }

    pub(crate) fn card(&self) -> &KeyCard {
        &self.signed_card.card
    }

    /// Invites somebody, vouching for the address, and lets them join.
    pub(crate) async fn bring(&self, email: &str) -> Self {
        let token = self.invite(email, true).await;
        Self::join(&self.url, &token, email).await
    }

    pub(crate) async fn invite(&self, email: &str, vouch: bool) -> [u8; 32] {
        let token = draw::<32>();
        let token_hash = Some(sha256(&token).to_vec().into());
        let answer = self.post("/api/v1/invites", &CreateInvite { email: email.to_owned(), vouch, token_hash }).await;
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        token
    }

    /// The same person at a server that was started anew.
    pub(crate) fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &impl Payload) -> Answer {
        Answer::of(body.onto(self.request(Method::POST, path))).await
    }

    pub(crate) async fn put(&self, path: &str, body: &impl Serialize) -> Answer {
        Answer::of(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn post_once(&self, path: &str, key: &str, body: &impl Payload) -> Answer {
        Answer::of(body.onto(self.request(Method::POST, path).header(IDEMPOTENCY_KEY, key))).await
    }

    pub(crate) async fn upload(&self, pack: &TestPack) -> Answer {
        let request = self.request(Method::PUT, &format!("/api/v1/packs/{}", pack.id()));
        let request = request.header(PACK_SHA256, HEXLOWER.encode(&pack.entry.sha256));
        Answer::of(request.body(pack.bytes.clone())).await
    }

    /// Sends an upload from `offset` on.
    pub(crate) async fn send_rest(&self, pack: &TestPack, offset: usize) -> Answer {
        let request = self.request(Method::PATCH, &format!("/api/v1/packs/{}", pack.id()));
        Answer::of(request.header(UPLOAD_OFFSET, offset).body(pack.bytes[offset..].to_vec())).await
    }

    /// How many bytes of an upload are there, and whether they are all; none when nothing is known of it.
    pub(crate) async fn progress(&self, pack: &TestPack) -> Option<(u64, bool)> {
        let answer = Answer::of(self.request(Method::HEAD, &format!("/api/v1/packs/{}", pack.id()))).await;
        if answer.status == StatusCode::NOT_FOUND {
            return None;
        }
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        Some(answer.progress())
    }

    /// Pushes a new session of one pack.
    pub(crate) async fn push_new(&self, pack: &TestPack) -> (SignedEnvelope, Session) {
        assert_eq!(self.upload(pack).await.status, 201);
        let session_id = SessionId::from_bytes(draw()).to_string();
        self.push(&Draft::snapshot(self, &session_id, &[pack])).await
    }

    pub(crate) async fn push(&self, draft: &Draft) -> (SignedEnvelope, Session) {
        let signed = draft.sign(self);
        let pushed: Pushed = self.post("/api/v1/bundles", &draft.body(&signed)).await.ok();
        (signed, self.get(&format!("/api/v1/sessions/{}", pushed.session_id)).await.ok())
    }

    pub(crate) async fn reserve(&self, session_id: &str, email: &str) -> Reservation {
        let (session_id, to_email) = (session_id.to_owned(), Some(email.to_owned()));
        self.post("/api/v1/handoffs/reserve", &Reserve { session_id, to_email, ..Reserve::default() }).await.ok()
    }

    /// Hands a pushed session over to somebody.
    pub(crate) async fn hand(&self, snapshot: &SignedEnvelope, to: &Self) -> (Draft, Handoff) {
        let reservation = self.reserve(&snapshot.envelope.header.session_id, &to.email).await;
        let draft = Draft::handoff(self, snapshot, &reservation.handoff_id, reservation.not_after, &[to.card()]);
        let answer = self.post("/api/v1/handoffs", &draft.body(&draft.sign(self))).await;
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        (draft, answer.ok())
    }

    pub(crate) async fn claim(&self, handoff_id: &str, proof: [u8; 32]) -> Answer {
        let body = Claim { claim_proof: proof.to_vec().into(), own_wrap: None };
        self.post(&format!("/api/v1/handoffs/{handoff_id}/claim"), &body).await
    }
}
