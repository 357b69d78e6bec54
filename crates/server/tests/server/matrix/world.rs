//! People and their things, of which nobody may learn anything from anybody else's.

use segue_api::projects::{Project, Record};
use segue_domain::Scope;
use segue_signed::SignedEnvelope;
use serde_json::json;

use super::{
    One,
    routes::{Real, Route},
};
use crate::harness::{
    Person, TestServer, roster,
    seal::{Draft, TestPack},
    team::Team,
};

/// Ann hands over; the others have to do with it as much as their names say.
pub(crate) struct World {
    /// Who gives.
    pub(crate) ann: Person,
    /// Who is given to, alone or in a team.
    pub(crate) ben: Person,
    /// Another one of that team.
    pub(crate) cy: Person,
    /// Who was in that team, and in Ann's project.
    pub(crate) dan: Person,
    /// Who is in another team, with Ann even.
    pub(crate) eve: Person,
    /// Who has things of their own.
    pub(crate) fay: Person,
    /// Those who are not let in, with the answer that they get everywhere.
    pub(crate) refused: Vec<(Person, One)>,
    /// Ann's tokens: each has no scope that the other has.
    programs: [Person; 2],
    /// Fay's token with every scope.
    pub(crate) fays_program: Person,
    pub(crate) team: Team,
    pub(crate) snapshot: SignedEnvelope,
    pub(crate) anns: Real,
    pub(crate) fays: Real,
}

impl World {
    pub(crate) async fn begin(server: &TestServer) -> Self {
        let ann = server.owner().await;
        let (ben, cy) = (ann.bring("ben@example.com").await, ann.bring("cy@example.com").await);
        let (dan, eve) = (ann.bring("dan@example.com").await, ann.bring("eve@example.com").await);
        let (fay, out) = (ann.bring("fay@example.com").await, ann.bring("out@example.com").await);
        let team = Team::of(server, &ann, &[ben.clone(), cy.clone(), dan.clone()]).await;
        eve.team_with(&[&ann]).await;
        let (snapshot, anns) = things(&ann, &ben, &[&cy, &dan]).await;
        let (_, fays) = things(&fay, &eve, &[]).await;
        team.remove(server, &dan).await;
        let left = dan.delete(&format!("/api/v1/projects/{}/members/{}", anns.project, dan.user_id)).await;
        assert_eq!(left.status, 204);
        let out_of_use = format!("UPDATE devices SET revoked_at = 1 WHERE user_id = '{}'", out.user_id);
        server.run(out_of_use).await;
        let anonymous = Person { token: String::new(), ..out.clone() };
        let unknown = Person { token: "A".repeat(43), ..out.clone() };
        let mut refused = Vec::new();
        for nobody in [anonymous, unknown, out] {
            let one = One::of(&nobody, 401).await;
            refused.push((nobody, one));
        }
        let programs = [ann.by_token(&["teams:read"]).await.0, ann.by_token(&["handoffs:read"]).await.0];
        let fays_program = fay.by_token(&Scope::ALL.map(Scope::as_str)).await.0;
        Self { ann, ben, cy, dan, eve, fay, refused, programs, fays_program, team, snapshot, anns, fays }
    }

    /// Ann's token that is not for a route.
    pub(crate) fn unscoped(&self, route: &Route) -> &Person {
        let [teams, handoffs] = &self.programs;
        if route.path.contains("/teams") { handoffs } else { teams }
    }
}

/// One of each thing that has an id, handed over to `to`; `others` are in its project.
async fn things(owner: &Person, to: &Person, others: &[&Person]) -> (SignedEnvelope, Real) {
    let pack = TestPack::new(2_000);
    let (snapshot, session) = owner.push_new(&pack).await;
    let (_, handoff): (Draft, _) = owner.hand(&snapshot, to).await;
    let project: Project = owner.post("/api/v1/projects", &json!({"name": "Parser"})).await.ok();
    for other in others {
        let member = json!({"user_id": other.user_id, "role": "member"});
        let added = owner.post(&format!("/api/v1/projects/{}/members", project.project_id), &member).await;
        assert_eq!(added.status, 200);
    }
    let tickets = format!("/api/v1/projects/{}/records/ticket", project.project_id);
    let ticket: Record = owner.post(&tickets, &json!({"title": "Fix it"})).await.ok();
    let real = Real {
        handoff: handoff.handoff_id,
        bundle: session.bundle_id,
        session: session.session_id,
        pack: pack.id().to_string(),
        project: project.project_id,
        member: owner.user_id.clone(),
        ticket: ticket.entry.ref_id,
        team: roster::id(&owner.team_with(&[to]).await).to_string(),
        token: owner.by_token(&["handoffs:read"]).await.1,
        pairing: owner.show(1).await.id(),
    };
    (snapshot, real)
}
