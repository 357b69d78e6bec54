//! The card: the small public description of a session that the server may read and mail (SPEC, Words).

use crate::{
    Malformed,
    lv::{Reader, Writer},
};

/// Longest text in a card, in bytes: what a mail or a list line can show.
pub const CARD_TEXT_MAX: usize = 512;

/// What the server and a mail may say about a session. `--private` leaves it empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Card {
    /// The tool that owns the session, e.g. `claude-code`.
    pub tool: String,
    /// The model last used, as the tool names it.
    pub model: String,
    /// The tool's own title, else "Claude Code session in REPO"; never the first prompt.
    pub title: String,
    /// Git remote without user information, query and fragment.
    pub git_remote: String,
    /// Git branch.
    pub git_branch: String,
    /// Messages written by people.
    pub user_messages: u32,
    /// Messages written by the model.
    pub assistant_messages: u32,
    /// Tool calls made by the model.
    pub tool_calls: u32,
    /// Plain size of the session's files, in bytes.
    pub bytes: u64,
    /// When the session last changed, unix milliseconds.
    pub updated_at: u64,
}

impl Card {
    const LABEL: &'static str = "segue/card/1";

    /// The card as bytes: `lv_cat("segue/card/1", tool, model, title, remote, branch, users, answers, calls, bytes, updated)`.
    pub fn encode(&self) -> Vec<u8> {
        Writer::labelled(Self::LABEL)
            .text(&self.tool)
            .text(&self.model)
            .text(&self.title)
            .text(&self.git_remote)
            .text(&self.git_branch)
            .u32(self.user_messages)
            .u32(self.assistant_messages)
            .u32(self.tool_calls)
            .u64(self.bytes)
            .u64(self.updated_at)
            .finish()
    }

    /// Reads a card.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        reader.label(Self::LABEL)?;
        let mut text = |name| reader.text(name, CARD_TEXT_MAX).map(str::to_owned);
        let (tool, model, title) = (text("card tool")?, text("card model")?, text("card title")?);
        let (git_remote, git_branch) = (text("card remote")?, text("card branch")?);
        let card = Self {
            tool,
            model,
            title,
            git_remote,
            git_branch,
            user_messages: reader.u32("card counts")?,
            assistant_messages: reader.u32("card counts")?,
            tool_calls: reader.u32("card counts")?,
            bytes: reader.u64("card bytes")?,
            updated_at: reader.u64("card updated")?,
        };
        reader.finish("card")?;
        Ok(card)
    }

    /// Whether the sender chose to say nothing.
    pub fn is_private(&self) -> bool {
        *self == Self::default()
    }
}

/// A git remote as it may stand in a card: without user information, query and fragment.
///
/// Covers URLs (`https://token@host/path?x#y`) and scp-like remotes (`git@host:path`). Anything else, a local path for
/// example, is left out: it says more about the sender's machine than about the repository.
pub fn public_git_remote(remote: &str) -> Option<String> {
    let remote = remote.trim();
    let end = remote.find(['?', '#']).unwrap_or(remote.len());
    let remote = remote.get(..end)?;
    if remote.chars().any(char::is_control) || remote.len() > CARD_TEXT_MAX {
        return None;
    }
    if let Some((scheme, rest)) = remote.split_once("://") {
        if !matches!(scheme, "https" | "http" | "ssh" | "git") {
            return None;
        }
        let (authority, path) = rest.split_once('/')?;
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        return (!host.is_empty()).then(|| format!("{scheme}://{host}/{path}"));
    }
    let (authority, path) = remote.split_once(':')?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let plain = !host.is_empty() && host.len() > 1 && !host.contains(['/', '\\']) && !path.is_empty();
    plain.then(|| format!("{host}:{path}"))
}

/// What two spellings of one git remote have in common: `host/path`, without scheme, port and `.git`; the host in lower case.
///
/// For recognising a repository. Whoever writes a remote may write any: it proves nothing (SPEC T15).
pub fn git_remote_key(remote: &str) -> Option<String> {
    let public = public_git_remote(remote)?;
    let (host, path) = match public.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?,
        None => public.split_once(':')?,
    };
    let host = host.split_once(':').map_or(host, |(host, _)| host).to_ascii_lowercase();
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    (!host.is_empty() && !path.is_empty()).then(|| format!("{host}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_loses_its_secrets() {
        let public = |remote| public_git_remote(remote).unwrap_or_default();
        assert_eq!(public("https://ann:ghp_x@github.com/acme/sdk.git?k=v#f"), "https://github.com/acme/sdk.git");
        assert_eq!(public("git@github.com:acme/sdk.git"), "github.com:acme/sdk.git");
        assert_eq!(public("ssh://git@host:2222/a/b"), "ssh://host:2222/a/b");
        assert_eq!(public("/home/ann/secret-project"), "");
        assert_eq!(public("C:\\work\\repo"), "");
        assert_eq!(public("file:///home/ann/repo"), "");
        assert_eq!(public("https://a@b@host/x"), "https://host/x");
    }

    #[test]
    fn one_repository_has_one_key_however_it_is_written() {
        for remote in [
            "https://ann:ghp_x@GitHub.com/acme/sdk.git",
            "git@github.com:acme/sdk.git",
            "ssh://git@github.com:22/acme/sdk",
            "https://github.com/acme/sdk/",
        ] {
            assert_eq!(git_remote_key(remote).as_deref(), Some("github.com/acme/sdk"), "{remote}");
        }
        for remote in ["", "/home/ann/sdk", "https://github.com/", "https://github.com", "github.com:.git"] {
            assert_eq!(git_remote_key(remote), None, "{remote}");
        }
    }

    #[test]
    fn a_card_reads_back_and_the_empty_one_is_private() {
        let card = Card { title: "fix the parser".into(), user_messages: 3, ..Card::default() };
        assert_eq!(Card::parse(&card.encode()), Ok(card.clone()));
        assert!(!card.is_private());
        assert!(Card::default().is_private());
    }
}
