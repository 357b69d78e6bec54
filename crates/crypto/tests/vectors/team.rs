//! team.json: a team of three rosters, and its key locked for a member.

use rand_chacha::rand_core::Rng as _;
use segue_crypto::{
    EncryptionKey, TeamKeyRef,
    fingerprint::team_fingerprint,
    team_key::{unwrap_team_key, wrap_team_key},
};
use segue_signed::{
    Member, MemberRole, Roster, SUITE, SignedKeyCard, SignedRoster, TeamKeyWrap,
    lv::Writer,
    roster::{Chain, identity_fingerprint},
};
use serde_json::{Value, json};

use crate::{
    file::{compare, flips, hex},
    people::{ANN, BEN, ann, ben, card, rng},
};

fn member(user_id: &str, signed: &SignedKeyCard, role: MemberRole) -> Member {
    Member { user_id: user_id.into(), identity_fp: identity_fingerprint(&signed.card.identity_key), role }
}

fn describe(signed: &SignedRoster) -> Value {
    let roster = &signed.roster;
    let members: Vec<_> = roster
        .members
        .iter()
        .map(|member| {
            json!({"user_id": member.user_id, "identity_fp": hex(member.identity_fp), "role": member.role.as_str()})
        })
        .collect();
    json!({
        "team_id": hex(roster.team_id),
        "version": roster.version,
        "previous": roster.previous.map(hex),
        "epoch": roster.epoch,
        "team_key": hex(roster.team_key),
        "members": members,
        "hash": hex(roster.hash()),
        "signer_id": signed.signer_id,
        "device_key": hex(signed.device_key),
        "bytes": hex(signed.encode()),
    })
}

fn describe_wrap(team: TeamKeyRef<'_>, wrap: &TeamKeyWrap) -> Value {
    let info = Writer::labelled("segue/teamkey/1")
        .u8(SUITE)
        .bytes(team.team_id)
        .u32(team.epoch)
        .bytes(team.public_key)
        .text(&wrap.user_id)
        .bytes(&wrap.key_fp)
        .u32(wrap.key_epoch)
        .finish();
    let mut ephemeral_ikm = [0; 32];
    rng(6).fill_bytes(&mut ephemeral_ikm);
    json!({
        "user_id": wrap.user_id,
        "key_fp": hex(wrap.key_fp),
        "key_epoch": wrap.key_epoch,
        "ephemeral_ikm": hex(ephemeral_ikm),
        "info": hex(info),
        "enc": hex(wrap.enc),
        "ct": hex(wrap.ct),
        "bytes": hex(wrap.encode()),
    })
}

/// Any changed byte is refused: it does not parse, or the chain does not take it.
fn refuse_flips(signed: &SignedRoster, take: impl Fn(&SignedRoster) -> bool) {
    assert!(take(signed));
    for (index, flipped) in flips(&signed.encode()) {
        assert!(!SignedRoster::parse(&flipped).is_ok_and(|signed| take(&signed)), "byte {index}");
    }
}

#[test]
fn team() {
    let ((ann, device), (ben, bens_device)) = (ann(), ben());
    let anns = ann.identity.sign_card(card(ANN, &ann, &device));
    let bens = ben.identity.sign_card(card(BEN, &ben, &bens_device));
    let (key, next_key) = (EncryptionKey::generate(&mut rng(5)), EncryptionKey::generate(&mut rng(7)));

    let members = vec![member(ANN, &anns, MemberRole::Admin), member(BEN, &bens, MemberRole::Member)];
    let team_id = Roster::first_id(ANN, &key.public(), &members);
    let first = Roster { team_id, version: 1, previous: None, epoch: 1, team_key: key.public(), members };
    let first = device.sign_roster(first, ANN);
    refuse_flips(&first, |signed| Chain::begin(signed, &anns).is_ok());

    let alone = Roster {
        version: 2,
        previous: Some(first.roster.hash()),
        epoch: 2,
        team_key: next_key.public(),
        members: vec![member(ANN, &anns, MemberRole::Admin)],
        ..first.roster.clone()
    };
    let alone = device.sign_roster(alone, ANN);
    let mut chain = Chain::begin(&first, &anns).unwrap();
    refuse_flips(&alone, |signed| chain.clone().push(signed, &anns).is_ok());
    chain.push(&alone, &anns).unwrap();
    let end = Roster { version: 3, previous: Some(alone.roster.hash()), members: Vec::new(), ..alone.roster.clone() };
    let end = device.sign_roster(end, ANN);
    refuse_flips(&end, |signed| chain.clone().push(signed, &anns).is_ok());

    let team = TeamKeyRef::of(&first.roster);
    let wrap = wrap_team_key(&mut rng(6), &key, team, &bens.card).unwrap();
    let open = |wrap: &TeamKeyWrap| unwrap_team_key(&ben.encryption, team, wrap);
    assert_eq!(open(&wrap).unwrap().expose(), key.expose());
    for (index, flipped) in flips(&wrap.encode()) {
        assert!(!TeamKeyWrap::parse(&flipped).is_ok_and(|wrap| open(&wrap).is_ok()), "byte {index}");
    }

    compare(
        "team",
        &json!({
            "about": "A team that Ann begins with Ben, then without him, then ends; and its first key, locked for Ben. \
                      Any changed byte is refused.",
            "suite": SUITE,
            "key_cards": [hex(anns.encode()), hex(bens.encode())],
            "fingerprint": team_fingerprint(&first.roster.hash()),
            "rosters": [describe(&first), describe(&alone), describe(&end)],
            "team_private": hex(key.expose()),
            "recipient_private": hex(ben.encryption.expose()),
            "wrap": describe_wrap(team, &wrap),
        }),
    );
}
