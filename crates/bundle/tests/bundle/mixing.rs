//! Honest pieces in the wrong place: of another bundle, in another order, under another name, or from before.

use segue_bundle::{
    Contents, Expected, Manifest, SealedBundle, UnpackError,
    open::{OpenError, UnlockError, VerifyError},
    reader::ReadError,
    seal_bundle,
    segment::SegmentError,
    verify_envelope,
};
use segue_crypto::{UserRoot, wrap::UnwrapError};
use segue_signed::{BundleKind, Device, DeviceKind, PackEntry, Unverified, sha256};

use crate::world::{
    HANDOFF, NOW, Person, Shelf, Store, ann, ben, draft_files, expected, files, hand_over, noise, receive, rng,
    unpack_files, verify,
};

const SEGMENT: usize = 4 * 1024 * 1024;

fn session(seed: u64, text: &[u8]) -> (Contents, Store) {
    let mut store = Store::default();
    (draft_files(seed, &files(&[("a", text)]), None, &mut store).unwrap().contents, store)
}

fn segment_refusal(contents: &Contents, packs: &Shelf) -> (usize, SegmentError) {
    match unpack_files(contents, packs).unwrap_err() {
        UnpackError::Read { source: ReadError::Segment { number, source }, .. } => (number, source),
        other => panic!("{other}"),
    }
}

#[test]
fn segments_swapped_within_a_file_are_refused() {
    // Without a line end it is cut at the limit, so that both are of one length.
    let text: Vec<u8> = noise(2 * SEGMENT).into_iter().map(|byte| if byte == b'\n' { b' ' } else { byte }).collect();
    let (contents, store) = session(1, &text);
    let [first, second] = contents.manifest().segments() else { panic!("two segments") };
    assert_eq!(first.plain_len, second.plain_len);
    // Where they lie: the key of one does not open the other.
    let (mut moved, mut other) = (first.clone(), second.clone());
    (moved.offset, other.offset) = (second.offset, first.offset);
    let manifest = Manifest::new(contents.manifest().files().to_vec(), vec![moved, other]).unwrap();
    let swapped = Contents::new(manifest, contents.packs().to_vec()).unwrap();
    let refused = segment_refusal(&swapped, &store.source(&contents));
    assert_eq!(refused, (0, SegmentError::Unopened(segue_crypto::sealing::Unopened)));
    // Key and place, but not the hash.
    let (mut moved, mut other) = (second.clone(), first.clone());
    (moved.sha256, other.sha256) = (first.sha256, second.sha256);
    let manifest = Manifest::new(contents.manifest().files().to_vec(), vec![moved, other]).unwrap();
    let swapped = Contents::new(manifest, contents.packs().to_vec()).unwrap();
    assert_eq!(segment_refusal(&swapped, &store.source(&contents)), (0, SegmentError::Hash));
    // All of it: another session, as its content hash says.
    let whole = Manifest::new(contents.manifest().files().to_vec(), vec![second.clone(), first.clone()]).unwrap();
    assert_ne!(whole.content_hash(), contents.manifest().content_hash());
}

#[test]
fn a_pack_of_another_bundle_is_refused() {
    let ((one, store), (other, other_store)) = (session(1, b"one session"), session(2, b"other text!"));
    assert_eq!(one.packs()[0].len, other.packs()[0].len, "or the length would tell");
    let error = unpack_files(&one, &other_store.source(&other)).unwrap_err();
    assert!(matches!(error, UnpackError::PackHash { index: 0 }), "{error}");
    // Even when the sender signs for it: the segment's key is that of another.
    let mixed = Contents::new(one.manifest().clone(), other.packs().to_vec()).unwrap();
    let refused = segment_refusal(&mixed, &other_store.source(&other));
    assert_eq!(refused, (0, SegmentError::Unopened(segue_crypto::sealing::Unopened)));
    drop(store);
}

#[test]
fn packs_in_another_order_are_refused() {
    let mut store = Store::default();
    let first = draft_files(1, &files(&[("a", b"hello"), ("b", b"")]), None, &mut store).unwrap().contents;
    let both = files(&[("a", b"hello"), ("b", b"world")]);
    let contents = draft_files(2, &both, Some(&first), &mut store).unwrap().contents;
    assert_eq!(contents.packs().len(), 2);
    let mut packs = store.source(&contents);
    packs.0.swap(0, 1);
    let error = unpack_files(&contents, &packs).unwrap_err();
    assert!(matches!(error, UnpackError::PackHash { index: 0 }), "{error}");
}

#[test]
fn changed_padding_is_refused_although_no_segment_is_touched() {
    let (contents, store) = session(1, b"short");
    let mut packs = store.source(&contents);
    let mut bytes = packs.0[0].to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    packs.0[0] = bytes.clone().into();
    let error = unpack_files(&contents, &packs).unwrap_err();
    assert!(matches!(error, UnpackError::PackHash { index: 0 }), "{error}");
    // The sender may pad as they like: it is theirs to sign.
    let entry = PackEntry { sha256: sha256(&bytes), ..contents.packs()[0] };
    let own = Contents::new(contents.manifest().clone(), vec![entry]).unwrap();
    assert!(unpack_files(&own, &packs).is_ok());
}

#[test]
fn a_manifest_or_preview_of_another_bundle_does_not_open_even_if_it_is_signed_for() {
    let (contents, _) = session(1, b"hello");
    let (one, other) = (hand_over(1, &contents), hand_over(2, &contents));
    let resigned = |change: &dyn Fn(&mut segue_signed::Envelope)| {
        let mut envelope = one.envelope.envelope.clone();
        change(&mut envelope);
        let signed = ann().device.sign_envelope(envelope);
        verify(signed.as_bytes()).unwrap().unwrap(&ben().keys.encryption, &one.wraps[0]).unwrap()
    };
    let moved = resigned(&|envelope| envelope.manifest_hash = sha256(&other.sealed_manifest));
    assert!(matches!(moved.open_manifest(other.sealed_manifest.clone()).unwrap_err(), OpenError::Unopened(_)));
    let preview = other.sealed_preview.clone().unwrap();
    let moved = resigned(&|envelope| envelope.preview_hash = Some(sha256(&preview)));
    assert!(matches!(moved.open_preview(preview.clone()).unwrap_err(), OpenError::Unopened(_)));
    // The preview of this bundle in the place of its manifest: each has a key of its own.
    let own = one.sealed_preview.clone().unwrap();
    let moved = resigned(&|envelope| {
        envelope.manifest_hash = sha256(&own);
        envelope.manifest_len = u32::try_from(own.len()).unwrap();
    });
    assert!(matches!(moved.open_manifest(own.clone()).unwrap_err(), OpenError::Unopened(_)));
    // The same bodies under a changed header: the header is bound into them.
    let moved = resigned(&|envelope| envelope.header.message = "something else".into());
    assert!(matches!(moved.open_manifest(one.sealed_manifest.clone()).unwrap_err(), OpenError::Unopened(_)));
    assert_eq!(resigned(&|envelope| envelope.preview_hash = None).open_preview(own), Err(OpenError::NoPreview));
}

#[test]
fn a_session_that_is_handed_on_names_its_author() {
    let cy = Person::new("usr_cy", 3);
    let (contents, _) = session(1, b"hello");
    let first = hand_over(1, &contents);
    let received = receive(&first).open_manifest(first.sealed_manifest.clone()).unwrap();
    let hand_on = |sender: &str, author: &str| -> SealedBundle {
        let mut heading = ben().heading(BundleKind::Handoff);
        (heading.sender_id, heading.author_id) = (sender.to_owned(), author.to_owned());
        seal_bundle(&mut rng(7), &received, heading, &ben().device, None, &[cy.recipient()], None).unwrap()
    };
    let to_cy = Expected {
        reader: segue_bundle::Reader::Recipient { kind: segue_signed::WrapKind::User, id: "usr_cy" },
        ..expected()
    };
    let honest = hand_on("usr_ben", "usr_ann");
    let verified = verify_envelope(honest.envelope.as_bytes(), &ben().card(), &to_cy).unwrap();
    assert_eq!((verified.header().sender_id.as_str(), verified.header().author_id.as_str()), ("usr_ben", "usr_ann"));
    assert_eq!(verified.header().handoff_id, HANDOFF);
    // Ben cannot pass it off as sent by Ann.
    let forged = hand_on("usr_ann", "usr_ann");
    let refused = verify_envelope(forged.envelope.as_bytes(), &ann().card(), &to_cy).unwrap_err();
    assert_eq!(refused, VerifyError::Unverified(Unverified::Identity));
    // Nor can a server change whom it names.
    let mut changed = honest.envelope.envelope.clone();
    changed.header.author_id = "usr_ben".into();
    let changed = segue_signed::SignedEnvelope::new(changed, honest.envelope.signature);
    let refused = verify_envelope(changed.as_bytes(), &ben().card(), &to_cy).unwrap_err();
    assert_eq!(refused, VerifyError::Unverified(Unverified::Signature));
}

#[test]
fn a_wrap_for_keys_that_were_replaced_is_refused() {
    let (contents, _) = session(1, b"hello");
    let sealed = hand_over(1, &contents);
    let next = UserRoot::from_bytes([2; 32]).epoch(2);
    let verified = verify(sealed.envelope.as_bytes()).unwrap();
    let refused = verified.unwrap(&next.encryption, &sealed.wraps[0]).unwrap_err();
    assert_eq!(refused, UnlockError::Unwrap(UnwrapError::OtherKey));
    assert_eq!(refused.to_string(), "the wrap was made for another key");
}

#[test]
fn another_active_device_of_the_sender_may_sign_only_for_itself() {
    let other = segue_crypto::DeviceKey::from_bytes(&[9; 32]);
    let mut card = ann().card();
    card.devices.push(Device {
        id: "dev_2".into(),
        key: other.public(),
        kind: DeviceKind::Agent,
        added_at: NOW,
        revoked_at: None,
    });
    let (contents, _) = session(1, b"hello");
    let sealed = hand_over(1, &contents);
    // The header still names the first device.
    let signed = other.sign_envelope(sealed.envelope.envelope.clone());
    let refused = verify_envelope(signed.as_bytes(), &card, &expected()).unwrap_err();
    assert_eq!(refused, VerifyError::Unverified(Unverified::Signature));
    // And a header that names the second is another header than the bodies are bound to.
    let mut envelope = sealed.envelope.envelope.clone();
    envelope.header.device_key = other.public();
    let signed = other.sign_envelope(envelope);
    let opened = verify_envelope(signed.as_bytes(), &card, &expected()).unwrap();
    let opened = opened.unwrap(&ben().keys.encryption, &sealed.wraps[0]).unwrap();
    assert!(matches!(opened.open_manifest(sealed.sealed_manifest).unwrap_err(), OpenError::Unopened(_)));
    card.devices[1].revoked_at = Some(NOW);
    let refused = verify_envelope(signed.as_bytes(), &card, &expected()).unwrap_err();
    assert_eq!(refused, VerifyError::Unverified(Unverified::Device));
}
