//! Crockford base32, upper-case, in groups of four: what people read aloud and type. Most significant bit first.

/// The symbols, without I, L, O and U.
pub(crate) const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const GROUP: usize = 4;

/// `bytes` as symbols in groups of four. The bits must fill the last symbol: a length divisible by five.
pub(crate) fn encode(bytes: &[u8]) -> String {
    debug_assert!(bytes.len().is_multiple_of(5));
    let symbols = bytes.chunks(5).flat_map(|chunk| {
        let block = chunk.iter().fold(0_u64, |block, &byte| block << 8 | u64::from(byte));
        (0..8).rev().map(move |index| char::from(ALPHABET[(block >> (5 * index) & 31) as usize]))
    });
    let mut text = String::with_capacity(bytes.len() * 2);
    for (index, symbol) in symbols.enumerate() {
        if index > 0 && index % GROUP == 0 {
            text.push('-');
        }
        text.push(symbol);
    }
    text
}

/// Why a text is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// A symbol that no code contains.
    Symbol(char),
    /// So many symbols instead of the expected number.
    Count(usize),
}

/// The value of one typed symbol: either case, O for 0, I and L for 1.
pub(crate) fn value(symbol: char) -> Option<u8> {
    let symbol = match symbol.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        symbol => symbol,
    };
    let index = ALPHABET.iter().position(|&candidate| char::from(candidate) == symbol)?;
    u8::try_from(index).ok()
}

/// Reads `N` bytes back; blanks and hyphens are skipped.
pub(crate) fn decode<const N: usize>(text: &str) -> Result<[u8; N], Unreadable> {
    debug_assert!(N.is_multiple_of(5));
    let mut bytes = [0; N];
    let mut count = 0;
    for symbol in text.chars().filter(|symbol| !symbol.is_whitespace() && *symbol != '-') {
        let value = value(symbol).ok_or(Unreadable::Symbol(symbol))?;
        // Each symbol is five bits; those that cross a byte border are split.
        let (byte, bit) = (count * 5 / 8, count * 5 % 8);
        let pair = u16::from(value) << (11 - bit);
        let [high, low] = pair.to_be_bytes();
        if let Some(target) = bytes.get_mut(byte) {
            *target |= high;
        }
        if let Some(target) = bytes.get_mut(byte + 1) {
            *target |= low;
        }
        count += 1;
    }
    if count * 5 == N * 8 { Ok(bytes) } else { Err(Unreadable::Count(count)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn symbols_are_most_significant_bit_first() {
        assert_eq!(encode(&[0x08, 0x42, 0x10, 0x84, 0x21]), "1111-1111");
        assert_eq!(encode(&[0xff, 0xff, 0xff, 0xff, 0xfe]), "ZZZZ-ZZZY");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(bytes: [u8; 20]) {
            let text = encode(&bytes);
            prop_assert_eq!(decode(&text), Ok(bytes));
            prop_assert_eq!(decode(&text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l")), Ok(bytes));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _read = decode::<20>(&text);
        }
    }
}
