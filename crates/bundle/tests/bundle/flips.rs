//! Every byte of a small bundle, changed one at a time: each change is refused at the step that answers for it, and nothing
//! lies at the destination.

use std::collections::BTreeSet;

use segue_bundle::{
    Contents, OpenedBundle, SealedBundle, UnpackError,
    open::{OpenError, UnlockError, VerifyError},
};
use segue_crypto::wrap::UnwrapError;
use segue_signed::Wrap;

use crate::world::{Store, ann, ben, draft_files, files, hand_over, receive, unpack_files, verify};

fn bundle() -> (SealedBundle, Store) {
    let mut store = Store::default();
    let session = files(&[("a", b"hello"), ("b", &b"a line\n".repeat(30)), ("view.jsonl", &b"{}\n".repeat(30))]);
    let contents = draft_files(1, &session, None, &mut store).unwrap().contents;
    (hand_over(2, &contents), store)
}

/// What each change of one byte of `bytes` leads to, without repetition.
fn outcomes(bytes: &[u8], refusal: impl Fn(&[u8]) -> String) -> BTreeSet<String> {
    let mut outcomes = BTreeSet::new();
    let mut changed = bytes.to_vec();
    for index in 0..bytes.len() {
        changed[index] ^= 1 << (index % 8);
        outcomes.insert(refusal(&changed));
        changed[index] = bytes[index];
    }
    outcomes
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn of_the_envelope() {
    let (sealed, _) = bundle();
    let refusal = |bytes: &[u8]| match verify(bytes).expect_err("a changed envelope verified") {
        VerifyError::Malformed(_) => "malformed".to_owned(),
        other => format!("{other:?}"),
    };
    let expected = ["Unverified(Device)", "Unverified(Identity)", "Unverified(Signature)", "malformed"];
    assert_eq!(outcomes(sealed.envelope.as_bytes(), refusal), set(&expected));
}

#[test]
fn of_a_wrap_and_an_own_wrap() {
    let (sealed, _) = bundle();
    let verified = || verify(sealed.envelope.as_bytes()).unwrap();
    let class = |opened: Result<OpenedBundle, UnlockError>| match opened.expect_err("a changed wrap opened") {
        UnlockError::NotListed => "not listed".to_owned(),
        UnlockError::Unwrap(UnwrapError::Unopened) => "unopened".to_owned(),
        UnlockError::Unwrap(other) => format!("{other:?}"),
    };
    let wrap = outcomes(&sealed.wraps[0].encode(), |bytes| {
        let Ok(wrap) = Wrap::parse(bytes) else { return "malformed".to_owned() };
        class(verified().unwrap(&ben().keys.encryption, &wrap))
    });
    assert_eq!(wrap, set(&["malformed", "not listed", "unopened"]));
    let own = outcomes(&sealed.wraps[1].encode(), |bytes| {
        let Ok(wrap) = Wrap::parse(bytes) else { return "malformed".to_owned() };
        class(verified().unwrap_own(ann().owner(), &wrap))
    });
    assert_eq!(own, set(&["OtherKey", "malformed", "not listed", "unopened"]));
}

#[test]
fn of_the_sealed_manifest_and_preview() {
    let (sealed, _) = bundle();
    let opened = receive(&sealed);
    let manifest = outcomes(&sealed.sealed_manifest, |bytes| match opened.open_manifest(bytes.to_vec()) {
        Err(OpenError::Hash) => "hash".to_owned(),
        other => format!("{other:?}"),
    });
    assert_eq!(manifest, set(&["hash"]));
    let preview =
        outcomes(sealed.sealed_preview.as_ref().unwrap(), |bytes| match opened.open_preview(bytes.to_vec()) {
            Err(OpenError::Hash) => "hash".to_owned(),
            other => format!("{other:?}"),
        });
    assert_eq!(preview, set(&["hash"]));
}

#[test]
fn of_the_pack() {
    let (sealed, store) = bundle();
    let contents: Contents = receive(&sealed).open_manifest(sealed.sealed_manifest.clone()).unwrap();
    let shelf = store.source(&contents);
    let pack = outcomes(&shelf.0[0], |bytes| {
        let mut packs = store.source(&contents);
        packs.0[0] = bytes.into();
        // Also checks that nothing is left behind.
        match unpack_files(&contents, &packs) {
            Err(UnpackError::PackHash { index: 0 }) => "pack hash".to_owned(),
            other => format!("{other:?}"),
        }
    });
    assert_eq!(pack, set(&["pack hash"]));
}
