//! Signed structures: whatever is accepted is written back byte for byte, so that a hash of one has one meaning.

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use segue_crypto::{Keyring, KeyringKey, KeyringPlace};
use segue_signed::{
    Card, CardChange, Header, RootWrap, SignedEnvelope, SignedKeyCard, SignedRoster, TeamKeyWrap, Wrap, lv::Writer, sig,
};

use super::Target;
use crate::corpus;

/// Whose keyring is read.
const OWNER: KeyringPlace<'static> = KeyringPlace { user_id: "usr_ann", epoch: 9, version: 1 };

/// Envelope, header, card, key card, wrap, roster, team key, root wrap, keyring and signature.
pub(super) struct Signed;

impl Target for Signed {
    fn name(&self) -> &'static str {
        "signed"
    }

    fn corpus(&self) -> Vec<Vec<u8>> {
        let keys = ["bytes", "envelope", "wrap", "own_wrap", "sender_card"];
        let mut inputs: Vec<_> =
            ["envelope.json", "keycard.json", "wrap.json", "team.json", "bundle.json", "devices.json"]
                .iter()
                .flat_map(|name| corpus::vectors(name, &keys))
                .collect();
        let headers: Vec<_> = inputs.iter().filter_map(|bytes| SignedEnvelope::parse(bytes).ok()).collect();
        inputs.extend(headers.iter().map(|signed| signed.envelope.header.card.encode()));
        // Key, signature and message.
        inputs.extend(headers.iter().map(|signed| {
            [&signed.envelope.header.device_key[..], &signed.signature, &signed.envelope.encode()].concat()
        }));
        // A plain keyring.
        let root = Writer::default().u32(1).bytes(&[7; 32]).finish();
        inputs.push(Writer::labelled("segue/keyring/1").text(OWNER.user_id).u64(1).list(&[root], Vec::clone).finish());
        inputs
    }

    fn dictionary(&self) -> &'static [&'static [u8]] {
        &[
            b"\x10segue/envelope/1",
            b"\x0esegue/bundle/1",
            b"\x0fsegue/keycard/1",
            b"\x0csegue/card/1",
            b"\x0esegue/roster/1",
            b"\x10segue/rootwrap/1",
            b"\x0fsegue/keyring/1",
            b"\x05admin",
            b"\x06member",
            b"\x08snapshot",
            b"\x07handoff",
            b"\x06device",
            b"\x04user",
            b"\x04team",
            b"\x06invite",
            b"\x03own",
            b"\x04full",
            b"\x05agent",
            b"\x01\x01",
            b"\x00",
            b"\x08\x00\x20\x00\x00\x00\x00\x00\x00",
        ]
    }

    /// The structure, its copy and its encoding; a list item holds some strings for each few bytes.
    fn memory_max(&self, input_len: usize) -> u64 {
        64 * 1024 + 64 * input_len as u64
    }

    fn run(&self, input: &[u8]) -> String {
        let people = [key_card(input), roster(input), team_key(input), root_wrap(input), keyring(input)];
        let outcomes = [envelope(input), header(input), card(input), wrap(input), signature(input)];
        [people.as_slice(), outcomes.as_slice()].concat().join("; ")
    }
}

fn envelope(input: &[u8]) -> String {
    match SignedEnvelope::parse(input) {
        Ok(signed) => {
            assert!(signed.as_bytes() == input, "the envelope keeps other bytes than it was read from");
            let again = SignedEnvelope::new(signed.envelope.clone(), signed.signature);
            assert!(again.as_bytes() == input, "the envelope is written otherwise than it was read");
            format!("envelope {:?}", signed.envelope.header.kind)
        }
        Err(error) => error.to_string(),
    }
}

fn key_card(input: &[u8]) -> String {
    match SignedKeyCard::parse(input) {
        Ok(signed) => {
            assert!(signed.encode() == input, "the key card is written otherwise than it was read");
            assert!(signed.verify(None).is_err() || signed.verify_alone().is_ok(), "a chain of unsigned cards");
            if let Ok(CardChange::Added(_)) = CardChange::between(&signed.card, &signed.card) {
                panic!("a card adds a device to itself");
            }
            format!("key card {:?} {:?}", signed.verify(None).err(), signed.verify(Some(&signed.card)).err())
        }
        Err(error) => error.to_string(),
    }
}

fn roster(input: &[u8]) -> String {
    match SignedRoster::parse(input) {
        Ok(signed) => {
            assert!(signed.encode() == input, "the roster is written otherwise than it was read");
            let all = |found: &segue_signed::Member| signed.roster.member(&found.user_id) == Some(found);
            assert!(signed.roster.members.iter().all(all), "a member is listed and not found");
            format!("roster {} {}", signed.roster.members.len(), signed.roster.leaves_out(&signed.roster))
        }
        Err(error) => error.to_string(),
    }
}

fn team_key(input: &[u8]) -> String {
    match TeamKeyWrap::parse(input) {
        Ok(wrap) => {
            assert!(wrap.encode() == input, "the team key is written otherwise than it was read");
            format!("team key {}", wrap.key_epoch)
        }
        Err(error) => error.to_string(),
    }
}

fn root_wrap(input: &[u8]) -> String {
    match RootWrap::parse(input) {
        Ok(wrap) => {
            assert!(wrap.encode() == input, "the root wrap is written otherwise than it was read");
            format!("root wrap {}", wrap.epoch)
        }
        Err(error) => error.to_string(),
    }
}

/// What is sealed opens to what was parsed, whoever made it.
fn keyring(input: &[u8]) -> String {
    match Keyring::parse(input, OWNER) {
        Ok(keyring) => {
            let key = KeyringKey::from_bytes([1; 32]);
            let sealed = keyring.seal(&mut ChaCha20Rng::from_seed([2; 32]), &key, OWNER);
            let opened = Keyring::open(&key, OWNER, &sealed).expect("what was sealed opens");
            assert!(opened.roots().count() == keyring.roots().count(), "the keyring lost a root");
            format!("keyring {}", keyring.roots().count())
        }
        Err(error) => error.to_string(),
    }
}

fn header(input: &[u8]) -> String {
    match Header::parse(input) {
        Ok(header) => {
            assert!(header.encode() == input, "the header is written otherwise than it was read");
            format!("header {:?}", header.kind)
        }
        Err(error) => error.to_string(),
    }
}

fn card(input: &[u8]) -> String {
    match Card::parse(input) {
        Ok(card) => {
            assert!(card.encode() == input, "the card is written otherwise than it was read");
            format!("card {}", card.is_private())
        }
        Err(error) => error.to_string(),
    }
}

fn wrap(input: &[u8]) -> String {
    match Wrap::parse(input) {
        Ok(wrap) => {
            assert!(wrap.encode() == input, "the wrap is written otherwise than it was read");
            format!("wrap {:?}", wrap.kind)
        }
        Err(error) => error.to_string(),
    }
}

fn signature(input: &[u8]) -> String {
    let Some((key, rest)) = input.split_first_chunk::<32>() else { return "no key".to_owned() };
    let Some((signature, message)) = rest.split_first_chunk::<64>() else { return "no signature".to_owned() };
    format!("{:?} {:?}", sig::strong_x25519(key).is_ok(), sig::verify(key, "envelope", message, signature))
}
