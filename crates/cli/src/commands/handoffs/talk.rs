//! `segue handoffs comment` and `comments`: what both sides say to each other. The server can read it.

use std::fmt::{Display, Write as _};

use segue_api::handoffs::{Comment, NewComment};
use segue_domain::{HandoffId, limits::COMMENT_CHARS_MAX};
use serde_json::json;

use crate::{
    commands::list::day,
    error::{CliError, Exit, Result},
    output::Output,
    remote::Remote,
    untrusted::Untrusted,
};

/// Comments of one handoff that are read: far more than the server keeps.
const COMMENTS_READ_MAX: usize = 100_000;

/// Writes.
pub(super) fn write(remote: &Remote, id: HandoffId, body: &str, output: &Output) -> Result<()> {
    let body = if body == "-" { from_stdin(output)? } else { body.to_owned() };
    if body.trim().is_empty() || body.chars().count() > COMMENT_CHARS_MAX {
        return Err(CliError::usage(format!(
            "a comment has 1 to {COMMENT_CHARS_MAX} characters that are not all blank"
        )));
    }
    let comment = remote.comment(id, &NewComment { body })?;
    let value = json!({"handoff_id": id.to_string(), "comment": comment});
    output.answer(format!("Written. The other side gets a mail; see segue handoffs comments {id}"), value)
}

fn from_stdin(output: &Output) -> Result<String> {
    let failed =
        |error: &dyn Display| CliError::new(Exit::Error, "stdin", format!("standard input cannot be read: {error}"));
    // A character has at most four bytes; one more shows that it is too long.
    let bytes = output.input.whole(COMMENT_CHARS_MAX as u64 * 4 + 1).map_err(|error| failed(&error))?;
    String::from_utf8(bytes.to_vec()).map_err(|error| failed(&error))
}

/// Reads all of it.
pub(super) fn read(remote: &Remote, id: HandoffId, output: &Output) -> Result<()> {
    let (mut comments, mut cursor) = (Vec::<Comment>::new(), "0".to_owned());
    loop {
        let page = remote.comments(id, &cursor)?;
        comments.extend(page.comments);
        match page.next {
            Some(next) if comments.len() < COMMENTS_READ_MAX => cursor = next,
            _ => break,
        }
    }
    let mut text = String::new();
    for comment in &comments {
        let (at, name, body) = (day(comment.at), &comment.author.name, Untrusted(&comment.body).paragraphs("  "));
        writeln!(
            text,
            "{at}  {} <{}>\n{body}\n",
            Untrusted(name).short(60),
            Untrusted(&comment.author.email).short(80)
        )
        .unwrap_or_default();
    }
    if comments.is_empty() {
        write!(text, "No comments. Write one: segue handoffs comment {id} --body …").unwrap_or_default();
    }
    output.answer(text.trim_end(), json!({"handoff_id": id.to_string(), "comments": comments}))
}
