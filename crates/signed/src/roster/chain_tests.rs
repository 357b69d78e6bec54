//! What a server, a member or a thief can not make of a team.

use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;

use super::*;
use crate::{
    Device, DeviceKind, KeyCard, Member, MemberRole, Unverified, roster::identity_fingerprint, sha256,
    sig::signed_bytes,
};

/// People by number: each has an identity key, a good device, one that was revoked, and an agent.
fn key(person: u8, use_: u8) -> SigningKey {
    SigningKey::from_bytes(&sha256(&[person, use_]))
}

const IDENTITY: u8 = 0;
const GOOD: u8 = 1;
const REVOKED: u8 = 2;
const AGENT: u8 = 3;
const FOREIGN: u8 = 4;

fn name(person: u8) -> String {
    format!("usr_{person:03}")
}

fn public(person: u8, use_: u8) -> [u8; 32] {
    key(person, use_).verifying_key().to_bytes()
}

fn card(person: u8) -> SignedKeyCard {
    let device = |use_, kind, revoked_at| Device {
        id: format!("dev_{use_}"),
        key: public(person, use_),
        kind,
        added_at: 0,
        revoked_at,
    };
    let card = KeyCard {
        user_id: name(person),
        seq: 1,
        previous: None,
        identity_key: public(person, IDENTITY),
        encryption_key: [9; 32],
        epoch: 1,
        devices: vec![
            device(GOOD, DeviceKind::Full, None),
            device(REVOKED, DeviceKind::Full, Some(1)),
            device(AGENT, DeviceKind::Agent, None),
        ],
        keyring_version: 0,
        keyring_hash: None,
        created_at: 0,
    };
    let signature = key(person, IDENTITY).sign(&signed_bytes(KeyCard::SIGNATURE_LABEL, &card.encode())).to_bytes();
    SignedKeyCard { card, signature, old_signature: None }
}

fn members(people: &[(u8, MemberRole)]) -> Vec<Member> {
    let mut members: Vec<_> = people
        .iter()
        .map(|&(person, role)| Member {
            user_id: name(person),
            identity_fp: identity_fingerprint(&public(person, IDENTITY)),
            role,
        })
        .collect();
    members.sort_by(|one, other| one.user_id.cmp(&other.user_id));
    members
}

fn sign_with(roster: Roster, person: u8, device: u8) -> SignedRoster {
    let (signer_id, device_key) = (name(person), public(person, device));
    let bytes = SignedRoster::to_sign(&roster, &signer_id, &device_key);
    let signature = key(person, device).sign(&signed_bytes(SignedRoster::SIGNATURE_LABEL, &bytes)).to_bytes();
    SignedRoster { roster, signer_id, device_key, signature }
}

fn sign(roster: Roster, person: u8) -> SignedRoster {
    sign_with(roster, person, GOOD)
}

fn first(signer: u8, people: &[(u8, MemberRole)]) -> Roster {
    let (members, team_key) = (members(people), [40; 32]);
    let team_id = Roster::first_id(&name(signer), &team_key, &members);
    Roster { team_id, version: 1, previous: None, epoch: 1, team_key, members }
}

/// The roster after `before` with these people, as an honest admin would write it.
fn next(before: &Roster, people: &[(u8, MemberRole)]) -> Roster {
    let mut roster = Roster {
        version: before.version + 1,
        previous: Some(before.hash()),
        members: members(people),
        ..before.clone()
    };
    if !roster.is_dissolved() && roster.leaves_out(before) {
        roster.epoch += 1;
        roster.team_key = [40 + u8::try_from(roster.epoch % 100).unwrap(); 32];
    }
    roster
}

const ANN: (u8, MemberRole) = (1, MemberRole::Admin);
const BEN: (u8, MemberRole) = (2, MemberRole::Member);
const CY: (u8, MemberRole) = (3, MemberRole::Admin);

/// Ann's team with Ben and Cy, who is an admin too.
fn begun() -> Chain {
    Chain::begin(&sign(first(1, &[ANN, BEN, CY]), 1), &card(1)).unwrap()
}

/// What comes of it when `person` signs `roster` next.
fn after(chain: &Chain, roster: Roster, person: u8) -> Result<(), RosterRefused> {
    chain.clone().push(&sign(roster, person), &card(person))
}

#[test]
fn admins_continue_the_chain_and_nobody_else() {
    let chain = begun();
    let same = || next(chain.newest(), &[ANN, BEN, CY]);
    assert_eq!((after(&chain, same(), 1), after(&chain, same(), 3)), (Ok(()), Ok(())));
    assert_eq!(after(&chain, same(), 2), Err(RosterRefused::NotAdmin), "a member");
    assert_eq!(after(&chain, same(), 7), Err(RosterRefused::NotAdmin), "a stranger");
    let mine = next(chain.newest(), &[ANN, BEN, CY, (7, MemberRole::Admin)]);
    assert_eq!(after(&chain, mine, 7), Err(RosterRefused::NotAdmin), "an admin by their own word");
    for device in [AGENT, FOREIGN] {
        let by = sign_with(same(), 1, device);
        assert_eq!(chain.clone().push(&by, &card(1)), Err(Unverified::Device.into()));
    }
    assert_eq!(chain.clone().push(&sign(same(), 1), &card(3)), Err(Unverified::Identity.into()), "another's card");
    let mut forged = sign(same(), 1);
    forged.signature[0] ^= 1;
    assert_eq!(chain.clone().push(&forged, &card(1)), Err(Unverified::Signature.into()));
}

#[test]
fn an_admin_is_one_under_the_identity_key_that_the_roster_names() {
    let mut roster = first(1, &[ANN, BEN, CY]);
    let other = identity_fingerprint(&[1; 32]);
    roster.members.iter_mut().filter(|member| member.user_id == name(3)).for_each(|member| member.identity_fp = other);
    roster.team_id = Roster::first_id(&name(1), &roster.team_key, &roster.members);
    let chain = Chain::begin(&sign(roster, 1), &card(1)).unwrap();
    let kept = Roster { version: 2, previous: Some(chain.newest().hash()), ..chain.newest().clone() };
    assert_eq!(after(&chain, kept.clone(), 3), Err(RosterRefused::NotAdmin));
    assert_eq!(after(&chain, kept, 1), Ok(()));
    // A member with another identity key is another member: the team key is theirs no more.
    let rekeyed = next(chain.newest(), &[ANN, BEN, CY]);
    assert_eq!(rekeyed.epoch, 2);
    assert_eq!(after(&chain, Roster { epoch: 1, team_key: [40; 32], ..rekeyed.clone() }, 1), Err(RosterRefused::Epoch));
    assert_eq!(after(&chain, rekeyed, 1), Ok(()));
}

#[test]
fn the_id_of_a_team_is_its_first_roster() {
    let honest = first(1, &[ANN, BEN]);
    let begin = |roster: Roster, person| Chain::begin(&sign(roster, person), &card(person)).map(drop);
    assert_eq!(begin(honest.clone(), 1), Ok(()));
    for (what, changed) in [
        ("members", Roster { members: members(&[ANN, CY]), ..honest.clone() }),
        ("team key", Roster { team_key: [41; 32], ..honest.clone() }),
        ("id", Roster { team_id: [0; 16], ..honest.clone() }),
        ("version", Roster { version: 2, ..honest.clone() }),
        ("previous", Roster { previous: Some([1; 32]), ..honest.clone() }),
        ("epoch", Roster { epoch: 2, ..honest.clone() }),
    ] {
        assert_eq!(begin(changed, 1), Err(Unverified::Chain.into()), "{what}");
    }
    assert_eq!(begin(honest, 3), Err(Unverified::Chain.into()), "another signer");
    assert_eq!(begin(first(3, &[ANN, BEN]), 3), Err(RosterRefused::NotAdmin), "who is not in it");
    assert_eq!(begin(first(2, &[ANN, BEN]), 2), Err(RosterRefused::NotAdmin), "who is no admin in it");
    assert_eq!(begin(first(1, &[]), 1), Err(RosterRefused::NotAdmin), "nobody in it");
    let weak = Roster { team_key: [0; 32], ..first(1, &[ANN]) };
    assert_eq!(begin(weak, 1), Err(Unverified::WeakKey.into()));
}

#[test]
fn forks_and_gaps_are_no_continuation() {
    let chain = begun();
    let good = next(chain.newest(), &[ANN, BEN, CY]);
    for (what, wrong) in [
        ("another team", Roster { team_id: [0; 16], ..good.clone() }),
        ("a version left out", Roster { version: 3, ..good.clone() }),
        ("the same version", Roster { version: 1, ..good.clone() }),
        ("another roster before", Roster { previous: Some([1; 32]), ..good.clone() }),
        ("none before", Roster { previous: None, ..good.clone() }),
    ] {
        assert_eq!(after(&chain, wrong, 1), Err(Unverified::Chain.into()), "{what}");
    }
    let last = Roster { version: u32::MAX, ..chain.newest().clone() };
    let wrapped = Roster { version: 0, previous: Some(last.hash()), ..last.clone() };
    let chain = Chain::resume(&sign(last, 1), &card(1)).unwrap();
    assert_eq!(after(&chain, wrapped, 1), Err(Unverified::Chain.into()), "no version comes after the last");
}

#[test]
fn the_key_changes_when_somebody_leaves_and_only_then() {
    let chain = begun();
    let head = chain.newest();
    let without_ben = next(head, &[ANN, CY]);
    assert_eq!(after(&chain, without_ben.clone(), 1), Ok(()));
    for (what, wrong) in [
        ("the epoch stays", Roster { epoch: 1, ..without_ben.clone() }),
        ("the key stays", Roster { team_key: head.team_key, ..without_ben.clone() }),
        ("both stay", Roster { epoch: 1, team_key: head.team_key, ..without_ben.clone() }),
        ("an epoch is left out", Roster { epoch: 3, ..without_ben }),
        ("a new key for the same people", Roster { epoch: 2, team_key: [50; 32], ..next(head, &[ANN, BEN, CY]) }),
        ("another key of the same epoch", Roster { team_key: [50; 32], ..next(head, &[ANN, BEN, CY]) }),
    ] {
        assert_eq!(after(&chain, wrong, 1), Err(RosterRefused::Epoch), "{what}");
    }
    let joined = next(head, &[ANN, BEN, CY, (4, MemberRole::Member)]);
    assert_eq!((joined.epoch, after(&chain, joined, 1)), (1, Ok(())));
    let weak = Roster { team_key: [0; 32], ..next(head, &[ANN, CY]) };
    assert_eq!(after(&chain, weak, 1), Err(Unverified::WeakKey.into()));
}

#[test]
fn a_team_always_has_an_admin_until_it_ends_for_good() {
    let mut chain = begun();
    let nobody_signs = next(chain.newest(), &[(1, MemberRole::Member), BEN, (3, MemberRole::Member)]);
    assert_eq!(after(&chain, nobody_signs, 1), Err(RosterRefused::NoAdmin));
    let end = next(chain.newest(), &[]);
    assert_eq!(after(&chain, end.clone(), 2), Err(RosterRefused::NotAdmin));
    let rekeyed = Roster { epoch: 2, team_key: [50; 32], ..end.clone() };
    assert_eq!(after(&chain, rekeyed, 1), Err(RosterRefused::Epoch));
    chain.push(&sign(end, 1), &card(1)).unwrap();
    assert!(chain.head().unwrap().is_dissolved());
    assert_eq!(after(&chain, next(chain.newest(), &[ANN]), 1), Err(RosterRefused::Dissolved));
}

#[test]
fn who_was_removed_signs_nothing_any_more() {
    let mut chain = begun();
    chain.push(&sign(next(chain.newest(), &[ANN, BEN]), 1), &card(1)).unwrap();
    assert_eq!(after(&chain, next(chain.newest(), &[ANN, BEN, CY]), 3), Err(RosterRefused::NotAdmin));
    // And who is an admin no more.
    let mut chain = begun();
    chain.push(&sign(next(chain.newest(), &[ANN, BEN, (3, MemberRole::Member)]), 1), &card(1)).unwrap();
    assert_eq!(after(&chain, next(chain.newest(), &[ANN, BEN, CY]), 3), Err(RosterRefused::NotAdmin));
}

#[test]
fn a_revoked_device_has_signed_the_past_but_not_the_present() {
    let mut chain = begun();
    chain.push(&sign_with(next(chain.newest(), &[ANN, BEN, CY]), 1, REVOKED), &card(1)).unwrap();
    assert_eq!(chain.head().map(drop), Err(RosterRefused::Revoked));
    chain.push(&sign(next(chain.newest(), &[ANN, BEN, CY]), 1), &card(1)).unwrap();
    assert_eq!(chain.head().map(|head| head.version), Ok(3));
    let known = sign_with(first(1, &[ANN, BEN]), 1, REVOKED);
    for chain in [Chain::begin(&known, &card(1)).unwrap(), Chain::resume(&known, &card(1)).unwrap()] {
        assert_eq!(chain.head().map(drop), Err(RosterRefused::Revoked));
    }
}

#[test]
fn a_thief_of_a_revoked_device_brings_no_accomplice_in() {
    let thief = (6, MemberRole::Admin);
    let mut chain = begun();
    chain.push(&sign_with(next(chain.newest(), &[ANN, BEN, CY, thief]), 1, REVOKED), &card(1)).unwrap();
    for _ in 0..3 {
        chain.push(&sign(next(chain.newest(), &[ANN, BEN, CY, thief]), 6), &card(6)).unwrap();
        assert_eq!(chain.head().map(drop), Err(RosterRefused::Revoked), "the accomplice confirms what made them one");
    }
    // Whoever was an admin before may confirm it, and sees whom they confirm.
    chain.push(&sign(next(chain.newest(), &[ANN, BEN, CY]), 3), &card(3)).unwrap();
    assert!(chain.head().unwrap().member(&name(6)).is_none());
}

#[test]
fn a_device_that_was_removed_with_its_identity_key_has_signed_the_past_only() {
    // The newest card of the old identity cannot say that the device was removed; the one that Ann has now does.
    let mut now = card(1).card;
    (now.identity_key, now.epoch) = (public(1, FOREIGN), 2);
    now.devices[0].revoked_at = Some(2);
    let thief = (6, MemberRole::Admin);
    let first = sign(first(1, &[ANN, CY]), 1);
    let mut chain = Chain::begin_now(&first, &card(1), &now).unwrap();
    assert_eq!(chain.head().map(drop), Err(RosterRefused::Revoked));
    chain.push_now(&sign(next(chain.newest(), &[ANN, CY, thief]), 1), &card(1), &now).unwrap();
    chain.push(&sign(next(chain.newest(), &[ANN, CY, thief]), 6), &card(6)).unwrap();
    assert_eq!(chain.head().map(drop), Err(RosterRefused::Revoked), "an accomplice");
    assert!(Chain::resume_now(&first, &card(1), &now).unwrap().head().is_err());
    // Another of her devices may, by the right of the key before.
    let mut stays = now.clone();
    stays.devices[0].revoked_at = None;
    let mut chain = Chain::resume_now(&first, &card(1), &now).unwrap();
    chain.push_now(&sign(next(chain.newest(), &[ANN, CY]), 1), &card(1), &stays).unwrap();
    assert!(chain.head().is_ok());
    // Somebody else's card says nothing of hers.
    assert!(Chain::begin_now(&first, &card(1), &card(2).card).unwrap().head().is_err());
}

fn people() -> impl Strategy<Value = Vec<(u8, MemberRole)>> {
    let role = prop_oneof![Just(MemberRole::Admin), Just(MemberRole::Member)];
    prop::collection::btree_map(0_u8..6, role, 0..6).prop_map(|people| people.into_iter().collect())
}

proptest! {
    /// Whatever is done in whatever order: a roster is taken exactly when an admin of the one before signed it and it keeps
    /// an admin or ends the team.
    #[test]
    fn the_rules_hold_over_any_history(history in prop::collection::vec((people(), 0_u8..6), 0..12)) {
        let begin = first(1, &[ANN, (2, MemberRole::Admin), (3, MemberRole::Member)]);
        let mut chain = Chain::begin(&sign(begin, 1), &card(1)).unwrap();
        for (people, signer) in history {
            let before = chain.newest().clone();
            let roster = next(&before, &people);
            let may = before.is_admin(&name(signer), &identity_fingerprint(&public(signer, IDENTITY)));
            let keeps = people.is_empty() || people.iter().any(|(_, role)| *role == MemberRole::Admin);
            let taken = chain.push(&sign(roster.clone(), signer), &card(signer));
            prop_assert_eq!(taken.is_ok(), may && keeps && !before.is_dissolved());
            prop_assert_eq!(chain.head().unwrap(), if taken.is_ok() { &roster } else { &before });
            prop_assert!(taken.is_err() || roster.is_dissolved() || (roster.epoch > before.epoch) == roster.leaves_out(&before));
        }
    }

    #[test]
    fn what_is_written_is_read_back(people in people(), version: u32, epoch: u32, previous: Option<[u8; 32]>) {
        let roster = Roster { version, previous, epoch, ..first(1, &people) };
        let signed = sign(roster, 1);
        prop_assert_eq!(SignedRoster::parse(&signed.encode()), Ok(signed));
    }

    #[test]
    fn any_bytes_are_refused_or_are_their_own_spelling(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(signed) = SignedRoster::parse(&bytes) {
            prop_assert_eq!(signed.encode(), bytes);
        }
    }
}
