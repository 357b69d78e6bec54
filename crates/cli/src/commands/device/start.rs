//! `segue device start`: shows a code for a chat.

use crate::{
    args,
    device::{drafts, held, moving},
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
    let draft = options.draft.as_deref().map(|path| drafts::read(path, output)).transpose()?;
    let wanted = moving::Wanted { found, draft, now: options.now, link: options.link };
    moving::run(&uploader, wanted, output)
}
