//! Where options come from: the command line goes before the environment, that before a file, and that before defaults.
//!
//! What a file says is read as if it stood on the command line, unless something before it says the same; so an option has one
//! parser, and one meaning.

use std::{collections::BTreeSet, ffi::OsString, fs, path::Path};

use clap::{
    ArgAction, ArgMatches, CommandFactory as _, FromArgMatches as _, builder::Resettable, error::ErrorKind,
    parser::ValueSource,
};
use serde::Serialize;
use toml::de::{DeTable, DeValue};

use super::{Config, DatabaseUrl, SmtpUrl};

/// Options of which one stands for the other.
const SAME: [(&str, &str); 2] = [("database", "database-file"), ("smtp-url", "smtp-url-file")];

/// The options that count.
#[derive(Debug)]
pub struct Loaded {
    /// The options.
    pub config: Config,
    /// The same for people to read, secrets left out.
    pub settings: Vec<Setting>,
}

/// An option that has a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its name on the command line and in a file.
    pub name: String,
    /// Its value, unless it is a secret.
    pub value: Option<String>,
    /// `command line`, `environment`, `file` or `default`.
    pub source: &'static str,
}

/// What a file says.
struct Said {
    name: String,
    word: String,
}

/// Reads all options. The error is that of a usage, or help that was asked for.
pub fn load(words: &[OsString]) -> Result<Loaded, clap::Error> {
    // Once for where the file is and what goes before it; what is wrong is found when everything is known.
    let given = Config::command().ignore_errors(true).try_get_matches_from(words)?;
    let said = match given.get_one::<std::path::PathBuf>("config") {
        Some(file) => read(file)?,
        None => Vec::new(),
    };
    let said: Vec<_> = said.into_iter().filter(|said| !is_given(&given, &said.name)).collect();
    let (program, rest) = words.split_at(words.len().min(1));
    let all =
        program.iter().cloned().chain(said.iter().map(|said| said.word.clone().into())).chain(rest.iter().cloned());
    let matches = Config::command().try_get_matches_from(all)?;
    let settings = settings(&matches, &said);
    let mut config = Config::from_arg_matches(&matches)?;
    if let Some(file) = &config.database_file {
        config.database = Some(DatabaseUrl(secret(file)?));
    }
    if let Some(file) = &config.smtp_url_file {
        config.smtp_url = Some(SmtpUrl(secret(file)?));
    }
    Ok(Loaded { config, settings })
}

/// Whether the command line or the environment has the option, or one that stands for it.
fn is_given(given: &ArgMatches, name: &str) -> bool {
    let twin = SAME.iter().find_map(|(one, other)| match name {
        _ if name == *one => Some(*other),
        _ if name == *other => Some(*one),
        _ => None,
    });
    [Some(name), twin].into_iter().flatten().any(|name| {
        let source = given.value_source(&id(name));
        matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
    })
}

fn id(name: &str) -> String {
    name.replace('-', "_")
}

fn read(file: &Path) -> Result<Vec<Said>, clap::Error> {
    let text = fs::read_to_string(file).map_err(|error| wrong(file, None, &error.to_string()))?;
    let line = |at: usize| text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
    // Of what the parser says only what is wrong and where: it would also show the line, and with it a secret.
    let table = DeTable::parse(&text)
        .map_err(|error| wrong(file, error.span().map(|span| line(span.start)), error.message()))?;
    let mut all = Vec::new();
    for (name, value) in table.get_ref() {
        let at = line(name.span().start);
        let said = say(name.get_ref(), value.get_ref()).map_err(|what| wrong(file, Some(at), &what))?;
        all.extend(said);
    }
    Ok(all)
}

/// The option as a word of the command line; none for a switch that is off.
fn say(name: &str, value: &DeValue<'_>) -> Result<Option<Said>, String> {
    let mut command = Config::command().mut_args(|arg| arg.env(Resettable::Reset));
    let known = |arg: &&clap::Arg| arg.get_long() == Some(name) && !["config", "help", "version"].contains(&name);
    let Some(option) = command.get_arguments().find(known) else { return Err(format!("there is no option {name:?}")) };
    let word = match (option.get_action(), value) {
        (ArgAction::SetTrue, DeValue::Boolean(true)) => format!("--{name}"),
        (ArgAction::SetTrue, DeValue::Boolean(false)) => return Ok(None),
        (ArgAction::SetTrue, _) => return Err(format!("{name} is true or false")),
        (ArgAction::Append, DeValue::Array(list)) => {
            let items: Result<Vec<_>, _> = list.iter().map(|item| scalar(name, item.get_ref())).collect();
            format!("--{name}={}", items?.join(","))
        }
        (_, value) => format!("--{name}={}", scalar(name, value)?),
    };
    let tried = command.try_get_matches_from_mut(["segue-server", &word]);
    let refused =
        tried.err().filter(|error| matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation));
    if let Some(error) = refused {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        return Err(first.trim_start_matches("error: ").to_owned());
    }
    Ok(Some(Said { name: name.to_owned(), word }))
}

fn scalar(name: &str, value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().replace('_', "")),
        _ => Err(format!("{name} is a text or a number")),
    }
}

fn settings(matches: &ArgMatches, said: &[Said]) -> Vec<Setting> {
    let from_file: BTreeSet<_> = said.iter().map(|said| said.name.as_str()).collect();
    let setting = |arg: &clap::Arg| {
        let name = arg.get_long()?;
        let source = match matches.value_source(arg.get_id().as_str())? {
            ValueSource::CommandLine if from_file.contains(name) => "file",
            ValueSource::CommandLine => "command line",
            ValueSource::EnvVariable => "environment",
            _ => "default",
        };
        let values = matches.get_raw(arg.get_id().as_str())?.map(|value| value.to_string_lossy().into_owned());
        let value = values.collect::<Vec<_>>().join(",");
        let value = Some(value).filter(|_| !arg.is_hide_env_values_set());
        Some(Setting { name: name.to_owned(), value, source })
    };
    Config::command().get_arguments().filter_map(setting).collect()
}

/// The one line of a file that holds a secret.
fn secret(file: &Path) -> Result<String, clap::Error> {
    let text = fs::read_to_string(file).map_err(|error| wrong(file, None, &error.to_string()))?;
    let text = text.trim();
    if text.is_empty() || text.contains('\n') {
        return Err(wrong(file, None, "it must hold one line"));
    }
    Ok(text.to_owned())
}

fn wrong(file: &Path, line: Option<usize>, what: &str) -> clap::Error {
    let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
    Config::command().error(ErrorKind::ValueValidation, format!("{}{line}: {what}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(file: &str, words: &[&str]) -> Result<Loaded, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segue.toml");
        fs::write(&path, file).unwrap();
        let words = ["segue-server", "--config", path.to_str().unwrap()].into_iter().chain(words.iter().copied());
        let words: Vec<OsString> = words.map(Into::into).collect();
        load(&words).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_says_what_the_command_line_does_not() {
        let file = "data = \"/d\"\nlisten = \"127.0.0.1:1\"\njson = true\nrequests-per-minute = 1_000\n\
                    trusted-proxies = [\"10.0.0.0/8\", \"::1\"]\n";
        let loaded = with(file, &["--listen", "127.0.0.1:2"]).unwrap();
        assert_eq!(loaded.config.data, Path::new("/d"));
        assert_eq!(loaded.config.listen.port(), 2);
        assert_eq!((loaded.config.json, loaded.config.requests_per_minute), (true, 1_000));
        assert_eq!(loaded.config.trusted_proxies.len(), 2);
        let source = |name: &str| loaded.settings.iter().find(|setting| setting.name == name).map(|found| found.source);
        assert_eq!(
            (source("listen"), source("data"), source("plan")),
            (Some("command line"), Some("file"), Some("default"))
        );
    }

    #[test]
    fn what_is_wrong_in_a_file_is_named_with_its_line_and_without_a_secret() {
        for (file, what) in [
            ("data = \"d\"\nlissten = \"x\"", "line 2: there is no option \"lissten\""),
            ("data = \"d\"\n\nlisten = \"x\"", "line 3: invalid value 'x' for '--listen <ADDR>'"),
            ("data = \"d\"\nconfig = \"other\"", "line 2: there is no option \"config\""),
            ("data = \"d\"\n[server]\nx = 1", "line 2: there is no option \"server\""),
            ("data = \"d\"\njson = 1", "line 2: json is true or false"),
            ("data = \"d\"\ndata = \"e\"", "line 2: duplicate key"),
            ("database = \"postgres://u:hunter2@h", "line 1"),
            ("plan = \"team\"", "--data <DIR>"),
            ("data = \"d\"\nrequests-per-minute = 0", "0 is not in 1.."),
            ("data = \"d\"\nurl = \"segue.example.com\"", "an address such as https://"),
            ("data = \"d\"\nurl = \"https://h/path\"", "an address such as https://"),
            ("data = \"d\"\nurl = \"https://u:p@h\"", "an address such as https://"),
            ("data = \"d\"\ntls-cert = \"c\"", "--tls-key <FILE>"),
        ] {
            let said = with(file, &[]).unwrap_err();
            assert!(said.contains(what) && !said.contains("hunter2"), "{file}: {said}");
        }
    }

    #[test]
    fn a_secret_may_lie_in_a_file_of_its_own_and_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        fs::write(&path, "postgres://u:hunter2@h/db\n").unwrap();
        let loaded = with(&format!("data = \"d\"\ndatabase-file = {path:?}"), &[]).unwrap();
        assert_eq!(loaded.config.database.as_ref().unwrap().0, "postgres://u:hunter2@h/db");
        assert!(!format!("{loaded:?}").contains("hunter2"));
        let loaded = with("data = \"d\"\ndatabase = \"postgres://u:hunter2@h/db\"", &[]).unwrap();
        assert!(!format!("{loaded:?}").contains("hunter2"));
        // What goes before a file goes before the other name as well.
        let other = with("data = \"d\"\ndatabase-file = \"/nowhere\"", &["--database", "postgres://x"]).unwrap();
        assert_eq!(other.config.database.unwrap().0, "postgres://x");
        fs::write(&path, "\n").unwrap();
        assert!(with(&format!("data = \"d\"\ndatabase-file = {path:?}"), &[]).unwrap_err().contains("one line"));
    }
}
