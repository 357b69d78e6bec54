//! envelope.json: a header and its signed envelope, every field filled.

use segue_crypto::RecipientKey;
use segue_signed::{BundleKind, Card, Envelope, Header, PackEntry, SignedEnvelope, WrapKind, sha256};
use serde_json::{Value, json};

use crate::{
    file::{compare, flips, hex},
    people::{ANN, BEN, NOW, ann, ben, card},
};

fn header() -> Header {
    let (keys, device) = ann();
    let recipient = |kind, id: &str, public_key, epoch| RecipientKey { kind, id: id.into(), public_key, epoch };
    Header {
        bundle_id: [0xb0; 16],
        kind: BundleKind::Handoff,
        handoff_id: "hnd_0000000000000000000000000a".into(),
        revision: 1,
        session_id: "ses_0000000000000000000000000a".into(),
        seq: 7,
        parent: Some([0xaa; 32]),
        sender_id: ANN.into(),
        identity_key: keys.identity.public(),
        device_key: device.public(),
        author_id: ANN.into(),
        recipients: vec![
            recipient(WrapKind::User, BEN, ben().0.encryption.public(), 1).recipient(),
            recipient(WrapKind::Team, "team_1", [9; 32], 3).recipient(),
        ],
        card: Card {
            tool: "claude-code".into(),
            model: "model-1".into(),
            title: "Fix the parser – naïve".into(),
            git_remote: "https://example.org/acme/sdk.git".into(),
            git_branch: "main".into(),
            user_messages: 3,
            assistant_messages: 5,
            tool_calls: 8,
            bytes: 123_456,
            updated_at: NOW - 10,
        },
        message: "over to you 🙂".into(),
        ticket: "ABC-1".into(),
        persona: "reviewer".into(),
        attachments: vec!["pr:12".into(), "doc:x".into()],
        created_at: NOW,
        not_after: NOW + 604_800_000,
        directory_head: Some([0xdd; 32]),
    }
}

fn describe_header(header: &Header) -> Value {
    let recipients: Vec<_> = header
        .recipients
        .iter()
        .map(|to| json!({ "kind": to.kind.as_str(), "id": to.id, "key_fp": hex(to.key_fp), "epoch": to.epoch }))
        .collect();
    let card = &header.card;
    json!({
        "bundle_id": hex(header.bundle_id),
        "kind": header.kind.as_str(),
        "handoff_id": header.handoff_id,
        "revision": header.revision,
        "session_id": header.session_id,
        "seq": header.seq,
        "parent": header.parent.map(hex),
        "sender_id": header.sender_id,
        "identity_key": hex(header.identity_key),
        "device_key": hex(header.device_key),
        "author_id": header.author_id,
        "recipients": recipients,
        "card": {
            "tool": card.tool,
            "model": card.model,
            "title": card.title,
            "git_remote": card.git_remote,
            "git_branch": card.git_branch,
            "user_messages": card.user_messages,
            "assistant_messages": card.assistant_messages,
            "tool_calls": card.tool_calls,
            "bytes": card.bytes,
            "updated_at": card.updated_at,
        },
        "message": header.message,
        "ticket": header.ticket,
        "persona": header.persona,
        "attachments": header.attachments,
        "created_at": header.created_at,
        "not_after": header.not_after,
        "directory_head": header.directory_head.map(hex),
        "bytes": hex(header.encode()),
        "hash": hex(sha256(&header.encode())),
    })
}

#[test]
fn envelope() {
    let (keys, device) = ann();
    let sender = card(ANN, &keys, &device);
    let envelope = Envelope {
        header: header(),
        manifest_hash: [0x01; 32],
        manifest_len: 4112,
        preview_hash: Some([0x02; 32]),
        packs: vec![
            PackEntry { id: [0xa1; 16], sha256: [0x03; 32], len: 1024 },
            PackEntry { id: [0xa2; 16], sha256: [0x04; 32], len: 67_108_864 },
        ],
        commit: [0x05; 32],
        claim_check: [0x06; 32],
    };
    let signed = device.sign_envelope(envelope.clone());
    assert_eq!(SignedEnvelope::parse(signed.as_bytes()).unwrap().verify(&sender), Ok(&envelope));
    for (index, flipped) in flips(signed.as_bytes()) {
        let accepted = SignedEnvelope::parse(&flipped).is_ok_and(|signed| signed.verify(&sender).is_ok());
        assert!(!accepted, "byte {index}");
    }
    let pack = |pack: &PackEntry| json!({ "id": hex(pack.id), "sha256": hex(pack.sha256), "len": pack.len });
    compare(
        "envelope",
        &json!({
            "about": "bytes = E || Sig(\"envelope\") by the device of sender_card. Any changed byte is refused.",
            "device_seed": hex(device.expose()),
            "sender_card": hex(keys.identity.sign_card(sender).encode()),
            "header": describe_header(&envelope.header),
            "manifest_hash": hex(envelope.manifest_hash),
            "manifest_len": envelope.manifest_len,
            "preview_hash": envelope.preview_hash.map(hex),
            "packs": envelope.packs.iter().map(pack).collect::<Vec<_>>(),
            "commit": hex(envelope.commit),
            "claim_check": hex(envelope.claim_check),
            "signature": hex(signed.signature),
            "bytes": hex(signed.as_bytes()),
            "hash": hex(signed.hash()),
        }),
    );
}
