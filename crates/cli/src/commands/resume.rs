//! `segue resume`: writes a native session and continues it in its tool (SPEC T7, T8).

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process,
};

use segue_formats::{Damage, Format, Installed, ResumeCommand, Tool, TornReport};
use serde_json::json;

use crate::{
    args,
    capture::left_out,
    environment::{self, random},
    error::{CliError, Exit, Result},
    home::Home,
    library::{Library, Native, Record},
    output::Output,
    resolve::{Chosen, resolve},
    untrusted::Untrusted,
};

/// Resumes.
pub(super) fn run(options: &args::Resume, output: &Output) -> Result<()> {
    let library = Library::new(&Home::find()?);
    let tools = environment::tools()?;
    let chosen = resolve(&library, &tools, Some(&options.session))?;
    let session_tool = match (&chosen.record, &chosen.found) {
        (Some(record), _) => record.header.tool,
        (None, Some(found)) => found.tool,
        (None, None) => return Err(CliError::not_found("there is no such session")),
    };
    let format = choose_format(options.tool.as_deref(), session_tool)?;
    let session_id = chosen.record.as_ref().map(|record| record.session_id.clone());
    let installed = match already_there(&chosen, options.project.as_deref())? {
        Some(installed) => installed,
        None => install(&library, format, chosen, options, output)?,
    };
    let command = format.resume_command(&installed);
    if options.print {
        return print(&installed, &command, session_id.as_deref(), output);
    }
    start(&command)
}

fn choose_format(named: Option<&str>, session_tool: Tool) -> Result<&'static dyn Format> {
    let tool = match named {
        None => session_tool,
        Some(name) => Tool::parse(name).ok_or_else(|| {
            let known: Vec<_> = segue_formats::ALL.iter().map(|format| format.tool().as_str()).collect();
            CliError::usage(format!("{} is no tool that Segue can resume in", Untrusted(name)))
                .hint(format!("Tools: {}", known.join(", ")))
        })?,
    };
    if tool != session_tool {
        return Err(CliError::usage(format!(
            "a {} session cannot be resumed in {}",
            session_tool.as_str(),
            tool.as_str()
        )));
    }
    Ok(segue_formats::format_for(tool))
}

/// The session as the tool has it on this machine, unless another directory is asked for.
fn already_there(chosen: &Chosen, project: Option<&Path>) -> Result<Option<Installed>> {
    let Some(found) = &chosen.found else { return Ok(None) };
    let native = chosen.record.as_ref().and_then(|record| record.native.as_ref());
    let cwd = native.map(|native| native.cwd.clone()).or_else(|| found.cwd.clone());
    let Some(cwd) = cwd.filter(|cwd| cwd.is_dir()) else { return Ok(None) };
    let wanted = project.map(canonical).transpose()?.is_none_or(|project| project == cwd);
    Ok(wanted.then(|| Installed {
        native_id: found.native_id.clone(),
        native_path: found.path.clone(),
        cwd,
        renamed: false,
        already: true,
        reset_permission_modes: 0,
        torn: TornReport::default(),
        files: Vec::new(),
        skipped: Vec::new(),
    }))
}

fn install(
    library: &Library,
    format: &dyn Format,
    chosen: Chosen,
    options: &args::Resume,
    output: &Output,
) -> Result<Installed> {
    let pulled = chosen.record.filter(|record| record.claimed.is_some());
    let mut record = pulled.ok_or_else(|| {
        CliError::not_found("this session is not on this machine as a pulled copy")
            .hint("Resume it in the directory it was started in, or hand it over to yourself: segue handoff … --to YOU")
    })?;
    let id = record.session_id()?;
    let _lock = library.lock(id)?;
    let cwd = choose_directory(&record, options.project.as_deref(), output)?;
    let fresh_id = uuid(random()?);
    let native_dir = library.content(id).join("native");
    let installed = format
        .install(&environment::tools()?, &native_dir, &record.header, &cwd, &fresh_id)
        .map_err(|error| CliError::new(Exit::Error, "install", format!("the session cannot be written: {error}")))?;
    record.native = Some(Native {
        id: installed.native_id.clone(),
        path: installed.native_path.clone(),
        cwd: installed.cwd.clone(),
    });
    library.save(&record)?;
    report(&installed, output);
    Ok(installed)
}

fn report(installed: &Installed, output: &Output) {
    if installed.renamed {
        output.notice(format!("A session with this id is already here; this copy is {}.", installed.native_id));
    }
    if installed.torn.total > 0 {
        output.warn(format!(
            "Warning: {} damaged records were left out of the restored session; everything else is there.",
            installed.torn.total
        ));
        for damaged in installed.torn.quarantined.iter().take(10) {
            output.notice(format!("  line {}: {}", damaged.line, describe(damaged.reason)));
        }
    }
    if installed.reset_permission_modes > 0 {
        output
            .warn("Warning: the session asked the tool to act without asking; that was reset, the tool asks as usual.");
    }
    for skipped in &installed.skipped {
        output.warn(left_out(skipped));
    }
}

fn describe(damage: Damage) -> &'static str {
    match damage {
        Damage::NulBytes => "NUL bytes, as a power cut leaves them",
        Damage::InvalidUtf8 => "bytes that are not UTF-8",
        Damage::CutShort => "a record that stops before its end",
        Damage::NotARecord => "bytes that are no record",
        Damage::TooLong => "a line that is too long",
    }
}

/// `--project`, else the sender's directory when it exists here, else the current one with the warning of SPEC T8.
fn choose_directory(record: &Record, project: Option<&Path>, output: &Output) -> Result<PathBuf> {
    if let Some(project) = project {
        return canonical(project);
    }
    let original = record.header.cwd.as_deref().unwrap_or_default();
    if Path::new(original).is_absolute() && Path::new(original).is_dir() {
        return canonical(Path::new(original));
    }
    let here = environment::current_dir()?;
    output.warn(format!("Warning: Original path {} not found.", Untrusted(original)));
    output.warn(format!("Resuming in current directory: {}", here.display()));
    Ok(here)
}

fn canonical(path: &Path) -> Result<PathBuf> {
    let found = std::fs::canonicalize(path).ok().filter(|path| path.is_dir());
    found.ok_or_else(|| {
        CliError::usage(format!("{} is not a directory", path.display())).hint("Create it first, or name another.")
    })
}

fn print(installed: &Installed, command: &ResumeCommand, session_id: Option<&str>, output: &Output) -> Result<()> {
    let words: Vec<_> = std::iter::once(&command.program).chain(&command.args).map(|word| shell_word(word)).collect();
    let text = format!("cd {} && {}", shell_word(&command.cwd.display().to_string()), words.join(" "));
    let value = json!({
        "session_id": session_id, "native_id": installed.native_id, "native_path": installed.native_path,
        "directory": command.cwd, "program": command.program, "arguments": command.args,
        "renamed": installed.renamed, "records_left_out": installed.torn.total, "command": text,
    });
    output.answer(text, value)
}

/// A word that a shell takes as it is.
fn shell_word(word: &str) -> String {
    let plain = |symbol: char| symbol.is_ascii_alphanumeric() || "-_./:=@%+,".contains(symbol);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Becomes the tool; comes back only when it cannot start.
fn start(command: &ResumeCommand) -> Result<()> {
    let error = process::Command::new(&command.program).args(&command.args).current_dir(&command.cwd).exec();
    Err(CliError::new(Exit::Error, "tool", format!("{} cannot be started: {error}", command.program))
        .hint("Install the tool, or print the command instead: segue resume … --print"))
}

/// A random UUID (RFC 9562, version 4).
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_a_quote_stays_one_word() {
        assert_eq!(shell_word("/home/o'neil/x y"), r"'/home/o'\''neil/x y'");
        assert_eq!(shell_word("/home/ann/sdk"), "/home/ann/sdk");
    }

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
