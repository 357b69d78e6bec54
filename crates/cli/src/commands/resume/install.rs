//! Writing a native session: a pulled one as it came, or a copy of one that the tool has already.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use segue_formats::{CapturedFile, Damage, Env, Format, Found, Header, Installed, Naming};

use super::canonical;
use crate::{
    capture::left_out,
    environment::{self, random, uuid},
    error::{CliError, Exit, Result},
    home::{Home, create_dir},
    library::{Library, Native, Record},
    output::Output,
    resolve::Chosen,
    untrusted::Untrusted,
};

/// Everything that writing a native session needs.
pub(super) struct Installer<'a> {
    pub(super) home: &'a Home,
    pub(super) library: &'a Library,
    pub(super) tools: &'a Env,
    pub(super) format: &'static dyn Format,
    pub(super) output: &'a Output,
}

impl Installer<'_> {
    pub(super) fn install(&self, chosen: Chosen, project: Option<&Path>) -> Result<Installed> {
        match chosen {
            // The tool has it already: its newest state is what is continued elsewhere, not what was handed over once.
            Chosen { record, found: Some(found) } => self.continue_elsewhere(record, &found, project),
            Chosen { record: Some(record), found: None } if record.has_content() => self.restore(record, project),
            _ => Err(CliError::not_found("the tool no longer has this session").hint("See segue list.")),
        }
    }

    /// Puts a pulled session where its tool finds it.
    fn restore(&self, record: Record, project: Option<&Path>) -> Result<Installed> {
        let id = record.session_id()?;
        let _lock = self.library.lock(id)?;
        let record = self.library.find(id)?.unwrap_or(record);
        let native_dir = self.library.content(id).join("native");
        let installed = self.write(&native_dir, &record.header, project, Naming::OwnOr(&uuid(random()?)), &|| true)?;
        self.remember(record, &installed)?;
        Ok(installed)
    }

    /// Puts a copy of a session as it is now into another directory; the one that is there stays.
    fn continue_elsewhere(&self, record: Option<Record>, found: &Found, project: Option<&Path>) -> Result<Installed> {
        let _lock = self.library.lock_native(found)?;
        let staged = self.home.temporary()?;
        let captured = self.format.capture(self.tools, found, None).map_err(CliError::session)?;
        for file in &captured.files {
            stage(file, staged.path())?;
        }
        let installed = self.write(
            &staged.path().join("native"),
            &captured.header,
            project,
            Naming::OwnOr(&uuid(random()?)),
            &|| true,
        )?;
        let (here, there) = (installed.cwd.display(), found.path.display());
        self.output.warn(format!("Continuing a copy in {here}; the session it was made from stays: {there}"));
        if let Some(record) = record {
            let _lock = self.library.lock(record.session_id()?)?;
            self.remember(record, &installed)?;
        }
        Ok(installed)
    }

    /// Puts the files where the tool finds them, if they are `wanted` when they are ready to be.
    pub(super) fn write(
        &self,
        native_dir: &Path,
        header: &Header,
        project: Option<&Path>,
        naming: Naming<'_>,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Installed> {
        let cwd = choose_directory(header, project, self.output)?;
        let installed = self.format.install_if(self.tools, native_dir, header, &cwd, naming, wanted);
        let installed = installed.map_err(|error| {
            CliError::new(Exit::Error, "install", format!("the session cannot be written: {error}"))
        })?;
        report(&installed, naming, self.output);
        Ok(installed)
    }

    pub(super) fn remember(&self, mut record: Record, installed: &Installed) -> Result<()> {
        let Installed { native_id, native_path, cwd, .. } = installed;
        record.native = Some(Native { id: native_id.clone(), path: native_path.clone(), cwd: cwd.clone() });
        self.library.save(&record)
    }
}

/// Copies a captured file, as long as it was then, to its place below `folder`.
fn stage(file: &CapturedFile, folder: &Path) -> Result<()> {
    let target = folder.join(&file.bundle_path);
    if let Some(parent) = target.parent() {
        create_dir(parent)?;
    }
    let copy = || -> io::Result<u64> {
        io::copy(&mut File::open(&file.source)?.take(file.len), &mut File::create_new(&target)?)
    };
    copy().map(drop).map_err(|error| CliError::file("copy", &file.source, &error))
}

fn report(installed: &Installed, naming: Naming<'_>, output: &Output) {
    if installed.renamed && matches!(naming, Naming::OwnOr(_)) {
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
fn choose_directory(header: &Header, project: Option<&Path>, output: &Output) -> Result<PathBuf> {
    if let Some(project) = project {
        return canonical(project);
    }
    let original = header.cwd.as_deref().unwrap_or_default();
    if Path::new(original).is_absolute() && Path::new(original).is_dir() {
        output.notice(format!("Resuming in {}", Untrusted(original)));
        return canonical(Path::new(original));
    }
    let here = environment::current_dir()?;
    output.warn(format!("Warning: Original path {} not found.", Untrusted(original)));
    output.warn(format!("Resuming in current directory: {}", here.display()));
    Ok(here)
}
