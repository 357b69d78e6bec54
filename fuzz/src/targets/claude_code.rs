//! Claude Code's transcripts: taken, installed elsewhere and taken again. The second time finds what the first did. Then
//! something is appended, and that is all that is new.

use std::fs;
use std::path::{Path, PathBuf};

use segue_formats::active_view::{HeadHasher, TailSink};
use segue_formats::view::{MAX_VIEW_LINE, Message, Part, Role, ViewReader};
use segue_formats::{
    AppendError, CaptureError, Captured, ClaudeCode, Env, Format as _, Found, Handed, InstallError, Installed,
    MAX_SUMMARY, Tool,
};
use tempfile::TempDir;

use super::Target;
use crate::corpus;

/// Sessions whose transcript is hostile.
pub(super) struct ClaudeCodeSessions;

const ID: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";
const FRESH: &str = "77777777-2222-4333-8444-555555555555";

impl Target for ClaudeCodeSessions {
    fn name(&self) -> &'static str {
        "claude-code"
    }

    fn corpus(&self) -> Vec<Vec<u8>> {
        corpus::transcripts()
    }

    fn dictionary(&self) -> &'static [&'static [u8]] {
        &[
            b"\n",
            b"\r\n",
            b"\0\0\0\0",
            b"\xef\xbb\xbf",
            b"\xff",
            b"{\"",
            b"{\"type\":\"",
            b"}{",
            b"[[[[[[[[[[[[[[[[",
            b"\\ud83d",
            b"\\ud83d\\ude00",
            b"\\u0000",
            b"1e400",
            b"-0.0",
            b"99999999999999999999999999",
            b"null",
            b"\"uuid\":\"x\",",
            b"\"parentUuid\":null,",
            b"\"isSidechain\":true,",
            b"\"isMeta\":true,",
            b"\"isCompactSummary\":true,",
            b"\"content\":[],",
            b"\"content\":[{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"Write\",\"input\":{\"file_path\":\"/a\"}}],",
            b"\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"a\",\"content\":\"x\"}],",
            b"{\"type\":\"permission-mode\",\"permissionMode\":\"bypassPermissions\",\"sessionId\":\"x\"}\n",
            b"{\"type\":\"last-prompt\",\"leafUuid\":\"x\"}\n",
            b"\"subtype\":\"compact_boundary\",",
            b"\"compactMetadata\":{\"preservedMessages\":{\"anchorUuid\":\"x\",\"uuids\":[\"x\"]}},",
            b"<persisted-output>\\nFull output saved to: ",
            b"\"timestamp\":\"2026-11-20T13:53:17.123Z\",",
            b"\"timestamp\":\"-009999-01-01T00:00:00Z\",",
        ]
    }

    /// The longest line with its parsed parts, its message, and buffers of 8 KiB for some files at a time. A part or a
    /// value of two bytes is held in some ten words.
    fn memory_max(&self, input_len: usize) -> u64 {
        1024 * 1024 + 200 * input_len as u64
    }

    fn run(&self, input: &[u8]) -> String {
        let scratch = scratch();
        let (sender, receiver) = (home(scratch.path(), "sender"), home(scratch.path(), "receiver"));
        let path = sender.home.join(".claude/projects/-work").join(format!("{ID}.jsonl"));
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("a scratch folder");
        fs::write(&path, input).expect("a scratch file");
        drop(ClaudeCode.find(&sender, ID).expect("the folder can be listed"));
        let (captured, view) = capture(&sender, ID, path.clone(), input.len());
        let native = path.with_file_name("native");
        fs::create_dir_all(&native).expect("a scratch folder");
        fs::rename(&path, native.join("session.jsonl")).expect("the same folder");
        let cwd = scratch.path().join("cwd");
        fs::create_dir_all(&cwd).expect("a scratch folder");
        let installed = match ClaudeCode.install(&receiver, &native, &captured.header, &cwd, FRESH) {
            Ok(installed) => installed,
            Err(InstallError::Empty) => {
                assert_eq!(captured.torn.kept, 0, "records were captured and none installed");
                return outcome(&captured, "empty");
            }
            Err(error) => panic!("not installed: {error}"),
        };
        assert_eq!(installed.torn, captured.torn, "another damage found when installing");
        let len = usize::try_from(fs::metadata(&installed.native_path).expect("it was installed").len());
        let len = len.expect("a scratch file is short");
        let (again, second_view) = capture(&receiver, ID, installed.native_path.clone(), len);
        assert!(again.torn.is_intact(), "damaged after repair: {:?}", again.torn);
        assert_eq!(again.torn.kept, captured.torn.kept, "another number of records after installing");
        assert!(view == second_view, "another conversation after installing");
        assert_eq!(again.summary, captured.summary, "another summary after installing");
        let second =
            ClaudeCode.install(&receiver, &native, &captured.header, &cwd, FRESH).expect("it is there already");
        assert!(second.already, "a second install did not find the first");
        append(&receiver, &installed, &second_view);
        outcome(&captured, if installed.reset_permission_modes > 0 { "reset" } else { "installed" })
    }
}

/// Appends to an installed session. What was said is then its last message, and it goes on to the same head.
fn append(env: &Env, installed: &Installed, view: &[u8]) {
    let Some(found) = ClaudeCode.find(env, &installed.native_id).expect("the folder can be listed") else { return };
    drop(ClaudeCode.turn(&found).expect("any bytes end somehow"));
    let mut tail = TailSink::default();
    ClaudeCode.capture(env, &found, Some(&mut tail)).expect("any bytes are a session");
    let handed = Handed::of(&found, &tail);
    let said = [(1, Role::User), (2, Role::Assistant), (3, Role::User)].map(|(at, role)| Message {
        v: 1,
        id: format!("0a0b0c0d-0000-4000-8000-{at:012}"),
        at,
        role,
        parts: vec![Part::text("said elsewhere")],
    });
    let appended = match ClaudeCode.append(&found, &handed, &said) {
        Ok(appended) => appended,
        // Nothing in it can be followed, or not yet.
        Err(AppendError::Capture(CaptureError::NotASession) | AppendError::Busy) => return,
        Err(error) => panic!("not appended: {error}"),
    };
    let len = usize::try_from(appended.len).expect("a scratch file is short");
    let (_, grown) = capture(env, &installed.native_id, installed.native_path.clone(), len);
    let mut head = HeadHasher::default();
    grown.split_inclusive(|byte| *byte == b'\n').for_each(|line| head.add_line(line.trim_ascii_end()));
    assert!(grown.starts_with(view), "what was appended changed what was before");
    assert!(head == appended.head, "what was appended is not what the view shows");
}

/// In memory where the system has such a place: a case writes some files and waits for each.
fn scratch() -> TempDir {
    let shared = Path::new("/dev/shm");
    let base = if shared.is_dir() { shared.to_path_buf() } else { std::env::temp_dir() };
    tempfile::tempdir_in(base).expect("a scratch folder")
}

fn home(scratch: &Path, name: &str) -> Env {
    Env { home: scratch.join(name), claude_config_dir: None }
}

/// Takes a session and checks its view and its summary.
fn capture(env: &Env, id: &str, path: PathBuf, len: usize) -> (Captured, Vec<u8>) {
    let found = Found {
        tool: Tool::ClaudeCode,
        native_id: id.to_owned(),
        path,
        cwd: None,
        title: None,
        updated_at_ms: 0,
        len: len as u64,
    };
    let mut view = Vec::new();
    let captured = ClaudeCode.capture(env, &found, Some(&mut view)).expect("any bytes are a session");
    for line in view.split_inclusive(|byte| *byte == b'\n') {
        assert!(line.len() <= MAX_VIEW_LINE && line.ends_with(b"\n"), "a line of the view has {} bytes", line.len());
    }
    let messages = ViewReader::new(&view[..])
        .inspect(|message| assert!(message.is_ok(), "a line of the view is no message: {message:?}"))
        .count();
    assert!(messages as u64 <= captured.torn.kept, "more messages than records");
    assert!(captured.summary.to_json_bounded().len() <= MAX_SUMMARY, "the summary is too long");
    (captured, view)
}

/// What is new about a case: which damage, and roughly how much of everything.
fn outcome(captured: &Captured, end: &str) -> String {
    let size = |count: u64| count.min(4);
    let (counts, dropped) = (captured.header.counts, captured.header.dropped);
    let mut damage: Vec<_> = captured.torn.quarantined.iter().map(|place| format!("{:?}", place.reason)).collect();
    damage.sort();
    damage.dedup();
    format!(
        "{end} {damage:?} {} {} {} {} {} {} {}",
        size(counts.user_messages),
        size(counts.assistant_messages),
        size(counts.tool_calls),
        size(dropped.thinking_blocks),
        size(dropped.messages_off_chain),
        size(dropped.unanswered_calls),
        size(captured.torn.repaired)
    )
}
