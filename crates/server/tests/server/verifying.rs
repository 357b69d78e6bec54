//! Verifying an address, and signing up with one (SPEC A2).

use segue_api::{
    account::{Account, ConfirmCode, Mailed, SignUp},
    invites::Vouch,
};
use segue_domain::limits;
use segue_server::config;
use serde_json::json;

use crate::harness::{
    HOUR_MS, Person, TestServer,
    mailbox::{Arrived, in_folder},
    person::Answer,
    seal::TestPack,
};

/// Asks for a link to sign up with, as nobody.
pub(crate) async fn sign_up(server: &TestServer, email: &str) -> Answer {
    let body = SignUp { email: email.to_owned() };
    Answer::of(reqwest::Client::new().post(format!("{}/api/v1/signup", server.url)).json(&body)).await
}

async fn ask(person: &Person) -> Answer {
    person.post("/api/v1/account/verification", &json!({})).await
}

async fn confirm(person: &Person, code: &str) -> Answer {
    person.post("/api/v1/account/verification/confirm", &ConfirmCode { code: code.to_owned() }).await
}

async fn verified(person: &Person) -> bool {
    person.get("/api/v1/account").await.ok::<Account>().email_verified
}

/// Somebody who joined with a printed link.
async fn unverified(by: &Person, email: &str) -> Person {
    let token = by.invite(email, false).await;
    Person::join(&by.url, &token, email).await
}

/// The newest code that came; there are `count` mails.
async fn code(server: &TestServer, count: usize) -> String {
    // Mails are named by the time they were sent at.
    server.clock.advance(1);
    in_folder(server.folder.path(), count).await.last().unwrap().code()
}

fn wrong(code: &str) -> String {
    let last = if code.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &code[..code.len() - 1])
}

on_both! {
    async fn the_mailed_code_verifies_an_address_once(server: TestServer) {
        let server = server.mailing(None, config::SignUp::Invite).await;
        let ann = server.owner().await;
        let cy = unverified(&ann, "cy@example.com").await;
        assert_eq!(confirm(&cy, "00000-00000").await.refused(), (410, "expired".to_owned()));
        assert_eq!(ask(&cy).await.ok::<Mailed>(), Mailed { email: "cy@example.com".to_owned() });
        let code = code(&server, 1).await;
        // Neither the code nor anything to get it from but its hash is kept.
        assert!(!format!("{:?}", server.column("SELECT body FROM outbox").await).contains(&code));
        assert!(!verified(&cy).await);
        assert_eq!(confirm(&cy, &wrong(&code)).await.refused(), (422, "wrong_proof".to_owned()));
        // It is for one account.
        let dan = unverified(&ann, "cy@example.com").await;
        assert_eq!(confirm(&dan, &code).await.refused(), (410, "expired".to_owned()));
        let account: Account = confirm(&cy, &code.to_lowercase().replace('-', " ")).await.ok();
        assert!(account.email_verified && verified(&cy).await);
        assert_eq!(confirm(&cy, &code).await.refused(), (410, "expired".to_owned()));
        assert_eq!(ask(&cy).await.refused(), (409, "conflict".to_owned()));
        let events = server.column("SELECT actor FROM account_events WHERE kind = 'verified'").await;
        assert_eq!(events, [cy.user_id.as_str()]);
        // From now on handoffs reach the account.
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        ann.hand(&snapshot, &cy).await;
    }

    async fn a_code_ends_with_its_fifth_wrong_try_its_hour_and_the_next_code(server: TestServer) {
        let server = server.mailing(None, config::SignUp::Invite).await;
        let ann = server.owner().await;
        let cy = unverified(&ann, "cy@example.com").await;
        ask(&cy).await;
        let first = code(&server, 1).await;
        for _ in 0..limits::CODE_TRIES_MAX {
            assert_eq!(confirm(&cy, &wrong(&first)).await.refused(), (422, "wrong_proof".to_owned()));
        }
        assert_eq!(confirm(&cy, &first).await.refused(), (410, "expired".to_owned()));
        ask(&cy).await;
        let second = code(&server, 2).await;
        server.clock.advance(HOUR_MS);
        assert_eq!(confirm(&cy, &second).await.refused(), (410, "expired".to_owned()));
        ask(&cy).await;
        let third = code(&server, 3).await;
        ask(&cy).await;
        let fourth = code(&server, 4).await;
        assert_eq!(confirm(&cy, &third).await.refused(), (422, "wrong_proof".to_owned()));
        // The fourth wrong try after it is not the fifth.
        for _ in 0..limits::CODE_TRIES_MAX - 2 {
            confirm(&cy, &wrong(&fourth)).await;
        }
        assert_eq!(confirm(&cy, &fourth).await.status, 200);
    }

    async fn codes_are_bounded_in_an_hour(server: TestServer) {
        let ann = server.owner().await;
        let cy = unverified(&ann, "cy@example.com").await;
        for _ in 0..limits::CODES_PER_HOUR {
            assert_eq!(ask(&cy).await.status, 202);
        }
        let refused = ask(&cy).await;
        assert_eq!(refused.refused(), (429, "rate_limited".to_owned()));
        assert!(refused.headers.contains_key("retry-after"));
        server.clock.advance(HOUR_MS);
        assert_eq!(ask(&cy).await.status, 202);
    }

    async fn an_address_that_another_account_has_is_told_only_to_who_reads_its_mails(server: TestServer) {
        let server = server.mailing(None, config::SignUp::Invite).await;
        let (ann, ben) = server.ann_and_ben().await;
        let twin = unverified(&ann, "Ben@example.com").await;
        assert_eq!(ask(&twin).await.status, 202);
        let code = code(&server, 1).await;
        assert_eq!(confirm(&twin, &wrong(&code)).await.refused(), (422, "wrong_proof".to_owned()));
        assert_eq!(confirm(&twin, &code).await.refused(), (409, "conflict".to_owned()));
        assert!(!verified(&twin).await && verified(&ben).await);
    }

    async fn a_member_who_invites_an_address_does_not_get_its_handoffs(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        // Ben has the printed link, and joins under an address that is not his.
        let fake = unverified(&ben, "cy@example.com").await;
        let (_, session) = ann.push_new(&TestPack::new(2_000)).await;
        for to in [json!({"to_email": "cy@example.com"}), json!({"to_user_id": fake.user_id})] {
            let mut body = json!({"session_id": session.session_id});
            body.as_object_mut().unwrap().extend(to.as_object().unwrap().clone());
            let answer = ann.post("/api/v1/handoffs/reserve", &body).await;
            assert!(!answer.status.is_success() || !String::from_utf8_lossy(&answer.body).contains(&fake.user_id));
        }
        assert_eq!(server.count("SELECT COUNT(*) FROM outbox").await, 0);
    }

    async fn an_owner_may_vouch_later_and_that_is_recorded(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let cy = unverified(&ann, "cy@example.com").await;
        let by_email = |email: &str| Vouch { email: Some(email.to_owned()), user_id: None };
        let by_id = |id: &str| Vouch { email: None, user_id: Some(id.to_owned()) };
        // Others learn nothing, whatever they name.
        for body in [by_email("cy@example.com"), by_email("nobody@example.com"), by_id(&cy.user_id), by_id("x")] {
            assert_eq!(ben.post("/api/v1/vouches", &body).await.refused(), (403, "owner_only".to_owned()));
        }
        for body in [by_email("nobody@example.com"), by_id("x"), by_id("usr_00000000000000000000000000")] {
            assert_eq!(ann.post("/api/v1/vouches", &body).await.refused(), (404, "not_found".to_owned()));
        }
        assert_eq!(ann.post("/api/v1/vouches", &Vouch::default()).await.refused(), (422, "invalid".to_owned()));
        assert_eq!(ann.post("/api/v1/vouches", &by_email("CY@example.com")).await.status, 200);
        assert!(verified(&cy).await);
        assert_eq!(ann.post("/api/v1/vouches", &by_id(&cy.user_id)).await.refused(), (409, "conflict".to_owned()));
        let sql = "SELECT actor FROM account_events WHERE kind = 'vouched' ORDER BY at";
        assert_eq!(server.column(sql).await, [ann.user_id.as_str(), ann.user_id.as_str()]);
        // One verified account for each address, and no guessing among several.
        let twin = unverified(&ann, "cy@example.com").await;
        assert_eq!(ann.post("/api/v1/vouches", &by_id(&twin.user_id)).await.refused(), (409, "conflict".to_owned()));
        let (one, _other) = (unverified(&ann, "dan@example.com").await, unverified(&ann, "dan@example.com").await);
        assert_eq!(ann.post("/api/v1/vouches", &by_email("dan@example.com")).await.refused(), (409, "conflict".to_owned()));
        assert_eq!(ann.post("/api/v1/vouches", &by_id(&one.user_id)).await.status, 200);
        assert!(verified(&one).await);
    }

    async fn signing_up_answers_the_same_for_every_address(server: TestServer) {
        let server = server.mailing(None, config::SignUp::Domains(vec!["example.com".to_owned()])).await;
        let ann = server.owner().await;
        let face = |email: &str, answer: Answer| {
            let body = String::from_utf8(answer.body).unwrap().replace(email, "EMAIL");
            (answer.status.as_u16(), answer.headers.len(), body)
        };
        let mut faces = Vec::new();
        for email in ["new@example.com", "owner@example.com", "new@elsewhere.org", "new@example.com"] {
            faces.push(face(email, sign_up(&server, email).await));
        }
        assert_eq!(faces[0].0, 202);
        assert!(faces.windows(2).all(|two| two[0] == two[1]), "{faces:?}");
        let mails = in_folder(server.folder.path(), 2).await;
        while server.count("SELECT COUNT(*) FROM outbox").await > 0 {
            tokio::task::yield_now().await;
        }
        let mails_to = |to: &str| -> Vec<&Arrived> { mails.iter().filter(|mail| mail.header("To") == to).collect() };
        assert_eq!(in_folder(server.folder.path(), 2).await.len(), 2, "one to each, and none elsewhere");
        // Who has an account is told so, in their mailbox.
        let known = mails_to("owner@example.com")[0];
        assert!(known.header("Subject").starts_with("You have an account") && !known.text.contains("/join#"));
        let new = Person::join(&server.url, &mails_to("new@example.com")[0].token(), "new@example.com").await;
        assert!(verified(&new).await && verified(&ann).await);
        server.clock.advance(HOUR_MS);
        assert_eq!(sign_up(&server, "new@example.com").await.status, 202);
        let mails = in_folder(server.folder.path(), 3).await;
        assert!(mails[2].header("Subject").starts_with("You have an account"));
        assert_eq!(sign_up(&server, "no address").await.refused(), (422, "invalid".to_owned()));
    }

    async fn without_a_policy_people_join_by_invite_only(server: TestServer) {
        server.owner().await;
        for email in ["owner@example.com", "new@example.com"] {
            assert_eq!(sign_up(&server, email).await.refused(), (403, "sign_up_closed".to_owned()));
        }
        assert_eq!(server.count("SELECT COUNT(*) FROM outbox").await, 0);
    }

    async fn what_is_over_is_forgotten(server: TestServer) {
        let server = server.mailing(None, config::SignUp::Open).await;
        let ann = server.owner().await;
        let cy = unverified(&ann, "cy@example.com").await;
        ask(&cy).await;
        sign_up(&server, "eve@example.com").await;
        ann.invite("dan@example.com", false).await;
        in_folder(server.folder.path(), 2).await;
        while server.count("SELECT COUNT(*) FROM outbox").await > 0 {
            tokio::task::yield_now().await;
        }
        server.clock.advance(16 * 24 * HOUR_MS);
        segue_server::sweep::once(&server.app).await.unwrap();
        assert_eq!(server.count("SELECT COUNT(*) FROM quotas").await, 0);
        assert_eq!(server.count("SELECT COUNT(*) FROM verifications").await, 0);
        // Those of Ann and Cy were used, and say so to a join that is repeated.
        assert_eq!(server.count("SELECT COUNT(*) FROM invites").await, 2);
        assert_eq!(server.count("SELECT COUNT(*) FROM invite_tokens").await, 2);
    }
}
