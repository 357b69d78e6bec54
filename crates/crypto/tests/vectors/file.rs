//! One vector file: compared with what is generated now, or written when asked.

use data_encoding::HEXLOWER;
use serde_json::Value;

/// Bytes as they stand in a vector file.
pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}

/// Compares `vectors` with the file `name`.json, or writes it when `UPDATE_VECTORS` is set.
pub(crate) fn compare(name: &str, vectors: &Value) {
    let path = format!("{}/../crypto/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let mut text = serde_json::to_string_pretty(vectors).unwrap();
    text.push('\n');
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(path, text).unwrap();
    } else {
        assert!(std::fs::read_to_string(&path).unwrap() == text, "{path} differs from what this build makes");
    }
}

/// `bytes` with one byte changed, each of them in three ways, with its index.
pub(crate) fn flips(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..bytes.len()).flat_map(|index| [0x01, 0x80, 0xff].map(|mask| (index, mask))).map(|(index, mask)| {
        let mut flipped = bytes.to_vec();
        flipped[index] ^= mask;
        (index, flipped)
    })
}
