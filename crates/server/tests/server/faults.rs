//! Every step of the storage fails once, at every place, and nothing but that request is lost (SPEC S2).

use std::io::ErrorKind;

use segue_domain::SessionId;

use crate::{
    harness::{
        Person, TestServer,
        person::Answer,
        seal::{Draft, TestPack, draw},
    },
    operating::soon,
    uploads::cut,
};

/// What a broken disk says, and what a client is told.
const FAULTS: [(ErrorKind, (u16, &str)); 2] =
    [(ErrorKind::Other, (500, "internal")), (ErrorKind::StorageFull, (507, "storage_full"))];

/// Steps that one request may have, at most: the loops below must end by themselves.
const STEPS_MAX: u64 = 20;

fn snapshot(person: &Person, pack: &TestPack) -> Draft {
    Draft::snapshot(person, &SessionId::from_bytes(draw()).to_string(), &[pack])
}

/// Asks with a fault further and further on until none is met. After each, everything agrees and a repeat succeeds.
async fn survives(server: &TestServer, mut ask: impl AsyncFnMut() -> Answer, mut again: impl AsyncFnMut() -> Answer) {
    for (kind, (status, code)) in FAULTS {
        for steps in 0..=STEPS_MAX {
            assert!(steps < STEPS_MAX, "the steps do not end");
            server.disk.fail_after(steps, kind);
            let answer = ask().await;
            if !server.disk.has_failed() {
                assert!(answer.status.is_success());
                assert!(steps >= 3, "there were steps to fail");
                break;
            }
            assert_eq!(answer.refused(), (status, code.to_owned()), "after {steps} steps");
            assert_eq!(soon(server).await, []);
            assert!(again().await.status.is_success(), "after {steps} steps");
            assert_eq!(soon(server).await, []);
        }
    }
}

on_both! {
    async fn an_upload_survives_every_fault(server: TestServer) {
        let ann = server.owner().await;
        let pack = std::cell::RefCell::new(TestPack::new(1));
        let ask = async || {
            let now = TestPack::new(3_000);
            pack.replace(now.clone());
            ann.upload(&now).await
        };
        let again = async || {
            let now = pack.borrow().clone();
            assert_eq!(ann.upload(&now).await.status, 201);
            let draft = snapshot(&ann, &now);
            ann.post("/api/v1/bundles", &draft.body(&draft.sign(&ann))).await
        };
        survives(&server, ask, again).await;
    }

    async fn a_parcel_survives_every_fault(server: TestServer) {
        let ann = server.owner().await;
        let body = std::cell::RefCell::new(None);
        let ask = async || {
            let pack = TestPack::new(3_000);
            let draft = snapshot(&ann, &pack);
            let sealed = draft.body_with(draft.sign(&ann).as_bytes(), &[&pack]);
            let answer = ann.post_once("/api/v1/bundles", &SessionId::from_bytes(draw()).to_string(), &sealed).await;
            body.replace(Some(sealed));
            answer
        };
        let again = async || {
            let sealed = body.take().unwrap();
            ann.post("/api/v1/bundles", &sealed).await
        };
        survives(&server, ask, again).await;
    }

    async fn the_rest_of_an_upload_survives_every_fault(server: TestServer) {
        let ann = server.owner().await;
        let pack = std::cell::RefCell::new(TestPack::new(1));
        let ask = async || {
            let now = TestPack::new(3_000);
            pack.replace(now.clone());
            // Without a fault until it is cut: what counts is the rest.
            let fault = server.disk.take_fault();
            cut(&server, &ann, &now, 1_000).await;
            assert_eq!(ann.progress(&now).await, Some((1_000, false)));
            server.disk.put_fault(fault);
            ann.send_rest(&now, 1_000).await
        };
        // What failed is either gone, or waits where it says.
        let again = async || {
            let now = pack.borrow().clone();
            match ann.progress(&now).await {
                Some((offset, false)) => ann.send_rest(&now, usize::try_from(offset).unwrap()).await,
                _ => ann.upload(&now).await,
            }
        };
        survives(&server, ask, again).await;
    }

    async fn what_cannot_be_read_whole_is_not_given_as_if_it_were(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(3_000);
        let (_, session) = ann.push_new(&pack).await;
        let path = format!("/api/v1/bundles/{}/packs/{}", session.bundle_id, pack.id());
        server.disk.fail_after(0, ErrorKind::Other);
        assert_eq!(ann.get(&path).await.refused(), (500, "internal".to_owned()));
        assert!(ann.get(&path).await.body == pack.bytes);
        let file = crate::operating::object(&server, &pack);
        std::fs::write(&file, &pack.bytes[..2_999]).unwrap();
        assert_eq!(ann.get(&path).await.refused(), (500, "internal".to_owned()));
    }
}
