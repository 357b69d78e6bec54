//! A person with several devices: cards that follow each other, as `segue recover` and `segue devices remove` make them.

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signer as _, SigningKey};
use segue_api::{
    account::Account,
    devices::{Changes, OpenRecovery, Recover, Recovery, Renew},
};
use segue_domain::DeviceId;
use segue_signed::{Device, DeviceKind, KeyCard, RootWrap, SignedKeyCard, sha256, sig};

use super::{BEGIN, Person, person::Answer, seal::draw};

/// Signs a card, also with the key before when there is one.
pub(crate) fn sign(card: KeyCard, identity: &SigningKey, old: Option<&SigningKey>) -> SignedKeyCard {
    let bytes = sig::signed_bytes(KeyCard::SIGNATURE_LABEL, &card.encode());
    let signature = |key: &SigningKey| key.sign(&bytes).to_bytes();
    SignedKeyCard { signature: signature(identity), old_signature: old.map(signature), card }
}

/// A removal that may be sent, and who one is after it.
#[derive(Clone)]
pub(crate) struct Removal {
    pub(crate) body: Renew,
    pub(crate) after: Person,
}

impl Person {
    /// The id of this device.
    pub(crate) fn device_id(&self) -> String {
        let key = self.device_key.verifying_key().to_bytes();
        self.card().devices.iter().find(|device| device.key == key).unwrap().id.clone()
    }

    /// The card that follows, under the same keys.
    pub(crate) fn next_card(&self, change: impl FnOnce(&mut KeyCard)) -> SignedKeyCard {
        let mut card = KeyCard { seq: self.card().seq + 1, previous: Some(self.card().hash()), ..self.card().clone() };
        change(&mut card);
        sign(card, &self.identity, None)
    }

    /// Another device of the same person, which nobody knows yet.
    pub(crate) fn another_device(&self) -> Self {
        let device_key = SigningKey::from_bytes(&draw());
        let device = Device {
            id: DeviceId::from_bytes(draw()).to_string(),
            key: device_key.verifying_key().to_bytes(),
            kind: DeviceKind::Full,
            added_at: BEGIN.as_wire(),
            revoked_at: None,
        };
        let signed_card = self.next_card(|card| card.devices.push(device));
        Self { device_key, signed_card, token: BASE64URL_NOPAD.encode(&draw::<32>()), ..self.clone() }
    }

    pub(crate) fn token_hash(&self) -> [u8; 32] {
        sha256(&BASE64URL_NOPAD.decode(self.token.as_bytes()).unwrap())
    }

    /// Shows a recovery code's proof.
    pub(crate) async fn open_recovery(&self, email: &str, auth: &[u8]) -> Answer {
        let body = OpenRecovery { email: email.to_owned(), auth: auth.to_vec().into() };
        Answer::of(self.http.post(format!("{}/api/v1/recovery/open", self.url)).json(&body)).await
    }

    /// Asks to become a device with the recovery code.
    pub(crate) async fn send_recover(&self) -> Answer {
        let body = Recover {
            email: self.email.clone(),
            auth: self.auth.to_vec().into(),
            key_card: self.signed_card.encode().into(),
            device_name: "desktop".to_owned(),
            device_token_hash: self.token_hash().to_vec().into(),
        };
        Answer::of(self.http.post(format!("{}/api/v1/recovery", self.url)).json(&body)).await
    }

    /// The same person with a second device, each knowing the card that lists both.
    pub(crate) async fn with_second(&self) -> (Self, Self) {
        let opened: Recovery = self.open_recovery(&self.email, &self.auth).await.ok();
        assert_eq!(opened.user_id, self.user_id);
        let second = self.another_device();
        let account: Account = second.send_recover().await.ok();
        assert_eq!(account.device_id, Some(second.device_id()));
        (Self { signed_card: second.signed_card.clone(), ..self.clone() }, second)
    }

    /// Everything that removes devices, signed by this one.
    pub(crate) fn removal(&self, gone: &[&str]) -> Removal {
        let (identity, keyring, auth) = (SigningKey::from_bytes(&draw()), draw::<64>().to_vec(), draw::<32>());
        let mut card = KeyCard {
            seq: self.card().seq + 1,
            previous: Some(self.card().hash()),
            identity_key: identity.verifying_key().to_bytes(),
            encryption_key: draw(),
            epoch: self.card().epoch + 1,
            keyring_version: self.card().keyring_version + 1,
            keyring_hash: Some(sha256(&keyring)),
            ..self.card().clone()
        };
        for device in card.devices.iter_mut().filter(|device| gone.contains(&device.id.as_str())) {
            device.revoked_at = Some(BEGIN.as_wire());
        }
        let staying: Vec<_> = card.devices.iter().filter(|device| device.is_active_full()).cloned().collect();
        let others = staying.iter().filter(|device| device.id != self.device_id());
        let root_wraps = others.map(|device| self.root_wrap(&card, device).encode().into()).collect();
        let signed_card = sign(card, &identity, Some(&self.identity));
        let body = Renew {
            key_card: signed_card.encode().into(),
            keyring: keyring.into(),
            root_wraps,
            recovery_root: vec![9; 60].into(),
            recovery_auth_hash: sha256(&auth).to_vec().into(),
        };
        Removal { body, after: Self { identity, auth, signed_card, ..self.clone() } }
    }

    /// A root for a device; nobody here could open it.
    pub(crate) fn root_wrap(&self, card: &KeyCard, device: &Device) -> RootWrap {
        let mut wrap = RootWrap {
            user_id: card.user_id.clone(),
            epoch: card.epoch,
            card_hash: card.hash(),
            device_id: device.id.clone(),
            device_key: device.key,
            enc: draw(),
            ct: [1; 48],
            signer_key: self.device_key.verifying_key().to_bytes(),
            signature: [0; 64],
        };
        wrap.signature =
            self.device_key.sign(&sig::signed_bytes(RootWrap::SIGNATURE_LABEL, &wrap.to_sign())).to_bytes();
        wrap
    }

    pub(crate) async fn renew(&self, body: &Renew) -> Answer {
        self.post("/api/v1/devices/removals", body).await
    }

    /// What this device missed after a card and an event.
    pub(crate) async fn changes(&self, card: u32, event: i64) -> Changes {
        self.get(&format!("/api/v1/devices/changes?card={card}&event={event}")).await.ok()
    }
}
