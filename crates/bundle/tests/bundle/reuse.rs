//! A push costs what is new: the identical leading run of a file is listed again, and nothing else.

use crate::world::{self, Files, Store, draft_files, files, hand_over, receive, unpack_files};
use proptest::prelude::*;
use segue_bundle::{Contents, Draft, codec::Codec};

const SEGMENT: usize = 4 * 1024 * 1024;

fn lines(count: usize) -> Vec<u8> {
    (0..count).flat_map(|line| format!("{{\"line\":{line}}}\n").into_bytes()).collect()
}

/// Drafts, hands over, receives and unpacks; gives the draft.
fn push(seed: u64, session: &Files, before: Option<&Contents>, store: &mut Store) -> Draft {
    let draft = draft_files(seed, session, before, store).unwrap();
    let sealed = hand_over(seed, &draft.contents);
    let contents = receive(&sealed).open_manifest(sealed.sealed_manifest).unwrap();
    assert_eq!(&unpack_files(&contents, &store.source(&contents)).unwrap(), session);
    draft
}

#[test]
fn an_append_costs_the_append() {
    let mut store = Store::default();
    let long = lines(600_000);
    let first = push(1, &files(&[("a", &long), ("b", b"same")]), None, &mut store);
    let longer = [&long[..], b"one more\n"].concat();
    let second = push(2, &files(&[("a", &longer), ("b", b"same")]), Some(&first.contents), &mut store);
    assert_eq!(second.plan().new_plain_bytes, 9);
    assert_eq!(second.plan().reused_plain_bytes, (long.len() + 4) as u64);
    assert_eq!(second.plan().new_pack_bytes, 1024);
    assert_eq!(second.contents.packs()[0], first.contents.packs()[0]);
}

#[test]
fn nothing_new_makes_no_pack() {
    let mut store = Store::default();
    let session = files(&[("a", b"same"), ("empty", b"")]);
    let first = push(1, &session, None, &mut store);
    let second = push(2, &session, Some(&first.contents), &mut store);
    assert_eq!((second.plan().new_packs, second.plan().new_plain_bytes), (0, 0));
    assert_eq!(second.contents.packs(), first.contents.packs());
}

#[test]
fn a_rewrite_ends_the_run_and_a_truncation_drops_the_rest() {
    let mut store = Store::default();
    let long = vec![b'x'; 3 * SEGMENT];
    let first = push(1, &files(&[("a", &long)]), None, &mut store);
    let mut rewritten = long.clone();
    rewritten[SEGMENT + 5] = b'y';
    let second = push(2, &files(&[("a", &rewritten)]), Some(&first.contents), &mut store);
    assert_eq!(second.plan().reused_plain_bytes, SEGMENT as u64, "the equal third segment is behind a change");
    let cut = push(3, &files(&[("a", &long[..SEGMENT + 7])]), Some(&first.contents), &mut store);
    assert_eq!((cut.plan().reused_plain_bytes, cut.plan().new_plain_bytes), (SEGMENT as u64, 7));
}

#[test]
fn another_file_is_never_a_source() {
    let mut store = Store::default();
    let first = push(1, &files(&[("a", b"secret")]), None, &mut store);
    let second = push(2, &files(&[("b", b"secret")]), Some(&first.contents), &mut store);
    assert_eq!(second.plan().reused_plain_bytes, 0);
    assert_eq!(second.contents.packs().len(), 1, "a pack that is no longer used is not listed");
    assert_ne!(second.contents.packs(), first.contents.packs());
}

#[test]
fn a_session_pushed_after_every_answer_stays_in_few_segments() {
    let mut store = Store::default();
    let mut session = files(&[("a", b"")]);
    let mut last: Option<Contents> = None;
    let (mut sealed, mut segments_max) = (0, 0);
    for answer in 0..300_u32 {
        session.get_mut("a").unwrap().extend_from_slice(format!("answer {answer}\n").repeat(20).as_bytes());
        let draft = draft_files(u64::from(answer), &session, last.as_ref(), &mut store).unwrap();
        sealed += draft.plan().new_plain_bytes;
        segments_max = segments_max.max(draft.contents.manifest().segments().len());
        last = Some(draft.contents);
    }
    let contents = last.unwrap();
    assert_eq!(unpack_files(&contents, &store.source(&contents)).unwrap(), session);
    assert!(segments_max <= 10, "{segments_max}");
    assert!(sealed < 10 * session["a"].len() as u64, "{sealed}");
}

#[test]
fn a_handoff_touches_no_pack() {
    let mut store = Store::default();
    let snapshot = push(1, &files(&[("a", &lines(1000))]), None, &mut store);
    let packs = store.packs.clone();
    let (one, other) = (hand_over(5, &snapshot.contents), hand_over(6, &snapshot.contents));
    assert_eq!(store.packs, packs);
    assert_ne!(one.envelope.envelope.header.bundle_id, other.envelope.envelope.header.bundle_id);
    assert_ne!(one.envelope.envelope.commit, other.envelope.envelope.commit);
    assert_ne!(one.sealed_manifest, other.sealed_manifest);
}

#[test]
fn a_file_that_shrinks_is_named_and_one_that_grows_is_cut_off() {
    use segue_bundle::{Compression, DraftError, FileMode, SourceFile, draft};
    let source = |len| SourceFile {
        path: "a".into(),
        mode: FileMode::Plain,
        compression: Compression::Zstd,
        len,
        trusted: 0,
        open: Box::new(|_| Ok(Box::new(&b"four"[..]))),
    };
    let mut store = Store::default();
    let error = draft(&mut world::rng(1), vec![source(5)], None, &mut store).unwrap_err();
    assert!(matches!(error, DraftError::Shrunk(path) if path == "a"));
    let contents = draft(&mut world::rng(1), vec![source(3)], None, &mut Store::default()).unwrap().contents;
    assert_eq!(contents.manifest().total(), 3);
}

#[test]
fn what_is_trusted_is_not_read_and_what_follows_is_compressed_with_it() {
    use segue_bundle::{Compression, FileMode, SourceFile, draft};
    let mut store = Store::default();
    // Hard to compress by itself, easy with what came before.
    let noise = world::noise(SEGMENT + 300_000);
    let first = push(1, &files(&[("a", &noise)]), None, &mut store);
    let longer = [&noise[..], &noise[noise.len() - 100_000..]].concat();
    let read = std::cell::Cell::new(0);
    let source = |trusted, compression| SourceFile {
        path: "a".into(),
        mode: FileMode::Plain,
        compression,
        len: longer.len() as u64,
        trusted,
        open: Box::new(|start| {
            let rest = &longer[usize::try_from(start).unwrap()..];
            read.set(rest.len());
            Ok(Box::new(rest))
        }),
    };
    let grow = |trusted, compression| {
        let mut store = store.clone();
        let draft = draft(&mut world::rng(2), vec![source(trusted, compression)], Some(&first.contents), &mut store);
        let contents = draft.unwrap().contents;
        let last = contents.manifest().segments().last().unwrap();
        assert_eq!(unpack_files(&contents, &store.source(&contents)).unwrap()["a"], longer);
        (last.codec, last.prefix_len, last.sealed_len, read.get())
    };
    let (codec, prefix, sealed, read) = grow(noise.len() as u64, Compression::Zstd);
    assert_eq!((codec, prefix, read), (Codec::ZstdPrefix, 1024 * 1024, SEGMENT + 100_000));
    assert!(sealed < 100, "{sealed}");
    // The same without trust, except that all is read and compared.
    assert_eq!(grow(0, Compression::Zstd), (codec, prefix, sealed, longer.len()));
    // Within one segment nothing is repeated.
    let (codec, prefix, sealed, read) = grow(noise.len() as u64, Compression::ZstdAlone);
    assert_eq!((codec, prefix, sealed, read), (Codec::Stored, 0, 100_016, 100_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_chain_of_appends_comes_back(
        mut session in prop::collection::btree_map("[a-z]{1,3}", prop::collection::vec(any::<u8>(), 0..500), 1..5),
        appends in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..300)), 0..6)
    ) {
        prop_assume!(segue_bundle::path::check_paths(session.keys().map(String::as_str)).is_ok());
        let mut store = Store::default();
        let mut before = push(0, &session, None, &mut store).contents;
        for (seed, (file, bytes)) in (1..).zip(appends) {
            let path = file.index(session.len());
            let all: u64 = session.values().map(|bytes| bytes.len() as u64).sum::<u64>() + bytes.len() as u64;
            session.values_mut().nth(path).unwrap().extend_from_slice(&bytes);
            let draft = push(seed, &session, Some(&before), &mut store);
            let plan = draft.plan();
            prop_assert_eq!(plan.reused_plain_bytes + plan.new_plain_bytes, all);
            prop_assert!(plan.new_plain_bytes >= bytes.len() as u64);
            prop_assert_eq!(plan.new_segments, usize::from(!bytes.is_empty()));
            before = draft.contents;
        }
    }
}
