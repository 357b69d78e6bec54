//! The bounds of signed structures: at the bound it is read, one above it the field is named.

use segue_signed::{
    BundleKind, Card, Device, DeviceKind, Envelope, Header, KeyCard, Malformed, Member, MemberRole, PackEntry,
    Recipient, Roster, SignedEnvelope, SignedKeyCard, SignedRoster, Wrap, WrapKind,
    card::CARD_TEXT_MAX,
    envelope::{ENVELOPE_BYTES_MAX, PACKS_MAX},
    header::{
        ATTACHMENT_BYTES_MAX, ATTACHMENTS_MAX, CARD_BYTES_MAX, MESSAGE_BYTES_MAX, PROVENANCE_BYTES_MAX, RECIPIENTS_MAX,
    },
    keycard::{DEVICES_MAX, ID_MAX},
    lv::INTEGER_MAX,
    roster::MEMBERS_MAX,
};

fn recipient(number: usize) -> Recipient {
    Recipient { kind: WrapKind::User, id: format!("usr_{number}"), key_fp: [1; 32], epoch: 1 }
}

fn header() -> Header {
    Header {
        bundle_id: [1; 16],
        kind: BundleKind::Handoff,
        handoff_id: "hnd_1".into(),
        revision: 0,
        session_id: "ses_1".into(),
        seq: 1,
        parent: None,
        sender_id: "usr_ann".into(),
        identity_key: [2; 32],
        device_key: [3; 32],
        author_id: "usr_ann".into(),
        recipients: vec![recipient(0)],
        card: Card::default(),
        message: String::new(),
        ticket: String::new(),
        persona: String::new(),
        attachments: Vec::new(),
        created_at: 1,
        not_after: 2,
        directory_head: None,
    }
}

/// Makes a header with `at_bound` of something, and one with one more.
fn bounded(field: &'static str, at_bound: usize, change: impl Fn(&mut Header, usize)) {
    let read = |count| {
        let mut header = header();
        change(&mut header, count);
        Header::parse(&header.encode()).map(|read| assert_eq!(read, header))
    };
    assert_eq!(read(at_bound), Ok(()), "{field}");
    assert_eq!(read(at_bound + 1), Err(Malformed::Field(field)));
}

fn text(len: usize) -> String {
    "x".repeat(len)
}

#[test]
fn of_a_header() {
    bounded("message", MESSAGE_BYTES_MAX, |header, len| header.message = text(len));
    bounded("ticket", PROVENANCE_BYTES_MAX, |header, len| header.ticket = text(len));
    bounded("persona", PROVENANCE_BYTES_MAX, |header, len| header.persona = text(len));
    bounded("attachment", ATTACHMENT_BYTES_MAX, |header, len| header.attachments = vec![text(len)]);
    bounded("attachments", ATTACHMENTS_MAX, |header, count| header.attachments = vec![text(1); count]);
    bounded("recipients", RECIPIENTS_MAX, |header, count| header.recipients = (0..count).map(recipient).collect());
    bounded("recipient id", ID_MAX, |header, len| header.recipients[0].id = text(len));
    bounded("handoff id", ID_MAX, |header, len| header.handoff_id = text(len));
    bounded("session id", ID_MAX, |header, len| header.session_id = text(len));
    bounded("sender id", ID_MAX, |header, len| header.sender_id = text(len));
    bounded("author id", ID_MAX, |header, len| header.author_id = text(len));
}

#[test]
fn of_an_integer() {
    let most = usize::try_from(INTEGER_MAX).expect("a test runs where 53 bits fit");
    bounded("seq", most, |header, value| header.seq = value as u64);
    bounded("created", most, |header, value| header.created_at = value as u64);
    bounded("not after", most, |header, value| header.not_after = value as u64);
    bounded("card bytes", most, |header, value| header.card.bytes = value as u64);
}

#[test]
fn of_a_card() {
    bounded("card tool", CARD_TEXT_MAX, |header, len| header.card.tool = text(len));
    bounded("card model", CARD_TEXT_MAX, |header, len| header.card.model = text(len));
    bounded("card title", CARD_TEXT_MAX, |header, len| header.card.title = text(len));
    bounded("card remote", CARD_TEXT_MAX, |header, len| header.card.git_remote = text(len));
    bounded("card branch", CARD_TEXT_MAX, |header, len| header.card.git_branch = text(len));
    let full = || text(CARD_TEXT_MAX);
    let card =
        Card { tool: full(), model: full(), title: full(), git_remote: full(), git_branch: full(), ..Card::default() };
    assert!(card.encode().len() <= CARD_BYTES_MAX, "the longest card fits: {}", card.encode().len());
    // A longer one is refused by its length, before its fields are looked at.
    let mut long = header();
    long.card.title = text(CARD_BYTES_MAX);
    assert_eq!(Header::parse(&long.encode()), Err(Malformed::Field("card")));
}

fn envelope(header: Header, packs: usize) -> SignedEnvelope {
    let pack = |number: usize| PackEntry { id: (number as u128).to_be_bytes(), sha256: [1; 32], len: INTEGER_MAX };
    let envelope = Envelope {
        header,
        manifest_hash: [1; 32],
        manifest_len: 1,
        preview_hash: Some([1; 32]),
        packs: (0..packs).map(pack).collect(),
        commit: [1; 32],
        claim_check: [1; 32],
    };
    SignedEnvelope::new(envelope, [0; 64])
}

#[test]
fn of_an_envelope() {
    let at_bound = envelope(header(), PACKS_MAX);
    assert_eq!(SignedEnvelope::parse(at_bound.as_bytes()), Ok(at_bound.clone()));
    let over = envelope(header(), PACKS_MAX + 1);
    assert_eq!(SignedEnvelope::parse(over.as_bytes()), Err(Malformed::Field("packs")));

    let mut full = header();
    full.message = text(MESSAGE_BYTES_MAX);
    full.attachments = vec![text(ATTACHMENT_BYTES_MAX); ATTACHMENTS_MAX];
    full.recipients = (0..RECIPIENTS_MAX).map(|at| Recipient { id: format!("{at:064}"), ..recipient(at) }).collect();
    let full = envelope(full, PACKS_MAX);
    assert!(full.as_bytes().len() <= ENVELOPE_BYTES_MAX, "the longest envelope fits: {}", full.as_bytes().len());
    assert!(SignedEnvelope::parse(full.as_bytes()).is_ok());
    // At the bound it is the structure that is wrong, above it the length.
    let garbage = vec![0; ENVELOPE_BYTES_MAX + 1];
    assert_eq!(SignedEnvelope::parse(&garbage[1..]), Err(Malformed::Unknown("segue/envelope/1")));
    assert_eq!(SignedEnvelope::parse(&garbage), Err(Malformed::Field("envelope")));
}

#[test]
fn of_a_key_card_and_a_wrap() {
    let device = |id: String| Device { id, key: [1; 32], kind: DeviceKind::Full, added_at: 1, revoked_at: None };
    let read = |devices: usize, id: usize| {
        let card = KeyCard {
            user_id: text(id),
            seq: 1,
            previous: None,
            identity_key: [1; 32],
            encryption_key: [2; 32],
            epoch: 1,
            devices: vec![device(text(id)); devices],
            keyring_version: 0,
            keyring_hash: None,
            created_at: 1,
        };
        let signed = SignedKeyCard { card, signature: [0; 64], old_signature: None };
        SignedKeyCard::parse(&signed.encode()).map(drop)
    };
    assert_eq!(read(DEVICES_MAX, ID_MAX), Ok(()));
    assert_eq!(read(DEVICES_MAX + 1, ID_MAX), Err(Malformed::Field("devices")));
    assert_eq!(read(1, ID_MAX + 1), Err(Malformed::Field("card user")));
    let wrap = |len| Wrap { kind: WrapKind::Own, id: text(len), key_fp: [0; 32], epoch: 1, enc: None, ct: [0; 48] };
    assert!(Wrap::parse(&wrap(ID_MAX).encode()).is_ok());
    assert_eq!(Wrap::parse(&wrap(ID_MAX + 1).encode()), Err(Malformed::Field("wrap id")));
}

#[test]
fn of_a_roster() {
    let read = |count: usize, user: usize| {
        let member = |number: usize| Member {
            user_id: format!("{number:0user$}"),
            identity_fp: [1; 32],
            role: MemberRole::Member,
        };
        let members = (0..count).map(member).collect();
        let roster = Roster { team_id: [1; 16], version: 1, previous: None, epoch: 1, team_key: [2; 32], members };
        let signed = SignedRoster { roster, signer_id: text(user), device_key: [3; 32], signature: [4; 64] };
        SignedRoster::parse(&signed.encode()).map(|read| assert_eq!(read, signed))
    };
    assert_eq!(read(MEMBERS_MAX, ID_MAX), Ok(()));
    assert_eq!(read(MEMBERS_MAX + 1, ID_MAX), Err(Malformed::Field("members")));
    assert_eq!(read(1, ID_MAX + 1), Err(Malformed::Field("member user")));
    assert_eq!(read(0, ID_MAX + 1), Err(Malformed::Field("roster signer")));
}

#[test]
fn of_the_order_in_a_roster() {
    let read = |users: [&str; 2]| {
        let member = |user: &str| Member { user_id: user.to_owned(), identity_fp: [1; 32], role: MemberRole::Admin };
        let members = users.map(member).into();
        let roster = Roster { team_id: [1; 16], version: 1, previous: None, epoch: 1, team_key: [2; 32], members };
        SignedRoster::parse(
            &SignedRoster { roster, signer_id: text(1), device_key: [3; 32], signature: [4; 64] }.encode(),
        )
        .map(drop)
    };
    assert_eq!(read(["usr_a", "usr_b"]), Ok(()));
    for wrong in [["usr_b", "usr_a"], ["usr_a", "usr_a"]] {
        assert_eq!(read(wrong), Err(Malformed::Field("members")));
    }
}
