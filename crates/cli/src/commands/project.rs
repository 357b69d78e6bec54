//! `segue project`: what its members share, and which directory belongs to which.

use std::{fmt::Write as _, path::PathBuf};

use segue_api::projects::{AddMember, CreateProject, Member, Project, ProjectRole};
use segue_domain::ProjectId;
use serde_json::{Value, json};

use crate::{
    args::projects as args,
    bindings, environment,
    error::{CliError, Exit, Result},
    home::Home,
    output::Output,
    remote::Remote,
    untrusted::Untrusted,
};

/// Works on projects.
pub(super) fn run(options: args::Project, output: &Output) -> Result<()> {
    let home = Home::find()?;
    if matches!(options, args::Project::Unuse) {
        return unuse(&home, output);
    }
    let remote = Remote::caller(&home)?;
    match options {
        args::Project::Create { name, git_remote } => create(&remote, &CreateProject { name, git_remote }, output),
        args::Project::List => list(&remote, output),
        args::Project::Show { project } => show(&remote, &meant(&home, &remote, project.as_deref())?, output),
        args::Project::Add { project, email, admin } => add(&remote, &named(&remote, &project)?, &email, admin, output),
        args::Project::Remove { project, email } => remove(&remote, &named(&remote, &project)?, &email, output),
        args::Project::Delete { project } => delete(&remote, &named(&remote, &project)?, output),
        args::Project::Use { project } => bind(&home, &named(&remote, &project)?, output),
        args::Project::Unuse => Ok(()),
    }
}

/// The project that was named, or that of the current directory.
pub(super) fn meant(home: &Home, remote: &Remote, name: Option<&str>) -> Result<Project> {
    if let Some(name) = name {
        return named(remote, name);
    }
    let bound = bindings::find(home, &environment::current_dir()?)?;
    let bound = bound.ok_or_else(|| {
        CliError::usage("this directory belongs to no project")
            .hint("Say which: --project PROJECT, or segue project use PROJECT.")
    })?;
    remote.project(bound.id()?)
}

/// A project by its id, or by the name that only one of one's own has.
fn named(remote: &Remote, name: &str) -> Result<Project> {
    if let Ok(id) = name.parse::<ProjectId>() {
        return remote.project(id);
    }
    let mut same: Vec<_> = all(remote)?.into_iter().filter(|project| project.name == name).collect();
    match same.len() {
        0 => Err(CliError::not_found(format!("you are in no project called {}", Untrusted(name)))
            .hint("See segue project list.")),
        1 => Ok(same.swap_remove(0)),
        count => {
            let ids: Vec<_> = same.iter().map(|project| Untrusted(&project.project_id).to_string()).collect();
            let message = format!("{} means {count} projects", Untrusted(name));
            Err(CliError::new(Exit::Usage, "ambiguous", message).hint(format!("Say which one: {}", ids.join(", "))))
        }
    }
}

fn all(remote: &Remote) -> Result<Vec<Project>> {
    let (mut projects, mut cursor) = (Vec::new(), None);
    loop {
        let page = remote.projects(cursor.as_deref())?;
        let grew = !page.projects.is_empty();
        projects.extend(page.projects);
        cursor = page.next.filter(|_| grew);
        if cursor.is_none() {
            return Ok(projects);
        }
    }
}

/// Reads a project's id, as the server gave it.
pub(super) fn id(project: &Project) -> Result<ProjectId> {
    project.project_id.parse().map_err(|_| {
        CliError::new(Exit::Network, "answer", "the server's answer names no project").hint("See segue doctor.")
    })
}

fn create(remote: &Remote, body: &CreateProject, output: &Output) -> Result<()> {
    let project = remote.create_project(body)?;
    let text = format!(
        "Made {}: {}\nBind a repository to it: segue project use {}",
        Untrusted(&project.name),
        Untrusted(&project.project_id),
        Untrusted(&project.project_id)
    );
    output.answer(text, to_json(&project))
}

fn list(remote: &Remote, output: &Output) -> Result<()> {
    let projects = all(remote)?;
    let value = json!({"projects": projects.iter().map(to_json).collect::<Vec<_>>()});
    let lines: Vec<_> = projects.iter().map(line).collect();
    let empty = "You are in no project. Make one: segue project create NAME".to_owned();
    output.answer(if lines.is_empty() { empty } else { lines.join("\n") }, value)
}

fn line(project: &Project) -> String {
    let remote = project.git_remote.as_deref().unwrap_or_default();
    let (id, name) = (Untrusted(&project.project_id), Untrusted(&project.name).short(40));
    format!("{id}  {:6}  {name}  {}", word(project.role), Untrusted(remote).short(60)).trim_end().to_owned()
}

fn word(role: ProjectRole) -> &'static str {
    match role {
        ProjectRole::Admin => "admin",
        ProjectRole::Member => "member",
    }
}

fn show(remote: &Remote, project: &Project, output: &Output) -> Result<()> {
    let members = remote.project_members(id(project)?)?.members;
    let mut text = line(project);
    for Member { email, name, role, .. } in &members {
        write!(text, "\n  {:6}  {} <{}>", word(*role), Untrusted(name), Untrusted(email)).unwrap_or_default();
    }
    let mut value = to_json(project);
    value["members"] = json!(members);
    output.answer(text, value)
}

fn add(remote: &Remote, project: &Project, email: &str, admin: bool, output: &Output) -> Result<()> {
    let role = if admin { ProjectRole::Admin } else { ProjectRole::Member };
    let body = AddMember { user_id: None, email: Some(email.trim().to_owned()), role };
    let member = remote.add_member(id(project)?, &body)?;
    let (who, name) = (Untrusted(&member.email), Untrusted(&project.name));
    output.answer(format!("{who} is a {} of {name}.", word(member.role)), json!(member))
}

fn remove(remote: &Remote, project: &Project, email: &str, output: &Output) -> Result<()> {
    let members = remote.project_members(id(project)?)?.members;
    let member = members.iter().find(|member| member.email.eq_ignore_ascii_case(email.trim()));
    let member = member.ok_or_else(|| {
        CliError::not_found(format!("{} is no member", Untrusted(email))).hint("See segue project show PROJECT.")
    })?;
    let user = member.user_id.parse().map_err(|_| CliError::not_found("the server's answer names no member"))?;
    remote.remove_member(id(project)?, user)?;
    let text = format!("{} is no longer in {}.", Untrusted(&member.email), Untrusted(&project.name));
    output.answer(text, json!({"project_id": project.project_id, "user_id": member.user_id, "removed": true}))
}

fn delete(remote: &Remote, project: &Project, output: &Output) -> Result<()> {
    let name = Untrusted(&project.name);
    let deleted = output.agrees(&format!("Delete {name} with all its records?"), "Confirm with --yes.")?;
    if deleted {
        remote.delete_project(id(project)?)?;
    }
    let text = if deleted { format!("Deleted {name}.") } else { "Nothing was deleted.".to_owned() };
    output.answer(text, json!({"project_id": project.project_id, "deleted": deleted}))
}

/// The repository that the current directory is in, or the directory itself.
fn place() -> Result<PathBuf> {
    let here = environment::current_dir()?;
    Ok(here.ancestors().find(|directory| directory.join(".git").exists()).unwrap_or(&here).to_owned())
}

fn bind(home: &Home, project: &Project, output: &Output) -> Result<()> {
    let directory = place()?;
    bindings::bind(home, &directory, project)?;
    let text = format!("Sessions in {} belong to {} from now on.", directory.display(), Untrusted(&project.name));
    output.answer(text, json!({"project_id": project.project_id, "directory": directory}))
}

fn unuse(home: &Home, output: &Output) -> Result<()> {
    let directory = bindings::unbind(home, &environment::current_dir()?)?;
    let directory = directory.ok_or_else(|| CliError::not_found("this directory belongs to no project"))?;
    let text = format!("Sessions in {} belong to no project from now on.", directory.display());
    output.answer(text, json!({"directory": directory}))
}

fn to_json(project: &Project) -> Value {
    // The API's own shape; serialising it cannot fail.
    serde_json::to_value(project).unwrap_or_default()
}
