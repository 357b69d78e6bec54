//! Where Claude Code keeps what: directory names, file names, and which names are safe to use.

use std::path::{Path, PathBuf};

use crate::Env;

/// Longest encoded directory name before the tool cuts it and adds a hash.
const MAX_PLAIN: usize = 200;

/// Longest file name taken from or put into a bundle, in bytes.
const MAX_NAME: usize = 128;

/// The folder of all projects.
pub(super) fn projects_dir(env: &Env) -> PathBuf {
    config_dir(env).join("projects")
}

/// The configuration folder.
pub(super) fn config_dir(env: &Env) -> PathBuf {
    env.claude_config_dir.clone().unwrap_or_else(|| env.home.join(".claude"))
}

/// The name of a project's folder for a working directory, which must be the real path. Every UTF-16 unit but ASCII
/// letters and digits becomes `-`; a name over 200 units is cut there and gets a hash of the whole path.
pub(super) fn encode_dir(cwd: &str) -> String {
    let plain: String = cwd
        .encode_utf16()
        .map(|unit| char::from_u32(u32::from(unit)).filter(char::is_ascii_alphanumeric).unwrap_or('-'))
        .collect();
    if plain.len() <= MAX_PLAIN {
        return plain;
    }
    let hash = cwd.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    format!("{}-{}", &plain[..MAX_PLAIN], base36(hash.unsigned_abs()))
}

fn base36(mut number: u32) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit(number % 36, 36).unwrap_or('0'));
        number /= 36;
        if number == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

/// Whether `text` is a UUID as Claude Code writes it. Only such names are sessions.
pub(super) fn is_session_id(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

/// The session that a file in a project's folder holds.
pub(super) fn session_of(file: &Path) -> Option<&str> {
    file.file_name()?.to_str()?.strip_suffix(".jsonl").filter(|name| is_session_id(name))
}

/// Whether a name may be used for a file on any system: plain characters, and not hidden.
pub(super) fn is_safe_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && !name.starts_with('.')
        && !name.ends_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// Whether a name is that of a subagent's transcript.
pub(super) fn is_agent_transcript(name: &str) -> bool {
    is_agent_file(name, ".jsonl")
}

/// Whether a name is that of a subagent's description.
pub(super) fn is_agent_meta(name: &str) -> bool {
    is_agent_file(name, ".meta.json")
}

fn is_agent_file(name: &str, ending: &str) -> bool {
    is_safe_name(name)
        && name.strip_prefix("agent-").is_some_and(|rest| rest.len() > ending.len() && rest.ends_with(ending))
}

/// Whether a name is that of a task: a number.
pub(super) fn is_task(name: &str) -> bool {
    is_safe_name(name)
        && name
            .strip_suffix(".json")
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The agent whose old todo list a file name holds, if it belongs to `session`.
pub(super) fn todo_agent<'a>(name: &'a str, session: &str) -> Option<&'a str> {
    let agent = name.strip_prefix(session)?.strip_prefix("-agent-")?.strip_suffix(".json")?;
    is_safe_name(name).then_some(agent).filter(|agent| !agent.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    // The expected names are those of folders that Claude Code 2.1.197 made.

    #[test]
    fn every_other_unit_becomes_a_dash() {
        assert_eq!(encode_dir("/home/coder/x/Ünï_code v1.2 😀 dir"), "-home-coder-x--n--code-v1-2----dir");
    }

    #[test]
    fn a_long_path_is_cut_and_hashed() {
        let parts: Vec<_> = (0..12).map(|at| format!("segment-{at:02}_abcdefghij")).collect();
        let name = encode_dir(&format!("/home/coder/long/{}", parts.join("/")));
        assert_eq!(name.len(), 207);
        assert!(name.ends_with("-segment-07-abcdefghij-segment-yewzs1"), "{name}");
    }

    #[test]
    fn the_hash_is_over_utf16_units() {
        let parts: Vec<_> = (0..9).map(|at| format!("ünï😀segment-{at:02}_abcdefghij")).collect();
        let name = encode_dir(&format!("/home/coder/long/{}", parts.join("/")));
        assert!(name.starts_with("-home-coder-long--n---segment-00-abcdefghij--n---segment-01"), "{name}");
        assert!(name.ends_with("--n---segment-06-abcde-24df5e"), "{name}");
    }

    #[test]
    fn two_hundred_units_are_still_plain() {
        let path = format!("/{}", "a".repeat(199));
        assert_eq!(encode_dir(&path).len(), 200);
        assert!(encode_dir(&format!("{path}a")).len() > 201);
    }

    #[test]
    fn only_uuids_name_sessions() {
        assert_eq!(session_of(Path::new("/p/6af582ae-93ce-4653-b18f-17d1775eca38.jsonl")).map(str::len), Some(36));
        for name in [
            "agent-a961b6e.jsonl",
            "6af582ae-93ce-4653-b18f-17d1775eca38.json",
            "../../../../../../../../etc/passwd00.jsonl",
        ] {
            assert_eq!(session_of(Path::new(name)), None, "{name}");
        }
        assert!(!is_session_id("6af582ae-93ce-4653-b18f-17d1775eca3/"));
    }

    #[test]
    fn unsafe_names_are_refused() {
        for name in ["", ".", "..", "a/b", "a\\b", ".hidden", "a b", "ä", "con:", "end."] {
            assert!(!is_safe_name(name), "{name}");
        }
        assert!(!is_task("1.json.lock") && !is_task("-1.json") && !is_task(".json") && is_task("12.json"));
        assert_eq!(todo_agent("s-agent-x.json", "s"), Some("x"));
        assert_eq!(todo_agent("t-agent-x.json", "s"), None);
    }
}
