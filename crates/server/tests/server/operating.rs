//! Check, backup and restore (`docs/operating.md`).

use std::time::{Duration, SystemTime};

use segue_api::{handoffs::Claimed, projects::Project, sessions::Session};
use segue_server::{
    app::SystemClock,
    backup::{backup, restore},
    check::{Depth, Finding, check},
};
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{
    Database, Person, TestServer,
    seal::{Draft, TestPack},
};

/// Two people, two sessions, a claimed handoff, one that expired and one that waits.
struct World {
    ann: Person,
    ben: Person,
    packs: [TestPack; 2],
    claimed: Claimed,
    session: Session,
}

async fn world(server: &TestServer) -> World {
    let (ann, ben) = server.ann_and_ben().await;
    let packs = [TestPack::new(4_000), TestPack::new(5_000)];
    let (snapshot, _) = ann.push_new(&packs[0]).await;
    ann.hand(&snapshot, &ben).await;
    server.clock.advance(200 * crate::harness::HOUR_MS);
    segue_server::sweep::once(&server.app).await.unwrap();
    let (draft, handoff) = ann.hand(&snapshot, &ben).await;
    let claimed = ben.claim(&handoff.handoff_id, draft.claim).await.ok();
    ann.upload(&packs[1]).await;
    let (next, session) = ann.push(&Draft::next(&ann, &snapshot, &[&packs[1]])).await;
    ann.hand(&next, &ben).await;
    ann.upload(&TestPack::new(3_000)).await;
    World { ann, ben, packs, claimed, session }
}

async fn findings(server: &TestServer, now: SystemTime, repair: bool) -> Vec<Finding> {
    check(&server.app.db, &server.app.packs, Depth { read_data: true, repair, now }).await.unwrap().findings
}

pub(crate) async fn soon(server: &TestServer) -> Vec<Finding> {
    findings(server, SystemClock::system_time(), false).await
}

/// The object of the listed pack that Ben's claimed session needs.
pub(crate) fn object(server: &TestServer, pack: &TestPack) -> std::path::PathBuf {
    let mut folders = vec![server.folder.path().join("packs")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read(&path).unwrap() == pack.bytes {
                return path;
            }
        }
    }
    panic!("the pack is not stored")
}

async fn is_whole(server: &TestServer, world: &World) {
    let (ann, ben) = (world.ann.at(&server.url), world.ben.at(&server.url));
    let ben_reads = format!("/api/v1/bundles/{}/packs/{}", world.claimed.bundle_id, world.packs[0].id());
    assert!(ben.get(&ben_reads).await.body == world.packs[0].bytes);
    let session: Session = ann.get(&format!("/api/v1/sessions/{}", world.session.session_id)).await.ok();
    assert_eq!(session, world.session);
    let ann_reads = format!("/api/v1/bundles/{}/packs/{}", session.bundle_id, world.packs[1].id());
    assert!(ann.get(&ann_reads).await.body == world.packs[1].bytes);
    // Work goes on there.
    ann.push_new(&TestPack::new(1_000)).await;
    assert_eq!(soon(server).await, []);
    // Whatever number of news a client knows, it is none of this server's.
    for known in [0, 1, 5, 99] {
        assert_eq!(ben.listen(Some(known)).await.next().await.unwrap().kind, "reset");
    }
}

on_both! {
    async fn a_server_that_was_only_used_is_clean_and_each_damage_is_found(server: TestServer) {
        let world = world(&server).await;
        let handoff = world.ben.inbox().await.remove(0);
        assert_eq!(world.ben.comment(&handoff, "taking it").await.status, 201);
        assert_eq!(soon(&server).await, []);
        for (damage, about, what) in [
            ("UPDATE packs SET refs = refs + 1 WHERE len = 4000", "pack", "references"),
            ("UPDATE bundles SET seq = 9 WHERE kind = 'snapshot'", "bundle", "its envelope says"),
            ("UPDATE bundles SET preview = NULL WHERE kind = 'snapshot'", "bundle", "preview"),
            ("UPDATE sessions SET seq = 9 WHERE parent_session_id IS NULL", "session", "head"),
            ("UPDATE handoffs SET viewed_at = 1 WHERE state = 'pending'", "handoff", "events do not lead"),
            ("UPDATE events SET actor = 'usr_x' WHERE kind = 'claimed'", "handoff", "log was changed"),
            ("DELETE FROM bundle_packs WHERE pack_id IN (SELECT id FROM packs WHERE len = 5000)", "bundle", "packs are not"),
            ("UPDATE bundles SET holder = NULL WHERE kind = 'snapshot'", "session", "does not hold"),
            ("DELETE FROM comments", "handoff", "comments are not"),
            ("UPDATE handoffs SET to_email = 'x@example.com'", "handoff", "to several"),
            ("UPDATE bundles SET envelope = manifest WHERE kind = 'snapshot'", "bundle", "cannot be read"),
        ] {
            let before = soon(&server).await;
            server.damage(damage).await;
            let found = soon(&server).await;
            let new: Vec<_> = found.iter().filter(|finding| !before.contains(finding)).collect();
            assert!(new.iter().any(|new| new.about == about && new.what.contains(what)), "{damage}: {new:?}");
        }
        assert_eq!(world.packs.len(), 2);
    }

    async fn what_names_a_project_that_is_not_its_own_is_found(server: TestServer) {
        let (ann, _) = server.ann_and_ben().await;
        let (_, session) = ann.push_new(&TestPack::new(2_000)).await;
        let project: Project = ann.post("/api/v1/projects", &json!({"name": "SDK"})).await.ok();
        let at = format!("/api/v1/projects/{}", project.project_id);
        assert_eq!(ann.post(&format!("{at}/records/kb_entry"), &json!({"title": "Learned"})).await.status, 201);
        let into = json!({"project_id": project.project_id});
        assert_eq!(ann.put(&format!("/api/v1/sessions/{}/project", session.session_id), &into).await.status, 204);
        assert_eq!(soon(&server).await, []);
        for (damage, about, what, repair) in [
            ("UPDATE sessions SET project_id = 'prj_x'", "session", "not its owner's", "UPDATE sessions SET project_id = NULL"),
            ("UPDATE projects SET kb_number = 0", "project", "number twice", "UPDATE projects SET kb_number = 1"),
            ("UPDATE project_members SET role = 'member'", "project", "admin", "UPDATE project_members SET role = 'admin'"),
        ] {
            server.damage(damage).await;
            let found = soon(&server).await;
            assert!(found.iter().any(|one| one.about == about && one.what.contains(what)), "{damage}: {found:?}");
            server.damage(repair).await;
            assert_eq!(soon(&server).await, [], "{repair}");
        }
    }

    async fn a_handoff_whose_references_cannot_be_read_is_found_and_one_of_a_deleted_project_is_fine(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, session) = ann.push_new(&TestPack::new(2_000)).await;
        let project: Project = ann.post("/api/v1/projects", &json!({"name": "SDK"})).await.ok();
        let into = json!({"project_id": project.project_id});
        assert_eq!(ann.put(&format!("/api/v1/sessions/{}/project", session.session_id), &into).await.status, 204);
        ann.hand(&snapshot, &ben).await;
        assert_eq!(ann.delete(&format!("/api/v1/projects/{}", project.project_id)).await.status, 204);
        assert_eq!(soon(&server).await, []);
        server.damage("UPDATE handoffs SET provenance = '['").await;
        assert!(soon(&server).await.iter().any(|one| one.about == "handoff" && one.what.contains("refers to")));
    }

    async fn stored_bytes_that_are_missing_changed_or_too_many_are_found(server: TestServer) {
        let world = world(&server).await;
        let path = object(&server, &world.packs[0]);
        let mut other = world.packs[0].bytes.clone();
        other[7] ^= 1;
        for (bytes, what) in [(&other[..], "other bytes"), (&other[..3_999], "3999 bytes are stored")] {
            std::fs::write(&path, bytes).unwrap();
            let found = soon(&server).await;
            assert!(found.len() == 1 && found[0].about == "pack" && found[0].what.contains(what), "{found:?}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(soon(&server).await[0].what, "its bytes are missing");
        std::fs::write(&path, &world.packs[0].bytes).unwrap();
        // An object without a row is one after an hour, and can be deleted.
        let orphan = path.with_file_name("00ff");
        std::fs::write(&orphan, "x").unwrap();
        assert_eq!(soon(&server).await, []);
        let later = SystemClock::system_time() + Duration::from_secs(3_700);
        assert_eq!(findings(&server, later, false).await[0].about, "object");
        assert_eq!(findings(&server, later, true).await, []);
        assert_eq!(findings(&server, later, false).await, []);
    }

    async fn a_backup_of_a_running_server_is_a_data_folder_on_either_database(server: TestServer) {
        let world = world(&server).await;
        let (place, data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let folder = place.path().join("backup");
        let made = backup(&server.app.db, &server.app.packs, &folder).await.unwrap();
        assert_eq!((made.packs, made.bytes), (2, 9_000));
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
        let again = backup(&server.app.db, &server.app.packs, &folder).await.unwrap_err();
        assert!(again.to_string().contains("is not empty"), "{again}");
        assert_eq!(restore(&folder, data.path(), None).await.unwrap(), made);
        let again = restore(&folder, data.path(), None).await.unwrap_err();
        assert!(again.to_string().contains("is not empty"), "{again}");
        is_whole(&TestServer::over(Database::sqlite(), data).await, &world).await;
        // To PostgreSQL, unless that was left out: also the way to move there.
        if let Some(Database::Postgres(url)) = Database::postgres().await {
            let data = TempDir::new().unwrap();
            restore(&folder, data.path(), Some(&url)).await.unwrap();
            let other = TempDir::new().unwrap();
            let again = restore(&folder, other.path(), Some(&url)).await.unwrap_err();
            assert!(again.to_string().contains("PostgreSQL database is not empty"), "{again}");
            is_whole(&TestServer::over(Database::Postgres(url), data).await, &world).await;
        }
    }

    async fn a_backup_of_damaged_packs_does_not_look_like_one(server: TestServer) {
        let world = world(&server).await;
        let path = object(&server, &world.packs[0]);
        std::fs::write(&path, vec![0; 4_000]).unwrap();
        let place = TempDir::new().unwrap();
        let failed = backup(&server.app.db, &server.app.packs, &place.path().join("backup")).await.unwrap_err();
        assert!(format!("{failed:#}").contains("other bytes than its row says"), "{failed:#}");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
