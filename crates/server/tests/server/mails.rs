//! Mails: decided with what causes them, sent later, each once (SPEC T5, T12, T19).

use std::sync::Arc;

use reqwest::Method;
use segue_api::invites::{CreateInvite, Invite};
use segue_domain::limits;
use segue_server::{app::App, config::SignUp, mail};
use tokio_util::sync::CancellationToken;

use crate::harness::{
    HOUR_MS, Person, TestServer,
    mailbox::{Answer, Arrived, Smtp, in_folder, until},
    person,
    seal::{Draft, TestPack},
};

/// Ann and Ben on a server that mails by `smtp`, and a handoff from her to him.
async fn handed(server: &TestServer) -> (Person, Person, Draft, String) {
    let (ann, ben) = server.ann_and_ben().await;
    let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
    let (draft, handoff) = ann.hand(&snapshot, &ben).await;
    (ann, ben, draft, handoff.handoff_id)
}

async fn waiting(server: &TestServer) -> i64 {
    server.count("SELECT COUNT(*) FROM outbox").await
}

async fn emptied(server: &TestServer) {
    while waiting(server).await > 0 {
        tokio::task::yield_now().await;
    }
}

async fn mailed_invite(by: &Person, email: &str) -> person::Answer {
    by.post("/api/v1/invites", &CreateInvite { email: email.to_owned(), vouch: false, token_hash: None }).await
}

/// Everything that a mail scanner could change.
async fn state(server: &TestServer) -> Vec<Vec<String>> {
    let mut state = Vec::new();
    for sql in [
        "SELECT id || COALESCE(used_by, '-') FROM invites ORDER BY id",
        "SELECT invite_id FROM invite_tokens ORDER BY token_hash",
        "SELECT id || email || CASE WHEN email_verified THEN 'v' ELSE '-' END FROM users ORDER BY id",
        "SELECT id || state || CASE WHEN viewed_at IS NULL THEN '-' ELSE 'v' END FROM handoffs ORDER BY id",
        "SELECT handoff_id || kind FROM events ORDER BY handoff_id, seq",
        "SELECT user_id || kind FROM account_events ORDER BY user_id, kind",
        "SELECT user_id || CAST(wrong AS TEXT) FROM verifications ORDER BY user_id",
        "SELECT id FROM outbox ORDER BY id",
        "SELECT name || CAST(used AS TEXT) FROM quotas ORDER BY name",
    ] {
        state.push(server.column(sql).await);
    }
    state
}

on_both! {
    async fn a_handoff_is_mailed_and_what_becomes_of_it(server: TestServer) {
        let server = server.mailing(None, SignUp::Invite).await;
        let (ann, ben, draft, handoff) = handed(&server).await;
        let mails = in_folder(server.folder.path(), 1).await;
        let first = &mails[0];
        assert_eq!(first.header("To"), "ben@example.com");
        assert_eq!(first.header("From"), "Segue <segue@localhost>");
        assert_eq!(first.header("Subject"), "A Person handed you \"fix the parser\"");
        let id = format!("<{handoff}.1.{}@localhost>", ben.user_id);
        assert_eq!((first.header("Message-ID"), first.header("Auto-Submitted")), (id, "auto-generated".to_owned()));
        assert!(first.headers("Reply-To").is_empty() && first.headers("References").is_empty());
        for part in [
            "A Person (owner@example.com) handed you \"fix the parser\".".to_owned(),
            "> can you take it from here?".to_owned(),
            format!("    segue pull-handoff {handoff}\n"),
            format!("{}/i/{handoff}", server.url),
        ] {
            assert!(first.text.contains(&part), "{part}: {}", first.text);
        }
        assert!(first.html.contains("can you take it from here?"), "{}", first.html);
        assert_eq!(ben.claim(&handoff, draft.claim).await.status, 200);
        server.clock.advance(1);
        let mails = in_folder(server.folder.path(), 2).await;
        let claimed = mails.iter().find(|mail| mail.header("To") == "owner@example.com").unwrap();
        assert_eq!(claimed.header("Subject"), "A Person claimed \"fix the parser\"");
        let root = format!("<{handoff}.1.{}@localhost>", ann.user_id);
        assert_eq!((claimed.header("In-Reply-To"), claimed.header("References")), (root.clone(), root));
        emptied(&server).await;
    }

    async fn what_others_wrote_adds_no_header_and_no_markup(server: TestServer) {
        let sink = Smtp::start().await;
        let server = server.mailing(Some(&sink.url), SignUp::Invite).await;
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let nasty = "x\r\nBcc: evil@example.com\r\n\r\n<script>alert(1)</script><a href='http://evil.example'>\u{202e}{{7*7}}";
        server.damage("UPDATE users SET name = '<b>Ann</b>\u{202e}' || ' \"; Bcc: evil@example.com' WHERE owner").await;
        let reservation = ann.reserve(&snapshot.envelope.header.session_id, &ben.email).await;
        let mut draft = Draft::handoff(&ann, &snapshot, &reservation.handoff_id, reservation.not_after, &[ben.card()]);
        let header = &mut draft.envelope.header;
        header.card.title = nasty.repeat(4);
        nasty.clone_into(&mut header.card.git_remote);
        header.message = format!("{nasty}\r\n.\r\nMAIL FROM:<evil@example.com>\r\n");
        let answer = ann.post("/api/v1/handoffs", &draft.body(&draft.sign(&ann))).await;
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        let mails = sink.arrived(1).await;
        emptied(&server).await;
        let mail = &mails[0];
        assert_eq!((mails.len(), mail.header("To").as_str()), (1, "ben@example.com"));
        assert!(mail.headers("Bcc").is_empty() && mail.headers("Reply-To").is_empty());
        assert!(!mail.html.contains("<script") && !mail.html.contains("<b>") && !mail.html.contains("href='http"));
        assert!(mail.html.contains("&lt;script&gt;") && mail.text.contains("{{7*7}}"));
        assert!(!mail.text.contains('\u{202e}') && !mail.html.contains('\u{202e}') && mail.raw.len() < 20_000);
    }

    async fn nothing_waits_for_a_dead_smtp_server_and_it_gets_its_mails_later(server: TestServer) {
        let port = Smtp::start().await.stop().await;
        let server = server.mailing(Some(&format!("smtp://127.0.0.1:{port}")), SignUp::Invite).await;
        let (ann, ben, draft, handoff) = handed(&server).await;
        // Tried, put back, and everything else goes on.
        while server.count("SELECT COUNT(*) FROM outbox WHERE attempts = 1 AND failure IS NOT NULL").await == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(ben.claim(&handoff, draft.claim).await.status, 200);
        assert_eq!(ann.get("/api/v1/account").await.status, 200);
        while server.count("SELECT COUNT(*) FROM outbox WHERE failure IS NOT NULL AND lease_until IS NULL").await < 2 {
            tokio::task::yield_now().await;
        }
        let sink = Smtp::on(port).await;
        server.clock.advance(30_000);
        server.app.post.wake();
        let mails = sink.arrived(2).await;
        emptied(&server).await;
        let mut to: Vec<_> = mails.iter().map(|mail| mail.header("To")).collect();
        to.sort();
        assert_eq!(to, ["ben@example.com", "owner@example.com"]);
    }

    async fn several_workers_send_each_mail_once(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        for _ in 0..20 {
            ann.hand(&snapshot, &ben).await;
        }
        let sink = Smtp::start().await;
        let server = server.mailing(Some(&sink.url), SignUp::Invite).await;
        let stop = CancellationToken::new();
        let work = |_| tokio::spawn(mail::run(Arc::<App>::clone(&server.app), stop.clone()));
        let workers: Vec<_> = (0..3).map(work).collect();
        emptied(&server).await;
        stop.cancel();
        for worker in workers {
            worker.await.unwrap();
        }
        let mut ids: Vec<_> = sink.arrived(20).await.iter().map(|mail| mail.header("Message-ID")).collect();
        ids.sort();
        ids.dedup();
        assert_eq!((ids.len(), sink.arrived(20).await.len()), (20, 20));
    }

    async fn what_was_committed_before_the_end_is_sent_after_the_start(server: TestServer) {
        // This server sends nothing, as one that is killed right after the commit.
        let (_, _, _, handoff) = handed(&server).await;
        let sink = Smtp::start().await;
        let server = server.mailing(Some(&sink.url), SignUp::Invite).await;
        emptied(&server).await;
        assert!(sink.arrived(1).await[0].text.contains(&handoff));
        let server = server.restart().await;
        emptied(&server).await;
        assert_eq!(sink.arrived(1).await.len(), 1);
    }

    async fn killed_between_sending_and_deleting_it_sends_the_same_message_again(server: TestServer) {
        let (_, _, _, _) = handed(&server).await;
        let sink = Smtp::start().await;
        sink.will([Answer::Silence]);
        let server = server.mailing(Some(&sink.url), SignUp::Invite).await;
        // A worker of our own, so that it can be ended without a word while the server says nothing.
        let stop = CancellationToken::new();
        let worker = tokio::spawn(mail::run(Arc::<App>::clone(&server.app), stop.clone()));
        sink.arrived(1).await;
        worker.abort();
        // It belongs to the one that took it until its lease is over.
        server.clock.advance(limits::MAIL_LEASE_MS - 1);
        server.app.post.wake();
        tokio::task::yield_now().await;
        assert_eq!(sink.arrived(1).await.len(), 1);
        server.clock.advance(1);
        let other = tokio::spawn(mail::run(Arc::<App>::clone(&server.app), stop.clone()));
        let mails = sink.arrived(2).await;
        assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
        stop.cancel();
        other.await.unwrap();
    }

    async fn one_address_gets_sixty_mails_an_hour_and_the_rest_in_the_next(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        for _ in 0..=limits::MAILS_PER_HOUR {
            ann.hand(&snapshot, &ben).await;
        }
        let sink = Smtp::start().await;
        let server = server.mailing(Some(&sink.url), SignUp::Invite).await;
        let sixty = usize::try_from(limits::MAILS_PER_HOUR).unwrap();
        sink.arrived(sixty).await;
        // The last one was put back, and that was no attempt.
        let put_back = "SELECT COUNT(*) FROM outbox WHERE attempts = 0 AND lease_until IS NULL AND run_at > created_at";
        while server.count(put_back).await != 1 || waiting(&server).await != 1 {
            tokio::task::yield_now().await;
        }
        server.clock.advance(HOUR_MS);
        server.app.post.wake();
        assert_eq!(sink.arrived(sixty + 1).await.len(), sixty + 1);
        emptied(&server).await;
    }

    async fn a_mail_that_nobody_takes_is_given_up_and_kept(server: TestServer) {
        handed(&server).await;
        let sink = Smtp::start().await;
        let most = usize::try_from(limits::MAIL_ATTEMPTS_MAX).unwrap();
        sink.will(vec![Answer::Refuse("451 try later"); most]);
        let server = server.mailing(Some(&sink.url), SignUp::Invite).await;
        for attempt in 1..=most {
            until(|| sink.answers_left() == most - attempt).await;
            let tried = "SELECT COUNT(*) FROM outbox WHERE lease_until IS NULL AND failure IS NOT NULL";
            while server.count(tried).await == 0
                || server.count("SELECT attempts FROM outbox").await < i64::try_from(attempt).unwrap()
            {
                tokio::task::yield_now().await;
            }
            let dead = server.count("SELECT COUNT(*) FROM outbox WHERE dead_at IS NOT NULL").await;
            assert_eq!(dead == 1, attempt == most, "attempt {attempt}");
            server.clock.advance(limits::MAIL_RETRY_MS_MAX);
            server.app.post.wake();
        }
        // It stays where its operator finds it, and is tried no more, until the operator says so or a month is over.
        server.clock.advance(29 * 24 * HOUR_MS);
        segue_server::sweep::once(&server.app).await.unwrap();
        assert!(server.column("SELECT failure FROM outbox").await[0].contains("try later"));
        server.clock.advance(2 * 24 * HOUR_MS);
        segue_server::sweep::once(&server.app).await.unwrap();
        assert_eq!(waiting(&server).await, 0);
    }

    async fn a_final_refusal_is_final(server: TestServer) {
        handed(&server).await;
        let sink = Smtp::start().await;
        sink.will([Answer::Refuse("550 no such mailbox\u{202e}")]);
        let server = server.mailing(Some(&sink.url), SignUp::Invite).await;
        while server.count("SELECT COUNT(*) FROM outbox WHERE dead_at IS NOT NULL AND attempts = 1").await == 0 {
            tokio::task::yield_now().await;
        }
        assert!(!server.column("SELECT failure FROM outbox").await[0].contains('\u{202e}'));
    }

    async fn a_mailed_invite_verifies_its_address_and_leaves_no_token_behind(server: TestServer) {
        let server = server.mailing(None, SignUp::Invite).await;
        let ann = server.owner().await;
        let invite: Invite = mailed_invite(&ann, "Cy@example.com").await.ok();
        assert!(invite.mailed && !invite.vouched);
        let mails = in_folder(server.folder.path(), 1).await;
        assert_eq!(mails[0].header("Subject"), "A Person invites you to Segue");
        let token = mails[0].token();
        let kept = server.column("SELECT body FROM outbox").await;
        assert!(kept.iter().all(|body| !body.contains("#1.")));
        let cy = Person::join(&server.url, &token, "cy@example.com").await;
        let account: segue_api::account::Account = cy.get("/api/v1/account").await.ok();
        assert!(account.email_verified && !account.owner);
        // And not twice.
        let again = Person { user_id: String::new(), ..cy.clone() };
        assert_eq!(again.send_join(&token).await.status, 200, "the same join again");
        let body = segue_api::account::OpenInvite { token: token.into() };
        assert_eq!(cy.post("/api/v1/invites/open", &body).await.status, 404);
    }

    async fn a_mail_that_came_twice_has_two_links_and_either_works(server: TestServer) {
        let ann = server.owner().await;
        assert_eq!(mailed_invite(&ann, "cy@example.com").await.status, 201);
        let sink = Smtp::start().await;
        sink.will([Answer::Silence]);
        let server = server.mailing(Some(&sink.url), SignUp::Invite).await;
        sink.arrived(1).await;
        while server.count("SELECT COUNT(*) FROM outbox WHERE lease_until IS NOT NULL").await == 0 {
            tokio::task::yield_now().await;
        }
        server.clock.advance(limits::MAIL_LEASE_MS);
        let stop = CancellationToken::new();
        let other = tokio::spawn(mail::run(Arc::<App>::clone(&server.app), stop.clone()));
        let mails = sink.arrived(2).await;
        stop.cancel();
        other.await.unwrap();
        assert_ne!(mails[0].token(), mails[1].token());
        Person::join(&server.url, &mails[0].token(), "cy@example.com").await;
        let late = segue_api::account::OpenInvite { token: mails[1].token().into() };
        assert_eq!(ann.at(&server.url).post("/api/v1/invites/open", &late).await.status, 404);
    }

    async fn one_person_mails_one_address_one_invite_a_day(server: TestServer) {
        let ann = server.owner().await;
        let ben = ann.bring("ben@example.com").await;
        assert_eq!(mailed_invite(&ann, "cy@example.com").await.status, 201);
        assert_eq!(mailed_invite(&ann, "CY@example.com").await.refused(), (429, "rate_limited".to_owned()));
        assert_eq!(mailed_invite(&ben, "cy@example.com").await.status, 201);
        // A refused one leaves nothing, and the next day is a new one.
        assert_eq!(server.count("SELECT COUNT(*) FROM invites WHERE used_by IS NULL").await, 2);
        server.clock.advance(24 * HOUR_MS);
        assert_eq!(mailed_invite(&ann, "cy@example.com").await.status, 201);
        let others = limits::INVITE_MAILS_PER_DAY - 1;
        for number in 0..others {
            assert_eq!(mailed_invite(&ann, &format!("p{number}@example.com")).await.status, 201);
        }
        assert_eq!(mailed_invite(&ann, "last@example.com").await.status, 429);
    }

    async fn a_handoff_invites_who_has_not_joined(server: TestServer) {
        let server = server.mailing(None, SignUp::Invite).await;
        let ann = server.owner().await;
        let (snapshot, session) = ann.push_new(&TestPack::new(2_000)).await;
        for _ in 0..2 {
            let reservation = ann.reserve(&session.session_id, "New@example.com").await;
            let (_, answer) = ann.hand_to_address(&snapshot, &reservation).await;
            assert_eq!(answer.status, 201);
            emptied(&server).await;
        }
        // One a day: the second handoff waits for them all the same.
        let mails = in_folder(server.folder.path(), 1).await;
        assert_eq!(mails[0].header("To"), "New@example.com");
        assert_eq!(mails[0].header("Subject"), "A Person handed you \"fix the parser\"");
        for part in ["> can you take it from here?", "segue join 'http://127", "segue pull-handoff hnd_"] {
            assert!(mails[0].text.contains(part), "{part}: {}", mails[0].text);
        }
        let new = Person::join(&server.url, &mails[0].token(), "new@example.com").await;
        let inbox: segue_api::handoffs::Handoffs = new.get("/api/v1/handoffs?box=inbox").await.ok();
        assert_eq!(inbox.handoffs.len(), 2, "the mailed link verified the address");
    }

    async fn whoever_follows_every_link_of_every_mail_changes_nothing(server: TestServer) {
        let server = server.mailing(None, SignUp::Open).await;
        let (ann, ben, draft, handoff) = handed(&server).await;
        mailed_invite(&ann, "cy@example.com").await;
        let token = ann.invite("dan@example.com", false).await;
        let dan = Person::join(&server.url, &token, "dan@example.com").await;
        assert_eq!(dan.post("/api/v1/account/verification", &serde_json::json!({})).await.status, 202);
        crate::verifying::sign_up(&server, "eve@example.com").await;
        ben.claim(&handoff, draft.claim).await;
        let mails = in_folder(server.folder.path(), 5).await;
        emptied(&server).await;
        let links: Vec<_> = mails.iter().flat_map(Arrived::links).filter(|link| link.contains("/join#") || link.contains("/i/")).collect();
        assert!(links.len() >= 5, "{links:?}");
        let before = state(&server).await;
        for link in &links {
            for method in [Method::GET, Method::HEAD, Method::GET, Method::HEAD] {
                let answer = person::Answer::of(reqwest::Client::new().request(method.clone(), link)).await;
                assert_eq!(answer.status, 200, "{link}");
                let policy = answer.headers["content-security-policy"].to_str().unwrap();
                assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
                assert_eq!(answer.headers["referrer-policy"], "no-referrer");
                assert!(method == Method::HEAD || String::from_utf8(answer.body).unwrap().contains("segue "));
            }
        }
        assert_eq!(state(&server).await, before);
        // The page says nothing about what exists, and nothing can be sent to it.
        let real = person::Answer::of(reqwest::Client::new().get(format!("{}/i/{handoff}", server.url))).await;
        let other = person::Answer::of(reqwest::Client::new().get(format!("{}/i/hnd_nothing", server.url))).await;
        assert_eq!(real.body, other.body);
        let post = person::Answer::of(reqwest::Client::new().post(format!("{}/join", server.url))).await;
        assert_eq!(post.refused(), (405, "method_not_allowed".to_owned()));
        // The links still work for the person.
        let cys = mails.iter().find(|mail| mail.header("To") == "cy@example.com").unwrap().token();
        Person::join(&server.url, &cys, "cy@example.com").await;
    }
}
