//! Projects and their records.

use reqwest::Method;
use segue_api::{
    projects::{AddMember, CreateProject, EditRecord, Member, Members, NewRecord, Project, Projects, Record, Records},
    sessions::SetProject,
};
use segue_domain::{ProjectId, RecordKind, Reference, SessionId, UserId};

use super::{Remote, understand};
use crate::error::Result;

impl Remote {
    /// Makes a project.
    pub fn create_project(&self, body: &CreateProject) -> Result<Project> {
        self.post("api/v1/projects", body)
    }

    /// One page of one's projects.
    pub fn projects(&self, cursor: Option<&str>) -> Result<Projects> {
        self.get(&page("api/v1/projects", cursor))
    }

    /// One of one's projects.
    pub fn project(&self, id: ProjectId) -> Result<Project> {
        self.get(&format!("api/v1/projects/{id}"))
    }

    /// Deletes a project.
    pub fn delete_project(&self, id: ProjectId) -> Result<()> {
        self.send(&Method::DELETE, &format!("api/v1/projects/{id}"), &()).map(drop)
    }

    /// Who is in a project.
    pub fn project_members(&self, id: ProjectId) -> Result<Members> {
        self.get(&format!("api/v1/projects/{id}/members"))
    }

    /// Makes somebody a member, or changes a member's role.
    pub fn add_member(&self, id: ProjectId, body: &AddMember) -> Result<Member> {
        self.post(&format!("api/v1/projects/{id}/members"), body)
    }

    /// Ends a membership.
    pub fn remove_member(&self, id: ProjectId, person: UserId) -> Result<()> {
        self.send(&Method::DELETE, &format!("api/v1/projects/{id}/members/{person}"), &()).map(drop)
    }

    /// Puts a session into a project, or takes it out.
    pub fn set_project(&self, session: SessionId, body: &SetProject) -> Result<()> {
        self.send(&Method::PUT, &format!("api/v1/sessions/{session}/project"), body).map(drop)
    }

    /// One page of a project's records of one kind.
    pub fn records(&self, project: ProjectId, kind: RecordKind, cursor: Option<&str>) -> Result<Records> {
        self.get(&page(&shelf(project, kind), cursor))
    }

    /// Makes a record.
    pub fn create_record(&self, project: ProjectId, kind: RecordKind, body: &NewRecord) -> Result<Record> {
        self.post(&shelf(project, kind), body)
    }

    /// One record.
    pub fn record(&self, project: ProjectId, reference: &Reference) -> Result<Record> {
        self.get(&place(project, reference))
    }

    /// Changes a record that is still of the version that was read.
    pub fn edit_record(&self, project: ProjectId, reference: &Reference, body: &EditRecord) -> Result<Record> {
        understand(&self.send(&Method::PUT, &place(project, reference), body)?)
    }

    /// Deletes a record.
    pub fn delete_record(&self, project: ProjectId, reference: &Reference) -> Result<()> {
        self.send(&Method::DELETE, &place(project, reference), &()).map(drop)
    }
}

fn shelf(project: ProjectId, kind: RecordKind) -> String {
    format!("api/v1/projects/{project}/records/{kind}")
}

/// What records may be called can stand in a path as it is.
fn place(project: ProjectId, reference: &Reference) -> String {
    format!("{}/{}", shelf(project, reference.kind), reference.ref_id)
}

fn page(path: &str, cursor: Option<&str>) -> String {
    let Some(cursor) = cursor else { return path.to_owned() };
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("cursor", cursor).finish();
    format!("{path}?{query}")
}
