//! Personal access tokens: scopes, ends, and what they never do (SPEC A3).

use data_encoding::BASE64URL_NOPAD;
use segue_api::{
    account::Account,
    handoffs::Handoff,
    tokens::{CreateToken, TOKEN_PREFIX, Token, Tokens},
};
use segue_signed::sha256;
use serde_json::{Value, json};

use crate::harness::{
    HOUR_MS, Person, TestServer,
    person::Answer,
    seal::{Draft, TestPack, draw},
};

impl Person {
    async fn make(&self, secret: &[u8; 32], scopes: &[&str], days: u32) -> Answer {
        let body = CreateToken {
            name: "ci".to_owned(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            expires_in_days: days,
            token_hash: sha256(secret).to_vec().into(),
        };
        self.post("/api/v1/tokens", &body).await
    }

    /// The same person by a token, and the token's id.
    pub(crate) async fn by_token(&self, scopes: &[&str]) -> (Self, String) {
        let secret = draw();
        let token: Token = self.make(&secret, scopes, 30).await.ok();
        (Self { token: format!("{TOKEN_PREFIX}{}", BASE64URL_NOPAD.encode(&secret)), ..self.clone() }, token.token_id)
    }
}

fn scope_refused() -> (u16, String) {
    (403, "insufficient_scope".to_owned())
}

async fn handed(server: &TestServer) -> (Person, Person, Draft, Handoff) {
    let (ann, ben) = server.ann_and_ben().await;
    let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
    let (draft, handoff) = ann.hand(&snapshot, &ben).await;
    (ann, ben, draft, handoff)
}

on_both! {
    async fn a_token_does_what_its_scopes_say_and_the_log_says_that_it_did(server: TestServer) {
        let (_, ben, draft, handoff) = handed(&server).await;
        let (reader, _) = ben.by_token(&["handoffs:read"]).await;
        let (writer, _) = ben.by_token(&["handoffs:write", "handoffs:read"]).await;
        let path = format!("/api/v1/handoffs/{}", handoff.handoff_id);
        for readable in [path.clone(), format!("{path}/comments"), format!("{path}/events"), "/api/v1/handoffs?box=inbox".to_owned()] {
            assert_eq!(reader.get(&readable).await.status, 200, "{readable}");
        }
        assert_eq!(reader.decline(&handoff).await.refused(), scope_refused());
        assert_eq!(writer.comment(&handoff, "by a program").await.status, 201);
        for forbidden in [format!("{path}/bundle"), "/api/v1/sessions".to_owned(), "/api/v1/projects".to_owned(), "/api/v1/tokens".to_owned()] {
            assert_eq!(writer.get(&forbidden).await.refused(), scope_refused(), "{forbidden}");
        }
        // What takes keys takes a device, whatever the token is for.
        assert_eq!(writer.claim(&handoff.handoff_id, draft.claim).await.refused(), scope_refused());
        assert_eq!(writer.make(&draw(), &["handoffs:read"], 1).await.refused(), scope_refused());
        assert_eq!(writer.upload(&TestPack::new(100)).await.refused(), scope_refused());
        let account: Account = writer.get("/api/v1/account").await.ok();
        assert_eq!((account.user_id.as_str(), account.device_id), (ben.user_id.as_str(), None));
        let said = server.column("SELECT kind || ' by ' || actor_type FROM events ORDER BY seq").await;
        assert_eq!(said, ["created by user", "viewed by token", "commented by token"]);
    }

    async fn a_token_ends_when_it_is_revoked_or_its_time_is_over(server: TestServer) {
        let ann = server.owner().await;
        let (token, id) = ann.by_token(&["sessions:read"]).await;
        let (other, _) = ann.by_token(&["sessions:read"]).await;
        assert_eq!(token.get("/api/v1/sessions").await.status, 200);
        let ben = ann.bring("ben@example.com").await;
        assert_eq!(ben.delete(&format!("/api/v1/tokens/{id}")).await.status, 404);
        assert_eq!(token.delete(&format!("/api/v1/tokens/{id}")).await.refused(), scope_refused());
        for _ in 0..2 {
            assert_eq!(ann.delete(&format!("/api/v1/tokens/{id}")).await.status, 204);
            assert_eq!(token.get("/api/v1/sessions").await.status, 401);
        }
        server.clock.advance(30 * 24 * HOUR_MS - 1);
        assert_eq!(other.get("/api/v1/sessions").await.status, 200);
        server.clock.advance(1);
        assert_eq!(other.get("/api/v1/sessions").await.status, 401);
        let listed: Tokens = ann.get("/api/v1/tokens").await.ok();
        assert_eq!(listed.tokens.iter().filter(|token| token.revoked_at.is_some()).count(), 1);
    }

    async fn a_token_is_for_something_and_for_a_time(server: TestServer) {
        let ann = server.owner().await;
        for (scopes, days) in [(&["*"][..], 30), (&[], 30), (&["handoffs:read"], 0), (&["handoffs:read"], 367)] {
            assert_eq!(ann.make(&draw(), scopes, days).await.status, 422, "{scopes:?} {days}");
        }
        let body: Value = json!({"name": "", "scopes": ["handoffs:read"], "expires_in_days": 1, "token_hash": "AA"});
        assert_eq!(ann.post("/api/v1/tokens", &body).await.status, 422);
        let secret = draw();
        assert_eq!(ann.make(&secret, &["handoffs:read"], 366).await.status, 201);
        assert_eq!(ann.make(&secret, &["handoffs:read"], 1).await.refused(), (409, "conflict".to_owned()));
        for _ in 1..100 {
            assert_eq!(ann.make(&draw(), &["handoffs:read"], 1).await.status, 201);
        }
        assert_eq!(ann.make(&draw(), &["handoffs:read"], 1).await.status, 422, "one more than one has");
    }

    async fn a_devices_token_is_no_personal_one_and_neither_the_other_way(server: TestServer) {
        let ann = server.owner().await;
        let (token, _) = ann.by_token(&["handoffs:read"]).await;
        let bare = Person { token: token.token.trim_start_matches(TOKEN_PREFIX).to_owned(), ..ann.clone() };
        let dressed = Person { token: format!("{TOKEN_PREFIX}{}", ann.token), ..ann.clone() };
        assert_eq!((bare.get("/api/v1/account").await.status, dressed.get("/api/v1/account").await.status), (401.try_into().unwrap(), 401.try_into().unwrap()));
        assert_eq!(server.count("SELECT COUNT(*) FROM tokens WHERE name <> 'ci'").await, 0);
    }
}
