//! What is being written beside a chat (SPEC D13).

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

use segue_formats::active_view::{DRAFT_MAX, Draft};

use crate::{
    error::{CliError, Exit, Result},
    home::Home,
    output::Output,
};

/// Most drafts that are kept of one chat.
const DRAFTS_MAX: u32 = 1_000;

/// What is being written, from a file or standard input: it is nobody else's business, so not from the command line.
pub fn read(path: &Path, output: &Output) -> Result<String> {
    let failed = |error: io::Error| CliError::file("read", path, &error);
    let limit = DRAFT_MAX as u64 + 1;
    let bytes = if path.as_os_str() == "-" {
        output.input.whole(limit).map_err(failed)?.to_vec()
    } else {
        let (file, mut bytes) = (fs::File::open(path).map_err(failed)?, Vec::new());
        file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
        bytes
    };
    if bytes.len() > DRAFT_MAX {
        return Err(CliError::usage(format!("a draft has at most {DRAFT_MAX} bytes")).hint("Move a part of it."));
    }
    String::from_utf8(bytes).map_err(|_| failed(io::Error::other("it is not UTF-8")))
}

/// Keeps what was being written beside what may be there already: nothing is overwritten, and the same text is kept once.
pub fn keep(home: &Home, session_id: &str, draft: Option<&Draft>) -> Result<Option<String>> {
    let Some(draft) = draft else { return Ok(None) };
    let name = |number: u32| match number {
        0 => format!("drafts/{session_id}.txt"),
        number => format!("drafts/{session_id}-{number}.txt"),
    };
    crate::home::create_dir(&home.path("drafts"))?;
    for number in 0..DRAFTS_MAX {
        let path = home.path(&name(number));
        match fs::read(&path) {
            Ok(there) if there == draft.text.as_bytes() => {}
            Ok(_) => continue,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                crate::home::write(&path, draft.text.as_bytes())?;
            }
            Err(error) => return Err(CliError::file("read", &path, &error)),
        }
        return Ok(Some(path.display().to_string()));
    }
    Err(CliError::new(Exit::Error, "file", "there are too many drafts of this chat"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_drafts_are_kept_and_the_same_one_once() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::at(root.path());
        let kept = |text: &str| {
            let draft = Draft { text: text.to_owned(), caret: 0 };
            keep(&home, "ses_x", Some(&draft)).unwrap().unwrap()
        };
        let (first, second) = (kept("one"), kept("two"));
        assert_eq!((kept("one"), kept("two")), (first.clone(), second.clone()));
        assert_eq!((fs::read(first).unwrap(), fs::read(second).unwrap()), (b"one".to_vec(), b"two".to_vec()));
        assert_eq!(keep(&home, "ses_x", None).unwrap(), None);
    }
}
