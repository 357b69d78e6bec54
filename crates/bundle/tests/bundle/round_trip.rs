//! What is sealed comes out again, for its recipient and for its holder.

use crate::world::{
    self, Files, Store, ann, draft_files, expected, files, hand_over, noise, receive, rng, unpack_files,
};
use proptest::prelude::*;
use segue_bundle::{Reader, verify_envelope};
use segue_signed::BundleKind;

const SEGMENT: usize = 4 * 1024 * 1024;

fn round_trip(files: &Files) {
    let mut store = Store::default();
    let draft = draft_files(1, files, None, &mut store).unwrap();
    assert_eq!(draft.plan().new_plain_bytes, files.values().map(|bytes| bytes.len() as u64).sum::<u64>());
    assert_eq!(draft.plan().new_pack_bytes, store.packs.values().map(|bytes| bytes.len() as u64).sum::<u64>());
    let sealed = hand_over(2, &draft.contents);
    let opened = receive(&sealed);
    let contents = opened.open_manifest(sealed.sealed_manifest.clone()).unwrap();
    assert_eq!(&unpack_files(&contents, &store.source(&contents)).unwrap(), files);
    assert_eq!(opened.open_preview(sealed.sealed_preview.unwrap()).unwrap(), b"{}");
    assert_eq!(segue_signed::sha256(opened.claim_proof().as_slice()), opened.verified().envelope().claim_check);
}

#[test]
fn sizes_around_a_segment_come_back() {
    for len in [0, 1, 2, SEGMENT - 1, SEGMENT, SEGMENT + 1] {
        round_trip(&files(&[("native/a.jsonl", &noise(len))]));
        round_trip(&files(&[("native/a.jsonl", &vec![b'x'; len])]));
    }
}

#[test]
fn a_slow_network_gets_fewer_bytes() {
    let words = ["read", "the", "file", "and", "fix", "its", "tests", "before", "lunch"];
    let text = |seed: usize| (seed..seed + 3_000_000).map(|at| words[at * at % 8191 % words.len()]).collect::<String>();
    let session = files(&[("native/a.jsonl", text(1).as_bytes()), ("native/b.jsonl", text(2).as_bytes())]);
    let sent = |backlog| {
        let mut store = Store::default();
        store.backlog = backlog;
        let draft = draft_files(1, &session, None, &mut store).unwrap();
        assert_eq!(unpack_files(&draft.contents, &store.source(&draft.contents)).unwrap(), session);
        draft.plan().new_pack_bytes
    };
    let (fast, slow) = (sent(1024 * 1024), sent(64 * 1024 * 1024));
    assert!(slow < fast, "{slow} bytes where they wait to be sent, {fast} where they do not");
}

#[test]
fn many_files_come_back() {
    let mut many = Files::new();
    for index in 0..300_u32 {
        many.insert(
            format!("native/{}/{index}.json", index % 7),
            index.to_string().repeat(index as usize).into_bytes(),
        );
    }
    many.insert("view.jsonl".into(), b"{\"text\":\"hello\"}\n".repeat(1000));
    many.insert("empty".into(), Vec::new());
    round_trip(&many);
}

#[test]
fn the_holder_and_the_claimer_open_it_again() {
    let session = files(&[("session.json", b"{}")]);
    let mut store = Store::default();
    let draft = draft_files(1, &session, None, &mut store).unwrap();
    let snapshot = ann().heading(BundleKind::Snapshot);
    let sealed = segue_bundle::seal_bundle(
        &mut rng(2),
        &draft.contents,
        snapshot,
        &ann().device,
        None,
        &[],
        Some(ann().owner()),
    )
    .unwrap();
    let mine =
        segue_bundle::Expected { kind: BundleKind::Snapshot, handoff_id: "", reader: Reader::Holder, ..expected() };
    let verified = verify_envelope(sealed.envelope.as_bytes(), &ann().card(), &mine).unwrap();
    let opened = verified.unwrap_own(ann().owner(), &sealed.wraps[0]).unwrap();
    let contents = opened.open_manifest(sealed.sealed_manifest).unwrap();
    assert_eq!(unpack_files(&contents, &store.source(&contents)).unwrap(), session);

    // Ben claims, stores an own-wrap, and opens it after the handoff's end without the handoff's wrap.
    let handed = hand_over(3, &contents);
    let wrap = receive(&handed).own_wrap(world::ben().owner());
    let later = segue_bundle::Expected { reader: Reader::Holder, now: None, ..expected() };
    let verified = verify_envelope(handed.envelope.as_bytes(), &ann().card(), &later).unwrap();
    let again = verified.unwrap_own(world::ben().owner(), &wrap).unwrap();
    let contents = again.open_manifest(handed.sealed_manifest).unwrap();
    assert_eq!(unpack_files(&contents, &store.source(&contents)).unwrap(), session);
}

#[cfg(unix)]
#[test]
fn what_is_unpacked_is_its_owners_only() {
    use segue_bundle::{Compression, FileMode, SourceFile, draft, unpack};
    use std::os::unix::fs::PermissionsExt as _;
    let mut store = Store::default();
    let source = |path: &str, mode| SourceFile {
        path: path.into(),
        mode,
        compression: Compression::Zstd,
        len: 2,
        trusted: 0,
        open: Box::new(|_| Ok(Box::new(&b"hi"[..]))),
    };
    let sources = vec![source("bin/run", FileMode::Executable), source("note", FileMode::Plain)];
    let contents = draft(&mut rng(1), sources, None, &mut store).unwrap().contents;
    let home = tempfile::tempdir().unwrap();
    let dest = home.path().join("session");
    unpack(&mut rng(2), &contents, &store.source(&contents), &dest).unwrap();
    for (path, mode) in [("", 0o700), ("bin", 0o700), ("bin/run", 0o700), ("note", 0o600)] {
        assert_eq!(std::fs::metadata(dest.join(path)).unwrap().permissions().mode() & 0o777, mode, "{path}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_set_of_files_comes_back(
        contents in prop::collection::btree_map("[a-z]{1,8}(/[a-z]{1,8}\\.x){0,2}", prop::collection::vec(any::<u8>(), 0..3000), 1..12)
    ) {
        if segue_bundle::path::check_paths(contents.keys().map(String::as_str)).is_ok() {
            round_trip(&contents);
        }
    }
}
