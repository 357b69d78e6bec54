//! Whether projects, and what names them, agree. A handoff keeps the id of its project when that is deleted: its claimer is then
//! told that nothing of it could be given.

use segue_domain::ProjectId;

use super::Findings;
use crate::{
    provenance::Provenance,
    store::{Tx, inspect},
};

const RESTORE: &str = "Restore the newest backup that is clean, or delete the project in question.";
const REASSIGN: &str = "Let its owner put it into a project again: segue project use PROJECT, then segue push.";

pub(super) async fn check(tx: &mut Tx<'_>, findings: &mut Findings) -> Result<(), sqlx::Error> {
    for project in inspect::projects(tx).await? {
        if project.admins == 0 {
            findings.add("project", &project.id, "nobody is its admin", RESTORE);
        }
        if project.kb_number < project.kb_highest {
            findings.add("project", &project.id, "its knowledge base would give a number twice", RESTORE);
        }
    }
    for (project, record) in inspect::strayed_records(tx).await? {
        findings.add("project", &project, format!("it is not there, but its record {record} is"), RESTORE);
    }
    for (owner, session) in inspect::strayed_sessions(tx).await? {
        let name = format!("{session} of {owner}");
        findings.add("session", &name, "it is in a project that is not there, or not its owner's", REASSIGN);
    }
    for handoff in inspect::referring_handoffs(tx).await? {
        let provenance = handoff.provenance.as_deref();
        let readable = provenance.is_none_or(|text| serde_json::from_str::<Provenance>(text).is_ok());
        let project = handoff.project_id.as_deref().is_some_and(|id| id.parse::<ProjectId>().is_ok());
        findings.expect(readable && project, "handoff", &handoff.id, "what it refers to cannot be read");
    }
    Ok(())
}
