//! What fits exactly is taken; one more is refused by a sentence that names the limit (SPEC S5). Limits of uploads are in
//! `uploads`, of parcels in `parcels`, of connections in `connections`.

use reqwest::Method;
use segue_api::{account::OpenInvite, handoffs::Handoffs, invites::CreateInvite};
use segue_domain::{
    SessionId,
    limits::{
        BODY_BYTES_MAX, IDEMPOTENCY_HOURS, IDEMPOTENCY_KEY_BYTES_MAX, INVITE_HOURS, MANIFEST_BYTES_MAX,
        MESSAGE_CHARS_MAX, OWNER_LINK_HOURS, PAGE_ENTRIES_MAX, PREVIEW_BYTES_MAX, RESERVATION_MS,
    },
};
use segue_server::{joining, sweep};
use segue_signed::sha256;

use crate::harness::{
    HOUR_MS, Person, TestServer,
    person::Answer,
    raw::Raw,
    seal::{Draft, TestPack, draw},
};

async fn push(ann: &Person, draft: &Draft) -> Answer {
    ann.post("/api/v1/bundles", &draft.body(&draft.sign(ann))).await
}

/// Refused as `code`, with the limit in the title and a way out.
#[track_caller]
fn names(answer: &Answer, code: &str, limit: &impl ToString) {
    let problem: segue_api::Problem = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer.refused().1, code);
    let limit = limit.to_string();
    assert!(format!("{} {}", problem.title, problem.detail).contains(&limit), "{} names {limit}", problem.title);
    assert!(!problem.detail.is_empty(), "{} has a way out", problem.title);
}

on_both! {
    async fn a_manifest_and_a_preview_have_a_size(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(1_000);
        ann.upload(&pack).await;
        for (more, fits) in [(1, false), (0, true)] {
            let mut draft = Draft::snapshot(&ann, &SessionId::from_bytes(draw()).to_string(), &[&pack]);
            draft.manifest = vec![7; MANIFEST_BYTES_MAX as usize + more];
            draft.envelope.manifest_hash = sha256(&draft.manifest);
            draft.envelope.manifest_len = u32::try_from(draft.manifest.len()).unwrap();
            let answer = push(&ann, &draft).await;
            if fits { assert_eq!(answer.status, 201) } else { names(&answer, "too_large", &MANIFEST_BYTES_MAX) }
            let next = TestPack::new(1_000);
            ann.upload(&next).await;
            let mut draft = Draft::snapshot(&ann, &SessionId::from_bytes(draw()).to_string(), &[&next]);
            draft.preview = vec![7; PREVIEW_BYTES_MAX + more];
            draft.envelope.preview_hash = Some(sha256(&draft.preview));
            let answer = push(&ann, &draft).await;
            if fits { assert_eq!(answer.status, 201) } else { names(&answer, "too_large", &PREVIEW_BYTES_MAX) }
        }
    }

    async fn a_message_has_a_length_in_characters(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, session) = ann.push_new(&TestPack::new(2_000)).await;
        let reservation = ann.reserve(&session.session_id, &ben.email).await;
        let (id, not_after) = (&reservation.handoff_id, reservation.not_after);
        let mut draft = Draft::handoff(&ann, &snapshot, id, not_after, &[ben.card()]);
        draft.envelope.header.message = "ä".repeat(MESSAGE_CHARS_MAX + 1);
        let answer = ann.post("/api/v1/handoffs", &draft.body(&draft.sign(&ann))).await;
        names(&answer, "invalid", &MESSAGE_CHARS_MAX);
        draft.envelope.header.message = "ä".repeat(MESSAGE_CHARS_MAX);
        assert_eq!(ann.post("/api/v1/handoffs", &draft.body(&draft.sign(&ann))).await.status, 201);
    }

    async fn a_body_has_a_size(server: TestServer) {
        let ann = server.owner().await;
        // What fits is read, and is no invite.
        let request = ann.request(Method::POST, "/api/v1/invites").header("content-type", "application/json");
        let answer = Answer::of(request.body(vec![b' '; BODY_BYTES_MAX])).await;
        assert_eq!(answer.refused(), (422, "invalid".to_owned()));
        // What is announced as one more is refused before it comes.
        let head = format!(
            "POST /api/v1/invites HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            ann.token,
            BODY_BYTES_MAX + 1
        );
        let said = Raw::connect(&server).await.ask(&head).await;
        assert!(said.starts_with("HTTP/1.1 413") && said.contains(&BODY_BYTES_MAX.to_string()), "{said}");
    }

    async fn a_page_has_so_many_entries(server: TestServer) {
        let ann = server.owner().await;
        let page = async |limit: i64| ann.get(&format!("/api/v1/handoffs?box=sent&limit={limit}")).await;
        page(PAGE_ENTRIES_MAX).await.ok::<Handoffs>();
        names(&page(PAGE_ENTRIES_MAX + 1).await, "invalid", &PAGE_ENTRIES_MAX);
    }

    async fn an_idempotency_key_has_a_length_and_a_day(server: TestServer) {
        let ann = server.owner().await;
        let body = CreateInvite { email: "a@example.com".to_owned(), vouch: false, token_hash: Some(draw::<32>().to_vec().into()) };
        let key = "k".repeat(IDEMPOTENCY_KEY_BYTES_MAX + 1);
        let long = ann.post_once("/api/v1/invites", &key, &body).await;
        assert!(long.refused().1 == "invalid" && String::from_utf8_lossy(&long.body).contains("128"));
        let first = ann.post_once("/api/v1/invites", &key[1..], &body).await;
        assert_eq!(first.status, 201);
        server.clock.advance(i64::from(IDEMPOTENCY_HOURS) * HOUR_MS);
        sweep::once(&server.app).await.unwrap();
        assert_eq!(ann.post_once("/api/v1/invites", &key[1..], &body).await.body, first.body);
        server.clock.advance(1);
        sweep::once(&server.app).await.unwrap();
        assert_eq!(ann.post_once("/api/v1/invites", &key[1..], &body).await.status, 409);
    }

    async fn links_and_reservations_end_at_their_time(server: TestServer) {
        let open = async |token: &[u8]| {
            let body = OpenInvite { token: token.to_vec().into() };
            let url = format!("{}/api/v1/invites/open", server.url);
            Answer::of(reqwest::Client::new().post(url).json(&body)).await.status.as_u16()
        };
        let owner = joining::owner_token(&server.app).await.unwrap().unwrap();
        let owner = data_encoding::BASE64URL_NOPAD.decode(owner.as_bytes()).unwrap();
        server.clock.advance(i64::from(OWNER_LINK_HOURS) * HOUR_MS - 1);
        assert_eq!(open(&owner).await, 200);
        server.clock.advance(1);
        assert_eq!(open(&owner).await, 404);
        let (ann, ben) = server.ann_and_ben().await;
        let token = ann.invite("cy@example.com", true).await;
        server.clock.advance(i64::from(INVITE_HOURS) * HOUR_MS - 1);
        assert_eq!(open(&token).await, 200);
        server.clock.advance(1);
        assert_eq!(open(&token).await, 404);
        let (snapshot, session) = ann.push_new(&TestPack::new(2_000)).await;
        for (late, status) in [(0, 410), (1, 201)] {
            let reservation = ann.reserve(&session.session_id, &ben.email).await;
            let (id, not_after) = (&reservation.handoff_id, reservation.not_after);
            server.clock.advance(RESERVATION_MS - late);
            let draft = Draft::handoff(&ann, &snapshot, id, not_after, &[ben.card()]);
            assert_eq!(ann.post("/api/v1/handoffs", &draft.body(&draft.sign(&ann))).await.status, status);
        }
    }
}
