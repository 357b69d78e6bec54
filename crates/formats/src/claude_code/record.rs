//! One line of a transcript, as far as Segue reads it. Unknown fields and types are ignored; a line that does not fit
//! these types is kept in the native file but takes no part in the conversation.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

use jiff::Timestamp;
use memchr::{memchr, memmem};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// How many blocks of one message are read; the view shows 64 parts. A block of two bytes takes a hundred times that in
/// memory, so a hostile line of 64 MiB must not be read whole.
const MAX_BLOCKS: usize = 1024;

/// How many blocks of one result are read; all results of a message are held at a time.
const MAX_RESULT_BLOCKS: usize = 128;

/// A line.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record<'a> {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    pub(super) uuid: Option<String>,
    pub(super) parent_uuid: Option<String>,
    pub(super) timestamp: Option<String>,
    pub(super) is_sidechain: Option<bool>,
    pub(super) is_meta: Option<bool>,
    pub(super) is_compact_summary: Option<bool>,
    pub(super) is_api_error_message: Option<bool>,
    pub(super) subtype: Option<String>,
    pub(super) session_id: Option<String>,
    pub(super) cwd: Option<String>,
    pub(super) version: Option<String>,
    pub(super) git_branch: Option<String>,
    pub(super) leaf_uuid: Option<String>,
    pub(super) custom_title: Option<String>,
    pub(super) ai_title: Option<String>,
    pub(super) summary: Option<String>,
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) message: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) compact_metadata: Option<&'a RawValue>,
}

/// The `message` of a line.
#[derive(Debug, Deserialize)]
pub(super) struct NativeMessage<'a> {
    pub(super) id: Option<String>,
    pub(super) model: Option<String>,
    #[serde(borrow, default, deserialize_with = "content")]
    pub(super) content: Option<Content<'a>>,
}

/// A block of a message's content.
#[derive(Debug, Deserialize)]
pub(super) struct Block<'a> {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    pub(super) text: Option<String>,
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
    pub(super) tool_use_id: Option<String>,
    pub(super) is_error: Option<bool>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) source: Option<Source<'a>>,
    #[serde(skip)]
    answer: OnceCell<Option<Content<'a>>>,
}

/// Where an image or document comes from.
#[derive(Debug, Deserialize)]
pub(super) struct Source<'a> {
    pub(super) media_type: Option<String>,
    #[serde(borrow)]
    pub(super) data: Option<&'a RawValue>,
}

/// Content: words, or blocks.
#[derive(Debug)]
pub(super) enum Content<'a> {
    Words(String),
    Blocks(Vec<Block<'a>>),
}

impl<'a> Record<'a> {
    /// Reads a line made [`readable`].
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    /// Time in ms since 1970.
    pub(super) fn at(&self) -> Option<i64> {
        self.timestamp.as_deref().and_then(|text| text.parse::<Timestamp>().ok()).map(Timestamp::as_millisecond)
    }

    pub(super) fn native_message(&self) -> Option<NativeMessage<'a>> {
        serde_json::from_str(self.message?.get()).ok()
    }

    pub(super) fn is_side(&self) -> bool {
        self.is_sidechain == Some(true)
    }

    /// The words of a `system` line.
    pub(super) fn words(&self) -> Option<String> {
        serde_json::from_str(self.content?.get()).ok()
    }
}

impl<'a> Block<'a> {
    /// The content of a tool result, which is read once.
    pub(super) fn content(&self) -> Option<&Content<'a>> {
        self.answer.get_or_init(|| self.content.and_then(parse_content::<MAX_RESULT_BLOCKS>)).as_ref()
    }
}

/// Content that fits neither form is none; the rest of its message is there all the same.
fn content<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Content<'a>>, D::Error> {
    Ok(Option::<&'de RawValue>::deserialize(deserializer)?.and_then(parse_content::<MAX_BLOCKS>))
}

fn parse_content<const MAX: usize>(raw: &RawValue) -> Option<Content<'_>> {
    if raw.get().starts_with('"') {
        serde_json::from_str(raw.get()).ok().map(Content::Words)
    } else {
        serde_json::from_str(raw.get()).ok().map(|FirstBlocks::<MAX>(blocks)| Content::Blocks(blocks))
    }
}

/// The first `MAX` blocks of a list; the rest must be JSON and is not held.
struct FirstBlocks<'a, const MAX: usize>(Vec<Block<'a>>);

impl<'de, const MAX: usize> Deserialize<'de> for FirstBlocks<'de, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect<const MAX: usize>;
        impl<'de, const MAX: usize> Visitor<'de> for Collect<MAX> {
            type Value = FirstBlocks<'de, MAX>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list of blocks")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut blocks = Vec::new();
                while blocks.len() < MAX {
                    let Some(block) = list.next_element()? else { return Ok(FirstBlocks(blocks)) };
                    blocks.push(block);
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(FirstBlocks(blocks))
            }
        }
        deserializer.deserialize_seq(Collect::<MAX>)
    }
}

/// Whether a JSON object is a line of a transcript and not a piece of one: every line names its session, or a message in
/// it, beside its type.
pub(super) fn is_record(json: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Marks<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<&'a RawValue>,
        #[serde(borrow)]
        uuid: Option<&'a RawValue>,
        #[serde(borrow)]
        session_id: Option<&'a RawValue>,
        #[serde(borrow)]
        leaf_uuid: Option<&'a RawValue>,
        #[serde(borrow)]
        snapshot: Option<&'a RawValue>,
    }
    let Ok(marks) = serde_json::from_slice::<Marks<'_>>(json) else { return false };
    let named = [marks.uuid, marks.session_id, marks.leaf_uuid, marks.snapshot].iter().any(Option::is_some);
    named && marks.kind.is_some_and(|kind| kind.get().starts_with('"'))
}

/// The line with every half of a surrogate pair that stands alone replaced by U+FFFD. JavaScript writes such halves
/// where it cut a text in the middle of a character; they are JSON, but no text.
pub(super) fn readable(line: &[u8]) -> Cow<'_, [u8]> {
    let surrogates = [&b"\\ud"[..], b"\\uD"].iter().any(|start| memmem::find(line, start).is_some());
    if surrogates { without_lone_surrogates(line) } else { Cow::Borrowed(line) }
}

fn without_lone_surrogates(line: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(next) = memchr(b'\\', &line[at..]) {
        at += next;
        match (unit_at(line, at), unit_at(line, at + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => at += 12,
            (Some(0xD800..=0xDFFF), _) => {
                out.get_or_insert_with(|| line.to_vec())[at..at + 6].copy_from_slice(b"\\ufffd");
                at += 6;
            }
            _ => at = (at + 2).min(line.len()),
        }
    }
    out.map_or(Cow::Borrowed(line), Cow::Owned)
}

/// The UTF-16 unit that an escape `\uXXXX` at this place stands for.
fn unit_at(line: &[u8], at: usize) -> Option<u16> {
    let escape = line.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(escape).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_surrogates_become_readable() {
        assert_eq!(&*readable(br#""a\ud83d""#), br#""a\ufffd""#);
        assert_eq!(&*readable(br#""\ud83d\ud83d\ude00\udc00""#), br#""\ufffd\ud83d\ude00\ufffd""#);
        for same in [&br#""\ud83d\ude00""#[..], br#""\\ud83d""#, br#""\u00e4\n""#, b"\"\\"] {
            assert!(matches!(readable(same), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn a_piece_of_a_record_is_none() {
        assert!(is_record(br#"{"type":"mode","mode":"normal","sessionId":"x"}"#));
        assert!(is_record(br#"{"type":"summary","summary":"x","leafUuid":"y"}"#));
        assert!(!is_record(br#"{"type":"text","text":"x"}"#));
        assert!(!is_record(br#"{"stdout":"x","sessionId":"y"}"#));
    }

    #[test]
    fn reads_the_time() {
        let record = Record::parse(br#"{"type":"user","timestamp":"2026-11-20T13:53:17.123Z"}"#).unwrap();
        assert_eq!(record.at(), Some(1_795_182_797_123));
    }
}
