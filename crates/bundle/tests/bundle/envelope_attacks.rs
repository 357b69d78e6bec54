//! What a server, a stranger or another recipient may try with an envelope and its wraps.

use segue_bundle::{
    Expected, Owner, Reader, SealedBundle, VerifiedEnvelope,
    open::{OpenError, UnlockError, VerifyError},
    seal_bundle, verify_envelope,
};
use segue_crypto::{
    RecipientKey,
    wrap::{UnwrapError, wrap_for, wrap_own},
};
use segue_signed::{BundleKind, KeyCard, SignedEnvelope, Unverified, Wrap, WrapKind};

use crate::world::{NOW, Person, Store, ann, ben, draft_files, expected, files, hand_over, receive, rng, verify};

fn cy() -> Person {
    Person::new("usr_cy", 3)
}

fn sealed(seed: u64) -> SealedBundle {
    let draft = draft_files(seed, &files(&[("a", b"hello")]), None, &mut Store::default()).unwrap();
    hand_over(seed, &draft.contents)
}

fn verified(sealed: &SealedBundle) -> VerifiedEnvelope {
    verify(sealed.envelope.as_bytes()).unwrap()
}

fn refusal(sealed: &SealedBundle, sender: &KeyCard, expected: &Expected<'_>) -> VerifyError {
    verify_envelope(sealed.envelope.as_bytes(), sender, expected).unwrap_err()
}

#[test]
fn every_flipped_byte_of_an_envelope_is_refused() {
    let sealed = sealed(1);
    for index in 0..sealed.envelope.as_bytes().len() {
        let mut bytes = sealed.envelope.as_bytes().to_vec();
        bytes[index] ^= 1;
        assert!(verify(&bytes).is_err(), "byte {index}");
    }
}

#[test]
fn every_flipped_byte_of_a_wrap_is_refused() {
    let sealed = sealed(1);
    for (number, wrap) in sealed.wraps.iter().enumerate() {
        let bytes = wrap.encode();
        for index in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[index] ^= 1;
            let Ok(wrap) = Wrap::parse(&bytes) else { continue };
            let opened = if number == 0 {
                verified(&sealed).unwrap(&ben().keys.encryption, &wrap)
            } else {
                verified(&sealed).unwrap_own(ann().owner(), &wrap)
            };
            assert!(opened.is_err(), "wrap {number} byte {index}");
        }
    }
}

#[test]
fn what_was_not_asked_for_is_refused() {
    let (sealed, card) = (sealed(1), ann().card());
    let wrong = |expected| refusal(&sealed, &card, &expected);
    let stranger = Reader::Recipient { kind: WrapKind::User, id: "usr_cy" };
    let team = Reader::Recipient { kind: WrapKind::Team, id: "usr_ben" };
    assert_eq!(wrong(Expected { reader: stranger, ..expected() }), VerifyError::NotARecipient);
    assert_eq!(wrong(Expected { reader: team, ..expected() }), VerifyError::NotARecipient);
    assert_eq!(wrong(Expected { kind: BundleKind::Snapshot, ..expected() }), VerifyError::Kind);
    assert_eq!(wrong(Expected { handoff_id: "hnd_other", ..expected() }), VerifyError::Handoff);
    assert_eq!(wrong(Expected { session_id: Some("ses_other"), ..expected() }), VerifyError::Session);
    assert_eq!(wrong(Expected { now: Some(NOW + 1000), ..expected() }), VerifyError::Expired);
    assert_eq!(wrong(Expected { seq_min: 2, ..expected() }), VerifyError::RolledBack);
    assert_eq!(wrong(Expected { revision_min: 1, ..expected() }), VerifyError::RolledBack);
    let last_moment = Expected { now: Some(NOW + 999), ..expected() };
    assert!(verify_envelope(sealed.envelope.as_bytes(), &card, &last_moment).is_ok());
}

#[test]
fn an_envelope_that_someone_else_signs_again_is_refused() {
    let sealed = sealed(1);
    let mut stolen = sealed.envelope.envelope.clone();
    stolen.header.device_key = cy().device.public();
    let resigned = cy().device.sign_envelope(stolen.clone());
    assert_eq!(verify(resigned.as_bytes()).unwrap_err(), VerifyError::Unverified(Unverified::Device));

    stolen.header.sender_id = cy().id.into();
    stolen.header.identity_key = cy().keys.identity.public();
    let own = cy().device.sign_envelope(stolen);
    assert_eq!(verify(own.as_bytes()).unwrap_err(), VerifyError::Unverified(Unverified::Identity));
    // Under Cy's own name it verifies, but the wraps are bound to Ann's identity key.
    let as_cy = verify_envelope(own.as_bytes(), &cy().card(), &expected()).unwrap();
    let refused = as_cy.unwrap(&ben().keys.encryption, &sealed.wraps[0]).unwrap_err();
    assert_eq!(refused, UnlockError::Unwrap(UnwrapError::Unopened));
}

#[test]
fn a_revoked_device_signs_nothing() {
    let mut card = ann().card();
    card.devices[0].revoked_at = Some(NOW);
    assert_eq!(refusal(&sealed(1), &card, &expected()), VerifyError::Unverified(Unverified::Device));
}

#[test]
fn an_envelope_is_of_the_person_whose_card_it_is_verified_with() {
    let sealed = sealed(1);
    let renamed = KeyCard { user_id: "usr_cy".into(), ..ann().card() };
    let other_key = KeyCard { identity_key: cy().keys.identity.public(), ..ann().card() };
    for card in [renamed, other_key] {
        assert_eq!(refusal(&sealed, &card, &expected()), VerifyError::Unverified(Unverified::Identity));
    }
}

#[test]
fn what_was_made_under_older_keys_is_believed_of_a_device_that_is_still_active() {
    let sealed = sealed(1);
    let renewed = KeyCard { identity_key: cy().keys.identity.public(), epoch: 2, ..ann().card() };
    assert!(verify_envelope(sealed.envelope.as_bytes(), &renewed, &expected()).is_ok());
    let mut removed = renewed.clone();
    removed.devices[0].revoked_at = Some(1);
    assert_eq!(refusal(&sealed, &removed, &expected()), VerifyError::Unverified(Unverified::Device));
    // Who has an own-wrap has verified it before, and may go on; another's device is no matter then, another's name is.
    let held = Expected { reader: Reader::Holder, ..expected() };
    assert!(verify_envelope(sealed.envelope.as_bytes(), &removed, &held).is_ok());
    let renamed = KeyCard { user_id: "usr_cy".into(), ..removed };
    assert_eq!(refusal(&sealed, &renamed, &held), VerifyError::Unverified(Unverified::Identity));
    let forged = SignedEnvelope::new(sealed.envelope.envelope.clone(), [7; 64]);
    let refused = verify_envelope(forged.as_bytes(), &ann().card(), &held).unwrap_err();
    assert_eq!(refused, VerifyError::Unverified(Unverified::Signature));
}

#[test]
fn a_wrap_of_another_epoch_than_the_signed_one_is_refused() {
    let (sealed, ann, ben) = (sealed(1), ann(), ben());
    let (key, identity) = (&sealed.bundle_key, ann.keys.identity.public());
    let recipient = RecipientKey { epoch: 2, ..ben.recipient() };
    let wrap = wrap_for(&mut rng(1), key, &identity, &recipient).unwrap();
    assert_eq!(verified(&sealed).unwrap(&ben.keys.encryption, &wrap).unwrap_err(), UnlockError::NotListed);
    let own = wrap_own(key, &identity, &ann.keys.owner, ann.id, 2);
    assert_eq!(verified(&sealed).unwrap_own(ann.owner(), &own).unwrap_err(), UnlockError::NotListed);
}

#[test]
fn a_recipient_added_to_the_list_breaks_the_signature() {
    let sealed = sealed(1);
    let mut envelope = sealed.envelope.envelope.clone();
    envelope.header.recipients.push(cy().recipient().recipient());
    let forged = SignedEnvelope::new(envelope, sealed.envelope.signature);
    assert_eq!(verify(forged.as_bytes()).unwrap_err(), VerifyError::Unverified(Unverified::Signature));
}

#[test]
fn a_wrap_opens_in_its_bundle_and_for_its_recipient_only() {
    let (one, other) = (sealed(1), sealed(2));
    let unopened = UnlockError::Unwrap(UnwrapError::Unopened);
    let moved = verified(&one).unwrap(&ben().keys.encryption, &other.wraps[0]).unwrap_err();
    assert_eq!(moved, unopened, "another bundle's wrap");
    let moved = verified(&one).unwrap_own(ann().owner(), &other.wraps[1]).unwrap_err();
    assert_eq!(moved, unopened, "another bundle's own-wrap");
    let wrong = verified(&one).unwrap(&cy().keys.encryption, &one.wraps[0]).unwrap_err();
    assert_eq!(wrong, UnlockError::Unwrap(UnwrapError::OtherKey));

    let for_cy = wrap_for(&mut rng(1), &one.bundle_key, &ann().keys.identity.public(), &cy().recipient()).unwrap();
    let ghost = verified(&one).unwrap(&cy().keys.encryption, &for_cy).unwrap_err();
    assert_eq!(ghost, UnlockError::NotListed, "a recipient the sender did not sign for");
    let own = one.wraps[1].clone();
    assert_eq!(verified(&one).unwrap(&ben().keys.encryption, &own).unwrap_err(), UnlockError::NotListed);
    let (ann, cy) = (ann(), cy());
    let as_cy = Owner { user_id: "usr_cy", ..ann.owner() };
    assert_eq!(verified(&one).unwrap_own(as_cy, &own).unwrap_err(), UnlockError::NotListed);
    let wrong = Owner { key: &cy.keys.owner, ..ann.owner() };
    assert_eq!(verified(&one).unwrap_own(wrong, &own).unwrap_err(), unopened);
}

#[test]
fn a_key_that_the_sender_did_not_commit_to_is_refused() {
    let sealed = sealed(1);
    let mut envelope = sealed.envelope.envelope.clone();
    envelope.commit[0] ^= 1;
    let lying = ann().device.sign_envelope(envelope);
    let refused = verify(lying.as_bytes()).unwrap().unwrap(&ben().keys.encryption, &sealed.wraps[0]).unwrap_err();
    assert_eq!(refused, UnlockError::Unwrap(UnwrapError::Unopened), "the commit is bound into the wrap");
}

#[test]
fn a_manifest_or_preview_other_than_the_signed_one_is_refused() {
    let (one, other) = (sealed(1), sealed(2));
    let opened = receive(&one);
    let refused = opened.open_manifest(other.sealed_manifest).unwrap_err();
    assert_eq!(refused, OpenError::Hash);
    assert_eq!(opened.open_preview(other.sealed_preview.unwrap()).unwrap_err(), OpenError::Hash);
    for index in 0..one.sealed_manifest.len() {
        let mut changed = one.sealed_manifest.clone();
        changed[index] ^= 1;
        assert_eq!(opened.open_manifest(changed).unwrap_err(), OpenError::Hash);
    }
    let cut = one.sealed_manifest[1..].to_vec();
    assert_eq!(opened.open_manifest(cut).unwrap_err(), OpenError::Length);
}

#[test]
fn what_every_receiver_would_refuse_is_not_sealed() {
    use segue_bundle::SealError;
    let draft = draft_files(1, &files(&[("a", b"hello")]), None, &mut Store::default()).unwrap();
    let seal = |heading, preview: Option<&[u8]>, recipients: &[_]| {
        seal_bundle(&mut rng(1), &draft.contents, heading, &ann().device, preview, recipients, None).unwrap_err()
    };
    let ben = [ben().recipient()];
    let handoff = || ann().heading(BundleKind::Handoff);
    assert_eq!(seal(handoff(), Some(&[0; 8177]), &ben), SealError::PreviewLength);
    assert!(matches!(seal(handoff(), None, &[]), SealError::Heading(_)), "a handoff without recipient");
    assert!(matches!(seal(ann().heading(BundleKind::Snapshot), None, &ben), SealError::Heading(_)));
    let mut long = handoff();
    long.message = "x".repeat(8001);
    assert!(matches!(seal(long, None, &ben), SealError::Heading(_)));
    let mut weak = ben.clone();
    weak[0].public_key = [0; 32];
    assert!(matches!(seal(handoff(), None, &weak), SealError::Wrap { id, .. } if id == "usr_ben"));
}
