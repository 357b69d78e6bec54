//! Active views: whatever is accepted is written and read again as the same, and its messages can be shown.

use segue_formats::active_view::{ActiveView, ActiveViewError, Entry, ROOM_MAX};

use super::Target;
use crate::corpus;

/// What another device gives.
pub(super) struct ActiveViews;

impl Target for ActiveViews {
    fn name(&self) -> &'static str {
        "active-view"
    }

    fn corpus(&self) -> Vec<Vec<u8>> {
        corpus::active_views()
    }

    fn dictionary(&self) -> &'static [&'static [u8]] {
        &[
            b"null",
            b"\"v\":2,",
            b"\"line\":",
            b"\"short\":{",
            b"\"hash\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",",
            b"\"truncated\":18446744073709551615,",
            b"\\\"v\\\":1",
            b"\\u0001",
            b"\\ud83d",
            b"1e400",
            b"-1",
            b"9007199254740992",
            b"[[[[[[[[[[[[[[[[",
            b"\"draft\":null,",
            b"\"caret\":1,",
            b"\"new\":[{}],",
        ]
    }

    /// The view, its copy and its encoding; a value of two bytes is held in some ten words.
    fn memory_max(&self, input_len: usize) -> u64 {
        512 * 1024 + 200 * input_len as u64
    }

    fn run(&self, input: &[u8]) -> String {
        let view = match ActiveView::parse(input) {
            Ok(view) => view,
            Err(ActiveViewError::Part(part)) => return format!("refused {part}"),
            Err(ActiveViewError::Malformed(error)) => return format!("{:?}", error.classify()),
            Err(error) => return error.to_string(),
        };
        for entry in &view.tail.messages {
            assert!(entry.message().is_some(), "a message cannot be shown");
        }
        match view.encode() {
            Ok(bytes) => {
                let again = ActiveView::parse(&bytes).expect("what was accepted is accepted again");
                assert!(again == view, "written and read it is another");
            }
            // Fields that were left out are written as null.
            Err(ActiveViewError::TooLong { .. }) => assert!(input.len() > ROOM_MAX / 2, "it grew"),
            Err(error) => panic!("accepted, and cannot be written: {error}"),
        }
        let short = view.tail.messages.iter().filter(|entry| matches!(entry, Entry::Short { .. })).count();
        format!("{} {} {}", view.verify_tail().is_ok(), view.tail.messages.len().min(3), short.min(2))
    }
}
