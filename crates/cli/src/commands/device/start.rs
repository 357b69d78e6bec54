//! `segue device start`: shows a code for a chat.

use std::io::Read as _;

use segue_formats::active_view::DRAFT_MAX;

use crate::{
    args,
    device::{held, moving},
    environment,
    error::{CliError, Result},
    output::Output,
    resolve::resolve,
    upload::Uploader,
};

/// Shows a code until somebody has the chat.
pub(super) fn run(options: &args::device::Start, output: &Output) -> Result<()> {
    let uploader = Uploader::open(output)?;
    let chosen = resolve(&uploader.library, &environment::tools()?, options.session.as_deref())?;
    if let Some(record) = &chosen.record {
        held::check(&uploader.home, &record.session_id)?;
    }
    let found = chosen.found.ok_or_else(|| {
        CliError::not_found("the tool does not have this session here")
            .hint("Continue it first: segue resume SESSION --print")
    })?;
    let draft = options.draft.as_deref().map(read_draft).transpose()?;
    let wanted = moving::Wanted { found, draft, now: options.now, link: options.link };
    moving::run(&uploader, wanted, output)
}

/// What is being written, from a file or standard input: it is nobody else's business, so not from the command line.
fn read_draft(path: &std::path::Path) -> Result<String> {
    let failed = |error: std::io::Error| CliError::file("read", path, &error);
    let mut text = String::new();
    let limit = DRAFT_MAX as u64 + 1;
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_string(&mut text).map_err(failed)?;
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit).read_to_string(&mut text)).map_err(failed)?;
    }
    if text.len() > DRAFT_MAX {
        return Err(CliError::usage(format!("a draft has at most {DRAFT_MAX} bytes")).hint("Move a part of it."));
    }
    Ok(text)
}
