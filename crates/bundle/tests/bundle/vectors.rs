//! The vectors of this crate, beside those of `segue-crypto`: segments, a manifest and a complete small bundle.

use segue_bundle::{
    Compression, Contents, FileMode, Manifest, SegmentEntry, SourceFile, draft, seal_bundle, segment::open_segment,
};
use segue_crypto::sealing::{open, seal_once};
use segue_signed::{BundleKind, lv::Writer, sha256};
use serde_json::{Value, json};

use crate::{
    file::{compare, flips, hex},
    manifest_attacks::hostile_manifests,
    world::{NOW, Store, ann, ben, draft_files, expected, files, rng, unpack_files, verify},
};

fn aad(codec: u8, plain_len: u32, prefix_len: u32) -> Vec<u8> {
    Writer::labelled("segue/seg/1").u8(codec).u32(plain_len).u32(prefix_len).finish()
}

fn source<'a>(path: &str, mode: FileMode, compression: Compression, bytes: &'a [u8]) -> SourceFile<'a> {
    SourceFile {
        path: path.into(),
        mode,
        compression,
        len: bytes.len() as u64,
        trusted: 0,
        open: Box::new(move |_| Ok(Box::new(bytes))),
    }
}

/// One segment of each codec as this build makes it.
fn sealed_segments() -> Vec<Value> {
    let text = b"{\"role\":\"user\",\"text\":\"hello\"}\n".repeat(8);
    let cases: [(Compression, &[u8]); 3] =
        [(Compression::Zstd, b"short"), (Compression::Zstd, &text), (Compression::Gzip, &text)];
    let seal = |(seed, (compression, plain)): (u64, (Compression, &[u8]))| {
        let mut store = Store::default();
        let files = vec![source("a", FileMode::Plain, compression, plain)];
        let contents = draft(&mut rng(seed), files, None, &mut store).unwrap().contents;
        let entry = &contents.manifest().segments()[0];
        let sealed = store.source(&contents).0[0][..entry.sealed_len as usize].to_vec();
        described(entry, plain, &[], sealed)
    };
    (1..).zip(cases).map(seal).chain([prefixed_segment()]).collect()
}

/// A segment that is compressed with what stands before it.
fn prefixed_segment() -> Value {
    let before = b"{\"role\":\"user\",\"text\":\"hello\"}\n".repeat(8);
    let plain = b"{\"role\":\"user\",\"text\":\"hello again\"}\n";
    let mut store = Store::default();
    let file = |bytes: &[u8]| files(&[("a", bytes)]);
    let first = draft_files(20, &file(&before), None, &mut store).unwrap();
    let second = draft_files(21, &file(&[&before[..], plain].concat()), Some(&first.contents), &mut store).unwrap();
    let entry = &second.contents.manifest().segments()[1];
    let sealed = store.source(&second.contents).0[1][..entry.sealed_len as usize].to_vec();
    assert_eq!(open_segment(entry, sealed.clone(), &before).unwrap(), plain);
    let mut vector = described(entry, plain, &before, sealed);
    vector.as_object_mut().unwrap().shift_insert(1, "prefix".into(), hex(before).into());
    vector
}

/// A segment that opens behind `before`, and with no byte changed.
fn described(entry: &SegmentEntry, plain: &[u8], before: &[u8], sealed: Vec<u8>) -> Value {
    for (index, flipped) in flips(&sealed) {
        assert!(open_segment(entry, flipped, before).is_err(), "byte {index}");
    }
    let aad = aad(entry.codec.number(), entry.plain_len, entry.prefix_len);
    json!({
        "codec": entry.codec.number(),
        "plain": hex(plain),
        "sha256": hex(entry.sha256),
        "key": hex(entry.key.expose()),
        "aad": hex(&aad),
        "encoded": hex(open(&entry.key, &aad, sealed.clone()).unwrap()),
        "sealed": hex(sealed),
    })
}

/// Segments that open and must be refused while they are decoded.
fn refused_segments() -> Vec<Value> {
    let plain = [b'a'; 100];
    let frame = zstd::bulk::compress(&plain, 3).unwrap();
    let member = |plain: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, plain).unwrap();
        encoder.finish().unwrap()
    };
    let gzip = member(&plain);
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7];
    let mut wide = frame.clone();
    // Instead of "single segment, 100 bytes": a window of 2^24 and no length.
    wide.splice(4..6, [0x00, 14 << 3]);
    let cases: [(&str, u8, Vec<u8>); 9] = [
        ("zstd: two frames", 1, frame.repeat(2)),
        ("zstd: a byte behind the frame", 1, [&frame[..], &[0]].concat()),
        ("zstd: a skippable frame before", 1, [&skippable, &frame[..]].concat()),
        ("zstd: a skippable frame behind", 1, [&frame[..], &skippable].concat()),
        ("zstd: a window of 2^24", 1, wide),
        ("zstd: longer than announced", 1, zstd::bulk::compress(&[b'a'; 101], 3).unwrap()),
        ("gzip: two members", 3, gzip.repeat(2)),
        ("gzip: a byte behind the member", 3, [&gzip[..], &[0]].concat()),
        ("gzip: a bomb", 3, member(&vec![0; 1 << 20])),
    ];
    let refuse = |(why, codec, encoded): (&str, u8, Vec<u8>)| {
        let aad = aad(codec, 100, 0);
        let (key, sealed) = seal_once(&mut rng(9), &aad, encoded);
        let entry = SegmentEntry {
            sha256: sha256(&plain),
            key,
            pack_index: 0,
            offset: 0,
            sealed_len: u32::try_from(sealed.len()).unwrap(),
            plain_len: 100,
            codec: segue_bundle::codec::Codec::from_number(codec).unwrap(),
            prefix_len: 0,
        };
        assert!(open_segment(&entry, sealed.clone(), &[]).is_err(), "{why}");
        json!({
            "why": why,
            "codec": codec,
            "plain_len": 100,
            "sha256": hex(entry.sha256),
            "key": hex(entry.key.expose()),
            "sealed": hex(sealed),
        })
    };
    cases.into_iter().map(refuse).collect()
}

#[test]
fn segment() {
    compare(
        "segment",
        &json!({
            "about": "Sealed segments of each codec; `refused` open with their key and must be refused when decoded.",
            "cases": sealed_segments(),
            "refused": refused_segments(),
        }),
    );
}

fn describe(manifest: &Manifest) -> Value {
    let segment = |entry: &SegmentEntry| {
        json!({
            "sha256": hex(entry.sha256),
            "key": hex(entry.key.expose()),
            "pack_index": entry.pack_index,
            "offset": entry.offset,
            "sealed_len": entry.sealed_len,
            "plain_len": entry.plain_len,
            "codec": entry.codec.number(),
            "prefix_len": entry.prefix_len,
        })
    };
    let files: Vec<_> = manifest
        .files_with_segments()
        .map(|(file, segments)| {
            json!({
                "path": file.path,
                "mode": i32::from(file.mode == FileMode::Executable),
                "size": file.size,
                "segments": segments.iter().map(segment).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "files": files,
        "total": manifest.total(),
        "content_hash": hex(manifest.content_hash()),
        "bytes": hex(manifest.encode().as_slice()),
    })
}

/// A small session: one stored, one gzip, one empty, one executable file.
fn small(store: &mut Store) -> Contents {
    let view = b"{\"role\":\"user\",\"text\":\"h\xc3\xa9llo\"}\n".repeat(40);
    let files = vec![
        source("session.json", FileMode::Plain, Compression::Gzip, b"{\"tool\":\"claude-code\"}"),
        source("native/empty.jsonl", FileMode::Plain, Compression::Gzip, b""),
        source("view.jsonl", FileMode::Plain, Compression::Gzip, &view),
        source("workspace/r\u{e9}sum\u{e9}.sh", FileMode::Executable, Compression::Gzip, b"#!/bin/sh\n"),
    ];
    draft(&mut rng(5), files, None, store).unwrap().contents
}

#[test]
fn manifest() {
    let contents = small(&mut Store::default());
    let refused: Vec<_> =
        hostile_manifests().into_iter().map(|(why, bytes)| json!({ "why": why, "bytes": hex(bytes) })).collect();
    compare(
        "manifest",
        &json!({
            "about": "A manifest, padded, and what is in it; `refused` are well-formed and must be refused.",
            "manifest": describe(contents.manifest()),
            "refused": refused,
        }),
    );
}

#[test]
fn bundle() {
    let mut store = Store::default();
    let contents = small(&mut store);
    let (ann, ben) = (ann(), ben());
    let heading = ann.heading(BundleKind::Handoff);
    let preview: &[u8] = b"{\"summary\":\"Parser fixed, tests missing.\"}";
    let to = [ben.recipient()];
    let sealed =
        seal_bundle(&mut rng(6), &contents, heading, &ann.device, Some(preview), &to, Some(ann.owner())).unwrap();
    let opened = verify(sealed.envelope.as_bytes()).unwrap().unwrap(&ben.keys.encryption, &sealed.wraps[0]).unwrap();
    let received = opened.open_manifest(sealed.sealed_manifest.clone()).unwrap();
    let files: Vec<_> = unpack_files(&received, &store.source(&received))
        .unwrap()
        .iter()
        .map(|(path, bytes)| json!({ "path": path, "size": bytes.len(), "sha256": hex(sha256(bytes)) }))
        .collect();
    let packs: Vec<_> = contents
        .packs()
        .iter()
        .map(|pack| json!({ "id": hex(pack.id), "bytes": hex(&store.packs[&pack.id]) }))
        .collect();
    compare(
        "bundle",
        &json!({
            "about": "A complete bundle. With the sender's card and the recipient's key everything opens; codecs 0 and 3 only.",
            "now": NOW,
            "sender_card": hex(ann.keys.identity.sign_card(ann.card()).encode()),
            "handoff_id": expected().handoff_id,
            "recipient": {
                "kind": "user",
                "id": ben.id,
                "private_key": hex(ben.keys.encryption.expose()),
                "public_key": hex(ben.keys.encryption.public()),
                "epoch": 1,
            },
            "envelope": hex(sealed.envelope.as_bytes()),
            "wrap": hex(sealed.wraps[0].encode()),
            "owner": { "id": ann.id, "owner_key": hex(ann.keys.owner.expose()), "epoch": 1 },
            "own_wrap": hex(sealed.wraps[1].encode()),
            "sealed_preview": hex(sealed.sealed_preview.unwrap()),
            "sealed_manifest": hex(&sealed.sealed_manifest),
            "packs": packs,
            "expected": {
                "claim_proof": hex(opened.claim_proof().as_slice()),
                "preview": std::str::from_utf8(preview).unwrap(),
                "files": files,
            },
        }),
    );
}
