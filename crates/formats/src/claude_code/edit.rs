//! Changes to single values of a line; every other byte of it stays as it is.
//!
//! Three things change, and only where they must:
//! - the session's id, if the receiver already has a session of that id (the tool goes by the file name, but subagents and
//!   titles name the session inside);
//! - the path of spilled tool output that travels along, which the model may read again. Only in lines of the user, only
//!   after the tool's own marks; never in what the model wrote, whose thinking is signed;
//! - the permission mode. Claude Code 2.1.197 takes `acceptEdits` and `dontAsk` of a `permission-mode` line over when it
//!   resumes in a terminal (not with `-p`; not `bypassPermissions` or `auto`; and not from `permissionMode` in lines of
//!   the user): a received session could let the model write without asking. Any mode but `default` and `plan` is reset.

use std::fmt;
use std::ops::Range;

use memchr::memmem;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::record::readable;
use crate::clip::clip;

/// Modes that let a tool do nothing without asking.
const HARMLESS_MODES: [&str; 2] = ["default", "plan"];

/// How the tool marks a result whose output it spilled, and how it introduces the path there.
const SPILLED: &str = "<persisted-output>";
const SPILL_MARK: &str = "saved to: ";

/// How the tool names the path once more beside the result.
const SPILL_FIELD: &str = "\"persistedOutputPath\":\"";

/// The longest path looked for, in bytes of JSON: what file systems take, each byte escaped.
const MAX_PATH: usize = 6 * 4096;

/// Most places of one value where a path is looked for. The tool writes one; each place may cost [`MAX_PATH`].
const MAX_PLACES: usize = 64;

/// What to change in every line of a session.
#[derive(Debug)]
pub(super) struct Edits<'a> {
    pub(super) old_id: &'a str,
    pub(super) new_id: &'a str,
    /// Names of the spilled outputs that travel along.
    pub(super) spilled: &'a [String],
    /// The folder they are put into.
    pub(super) spill_dir: &'a str,
}

/// A line after its changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Edited {
    /// Ranges of the line and what comes in their place, in order.
    changes: Vec<(Range<usize>, String)>,
    /// Whether a permission mode was reset.
    pub(super) reset_mode: bool,
}

impl Edited {
    /// Writes the changed `line` to the end of `out`.
    pub(super) fn apply(&self, line: &[u8], out: &mut Vec<u8>) {
        let mut done = 0;
        for (range, text) in &self.changes {
            out.extend_from_slice(&line[done..range.start]);
            out.extend_from_slice(text.as_bytes());
            done = range.end;
        }
        out.extend_from_slice(&line[done..]);
    }
}

impl Edits<'_> {
    /// Finds what changes in a record; `None` where it is no JSON object.
    pub(super) fn find(&self, record: &[u8]) -> Option<Edited> {
        // As long as the record itself, so ranges in one are ranges in the other.
        let text = readable(record);
        let fields = serde_json::from_slice::<Fields<'_>>(&text).ok()?;
        let mut edited = Edited::default();
        for (name, value) in &fields.0 {
            let range = range_in(&text, value.get());
            match name {
                Name::SessionId if self.new_id != self.old_id && is_text(value, self.old_id) => {
                    edited.changes.push((range, quote(self.new_id)));
                }
                Name::PermissionMode if fields.is_kind("permission-mode") && !is_harmless(value) => {
                    edited.changes.push((range, quote("default")));
                    edited.reset_mode = true;
                }
                Name::Message
                    if fields.is_kind("user") && memmem::find(value.get().as_bytes(), SPILLED.as_bytes()).is_some() =>
                {
                    self.find_spilled(value.get(), SPILL_MARK, range.start, &mut edited);
                }
                Name::ToolUseResult if fields.is_kind("user") => {
                    self.find_spilled(value.get(), SPILL_FIELD, range.start, &mut edited);
                }
                Name::Type
                | Name::SessionId
                | Name::PermissionMode
                | Name::Message
                | Name::ToolUseResult
                | Name::Other => {}
            }
        }
        Some(edited)
    }

    /// Paths of spilled output right after `mark`, up to the end of the line or text.
    fn find_spilled(&self, json: &str, mark: &str, offset: usize, edited: &mut Edited) {
        for at in memmem::find_iter(json.as_bytes(), mark).take(MAX_PLACES) {
            let start = at + mark.len();
            let path = clip(&json[start..], MAX_PATH);
            let ends = [path.find('"'), path.find("\\n\\n")];
            let Some(path) = ends.into_iter().flatten().min().map(|end| &path[..end]) else { continue };
            if let Some(new) = self.moved(path) {
                edited.changes.push((offset + start..offset + start + path.len(), new));
            }
        }
    }

    /// The new path in place of the JSON text of an old one, without quotes.
    fn moved(&self, json: &str) -> Option<String> {
        let path: String = serde_json::from_str(&format!("\"{json}\"")).ok()?;
        let mut parts = path.rsplit(['/', '\\']);
        let name = parts.next()?;
        let ours = parts.next() == Some("tool-results") && parts.next() == Some(self.old_id);
        if !ours || !self.spilled.iter().any(|spilled| spilled == name) {
            return None;
        }
        let new = quote(&format!("{}/{name}", self.spill_dir));
        Some(new[1..new.len() - 1].to_owned()).filter(|new| new != json)
    }
}

/// A field that matters here.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Name {
    Type,
    SessionId,
    PermissionMode,
    Message,
    ToolUseResult,
    #[serde(other)]
    Other,
}

/// The fields of an object that matter, in order, repeated ones too: the tool takes the last of them.
struct Fields<'a>(Vec<(Name, &'a RawValue)>);

impl Fields<'_> {
    fn is_kind(&self, kind: &str) -> bool {
        self.0.iter().any(|(name, value)| *name == Name::Type && is_text(value, kind))
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Fields<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(name) = map.next_key()? {
                    if name == Name::Other {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        fields.push((name, map.next_value()?));
                    }
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

fn is_text(value: &RawValue, text: &str) -> bool {
    serde_json::from_str::<String>(value.get()).is_ok_and(|said| said == text)
}

fn is_harmless(value: &RawValue) -> bool {
    HARMLESS_MODES.iter().any(|mode| is_text(value, mode))
}

fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn range_in(whole: &[u8], part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "11111111-2222-4333-8444-555555555555";
    const NEW: &str = "99999999-2222-4333-8444-555555555555";

    fn edit(line: &str) -> (String, bool) {
        let spilled = ["b.txt".to_owned()];
        let edits = Edits { old_id: OLD, new_id: NEW, spilled: &spilled, spill_dir: "/new \"home\"/tool-results" };
        let edited = edits.find(line.as_bytes()).unwrap();
        let mut out = Vec::new();
        edited.apply(line.as_bytes(), &mut out);
        (String::from_utf8(out).unwrap(), edited.reset_mode)
    }

    #[test]
    fn only_the_sessions_own_id_changes() {
        let (line, _) = edit(&format!(r#"{{ "a":{{"sessionId":"{OLD}"}},"sessionId" : "{OLD}","b":"{OLD}\ud800"}}"#));
        assert_eq!(line, format!(r#"{{ "a":{{"sessionId":"{OLD}"}},"sessionId" : "{NEW}","b":"{OLD}\ud800"}}"#));
        let foreign = r#"{"sessionId":"77777777-2222-4333-8444-555555555555"}"#;
        assert_eq!(edit(foreign).0, foreign);
    }

    #[test]
    fn a_mode_that_asks_less_is_reset_however_it_is_written() {
        let reset = |mode: &str| edit(&format!(r#"{{"type":"permission-mode","permissionMode":{mode}}}"#));
        assert_eq!(
            reset(r#""acceptEdits""#),
            (r#"{"type":"permission-mode","permissionMode":"default"}"#.into(), true)
        );
        assert!(reset("7").1 && reset(r#""plan","permissionMode":"acceptEdits""#).1);
        assert!(edit(r#"{"type":"permission\u002dmode","permissionMode":"dontAsk"}"#).1);
        assert!(!reset(r#""plan""#).1 && !reset(r#""default""#).1);
        assert!(!edit(r#"{"type":"user","permissionMode":"acceptEdits"}"#).1);
    }

    #[test]
    fn spilled_output_is_found_where_it_is_put() {
        let old = format!("/a b/.claude/projects/-x/{OLD}/tool-results/b.txt");
        let new = r#"/new \"home\"/tool-results/b.txt"#;
        let user = |path: &str| {
            format!(
                r#"{{"type":"user","message":{{"content":"<persisted-output>\nFull output saved to: {path}\n\n{old}"}},"toolUseResult":{{"persistedOutputPath":"{path}","stdout":"{old}"}}}}"#
            )
        };
        assert_eq!(edit(&user(&old)).0, user(new));
        let windows = format!(r"C:\\x\\{OLD}\\tool-results\\b.txt");
        assert_eq!(edit(&user(&windows)).0, user(new));
    }

    #[test]
    fn other_paths_and_what_the_model_wrote_stay() {
        for path in
            [format!("/x/{OLD}/tool-results/c.txt"), format!("/x/{NEW}/tool-results/b.txt"), format!("/x/{OLD}/b.txt")]
        {
            let line =
                format!(r#"{{"type":"user","message":{{"content":"<persisted-output> saved to: {path}\n\n"}}}}"#);
            assert_eq!(edit(&line).0, line);
        }
        let said = |kind: &str, mark: &str| {
            format!(r#"{{"type":"{kind}","message":{{"content":"{mark} saved to: /x/{OLD}/tool-results/b.txt\n\n"}}}}"#)
        };
        for line in [said("assistant", "<persisted-output>"), said("user", "I")] {
            assert_eq!(edit(&line).0, line);
        }
        let changes = said("user", "<persisted-output>");
        assert_ne!(edit(&changes).0, changes);
    }
}
