//! What a person types, pastes or scans to pair: whatever is accepted is shown again as a code that means the same.

use segue_crypto::pairing::{CodeSecret, LinkSecret, NotACode};
use segue_signed::pairing::{Nameplate, Purpose};

use super::Target;
use crate::corpus;

/// Nameplate, code and link.
pub(super) struct PairingCodes;

impl Target for PairingCodes {
    fn name(&self) -> &'static str {
        "pairing-code"
    }

    fn corpus(&self) -> Vec<Vec<u8>> {
        let mut texts = corpus::texts("pairing_code.json", &["code", "text", "fragment", "nameplate"]);
        texts.push(b"5ABR5-726RT".to_vec());
        texts.push(b"5ABR".to_vec());
        texts.push(b"https://segue.example/h#1.5ABR.AAAAAAAAAAAAAAAAAAAAAA".to_vec());
        texts
    }

    fn dictionary(&self) -> &'static [&'static [u8]] {
        &[
            b"-",
            b" ",
            b"\xe2\x80\x91",
            b"\xc2\xa0",
            b"O",
            b"l",
            b"U",
            b"#1.",
            b"#",
            b"1.0000.",
            b"AAAAAAAAAAAAAAAAAAAAAA",
            b"AAAAAAAAAAAAAAAAAAAAAB",
            b"%20",
        ]
    }

    /// A code's digits and texts, which are bounded; a link's decoded end.
    fn memory_max(&self, input_len: usize) -> u64 {
        64 * 1024 + 4 * input_len as u64
    }

    fn run(&self, input: &[u8]) -> String {
        let Ok(text) = std::str::from_utf8(input) else { return "no text".to_owned() };
        let codes = [Purpose::Handoff, Purpose::Link].map(|purpose| code(purpose, text));
        [nameplate(text), link(text), codes.join("; ")].join("; ")
    }
}

fn nameplate(text: &str) -> String {
    match text.parse::<Nameplate>() {
        Ok(nameplate) => {
            assert!(nameplate.as_str() == text && text == text.to_ascii_uppercase(), "a nameplate has two spellings");
            "nameplate".to_owned()
        }
        Err(error) => error.to_string(),
    }
}

fn code(purpose: Purpose, text: &str) -> String {
    match CodeSecret::parse(purpose, text) {
        Ok((nameplate, secret)) => {
            let shown = secret.show(nameplate);
            let (again, same) = CodeSecret::parse(purpose, &shown).expect("a code that is shown is a code");
            assert!(again == nameplate && *same.show(again) == *shown, "shown and typed it is another code");
            let other = if purpose == Purpose::Link { Purpose::Handoff } else { Purpose::Link };
            assert!(CodeSecret::parse(other, text).is_err(), "one code does two things");
            format!("code for {purpose:?}")
        }
        // Which symbol is told to the person, and would make each another outcome.
        Err(NotACode::Symbol(_)) => "a symbol that no code contains".to_owned(),
        Err(NotACode::Count { count, expected }) => format!("{} of {expected}", count.min(20)),
        Err(error) => error.to_string(),
    }
}

fn link(text: &str) -> String {
    match LinkSecret::parse(text) {
        Ok((nameplate, secret)) => {
            let fragment = secret.fragment(nameplate);
            let (again, same) = LinkSecret::parse(&fragment).expect("a fragment that is made is a link");
            assert!(again == nameplate && *same.fragment(again) == *fragment, "made and read it is another link");
            assert!(text.trim().ends_with(fragment.as_str()), "a secret has two spellings");
            "link".to_owned()
        }
        Err(error) => error.to_string(),
    }
}
