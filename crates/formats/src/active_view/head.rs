//! The head hash: one hash over all messages of a chat, which grows with the chat (SPEC D11).
//!
//! ```text
//! h_0 = 32 zero bytes
//! h_i = SHA-256(lv_cat("segue/head/1", h_{i-1}, SHA-256(line i)))
//! ```
//!
//! Lines are those of `view.jsonl`, as they are, without their line feed. `lv_cat` is that of docs/protocol.md §1.

use sha2::{Digest, Sha256};

use super::HeadHash;

const LABEL: &[u8] = b"segue/head/1";

/// Hashes the lines of a chat, one after the other. Holds a hash and a count, however many they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadHasher {
    hash: HeadHash,
    count: u64,
}

impl Default for HeadHasher {
    fn default() -> Self {
        Self::behind(HeadHash::EMPTY, 0)
    }
}

impl HeadHasher {
    /// Goes on behind `count` lines whose hash is known.
    pub fn behind(hash: HeadHash, count: u64) -> Self {
        Self { hash, count }
    }

    /// Adds a line, given without its line feed.
    pub fn add_line(&mut self, line: &[u8]) {
        self.add_hash(&Sha256::digest(line).into());
    }

    /// Adds a line of which only the SHA-256 is known.
    pub fn add_hash(&mut self, line: &[u8; 32]) {
        let mut hasher = Sha256::new();
        for field in [LABEL, &self.hash.0, line] {
            // Each field behind its length; all are shorter than 128 bytes, whose LEB128 is one byte.
            hasher.update([u8::try_from(field.len()).expect("a short field")]);
            hasher.update(field);
        }
        self.hash = HeadHash(hasher.finalize().into());
        self.count += 1;
    }

    /// The head.
    pub fn hash(&self) -> HeadHash {
        self.hash
    }

    /// How many lines there were.
    pub fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Computed with Python's hashlib from the formula.
    const AFTER_A: &str = "fOqQ6tHecnFasmpakXf1pZWP9dJzgWQewWRNyuKLAC0";
    const AFTER_A_AND_EMPTY: &str = "SlA7tJnTxXc2DjGg8nKJZWBM5Lo2WMpWXoveFNXkAVI";

    #[test]
    fn known_answers() {
        let mut head = HeadHasher::default();
        assert_eq!((head.hash(), head.count()), (HeadHash::EMPTY, 0));
        head.add_line(b"{\"a\":1}");
        assert_eq!(head.hash().to_string(), AFTER_A);
        let mut resumed = HeadHasher::behind(head.hash(), head.count());
        head.add_line(b"");
        assert_eq!((head.hash().to_string().as_str(), head.count()), (AFTER_A_AND_EMPTY, 2));
        resumed.add_hash(&Sha256::digest(b"").into());
        assert_eq!(resumed, head);
    }
}
