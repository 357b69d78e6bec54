//! `segue resume`: writes a native session and continues it in its tool (SPEC T7, T8).

mod install;

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process,
};

use segue_formats::{Env, Format, Installed, Naming, ResumeCommand, Tool, TornReport};
use serde_json::json;

use self::install::Installer;
use crate::{
    args,
    device::held,
    environment,
    error::{CliError, Exit, Result},
    home::Home,
    library::{Library, Record},
    output::Output,
    resolve::{Chosen, resolve},
    untrusted::Untrusted,
};

/// Puts a session that has just arrived at its place.
pub(super) fn place_arrived(session: &str, project: Option<&Path>, output: &Output) -> Result<Placed> {
    let project = project.map(Path::to_owned);
    place(&args::Resume { session: session.to_owned(), tool: None, project, print: false }, output)
}

/// The same while it is still being proven that it is the right one: with what `proven` waits for, it is put there, and stays
/// beside its place without.
pub(super) fn place_proven(
    record: Record,
    project: Option<&Path>,
    naming: Naming<'_>,
    proven: &dyn Fn() -> bool,
    output: &Output,
) -> Result<Placed> {
    let (home, tools) = (Home::find()?, environment::tools()?);
    let (library, format) = (Library::new(&home), segue_formats::format_for(record.header.tool));
    let way = Installer { home: &home, library: &library, tools: &tools, format, output };
    let native_dir = library.content(record.session_id()?).join("native");
    let installed = way.write(&native_dir, &record.header, project, naming, proven)?;
    let (session_id, command) = (Some(record.session_id.clone()), format.resume_command(&installed));
    way.remember(record, &installed)?;
    Ok(Placed { tools, installed, command, session_id })
}

/// A session where its tool finds it, and what continues it.
pub(super) struct Placed {
    tools: Env,
    installed: Installed,
    command: ResumeCommand,
    session_id: Option<String>,
}

impl Placed {
    /// Starts the tool, or prints what would.
    pub(super) fn go_on(&self, print_only: bool, output: &Output) -> Result<()> {
        if print_only {
            return print(&self.tools, &self.installed, &self.command, self.session_id.as_deref(), output);
        }
        start(&self.command)
    }
}

/// Resumes.
pub(super) fn run(options: &args::Resume, output: &Output) -> Result<()> {
    place(options, output)?.go_on(options.print, output)
}

fn place(options: &args::Resume, output: &Output) -> Result<Placed> {
    let home = Home::find()?;
    let (library, tools) = (Library::new(&home), environment::tools()?);
    let chosen = resolve(&library, &tools, Some(&options.session))?;
    if let Some(record) = &chosen.record {
        held::check(&home, &record.session_id)?;
    }
    let session_tool = match (&chosen.record, &chosen.found) {
        (Some(record), _) => record.header.tool,
        (None, Some(found)) => found.tool,
        (None, None) => return Err(CliError::not_found("there is no such session")),
    };
    let format = choose_format(options.tool.as_deref(), session_tool)?;
    let session_id = chosen.record.as_ref().map(|record| record.session_id.clone());
    let project = options.project.as_deref();
    let installed = match already_there(&chosen, project)? {
        Some(installed) => installed,
        None => Installer { home: &home, library: &library, tools: &tools, format, output }.install(chosen, project)?,
    };
    let command = format.resume_command(&installed);
    Ok(Placed { tools, installed, command, session_id })
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

/// A directory as it really is.
pub(super) fn canonical(path: &Path) -> Result<PathBuf> {
    let found = std::fs::canonicalize(path).ok().filter(|path| path.is_dir());
    found.ok_or_else(|| {
        CliError::usage(format!("{} is not a directory", path.display())).hint("Create it first, or name another.")
    })
}

fn print(
    tools: &Env,
    installed: &Installed,
    command: &ResumeCommand,
    session_id: Option<&str>,
    output: &Output,
) -> Result<()> {
    let words: Vec<_> = std::iter::once(&command.program).chain(&command.args).map(|word| shell_word(word)).collect();
    // The tool finds the session only in the folder that it was written to.
    let config = tools.claude_config_dir.as_ref().map(|dir| shell_word(&dir.display().to_string()));
    let set = config.map(|dir| format!("CLAUDE_CONFIG_DIR={dir} ")).unwrap_or_default();
    let text = format!("cd {} && {set}{}", shell_word(&command.cwd.display().to_string()), words.join(" "));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_a_quote_stays_one_word() {
        assert_eq!(shell_word("/home/o'neil/x y"), r"'/home/o'\''neil/x y'");
        assert_eq!(shell_word("/home/ann/sdk"), "/home/ann/sdk");
    }
}
