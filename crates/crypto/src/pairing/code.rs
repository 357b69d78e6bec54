//! The code that a person reads on one screen and types on the other.
//!
//! * Handoff: `NNNNS-SSSSC`, ten symbols; linking: `NNNNSS-SSSSSC`, twelve. N is the nameplate, 20 bits, which the relay
//!   draws and sees; S is the secret, 25 or 35 bits, which only the clients know; C is checked locally and never sent.
//! * C = Σ dᵢ·αⁱ⁺¹ over the symbols before it, i from 0, in GF(32) = GF(2)[x]/(x⁵+x²+1), α = x. It finds every single wrong
//!   symbol and every swap of two, so that a typing mistake costs no guess.

use rand_core::CryptoRng;
use segue_signed::pairing::{NAMEPLATE_SYMBOLS, Nameplate, Purpose};
use zeroize::Zeroizing;

use crate::{
    crockford::{ALPHABET, value},
    secret::redacted,
};

/// Longest text that is looked at, in bytes: a code with every symbol set apart by a wide hyphen fits.
const TEXT_BYTES_MAX: usize = 64;

/// Symbols of the secret.
fn secret_symbols(purpose: Purpose) -> usize {
    match purpose {
        Purpose::Handoff => 5,
        Purpose::Link => 7,
    }
}

/// Symbols of the whole code.
fn code_symbols(purpose: Purpose) -> usize {
    NAMEPLATE_SYMBOLS + secret_symbols(purpose) + 1
}

/// The secret part of a code.
#[derive(Clone)]
pub struct CodeSecret {
    purpose: Purpose,
    symbols: Zeroizing<String>,
}

redacted!(CodeSecret);

/// Why a typed text is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotACode {
    /// A symbol that no code contains.
    #[error("a code has no {0:?}: only digits and letters without U")]
    Symbol(char),
    /// Too few or too many symbols.
    #[error("this code has {expected} symbols, {count} were typed")]
    Count {
        /// So many were typed.
        count: usize,
        /// So many belong there.
        expected: usize,
    },
    /// The check symbol does not fit. No guess is lost.
    #[error("a symbol is wrong: compare the code with the other screen")]
    Typo,
    /// A code for handing over, where one for linking belongs, or the other way round.
    #[error("this code is for something else: {}", match .0 {
        Purpose::Handoff => "it hands a chat over",
        Purpose::Link => "it adds a device to an account",
    })]
    OtherPurpose(Purpose),
    /// Longer than any code.
    #[error("this text is too long for a code")]
    TooLong,
}

impl CodeSecret {
    /// Draws a fresh one: five random bits a symbol, none likelier than another.
    pub fn generate(rng: &mut dyn CryptoRng, purpose: Purpose) -> Self {
        let mut bytes = Zeroizing::new([0; 7]);
        rng.fill_bytes(bytes.as_mut_slice());
        let bytes = &bytes[..secret_symbols(purpose)];
        let mut symbols = Zeroizing::new(String::with_capacity(bytes.len()));
        symbols.extend(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])));
        Self { purpose, symbols }
    }

    /// Reads what a person typed where `purpose` is on the screen: either case; O for 0, I and L for 1; blanks, hyphens,
    /// dashes, dots and underscores are skipped.
    pub fn parse(purpose: Purpose, text: &str) -> Result<(Nameplate, Self), NotACode> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(NotACode::TooLong);
        }
        let mut digits = Zeroizing::new(Vec::with_capacity(TEXT_BYTES_MAX));
        for symbol in text.chars().filter(|symbol| !is_separator(*symbol)) {
            digits.push(value(symbol).ok_or(NotACode::Symbol(symbol))?);
        }
        let (&last, body) = digits.split_last().unwrap_or((&0, &[]));
        let is_code_for = |purpose| digits.len() == code_symbols(purpose) && check(body) == last;
        if digits.len() != code_symbols(purpose) {
            return match other(purpose) {
                other if is_code_for(other) => Err(NotACode::OtherPurpose(other)),
                _ => Err(NotACode::Count { count: digits.len(), expected: code_symbols(purpose) }),
            };
        }
        if !is_code_for(purpose) {
            return Err(NotACode::Typo);
        }
        let (name, secret) = body.split_at(NAMEPLATE_SYMBOLS);
        let nameplate = name.iter().fold(0, |number, digit| number << 5 | u32::from(*digit));
        let mut symbols = Zeroizing::new(String::with_capacity(secret.len()));
        symbols.extend(secret.iter().map(|digit| char::from(ALPHABET[usize::from(*digit)])));
        Ok((Nameplate::from_number(nameplate), Self { purpose, symbols }))
    }

    /// The code as it is shown, with the nameplate that the relay gave.
    pub fn show(&self, nameplate: Nameplate) -> Zeroizing<String> {
        let mut code = Zeroizing::new(String::with_capacity(TEXT_BYTES_MAX));
        code.push_str(nameplate.as_str());
        code.push_str(&self.symbols);
        let digits: Zeroizing<Vec<u8>> = Zeroizing::new(code.chars().filter_map(value).collect());
        code.push(char::from(ALPHABET[usize::from(check(&digits))]));
        code.insert(code_symbols(self.purpose) / 2, '-');
        code
    }

    /// What the code is for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The symbols of the secret: for PRS and for nothing else.
    pub(super) fn expose(&self) -> &str {
        &self.symbols
    }
}

fn other(purpose: Purpose) -> Purpose {
    match purpose {
        Purpose::Handoff => Purpose::Link,
        Purpose::Link => Purpose::Handoff,
    }
}

/// What people and programs put between symbols. The list is closed: what counts as white space differs between languages.
fn is_separator(symbol: char) -> bool {
    matches!(symbol, ' ' | '\t' | '\r' | '\n' | '\u{a0}' | '-' | '_' | '.' | '\u{2010}'..='\u{2015}')
}

/// The check symbol of `digits`.
fn check(digits: &[u8]) -> u8 {
    // Horner's rule from the last digit: ((d₉·α + d₈)·α + …)·α.
    digits.iter().rev().fold(0, |sum, digit| times_alpha(sum ^ digit))
}

fn times_alpha(value: u8) -> u8 {
    let shifted = value << 1;
    // Without a branch on the secret: 100101 is subtracted when x⁵ appears.
    (shifted ^ (0b10_0101 * (shifted >> 5))) & 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

    fn drawn(seed: u64, purpose: Purpose) -> CodeSecret {
        CodeSecret::generate(&mut ChaCha20Rng::seed_from_u64(seed), purpose)
    }

    fn read(code: &str) -> Result<String, NotACode> {
        let (nameplate, secret) = CodeSecret::parse(Purpose::Handoff, code)?;
        Ok(secret.show(nameplate).to_string())
    }

    /// The example of the design notes, whose check symbol another implementation computed.
    #[test]
    fn the_example_is_a_code() {
        assert_eq!(read("5ABR5-726RT").unwrap(), "5ABR5-726RT");
        assert_eq!(read(" 5abr5\u{2011}726rt\n").unwrap(), "5ABR5-726RT");
        assert_eq!(read("5.A.B.R.5_7 2 6 R T").unwrap(), "5ABR5-726RT");
    }

    #[test]
    fn a_code_has_its_groups() {
        let shown = drawn(1, Purpose::Link).show(Nameplate::from_number(7));
        assert_eq!((shown.len(), shown.find('-')), (13, Some(6)));
        let shown = drawn(1, Purpose::Handoff).show(Nameplate::from_number(7));
        assert_eq!((shown.len(), shown.find('-')), (11, Some(5)));
    }

    #[test]
    fn every_symbol_is_as_likely() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let mut seen = std::collections::BTreeMap::new();
        for _ in 0..6_400 {
            for symbol in CodeSecret::generate(&mut rng, Purpose::Handoff).expose().chars() {
                *seen.entry(symbol).or_insert(0) += 1;
            }
        }
        assert_eq!(seen.len(), 32);
        assert!(seen.values().all(|count| (850..1_150).contains(count)), "{seen:?}");
    }

    #[test]
    fn what_is_no_code_is_refused_with_the_reason() {
        let refused = |text: &str| read(text).unwrap_err();
        assert_eq!(refused(""), NotACode::Count { count: 0, expected: 10 });
        assert_eq!(refused("5ABR5-726R"), NotACode::Count { count: 9, expected: 10 });
        assert_eq!(refused("5ABR5-726RTT"), NotACode::Count { count: 11, expected: 10 });
        assert_eq!(refused("5ABR5-726RU"), NotACode::Symbol('U'));
        assert_eq!(refused("5ABR5-726Ré"), NotACode::Symbol('é'));
        assert_eq!(refused("5ABR5-7Z6RT"), NotACode::Typo);
        assert_eq!(refused(&" ".repeat(65)), NotACode::TooLong);
        assert_eq!(refused(&" ".repeat(64)), NotACode::Count { count: 0, expected: 10 });
    }

    #[test]
    fn a_code_for_one_thing_is_not_taken_for_the_other() {
        let nameplate = Nameplate::from_number(99);
        for (purpose, other) in [(Purpose::Handoff, Purpose::Link), (Purpose::Link, Purpose::Handoff)] {
            let shown = drawn(4, purpose).show(nameplate);
            assert_eq!(CodeSecret::parse(other, &shown).unwrap_err(), NotACode::OtherPurpose(purpose));
        }
    }

    #[test]
    fn every_wrong_symbol_and_every_swap_is_found() {
        for purpose in [Purpose::Handoff, Purpose::Link] {
            let code = drawn(5, purpose).show(Nameplate::from_number(0x5_1234)).replace('-', "");
            for at in 0..code.len() {
                for symbol in ALPHABET.iter().map(|symbol| char::from(*symbol)) {
                    let mut wrong = code.clone();
                    wrong.replace_range(at..=at, symbol.encode_utf8(&mut [0; 4]));
                    assert_eq!(CodeSecret::parse(purpose, &wrong).is_ok(), wrong == code, "{wrong}");
                }
                for other in 0..at {
                    let mut swapped = code.clone().into_bytes();
                    swapped.swap(at, other);
                    let swapped = String::from_utf8(swapped).unwrap();
                    assert_eq!(CodeSecret::parse(purpose, &swapped).is_ok(), swapped == code, "{swapped}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back_as_people_type_it(number: u32, seed: u64, link: bool) {
            let purpose = if link { Purpose::Link } else { Purpose::Handoff };
            let (nameplate, secret) = (Nameplate::from_number(number), drawn(seed, purpose));
            let shown = secret.show(nameplate);
            let typed = format!(" {} ", shown.to_lowercase().replace('-', " ").replace('0', "O").replace('1', "l"));
            let (read_nameplate, read) = CodeSecret::parse(purpose, &typed).unwrap();
            prop_assert_eq!((read_nameplate, read.expose()), (nameplate, secret.expose()));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let _read = CodeSecret::parse(Purpose::Link, &text);
        }
    }
}
