//! What a command says: answers on standard output, everything else on standard error.

use std::{
    fmt::Display,
    io::{self, IsTerminal as _, Write},
    process::ExitCode,
    sync::{Mutex, MutexGuard, PoisonError},
};

use data_encoding::BASE64;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    args::Global,
    error::{CliError, Exit, Result},
    input::Input,
    untrusted::{self, Untrusted},
};

/// Version of the JSON answers: a field may be added, none changes its meaning or goes away.
const JSON_VERSION: u32 = 1;

/// Where a command's words go. All of them pass [`Untrusted`] on their way, whatever their parts went through before.
#[derive(Debug)]
pub struct Output {
    options: Global,
    /// Standard input, for who asks beside it.
    pub input: Input,
    warnings: Mutex<Vec<String>>,
}

impl Output {
    /// An output that follows the command line's options.
    pub fn new(options: &Global) -> Self {
        Self { options: *options, input: Input::default(), warnings: Mutex::default() }
    }

    fn warnings(&self) -> MutexGuard<'_, Vec<String>> {
        // A list is whole whenever the lock is free.
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer: `text` for a person, `value` with `--json`.
    pub fn answer(&self, text: impl Display, mut value: Value) -> Result<()> {
        if !self.options.json {
            return print(&Untrusted(&format!("{text}")).paragraphs(""));
        }
        if let Some(object) = value.as_object_mut() {
            object.shift_insert(0, "v".to_owned(), json!(JSON_VERSION));
            let warnings = std::mem::take(&mut *self.warnings());
            if !warnings.is_empty() {
                object.insert("warnings".to_owned(), json!(warnings));
            }
        }
        print(&untrusted::json(&value))
    }

    /// Something that happens while a command runs: a sentence for a person, a line of its own with `--json`.
    pub fn event(&self, name: &str, text: String, mut value: Value) -> Result<()> {
        if !self.options.json {
            self.notice(text);
            return Ok(());
        }
        value["event"] = name.into();
        self.answer("", value)
    }

    /// Whether `--no-input` says that nobody is to be asked.
    pub fn refuses_input(&self) -> bool {
        self.options.no_input
    }

    /// A sentence beside the answer, for a person.
    pub fn notice(&self, text: impl Display) {
        if !self.options.json && !self.options.quiet {
            to_stderr(&format!("{text}"));
        }
    }

    /// A sentence that must not be missed: also with `--quiet`, and in the answer's `warnings` with `--json`.
    pub fn warn(&self, text: impl Display) {
        if self.options.json {
            self.warnings().push(text.to_string());
        } else {
            to_stderr(&format!("{text}"));
        }
    }

    /// Sentences that come when the answer was given, or belong to none: with `--json` one object on standard error.
    pub fn tell(&self, news: &[String]) {
        if news.is_empty() {
            return;
        }
        if self.options.json {
            to_stderr(&untrusted::json(&json!({"v": JSON_VERSION, "news": news})));
        } else {
            for text in news {
                to_stderr(text);
            }
        }
    }

    /// Whether a person watches: progress is shown on a terminal only.
    pub fn shows_progress(&self) -> bool {
        !self.options.json && !self.options.quiet && io::stderr().is_terminal()
    }

    /// Puts a text into the clipboard of the terminal, where it lets programs do that (OSC 52 of xterm).
    pub fn copy(&self, text: &str) {
        let encoded = Zeroizing::new(BASE64.encode(text.as_bytes()));
        // A terminal without one ignores it.
        drop(write!(io::stderr().lock(), "\x1b]52;c;{}\x07", *encoded));
    }

    /// Whether answers are JSON.
    pub fn is_json(&self) -> bool {
        self.options.json
    }

    /// Asks a person for a yes, unless `--yes` said it. When nobody can be asked, `otherwise` says what to do.
    ///
    /// # Errors
    /// When nobody can be asked.
    pub fn agrees(&self, question: &str, otherwise: &str) -> Result<bool> {
        let yes = |answer: String| matches!(answer.to_lowercase().as_str(), "y" | "yes");
        Ok(self.options.yes || yes(self.ask(&format!("{question} (y/N)"), otherwise)?))
    }

    /// Whether somebody is there to answer.
    pub fn may_ask(&self) -> bool {
        !self.options.no_input && io::stdin().is_terminal()
    }

    /// Asks a person for one line.
    ///
    /// # Errors
    /// When nobody can be asked: `--no-input`, or standard input is no terminal.
    pub fn ask(&self, question: &str, otherwise: &str) -> Result<String> {
        if !self.may_ask() {
            return Err(CliError::usage(format!("{question}: no answer was given")).hint(otherwise));
        }
        let mut stderr = io::stderr().lock();
        // A terminal that cannot show the question still gives an answer.
        drop(write!(stderr, "{question}: ").and_then(|()| stderr.flush()));
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line);
        read.map_err(|error| CliError::usage(format!("no answer could be read: {error}")))?;
        Ok(line.trim().to_owned())
    }

    /// One line from standard input that is no terminal, as a script gives it; `None` when there is none. Whoever left it open
    /// without meaning to is told what it is that the command waits for.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn piped(&self, what: &str, bytes_max: u64) -> Result<Option<String>> {
        if self.options.no_input || io::stdin().is_terminal() {
            return Ok(None);
        }
        let stdin = io::stdin();
        if poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&Timespec::default())) == Ok(0) {
            self.notice(format!("Waiting for {what} on standard input; --no-input if there is none."));
        }
        let read = self.input.first_line(bytes_max);
        let line =
            read.map_err(|error| CliError::usage(format!("{what} cannot be read from standard input: {error}")))?;
        Ok(Some(line.to_string()).filter(|line| !line.is_empty()))
    }

    /// Says why the command failed, and gives its exit code.
    pub fn fail(&self, error: &CliError) -> ExitCode {
        if error.code == "broken_pipe" {
            return ExitCode::SUCCESS;
        }
        if self.options.json {
            let problem =
                json!({"code": error.code, "message": error.message, "hint": error.hint, "exit": error.exit as u8});
            let warnings = std::mem::take(&mut *self.warnings());
            to_stderr(&untrusted::json(&json!({"v": JSON_VERSION, "error": problem, "warnings": warnings})));
        } else {
            to_stderr(&format!("error: {}", error.message));
            if !error.hint.is_empty() {
                to_stderr(&error.hint);
            }
        }
        ExitCode::from(error.exit as u8)
    }
}

fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    written.map_err(|error| match error.kind() {
        // Whoever read enough and left (`segue list | head`) is content.
        io::ErrorKind::BrokenPipe => CliError::new(Exit::Error, "broken_pipe", "nobody reads any more"),
        _ => CliError::new(Exit::Error, "output", format!("the answer cannot be written: {error}")),
    })
}

fn to_stderr(text: &str) {
    // Nothing is left to say it with when standard error is closed.
    drop(writeln!(io::stderr().lock(), "{}", Untrusted(text).paragraphs("")));
}
