//! Parcels: a small push is one request (`docs/protocol.md` §5, Push).

use reqwest::Method;
use segue_api::bundles::Pushed;
use segue_domain::{SessionId, limits::PACKS_INLINE_BYTES_MAX};
use segue_server::sweep;
use segue_signed::parcel;

use crate::harness::{
    HOUR_MS, Person, TestServer,
    person::Answer,
    seal::{Draft, Sealed, TestPack, draw},
};

const PACKS: &str = "SELECT COUNT(*) FROM packs";

fn new_session() -> String {
    SessionId::from_bytes(draw()).to_string()
}

async fn push(person: &Person, draft: &Draft, inside: &[&TestPack]) -> Answer {
    let body = draft.body_with(draft.sign(person).as_bytes(), inside);
    person.post("/api/v1/bundles", &body).await
}

on_both! {
    async fn a_small_push_is_one_request(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (first, second, third) = (TestPack::new(1_024), TestPack::new(2_048), TestPack::new(4_096));
        ann.upload(&second).await;
        let draft = Draft::snapshot(&ann, &new_session(), &[&first, &second]);
        let snapshot = draft.sign(&ann);
        let pushed: Pushed = push(&ann, &draft, &[&first]).await.ok();
        assert_eq!((&pushed.session_id, pushed.seq), (&snapshot.envelope.header.session_id, 1));
        for pack in [&first, &second] {
            let path = format!("/api/v1/bundles/{}/packs/{}", draft.bundle_id(), pack.id());
            assert!(ann.get(&path).await.body == pack.bytes);
        }
        // A handoff may bring packs as well.
        let reservation = ann.reserve(&pushed.session_id, &ben.email).await;
        let mut handoff = Draft::handoff(&ann, &snapshot, &reservation.handoff_id, reservation.not_after, &[ben.card()]);
        handoff.envelope.packs.push(third.entry);
        let body = handoff.body_with(handoff.sign(&ann).as_bytes(), &[&third]);
        assert_eq!(ann.post("/api/v1/handoffs", &body).await.status, 201);
        assert_eq!(ben.claim(&reservation.handoff_id, handoff.claim).await.status, 200);
        let path = format!("/api/v1/bundles/{}/packs/{}", handoff.bundle_id(), third.id());
        assert!(ben.get(&path).await.body == third.bytes);
    }

    async fn what_travels_inside_has_a_limit(server: TestServer) {
        let ann = server.owner().await;
        let half = PACKS_INLINE_BYTES_MAX / 2;
        let (first, second, more) = (TestPack::new(half), TestPack::new(half), TestPack::new(half + 1));
        let over = Draft::snapshot(&ann, &new_session(), &[&first, &more]);
        assert_eq!(push(&ann, &over, &[&first, &more]).await.refused(), (413, "too_large".to_owned()));
        assert_eq!((server.files(), server.count(PACKS).await), (0, 0));
        let full = Draft::snapshot(&ann, &new_session(), &[&first, &second]);
        assert_eq!(push(&ann, &full, &[&first, &second]).await.status, 201);
    }

    async fn only_what_the_envelope_names_travels_inside(server: TestServer) {
        let ann = server.owner().await;
        let (named, other) = (TestPack::new(2_000), TestPack::new(2_000));
        let mut garbled = named.clone();
        garbled.bytes[1_000] ^= 1;
        let draft = Draft::snapshot(&ann, &new_session(), &[&named]);
        for inside in [&[&other][..], &[&named, &other], &[&garbled]] {
            assert_eq!(push(&ann, &draft, inside).await.refused(), (422, "invalid".to_owned()));
        }
        assert_eq!((server.files(), server.count(PACKS).await), (0, 0));
        // Nor is a pack taken whose bundle is not there at all: without its pack the bundle is not stored.
        assert_eq!(push(&ann, &draft, &[]).await.refused(), (409, "pack_unusable".to_owned()));
        assert_eq!(push(&ann, &draft, &[&named]).await.status, 201);
    }

    async fn an_inline_pack_is_an_upload_like_any_other(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(2_000);
        // The same bytes were uploaded before; other bytes under the id are refused.
        ann.upload(&pack).await;
        let mut other = TestPack::new(2_000);
        other.entry.id = pack.entry.id;
        let clash = Draft::snapshot(&ann, &new_session(), &[&other]);
        assert_eq!(push(&ann, &clash, &[&other]).await.refused(), (409, "conflict".to_owned()));
        let first = Draft::snapshot(&ann, &new_session(), &[&pack]);
        assert_eq!(push(&ann, &first, &[&pack]).await.status, 201);
        assert_eq!((server.files(), server.count(PACKS).await), (1, 1));
        // When the bundle is refused, what came with it is an unlisted upload: dropped after a day.
        let late = TestPack::new(2_000);
        let again = Draft::snapshot(&ann, &first.envelope.header.session_id, &[&late]);
        assert_eq!(push(&ann, &again, &[&late]).await.refused(), (409, "diverged".to_owned()));
        assert_eq!(server.count(PACKS).await, 2);
        for hours in [24, 1, 0] {
            server.clock.advance(hours * HOUR_MS + 1);
            sweep::once(&server.app).await.unwrap();
        }
        assert_eq!(server.files(), 1);
    }

    async fn a_repeat_gives_the_first_answer_and_stores_nothing_twice(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(2_000);
        let draft = Draft::snapshot(&ann, &new_session(), &[&pack]);
        let body = draft.body_with(draft.sign(&ann).as_bytes(), &[&pack]);
        let first = ann.post_once("/api/v1/bundles", "key", &body).await;
        assert_eq!(first.status, 201);
        let again = ann.post_once("/api/v1/bundles", "key", &body).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(ann.delete(&format!("/api/v1/sessions/{}", draft.envelope.header.session_id)).await.status, 204);
        let again = ann.post_once("/api/v1/bundles", "key", &body).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!((server.files(), server.count("SELECT COUNT(*) FROM sessions").await), (1, 0));
    }

    async fn what_is_no_parcel_is_told_so(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(1_000);
        let draft = Draft::snapshot(&ann, &new_session(), &[&pack]);
        let good = draft.body_with(draft.sign(&ann).as_bytes(), &[&pack]).0;
        let longer = [good.as_slice(), b"x"].concat();
        for bytes in [&b""[..], b"{}", &good[..good.len() - 1], &longer] {
            for path in ["/api/v1/bundles", "/api/v1/handoffs"] {
                assert_eq!(ann.post(path, &Sealed(bytes.to_vec())).await.refused(), (422, "invalid".to_owned()));
            }
        }
        let json = ann.request(Method::POST, "/api/v1/bundles").header("content-type", "application/json");
        let answer = Answer::of(json.body(good.clone())).await;
        assert_eq!(answer.refused(), (422, "invalid".to_owned()));
        assert!(String::from_utf8_lossy(&answer.body).contains(parcel::MEDIA_TYPE), "it says which type it takes");
        assert_eq!(ann.post("/api/v1/bundles", &Sealed(good)).await.status, 201);
    }
}
