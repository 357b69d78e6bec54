//! What two devices that pair send each other through the relay: whatever is accepted is written back byte for byte, so that a hash
//! of one has one meaning, and what both keys cover is what was read.

use segue_signed::pairing::{Answer, HELLO_BYTES_MAX, Offer, Release, SizeClass};

use super::Target;
use crate::corpus;

/// Offer, answer and release.
pub(super) struct Pairings;

impl Target for Pairings {
    fn name(&self) -> &'static str {
        "pairing"
    }

    fn corpus(&self) -> Vec<Vec<u8>> {
        let keys = ["offer", "answer", "release"];
        ["pairing.json", "pairing_refused.json"].iter().flat_map(|name| corpus::vectors(name, &keys)).collect()
    }

    fn dictionary(&self) -> &'static [&'static [u8]] {
        &[
            b"\x12segue/pair/offer/1",
            b"\x13segue/pair/answer/1",
            b"\x14segue/pair/release/1",
            b"\x07handoff",
            b"\x04link",
            b"\x04code",
            b"\x03src\x01\x01\x01\x00\x04\x00\x00\x01\x2c",
            b"\x03dst\x01\x01\x10",
            b"\x01\x00",
            b"\x01\x03",
            b"\x01\xff",
            b"\x90\x80\x01",
            b"\x90\x80\x04",
        ]
    }

    /// The message, its copy and its encoding: a view is the longest part of one.
    fn memory_max(&self, input_len: usize) -> u64 {
        64 * 1024 + 8 * input_len as u64
    }

    fn run(&self, input: &[u8]) -> String {
        [offer(input), answer(input), release(input)].join("; ")
    }
}

fn offer(input: &[u8]) -> String {
    match Offer::parse(input) {
        Ok(offer) => {
            assert!(offer.encode() == input, "the offer is written otherwise than it was read");
            let other = Offer { attempt: offer.attempt.wrapping_add(1), ..offer.clone() };
            assert!(other.session_id() != offer.session_id(), "two attempts are one session");
            let longer = Offer { lifetime_seconds: offer.lifetime_seconds.wrapping_add(1), ..offer.clone() };
            assert!(longer.associated_data() != offer.associated_data(), "no key covers the lifetime");
            format!("offer {:?} {:?} {:?}", offer.purpose, offer.method, offer.size_class)
        }
        Err(error) => error.to_string(),
    }
}

fn answer(input: &[u8]) -> String {
    match Answer::parse(input) {
        Ok(answer) => {
            assert!(answer.encode() == input, "the answer is written otherwise than it was read");
            assert!((16..=HELLO_BYTES_MAX).contains(&answer.hello.len()), "a hello of another size");
            format!("answer {:?} {}", answer.method, answer.attempt == 1)
        }
        Err(error) => error.to_string(),
    }
}

fn release(input: &[u8]) -> String {
    match Release::parse(input) {
        Ok(release) => {
            assert!(release.encode() == input, "the release is written otherwise than it was read");
            let class = SizeClass::ALL.into_iter().find(|class| class.bytes() + 16 == release.view.len());
            format!("release {:?}", class.expect("a view has one of three sizes"))
        }
        Err(error) => error.to_string(),
    }
}
