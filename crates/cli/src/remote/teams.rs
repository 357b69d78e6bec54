//! Teams, and who has an address.

use segue_api::{
    handoffs::RecipientKey,
    people::LookUp,
    teams::{CreateTeam, PublishRoster, PublishedRoster, Rosters, Team, Teams},
};
use segue_domain::TeamId;

use super::Remote;
use crate::error::Result;

impl Remote {
    /// Who has a verified address.
    pub fn look_up(&self, email: &str) -> Result<RecipientKey> {
        self.post("api/v1/people/lookup", &LookUp { email: email.to_owned() })
    }

    /// Begins a team.
    pub fn create_team(&self, body: &CreateTeam) -> Result<PublishedRoster> {
        self.post("api/v1/teams", body)
    }

    /// One page of one's teams.
    pub fn teams(&self, cursor: Option<&str>) -> Result<Teams> {
        let mut url = url::form_urlencoded::Serializer::new(String::new());
        if let Some(cursor) = cursor {
            url.append_pair("cursor", cursor);
        }
        self.get(&format!("api/v1/teams?{}", url.finish()))
    }

    /// One of one's teams.
    pub fn team(&self, id: TeamId) -> Result<Team> {
        self.get(&format!("api/v1/teams/{id}"))
    }

    /// One page of a team's chain: what comes after a version.
    pub fn rosters(&self, id: TeamId, after: u32) -> Result<Rosters> {
        self.get(&format!("api/v1/teams/{id}/rosters?after={after}"))
    }

    /// Publishes a team's next roster.
    pub fn publish_roster(&self, id: TeamId, body: &PublishRoster) -> Result<PublishedRoster> {
        self.post(&format!("api/v1/teams/{id}/rosters"), body)
    }
}
