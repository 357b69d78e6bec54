//! Devices that come through a pairing, and codes that go with a device (SPEC A1).

use segue_signed::pairing::Purpose;
use serde_json::json;

use crate::harness::{
    Person, TestServer,
    pairing::{Guest, claimed, next, release, words},
};

on_both! {
    async fn a_linking_code_adds_one_device_for_who_was_let_in(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let join = |device: &Person| json!({
            "key_card": data_encoding::BASE64URL_NOPAD.encode(&device.signed_card.encode()), "device_name": "phone",
            "device_token_hash": data_encoding::BASE64URL_NOPAD.encode(&device.token_hash()),
        });
        let (phone, guest) = (ann.another_device(), Guest::new(&server.url));
        let (shown, handing) = (ann.show_for(Purpose::Link, 9).await, claimed(&ann).await);
        guest.lease(&shown).await;
        guest.answer(&shown, 1).await;
        let path = shown.path("/device");
        assert_eq!(guest.post(&path, &join(&phone)).await.status, 404, "nobody let it in yet");
        assert_eq!(shown.claim(1, &release(), None).await.status, 200);
        assert_eq!(Guest::new(&server.url).post(&path, &join(&phone)).await.status, 404);
        assert_eq!(handing.1.post(&handing.0.path("/device"), &join(&phone)).await.status, 404, "a chat is no account");
        assert_eq!(guest.post(&path, &join(&ben.another_device())).await.refused().0, 422);
        let mut live = ann.listen(None).await;
        live.next().await;
        for _ in 0..2 {
            assert_eq!(guest.post(&path, &join(&phone)).await.status, 200);
        }
        assert_eq!(live.next().await.unwrap().kind, "device_added");
        assert_eq!(phone.get("/api/v1/account").await.status, 200);
        let third = phone.another_device();
        assert_eq!(guest.post(&path, &join(&third)).await.refused(), (410, "expired".to_owned()));
        assert_eq!(third.get("/api/v1/account").await.status, 401);
    }

    async fn codes_end_with_the_device_that_shows_them(server: TestServer) {
        let ann = server.owner().await;
        let (ann, phone) = ann.with_second().await;
        let (shown, other) = (phone.show(1).await, ann.show(1).await);
        let guest = Guest::new(&server.url);
        guest.lease(&shown).await;
        let mut live = guest.listen(&shown).await;
        next(&mut live).await;
        let removal = ann.removal(&[&phone.device_id()]);
        assert_eq!(ann.renew(&removal.body).await.status, 200);
        assert_eq!(words(&next(&mut live).await), ("revoked", "device_removed"));
        assert_eq!(other.state().await.0, "issued");
    }
}
