//! What comes back from another device: whatever is accepted is written and read again as the same.

use segue_formats::Handed;
use segue_formats::active_view::{ActiveViewError, ComingBack, HeadHash, ROOM_MAX};

use super::Target;

/// What another device gives back.
pub(super) struct ComingsBack;

impl Target for ComingsBack {
    fn name(&self) -> &'static str {
        "coming-back"
    }

    fn corpus(&self) -> Vec<Vec<u8>> {
        let hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let pointer = r#"{"anchor":"m1","fraction":500,"unread_from":null,"branch":null}"#;
        let message = r#"{"v":1,"id":"0a0b0c0d-0000-4000-8000-000000000001","at":1800000000000,"role":"user","parts":[{"type":"text","text":"on the phone"}]}"#;
        let draft = r#"{"text":"half a wörd","caret":8}"#;
        let back = |seq: &str, messages: &str, draft: &str| {
            format!(
                r#"{{"v":1,"seq":{seq},"messages":[{messages}],"count":3,"head_hash":"{hash}","draft":{draft},"pointer":{pointer}}}"#
            )
            .into_bytes()
        };
        vec![back("null", message, draft), back("null", &format!("{message},{message}"), "null"), back("7", "", draft)]
    }

    fn dictionary(&self) -> &'static [&'static [u8]] {
        &[
            b"null",
            b"\"v\":2,",
            b"\"seq\":0,",
            b"\"seq\":9007199254740992,",
            b"\"truncated\":18446744073709551615,",
            b"\"caret\":1,",
            b"\"messages\":[],",
            b"\\ud83d",
            b"1e400",
            b"-1",
            b"[[[[[[[[[[[[[[[[",
            b"\"new\":[{}],",
        ]
    }

    /// It, its copy and its encoding; a value of two bytes is held in some ten words.
    fn memory_max(&self, input_len: usize) -> u64 {
        512 * 1024 + 200 * input_len as u64
    }

    fn run(&self, input: &[u8]) -> String {
        let back = match ComingBack::parse(input) {
            Ok(back) => back,
            Err(ActiveViewError::Part(part)) => return format!("refused {part}"),
            Err(ActiveViewError::Malformed(error)) => return format!("{:?}", error.classify()),
            Err(error) => return error.to_string(),
        };
        match back.encode() {
            Ok(bytes) => {
                let again = ComingBack::parse(&bytes).expect("what was accepted is accepted again");
                assert!(again == back, "written and read it is another");
            }
            // Fields that were left out are written as null.
            Err(ActiveViewError::TooLong { .. }) => assert!(input.len() > ROOM_MAX / 2, "it grew"),
            Err(error) => panic!("accepted, and cannot be written: {error}"),
        }
        let handed = Handed { len: 1, count: 0, head_hash: HeadHash::EMPTY };
        format!("{} {} {}", back.verify_words(&handed), back.seq.is_some(), back.messages.len().min(3))
    }
}
