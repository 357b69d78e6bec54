//! A scratch home of a person, with recorded sessions or none.

use std::fs;
use std::path::{Path, PathBuf};

use segue_formats::view::{Part, Role, ViewReader};
use segue_formats::{Captured, ClaudeCode, Env, Format, Header, InstallError, Installed};
use tempfile::TempDir;

/// An id that no recorded session has.
pub(crate) const FRESH: &str = "77777777-2222-4333-8444-555555555555";

pub(crate) struct Scene {
    dir: TempDir,
}

impl Scene {
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("work/project")).unwrap();
        Self { dir }
    }

    pub(crate) fn recorded(version: &str) -> Self {
        let scene = Self::empty();
        let fixture =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/claude-code").join(version).join("home/coder");
        copy_tree(&fixture, &scene.env().home);
        scene
    }

    pub(crate) fn env(&self) -> Env {
        Env { home: self.dir.path().join("home"), claude_config_dir: None }
    }

    pub(crate) fn cwd(&self) -> PathBuf {
        self.dir.path().join("work/project")
    }

    pub(crate) fn project(&self, name: &str) -> PathBuf {
        self.env().home.join(".claude/projects").join(name)
    }

    /// Where an installed session's spilled output is.
    pub(crate) fn own_spill_dir(&self, id: &str) -> String {
        let cwd = fs::canonicalize(self.cwd()).unwrap();
        let name: String =
            cwd.to_str().unwrap().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        self.project(&name).join(id).join("tool-results").to_str().unwrap().to_owned()
    }

    pub(crate) fn capture(&self, id: &str) -> (Captured, Vec<u8>) {
        let found = ClaudeCode.find(&self.env(), id).unwrap().expect("the session is there");
        let mut view = Vec::new();
        let captured = ClaudeCode.capture(&self.env(), &found, Some(&mut view)).unwrap();
        (captured, view)
    }

    /// Lays the captured files out as a bundle holds them; answers the folder `native`.
    pub(crate) fn bundle(&self, captured: &Captured) -> PathBuf {
        let bundle = self.dir.path().join("bundle");
        for file in &captured.files {
            let target = bundle.join(&file.bundle_path);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            let bytes = fs::read(&file.source).unwrap();
            fs::write(target, &bytes[..usize::try_from(file.len).unwrap()]).unwrap();
        }
        bundle.join("native")
    }

    pub(crate) fn install(&self, native_dir: &Path, header: &Header) -> Result<Installed, InstallError> {
        ClaudeCode.install(&self.env(), native_dir, header, &self.cwd(), FRESH)
    }

    /// All files of the home, with their bytes.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        list_tree(&self.env().home, &mut files);
        files
    }
}

fn list_tree(dir: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            list_tree(&path, files);
        } else {
            let bytes = fs::read(&path).unwrap();
            files.push((path, bytes));
        }
    }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_tree(&path, &target);
        } else {
            fs::write(target, fs::read(&path).unwrap()).unwrap();
        }
    }
}

/// The view in short, to be compared with what the real tool sends.
pub(crate) fn view_text(view: &[u8]) -> String {
    let mut out = String::new();
    for message in ViewReader::new(view) {
        let message = message.unwrap();
        let role = match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
        };
        for part in message.parts {
            let text = match part {
                Part::Text { text, .. } => format!("text {text}"),
                Part::ToolCall { id, name, input, .. } => format!("call {id} {name} {input}"),
                Part::ToolResult { id, text, is_error, .. } => format!("result {id} {is_error} {text}"),
                Part::Image { media_type, bytes } => format!("image {media_type} {bytes}"),
                Part::Notice { text, .. } => format!("notice {text}"),
            };
            let short: String = text.chars().take(150).collect();
            let line = format!("{role} {}\n", short.replace('\n', "\\n"));
            out.push_str(&line);
        }
    }
    out
}
