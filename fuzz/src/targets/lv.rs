//! The codec under every signed structure: what is read is written back the same, and nothing is read twice.

use segue_signed::lv::{Reader, lv_cat};

use super::Target;
use crate::corpus;

/// `lv_cat` and its reader.
pub(super) struct Lv;

/// Most items of a list that is read here.
const ITEMS_MAX: usize = 1000;

impl Target for Lv {
    fn name(&self) -> &'static str {
        "lv"
    }

    fn corpus(&self) -> Vec<Vec<u8>> {
        corpus::vectors("lv.json", &["encoded", "bytes"])
    }

    fn dictionary(&self) -> &'static [&'static [u8]] {
        &[b"\x80\x00", b"\x80\x01", b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\x10", b"\x00", b"\x7f"]
    }

    /// Slices of the input, and one copy of it; a slice is 16 bytes for at least one.
    fn memory_max(&self, input_len: usize) -> u64 {
        64 * 1024 + 64 * input_len as u64
    }

    fn run(&self, input: &[u8]) -> String {
        let mut reader = Reader::new(input);
        let mut fields = Vec::new();
        let end = loop {
            match reader.bytes("field") {
                Ok(field) => fields.push(field),
                Err(error) => break error,
            }
        };
        assert!(input.starts_with(&lv_cat(&fields)), "what was read is not what is written");
        let typed = [
            Reader::new(input).text("text", 64).map(drop),
            Reader::new(input).u8("u8").map(drop),
            Reader::new(input).u32("u32").map(drop),
            Reader::new(input).u64("u64").map(drop),
            Reader::new(input).optional_u64("optional").map(drop),
            Reader::new(input).array::<32>("array").map(drop),
            Reader::new(input).optional_array::<16>("optional array").map(drop),
            Reader::new(input).list("list", ITEMS_MAX, |item| Ok(item.len())).map(drop),
        ];
        format!("{} fields, {end}, {typed:?}", fields.len().min(16))
    }
}
