//! `lv_cat`: fields with minimal LEB128 lengths of at most five bytes (`docs/protocol.md` §Encoding).
//!
//! A parser consumes all input; absent is empty; a list is the `lv_cat` of its items in one field.

use crate::Malformed;

/// Integers on the wire stay below 2^53 so that a JavaScript number holds them exactly.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Concatenates `fields`, each behind its length.
pub fn lv_cat(fields: &[&[u8]]) -> Vec<u8> {
    let mut writer = Writer::default();
    for field in fields {
        writer.bytes(field);
    }
    writer.finish()
}

/// Writes fields one after the other.
#[derive(Debug, Default, Clone)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Starts with a label, as every labelled structure does.
    pub fn labelled(label: &str) -> Self {
        let mut writer = Self::default();
        writer.text(label);
        writer
    }

    /// Starts with room for `bytes`, so that a structure that holds secrets is never moved while it grows.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// One field of bytes.
    ///
    /// # Panics
    /// When the field is longer than `u32::MAX` bytes: no structure of the protocol comes near.
    pub fn bytes(&mut self, field: &[u8]) -> &mut Self {
        let mut rest = u32::try_from(field.len()).expect("a field is shorter than 4 GiB");
        loop {
            let low = (rest & 0x7f) as u8;
            rest >>= 7;
            self.0.push(if rest == 0 { low } else { low | 0x80 });
            if rest == 0 {
                break;
            }
        }
        self.0.extend_from_slice(field);
        self
    }

    /// One field of UTF-8 text.
    pub fn text(&mut self, field: &str) -> &mut Self {
        self.bytes(field.as_bytes())
    }

    /// One field of bytes, empty when absent.
    pub fn optional(&mut self, field: Option<&[u8]>) -> &mut Self {
        self.bytes(field.unwrap_or_default())
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes(&[value])
    }

    /// Four bytes, big-endian.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Eight bytes, big-endian. Values at or above 2^53 are refused by the reader.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// A list: the `lv_cat` of its items in one field.
    pub fn list<T>(&mut self, items: &[T], encode: impl Fn(&T) -> Vec<u8>) -> &mut Self {
        let mut inner = Self::default();
        for item in items {
            inner.bytes(&encode(item));
        }
        self.bytes(&inner.finish())
    }

    /// The bytes written so far.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

/// Reads fields one after the other; every error names the field.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Checks the label that every structure starts with.
    pub fn label(&mut self, label: &'static str) -> Result<(), Malformed> {
        if self.bytes(label)? == label.as_bytes() { Ok(()) } else { Err(Malformed::Unknown(label)) }
    }

    /// One field of bytes.
    pub fn bytes(&mut self, name: &'static str) -> Result<&'a [u8], Malformed> {
        let length = self.length().ok_or(Malformed::Field(name))?;
        if length > self.rest.len() {
            return Err(Malformed::Field(name));
        }
        let (field, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(field)
    }

    /// A minimal LEB128 length of at most five bytes, within 32 bits.
    fn length(&mut self) -> Option<usize> {
        let mut value = 0_u64;
        for index in 0..5 {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                let minimal = index == 0 || byte != 0;
                return if minimal { u32::try_from(value).ok().map(|length| length as usize) } else { None };
            }
        }
        None
    }

    /// UTF-8 text of at most `max` bytes.
    pub fn text(&mut self, name: &'static str, max: usize) -> Result<&'a str, Malformed> {
        let field = self.bytes(name)?;
        if field.len() > max {
            return Err(Malformed::Field(name));
        }
        std::str::from_utf8(field).map_err(|_| Malformed::Field(name))
    }

    /// Exactly `N` bytes.
    pub fn array<const N: usize>(&mut self, name: &'static str) -> Result<[u8; N], Malformed> {
        self.bytes(name)?.try_into().map_err(|_| Malformed::Field(name))
    }

    /// Exactly `N` bytes, or absent.
    pub fn optional_array<const N: usize>(&mut self, name: &'static str) -> Result<Option<[u8; N]>, Malformed> {
        let field = self.bytes(name)?;
        if field.is_empty() {
            return Ok(None);
        }
        field.try_into().map(Some).map_err(|_| Malformed::Field(name))
    }

    /// One byte.
    pub fn u8(&mut self, name: &'static str) -> Result<u8, Malformed> {
        Ok(self.array::<1>(name)?[0])
    }

    /// Four bytes, big-endian.
    pub fn u32(&mut self, name: &'static str) -> Result<u32, Malformed> {
        self.array(name).map(u32::from_be_bytes)
    }

    /// Eight bytes, big-endian, below 2^53.
    pub fn u64(&mut self, name: &'static str) -> Result<u64, Malformed> {
        let value = self.array(name).map(u64::from_be_bytes)?;
        if value > INTEGER_MAX { Err(Malformed::Field(name)) } else { Ok(value) }
    }

    /// Eight bytes, big-endian, below 2^53, or absent.
    pub fn optional_u64(&mut self, name: &'static str) -> Result<Option<u64>, Malformed> {
        match self.optional_array(name)?.map(u64::from_be_bytes) {
            Some(value) if value > INTEGER_MAX => Err(Malformed::Field(name)),
            value => Ok(value),
        }
    }

    /// A list of at most `max` items.
    pub fn list<T>(
        &mut self,
        name: &'static str,
        max: usize,
        parse: impl Fn(&'a [u8]) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let mut inner = Reader::new(self.bytes(name)?);
        let mut items = Vec::new();
        while !inner.rest.is_empty() {
            if items.len() == max {
                return Err(Malformed::Field(name));
            }
            items.push(parse(inner.bytes(name)?)?);
        }
        Ok(items)
    }

    /// What was not read yet.
    pub fn remaining(&self) -> &'a [u8] {
        self.rest
    }

    /// Confirms that everything was read.
    pub fn finish(self, name: &'static str) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed::Trailing(name)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_length_that_is_not_minimal_is_refused() {
        assert_eq!(Reader::new(&[0x81, 0x00, b'x']).bytes("f"), Err(Malformed::Field("f")));
        assert_eq!(Reader::new(&[0x01, b'x']).bytes("f"), Ok(&b"x"[..]));
    }

    #[test]
    fn a_length_beyond_five_bytes_or_32_bits_is_refused() {
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x01]).bytes("f").is_err());
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x10]).bytes("f").is_err());
    }

    #[test]
    fn a_length_of_128_takes_two_bytes_as_in_the_cpace_draft() {
        let encoded = lv_cat(&[&[7; 128]]);
        assert_eq!(encoded[..2], [0x80, 0x01]);
        assert_eq!(encoded.len(), 130);
    }

    #[test]
    fn an_integer_that_javascript_cannot_hold_is_refused() {
        let encoded = Writer::default().u64(INTEGER_MAX + 1).finish();
        assert!(Reader::new(&encoded).u64("n").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(fields in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8)) {
            let encoded = lv_cat(&fields.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let mut reader = Reader::new(&encoded);
            for field in &fields {
                prop_assert_eq!(reader.bytes("f").unwrap(), field.as_slice());
            }
            prop_assert!(reader.finish("end").is_ok());
        }

        #[test]
        fn any_bytes_are_read_without_a_crash_and_only_in_one_way(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = Reader::new(&bytes);
            let mut fields = Vec::new();
            while let Ok(field) = reader.bytes("f") {
                fields.push(field);
            }
            let encoded = lv_cat(&fields);
            prop_assert!(bytes.starts_with(&encoded));
        }
    }
}
