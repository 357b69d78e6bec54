//! Projects: who is in them, their records, and that nothing but membership opens them (SPEC T15).

use segue_api::projects::{Member, Members, Project, ProjectRole, Projects, Record, Records, TicketState};
use segue_api::sessions::Session;
use segue_domain::limits::{PROJECT_MEMBERS_MAX, PROJECTS_MAX, RECORD_BODY_BYTES_MAX, RECORDS_MAX};
use serde_json::{Value, json};

use crate::harness::{
    Person, TestServer,
    seal::{Draft, TestPack},
};

fn refusal(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

async fn project(maker: &Person, name: &str) -> String {
    let project: Project = maker.post("/api/v1/projects", &json!({"name": name})).await.ok();
    format!("/api/v1/projects/{}", project.project_id)
}

async fn add(admin: &Person, project: &str, person: &Person, role: &str) -> Member {
    admin.post(&format!("{project}/members"), &json!({"email": person.email, "role": role})).await.ok()
}

async fn make(person: &Person, project: &str, kind: &str, body: Value) -> Record {
    person.post(&format!("{project}/records/{kind}"), &body).await.ok()
}

async fn see(person: &Person, path: &str) -> u16 {
    person.get(path).await.status.as_u16()
}

on_both! {
    async fn members_read_and_write_and_nobody_else_learns_anything(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let cy = ann.bring("cy@example.com").await;
        let path = project(&ann, "Parser").await;
        let added = add(&ann, &path, &ben, "member").await;
        assert_eq!((added.email.as_str(), added.role), ("ben@example.com", ProjectRole::Member));
        let ticket = make(&ben, &path, "ticket", json!({"title": "Fix it", "body": "It is broken."})).await;
        assert_eq!((ticket.entry.state, ticket.entry.version), (Some(TicketState::Open), 1));
        let at = format!("{path}/records/ticket/{}", ticket.entry.ref_id);
        let read: Record = ann.get(&at).await.ok();
        assert_eq!(read, ticket);
        let mine: Projects = ben.get("/api/v1/projects").await.ok();
        assert_eq!(mine.projects[0].role, ProjectRole::Member);
        let members: Members = ben.get(&format!("{path}/members")).await.ok();
        let emails: Vec<_> = members.members.iter().map(|member| member.email.as_str()).collect();
        assert_eq!(emails, ["ben@example.com", "owner@example.com"]);
        for outside in [path.clone(), format!("{path}/members"), format!("{path}/records/ticket"), at] {
            assert_eq!(cy.get(&outside).await.refused(), refusal(404, "not_found"), "{outside}");
        }
        let none: Projects = cy.get("/api/v1/projects").await.ok();
        assert!(none.projects.is_empty());
    }

    async fn only_admins_manage_and_one_always_stays(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let cy = ann.bring("cy@example.com").await;
        let path = project(&ann, "Parser").await;
        add(&ann, &path, &ben, "member").await;
        let members = format!("{path}/members");
        let whom = json!({"email": cy.email, "role": "member"});
        assert_eq!(ben.post(&members, &whom).await.refused(), refusal(404, "not_found"));
        assert_eq!(ben.delete(&path).await.refused(), refusal(404, "not_found"));
        assert_eq!(ben.delete(&format!("{members}/{}", ann.user_id)).await.refused(), refusal(404, "not_found"));
        // The only admin neither leaves nor steps down.
        assert_eq!(ann.delete(&format!("{members}/{}", ann.user_id)).await.refused(), refusal(409, "conflict"));
        let down = json!({"user_id": ann.user_id, "role": "member"});
        assert_eq!(ann.post(&members, &down).await.refused(), refusal(409, "conflict"));
        assert_eq!(add(&ann, &path, &ben, "admin").await.role, ProjectRole::Admin);
        assert_eq!(ann.delete(&format!("{members}/{}", ann.user_id)).await.status, 204);
        assert_eq!(see(&ann, &path).await, 404);
        // Whom nobody vouched for, and who is unknown.
        for whom in [json!({"email": "dan@example.com", "role": "member"}), json!({"user_id": "usr_x", "role": "member"})] {
            assert_eq!(ben.post(&members, &whom).await.refused(), refusal(422, "recipient_not_joined"));
        }
        for wrong in [json!({"role": "member"}), json!({"email": cy.email, "user_id": cy.user_id, "role": "member"}),
            json!({"email": cy.email, "role": "owner"})] {
            assert_eq!(ben.post(&members, &wrong).await.refused(), refusal(422, "invalid"));
        }
        assert_eq!(ben.delete(&path).await.status, 204);
        assert_eq!(see(&ben, &path).await, 404);
    }

    async fn who_leaves_sees_nothing_more_and_their_sessions_leave_too(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let path = project(&ann, "Parser").await;
        add(&ann, &path, &ben, "member").await;
        let ticket = make(&ann, &path, "ticket", json!({"title": "Fix it"})).await;
        let (_, session) = ben.push_new(&TestPack::new(2_000)).await;
        let at = format!("/api/v1/sessions/{}", session.session_id);
        let into = json!({"project_id": ticket.entry.project_id, "ticket": ticket.entry.ref_id});
        assert_eq!(ben.put(&format!("{at}/project"), &into).await.status, 204);
        let there: Session = ben.get(&at).await.ok();
        assert_eq!((there.project_id, there.ticket), (Some(ticket.entry.project_id), Some(ticket.entry.ref_id.clone())));
        assert_eq!(ben.delete(&format!("{path}/members/{}", ben.user_id)).await.status, 204);
        assert_eq!(see(&ben, &format!("{path}/records/ticket/{}", ticket.entry.ref_id)).await, 404);
        let out: Session = ben.get(&at).await.ok();
        assert_eq!((out.project_id, out.ticket), (None, None));
        assert_eq!(ben.put(&format!("{at}/project"), &into).await.refused(), refusal(404, "not_found"));
    }

    async fn a_forged_git_remote_gives_nothing(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let body = json!({"name": "SDK", "git_remote": "https://ann:secret@GitHub.com/acme/sdk.git"});
        let project: Project = ann.post("/api/v1/projects", &body).await.ok();
        assert_eq!(project.git_remote.as_deref(), Some("github.com/acme/sdk"));
        let path = format!("/api/v1/projects/{}", project.project_id);
        let page = make(&ann, &path, "wiki_page", json!({"ref_id": "secrets", "title": "Secrets"})).await;
        // Ben says that a session of his is of that repository.
        let pack = TestPack::new(2_000);
        assert_eq!(ben.upload(&pack).await.status, 201);
        let mut draft = Draft::snapshot(&ben, "ses_00000000000000000000000007", &[&pack]);
        "https://github.com/acme/sdk.git".clone_into(&mut draft.envelope.header.card.git_remote);
        let (_, session) = ben.push(&draft).await;
        for outside in [path.clone(), format!("{path}/records/wiki_page"), format!("{path}/records/wiki_page/secrets")] {
            assert_eq!(see(&ben, &outside).await, 404, "{outside}");
        }
        let into = json!({"project_id": page.entry.project_id});
        let at = format!("/api/v1/sessions/{}/project", session.session_id);
        assert_eq!(ben.put(&at, &into).await.refused(), refusal(404, "not_found"));
        for wrong in ["", "/home/ann/sdk", "https://github.com"] {
            let body = json!({"name": "SDK", "git_remote": wrong});
            assert_eq!(ann.post("/api/v1/projects", &body).await.refused(), refusal(422, "invalid"), "{wrong}");
        }
    }

    async fn nobodys_edit_is_overwritten_unseen(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let path = project(&ann, "Parser").await;
        add(&ann, &path, &ben, "member").await;
        let page = make(&ann, &path, "wiki_page", json!({"ref_id": "how-we-deploy.v2", "title": "Deploy", "body": "1"})).await;
        let at = format!("{path}/records/wiki_page/{}", page.entry.ref_id);
        let edit = |body: &str, version: i64| json!({"title": "Deploy", "body": body, "version": version});
        let changed: Record = ben.put(&at, &edit("2", 1)).await.ok();
        assert_eq!((changed.body.as_str(), changed.entry.version), ("2", 2));
        assert_eq!(ann.put(&at, &edit("3", 1)).await.refused(), refusal(409, "conflict"));
        let kept: Record = ann.get(&at).await.ok();
        assert_eq!(kept, changed);
        // A page that is made again under its name is not the one that was read before.
        assert_eq!(ann.delete(&at).await.status, 204);
        assert_eq!(ann.delete(&at).await.status, 404);
        let again = make(&ben, &path, "wiki_page", json!({"ref_id": page.entry.ref_id, "title": "Deploy"})).await;
        assert!(again.body.is_empty() && again.entry.version > 2);
        assert_eq!(ann.put(&at, &edit("4", 2)).await.refused(), refusal(409, "conflict"));
        assert_eq!(server.column("SELECT body FROM records").await, [""], "what was deleted is gone");
    }

    async fn each_kind_is_named_its_own_way(server: TestServer) {
        let ann = server.owner().await;
        let path = project(&ann, "Parser").await;
        for number in ["1", "2", "3"] {
            assert_eq!(make(&ann, &path, "kb_entry", json!({"title": "Learned"})).await.entry.ref_id, number);
        }
        assert_eq!(ann.delete(&format!("{path}/records/kb_entry/3")).await.status, 204);
        assert_eq!(make(&ann, &path, "kb_entry", json!({"title": "Learned"})).await.entry.ref_id, "4", "no number comes twice");
        make(&ann, &path, "persona", json!({"ref_id": "reviewer", "title": "Reviews"})).await;
        let twice = ann.post(&format!("{path}/records/persona"), &json!({"ref_id": "reviewer", "title": "Reviews"})).await;
        assert_eq!(twice.refused(), refusal(409, "conflict"));
        for (kind, wrong) in [
            ("persona", json!({"title": "Nameless"})),
            ("persona", json!({"ref_id": "a".repeat(51), "title": "Long"})),
            ("wiki_page", json!({"ref_id": "../etc", "title": "Up"})),
            ("wiki_page", json!({"ref_id": "a".repeat(256), "title": "Long"})),
            ("ticket", json!({"ref_id": "tkt_00000000000000000000000000", "title": "Mine"})),
            ("kb_entry", json!({"ref_id": "7", "title": "Mine"})),
            ("ticket", json!({"title": " "})),
            ("ticket", json!({"title": "a\nb"})),
            ("ticket", json!({"title": "ä".repeat(201)})),
            ("ticket", json!({"title": "a", "body": "\0"})),
        ] {
            assert_eq!(ann.post(&format!("{path}/records/{kind}"), &wrong).await.refused(), refusal(422, "invalid"), "{wrong}");
        }
        let body = |len: usize| json!({"ref_id": "a".repeat(255), "title": "ä".repeat(200), "body": "a".repeat(len)});
        let long = ann.post(&format!("{path}/records/wiki_page"), &body(RECORD_BODY_BYTES_MAX + 1)).await;
        assert_eq!(long.refused(), refusal(413, "too_large"));
        make(&ann, &path, "wiki_page", body(RECORD_BODY_BYTES_MAX)).await;
        assert_eq!(see(&ann, &format!("{path}/records/wiki_page/{}", "a".repeat(255))).await, 200);
    }

    async fn a_ticket_is_closed_and_nothing_else_can_be(server: TestServer) {
        let ann = server.owner().await;
        let path = project(&ann, "Parser").await;
        let ticket = make(&ann, &path, "ticket", json!({"title": "Fix it"})).await;
        let at = format!("{path}/records/ticket/{}", ticket.entry.ref_id);
        let closed: Record = ann.put(&at, &json!({"title": "Fix it", "body": "", "state": "closed", "version": 1})).await.ok();
        assert_eq!(closed.entry.state, Some(TicketState::Closed));
        let edited: Record = ann.put(&at, &json!({"title": "Fixed", "body": "", "version": 2})).await.ok();
        assert_eq!(edited.entry.state, Some(TicketState::Closed));
        make(&ann, &path, "persona", json!({"ref_id": "reviewer", "title": "Reviews"})).await;
        let close = json!({"title": "Reviews", "body": "", "state": "closed", "version": 1});
        let answer = ann.put(&format!("{path}/records/persona/reviewer"), &close).await;
        assert_eq!(answer.refused(), refusal(422, "invalid"));
    }

    async fn lists_come_in_pages_and_nothing_is_unreachable_among_records(server: TestServer) {
        let ann = server.owner().await;
        let path = project(&ann, "Parser").await;
        for (number, slug) in ["b.1", "a-2", "c_3", "d", "e"].into_iter().enumerate() {
            make(&ann, &path, "wiki_page", json!({"ref_id": slug, "title": slug})).await;
            server.clock.advance(i64::try_from(number % 2).unwrap());
        }
        let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
        loop {
            let page: Records = ann.get(&format!("{path}/records/wiki_page{query}")).await.ok();
            seen.extend(page.records.into_iter().map(|record| record.ref_id));
            let Some(next) = page.next else { break };
            query = format!("?limit=2&cursor={next}");
        }
        seen.sort();
        assert_eq!(seen, ["a-2", "b.1", "c_3", "d", "e"]);
    }

    async fn the_same_request_again_makes_nothing_twice(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let body = json!({"name": "Parser"});
        let first: Project = ann.post_once("/api/v1/projects", "p", &body).await.ok();
        assert_eq!(first, ann.post_once("/api/v1/projects", "p", &body).await.ok());
        let path = format!("/api/v1/projects/{}", first.project_id);
        let tickets = format!("{path}/records/ticket");
        let ticket: Record = ann.post_once(&tickets, "t", &json!({"title": "Fix it"})).await.ok();
        assert_eq!(ticket, ann.post_once(&tickets, "t", &json!({"title": "Fix it"})).await.ok());
        let whom = json!({"user_id": ben.user_id, "role": "member"});
        let member: Member = ann.post_once(&format!("{path}/members"), "m", &whom).await.ok();
        assert_eq!(member, ann.post_once(&format!("{path}/members"), "m", &whom).await.ok());
        assert_eq!(server.count("SELECT COUNT(*) FROM projects").await, 1);
        assert_eq!(server.count("SELECT COUNT(*) FROM records").await, 1);
    }

    async fn everything_is_bounded(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let token = ann.invite("dan@example.com", false).await;
        let dan = Person::join(&server.url, &token, "dan@example.com").await;
        let refused = dan.post("/api/v1/projects", &json!({"name": "Parser"})).await.refused();
        assert_eq!(refused, refusal(403, "address_not_verified"));
        let path = project(&ann, "Parser").await;
        // What is counted is written at once; the last one that fits comes over HTTP.
        fill(&server, &ann, &path).await;
        make(&ann, &path, "ticket", json!({"title": "The last"})).await;
        let over = ann.post(&format!("{path}/records/ticket"), &json!({"title": "One more"})).await;
        assert_eq!(over.refused(), refusal(409, "conflict"));
        add(&ann, &path, &ben, "member").await;
        let over = ann.post(&format!("{path}/members"), &json!({"user_id": ann.bring("eve@example.com").await.user_id, "role": "member"})).await;
        assert_eq!(over.refused(), refusal(409, "conflict"));
        assert_eq!(add(&ann, &path, &ben, "admin").await.role, ProjectRole::Admin, "a member's role still changes");
        project(&ann, "The last").await;
        assert_eq!(ann.post("/api/v1/projects", &json!({"name": "One more"})).await.refused(), refusal(409, "conflict"));
    }
}

/// SQL before a `SELECT` that finds the numbers from 1 to `count` in `n`.
pub(crate) fn numbers(count: i64) -> String {
    format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) ")
}

/// One less than the most of everything.
async fn fill(server: &TestServer, ann: &Person, path: &str) {
    let project = path.rsplit('/').next().unwrap();
    let (records, members) = (RECORDS_MAX - 1, PROJECT_MEMBERS_MAX - 2);
    let user = &ann.user_id;
    for sql in [
        format!(
            "INSERT INTO records SELECT '{project}', 'kb_entry', CAST(i AS TEXT), 't', '', NULL, 1, '{user}', 1, 1, 1 \
             FROM ({}SELECT i FROM n) numbers",
            numbers(records)
        ),
        format!(
            "INSERT INTO users (id, email, email_key, email_verified, name, owner, plan, card_seq, recovery_root, \
             recovery_auth_hash, created_at) SELECT 'usr_{}' || CAST(100 + i AS TEXT), 'e', 'u', FALSE, 'n', FALSE, NULL, 1, \
             recovery_root, recovery_auth_hash, 1 FROM ({}SELECT i FROM n) numbers, users WHERE id = '{user}'",
            "0".repeat(23),
            numbers(members)
        ),
        format!("INSERT INTO project_members SELECT '{project}', id, 'member', 1 FROM users WHERE email = 'e'"),
        format!(
            "INSERT INTO projects SELECT 'p' || CAST(i AS TEXT), 'n', NULL, 0, '{user}', 1 FROM ({}SELECT i FROM n) numbers",
            numbers(PROJECTS_MAX - 2)
        ),
    ] {
        server.damage(sql.leak()).await;
    }
}
