//! Joining by invite (SPEC A1, A2).

use futures::future::join_all;
use segue_api::{account::Account, invites::CreateInvite};
use segue_server::joining;

use crate::harness::{HOUR_MS, Person, TestServer, person::Answer, seal::draw};

async fn owner_token(server: &TestServer) -> Vec<u8> {
    let token = joining::owner_token(&server.app).await.unwrap().unwrap();
    data_encoding::BASE64URL_NOPAD.decode(token.as_bytes()).unwrap()
}

on_both! {
    async fn there_is_an_owner_link_only_while_nobody_has_joined(server: TestServer) {
        let first = owner_token(&server).await;
        let second = owner_token(&server).await;
        let late = Person::prepare(&server.url, &second, "eve@example.com").await;
        let ann = Person::join(&server.url, &first, "Ann@Example.com").await;
        let account: Account = ann.get("/api/v1/account").await.ok();
        assert!(account.owner && account.email_verified && account.email == "Ann@Example.com");
        let body = segue_api::account::OpenInvite { token: second.clone().into() };
        let stale = reqwest::Client::new().post(format!("{}/api/v1/invites/open", server.url)).json(&body);
        assert_eq!(Answer::of(stale).await.status, 404, "the first link that is used ends all");
        assert_eq!(late.send_join(&second).await.refused(), (404, "not_found".to_owned()));
        assert_eq!(joining::owner_token(&server.app).await.unwrap(), None);
        assert_eq!(server.column("SELECT kind FROM account_events").await, ["owner_joined"]);
    }

    async fn owner_links_used_at_once_make_one_owner(server: TestServer) {
        let mut people = Vec::new();
        for number in 0..8 {
            let token = owner_token(&server).await;
            let person = Person::prepare(&server.url, &token, &format!("p{number}@example.com")).await;
            people.push((person, token));
        }
        let answers = join_all(people.iter().map(|(person, token)| person.send_join(token))).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 404, 404, 404, 404, 404, 404, 404]);
        assert_eq!(server.column("SELECT kind FROM account_events").await, ["owner_joined"]);
    }

    async fn joins_at_once_with_one_token_make_one_account(server: TestServer) {
        let token = owner_token(&server).await;
        let mut people = Vec::new();
        for number in 0..16 {
            people.push(Person::prepare(&server.url, &token, &format!("p{number}@example.com")).await);
        }
        let answers = join_all(people.iter().map(|person| person.send_join(&token))).await;
        let joined: Vec<_> = (0..16).filter(|&index| answers[index].status == 200).collect();
        assert_eq!(joined.len(), 1);
        assert_eq!(server.count("SELECT COUNT(*) FROM users").await, 1);
        // The same join again gives the same account; any other is told nothing.
        let again: Account = people[joined[0]].send_join(&token).await.ok();
        assert_eq!(again, answers[joined[0]].ok::<Account>());
        for person in people.iter().enumerate().filter(|(index, _)| *index != joined[0]).map(|(_, person)| person) {
            assert_eq!(person.send_join(&token).await.refused(), (404, "not_found".to_owned()));
        }
    }

    async fn only_an_owners_word_verifies_an_address(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let vouch = CreateInvite { email: "x@example.com".to_owned(), vouch: true, token_hash: Some(vec![1; 32].into()) };
        assert_eq!(ben.post("/api/v1/invites", &vouch).await.refused(), (403, "owner_only".to_owned()));
        let token = ben.invite("cy@example.com", false).await;
        let cy = Person::join(&server.url, &token, "CY@example.com").await;
        let account: Account = cy.get("/api/v1/account").await.ok();
        assert!(!account.email_verified && !account.owner);
        let vouched = server.column("SELECT actor FROM account_events WHERE kind = 'vouched'").await;
        assert_eq!(vouched, [ann.user_id.as_str()]);
        // One verified account for each address.
        let token = ann.invite("BEN@example.com", true).await;
        let twin = Person::prepare(&server.url, &token, "ben@example.com").await;
        assert_eq!(twin.send_join(&token).await.refused(), (409, "conflict".to_owned()));
    }

    async fn an_invite_is_for_its_address_its_account_and_its_time(server: TestServer) {
        let ann = server.owner().await;
        let token = ann.invite("cy@example.com", true).await;
        let elsewhere = Person::prepare(&server.url, &token, "dan@example.com").await;
        assert_eq!(elsewhere.send_join(&token).await.refused(), (422, "invalid".to_owned()));
        // A card for another account, and a card that somebody else signed.
        let other = ann.invite("dan@example.com", true).await;
        let mut mixed = Person::prepare(&server.url, &token, "cy@example.com").await;
        mixed.signed_card = Person::prepare(&server.url, &other, "dan@example.com").await.signed_card;
        assert_eq!(mixed.send_join(&token).await.refused(), (422, "unverified".to_owned()));
        let mut forged = Person::prepare(&server.url, &token, "cy@example.com").await;
        forged.signed_card.signature[0] ^= 1;
        assert_eq!(forged.send_join(&token).await.refused(), (422, "unverified".to_owned()));
        let cy = Person::prepare(&server.url, &token, "cy@example.com").await;
        server.clock.advance(14 * 24 * HOUR_MS);
        let late = cy.send_join(&token).await;
        assert_eq!(late.refused(), (404, "not_found".to_owned()));
        let unknown = cy.send_join(&draw::<32>()).await;
        assert_eq!((late.body, late.status), (unknown.body, unknown.status));
        assert_eq!(server.count("SELECT COUNT(*) FROM users").await, 1);
    }

    async fn a_token_is_nowhere_in_the_database(server: TestServer) {
        let ann = server.owner().await;
        let token = data_encoding::BASE64URL_NOPAD.decode(ann.token.as_bytes()).unwrap();
        for file in ["segue.db", "segue.db-wal"] {
            let Ok(bytes) = std::fs::read(server.folder.path().join(file)) else { continue };
            assert!(!bytes.windows(token.len()).any(|window| window == token), "{file}");
            assert!(!bytes.windows(43).any(|window| window == ann.token.as_bytes()), "{file}");
        }
    }
}
