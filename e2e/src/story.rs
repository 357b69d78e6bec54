//! Ann and Ben on one server, with a machine each.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{
    person::Person,
    server::{Options, Server},
};

/// Ann's address.
pub const ANN: &str = "ann@example.com";
/// Ben's address.
pub const BEN: &str = "ben@example.com";

/// A server with its owner Ann and her colleague Ben, both joined.
pub struct Story {
    /// The server.
    pub server: Server,
    /// Who hands over.
    pub ann: Person,
    /// Who is handed to.
    pub ben: Person,
}

impl Story {
    /// Everything below `root`: a fresh server and two people who have joined it.
    pub fn begin(root: &Path) -> Result<Self> {
        let server = Server::start(&root.join("server"), &Options::default())?;
        let (ann, ben) = (Person::new(&root.join("ann"))?, Person::new(&root.join("ben"))?);
        join_as_owner(&server, &ann)?;
        invite(&ann, &ben, BEN)?;
        Ok(Self { server, ann, ben })
    }

    /// Ann hands `session` to Ben; the handoff's id.
    pub fn hand_over(&self, session: &str, more: &[&str]) -> Result<String> {
        let mut arguments = vec!["handoff", session, "--to", BEN];
        arguments.extend(more);
        id(&self.ann.json(&arguments)?, "handoff_id")
    }

    /// Ben claims and pulls a handoff; the id of his new session.
    pub fn pull(&self, handoff: &str) -> Result<String> {
        id(&self.ben.json(&["pull-handoff", handoff])?, "session_id")
    }
}

/// The first person joins with the owner link.
pub fn join_as_owner(server: &Server, person: &Person) -> Result<Value> {
    let link = server.owner_link().context("the server printed no owner link")?;
    person.json(&["join", link, "--email", ANN, "--name", "Ann"])
}

/// `owner` invites and vouches for `email`; `guest` joins.
pub fn invite(owner: &Person, guest: &Person, email: &str) -> Result<Value> {
    let link = id(&owner.json(&["invite", email, "--vouch"])?, "link")?;
    guest.json(&["join", &link])
}

/// A text field of an answer.
pub fn id(answer: &Value, field: &str) -> Result<String> {
    answer[field].as_str().map(str::to_owned).with_context(|| format!("no {field} in {answer}"))
}
