//! Which project a directory belongs to: `projects.json`, written by `segue project use`.
//!
//! A binding holds for the directory and everything below it; the nearest one counts.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use segue_api::projects::Project;
use segue_domain::ProjectId;
use serde::{Deserialize, Serialize};

use crate::{
    error::{CliError, Exit, Result},
    home::{self, Home},
};

const FILE: &str = "projects.json";

#[derive(Debug, Serialize, Deserialize)]
struct Book {
    v: u32,
    /// By absolute directory.
    directories: BTreeMap<PathBuf, Bound>,
}

impl Book {
    fn load(home: &Home) -> Result<Self> {
        Ok(home::read_json(&home.path(FILE))?.unwrap_or(Self { v: 1, directories: BTreeMap::new() }))
    }

    fn save(&self, home: &Home) -> Result<()> {
        home::write_json(&home.path(FILE), self)
    }
}

/// The project of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// `prj_…`
    pub project_id: String,
    /// What it was called when it was bound.
    pub name: String,
}

impl Bound {
    /// Its id.
    pub fn id(&self) -> Result<ProjectId> {
        self.project_id.parse().map_err(|_| {
            CliError::new(Exit::Error, "file", format!("{FILE} is damaged"))
                .hint("Bind again: segue project use PROJECT")
        })
    }
}

/// The project of the nearest bound directory at or above `directory`.
pub fn find(home: &Home, directory: &Path) -> Result<Option<Bound>> {
    let book = Book::load(home)?;
    Ok(directory.ancestors().find_map(|directory| book.directories.get(directory)).cloned())
}

/// Binds a directory.
pub fn bind(home: &Home, directory: &Path, project: &Project) -> Result<()> {
    let _lock = home.lock()?;
    let mut book = Book::load(home)?;
    let bound = Bound { project_id: project.project_id.clone(), name: project.name.clone() };
    book.directories.insert(directory.to_owned(), bound);
    book.save(home)
}

/// Unbinds the nearest bound directory at or above `directory`, and says which.
pub fn unbind(home: &Home, directory: &Path) -> Result<Option<PathBuf>> {
    let _lock = home.lock()?;
    let mut book = Book::load(home)?;
    let bound = directory.ancestors().find(|directory| book.directories.contains_key(*directory));
    let Some(bound) = bound.map(Path::to_owned) else { return Ok(None) };
    book.directories.remove(&bound);
    book.save(home)?;
    Ok(Some(bound))
}

#[cfg(test)]
mod tests {
    use super::*;
    use segue_api::projects::ProjectRole;

    fn project(name: &str) -> Project {
        let (project_id, name) = (ProjectId::from_bytes([7; 16]).to_string(), name.to_owned());
        Project { project_id, name, git_remote: None, role: ProjectRole::Member, created_at: 0 }
    }

    #[test]
    fn the_nearest_binding_counts_and_one_beside_does_not() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::at(root.path());
        bind(&home, Path::new("/work"), &project("outer")).unwrap();
        bind(&home, Path::new("/work/sdk"), &project("inner")).unwrap();
        let name = |path: &str| find(&home, Path::new(path)).unwrap().map(|bound| bound.name);
        assert_eq!(name("/work/sdk/src").as_deref(), Some("inner"));
        assert_eq!(name("/work/sdk2").as_deref(), Some("outer"));
        assert_eq!(name("/workshop"), None);
        assert_eq!(unbind(&home, Path::new("/work/sdk/src")).unwrap(), Some(PathBuf::from("/work/sdk")));
        assert_eq!(name("/work/sdk/src").as_deref(), Some("outer"));
    }
}
