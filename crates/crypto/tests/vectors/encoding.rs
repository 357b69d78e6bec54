//! lv.json: `lv_cat`, and what a reader refuses.

use segue_signed::lv::{Reader, lv_cat};
use serde_json::json;

use crate::file::{compare, hex};

#[test]
fn lv() {
    let fields: [&[&[u8]]; 6] = [&[], &[b""], &[b"1234"], &[b"a", b"", b"bc"], &[&[7; 127], &[8; 128]], &[&[9; 16384]]];
    let cases: Vec<_> = fields
        .iter()
        .map(|fields| json!({ "fields": fields.iter().map(hex).collect::<Vec<_>>(), "encoded": hex(lv_cat(fields)) }))
        .collect();
    let refused: [(&str, &[u8]); 6] = [
        ("cut short", &[2, b'x']),
        ("a length that goes on", &[0x80]),
        ("not minimal: one as two bytes", &[0x81, 0x00, b'x']),
        ("not minimal: nothing as two bytes", &[0x80, 0x00]),
        ("a length of six bytes", &[0x80, 0x80, 0x80, 0x80, 0x80, 0x01]),
        ("a length above 32 bits", &[0xff, 0xff, 0xff, 0xff, 0x1f]),
    ];
    for (why, bytes) in refused {
        assert!(Reader::new(bytes).bytes("field").is_err(), "{why}");
    }
    compare(
        "lv",
        &json!({
            "about": "lv_cat: minimal LEB128 lengths. `refused`: reading the first field fails.",
            "cases": cases,
            "refused": refused.map(|(why, bytes)| json!({ "why": why, "bytes": hex(bytes) })),
        }),
    );
}
