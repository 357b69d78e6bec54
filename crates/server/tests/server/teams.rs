//! Teams: who may change one, what is refused, and who sees it.

use futures::future::join_all;
use segue_api::{
    handoffs::RecipientKey,
    people::LookUp,
    teams::{CreateTeam, PublishRoster, PublishedRoster, Rosters, Teams},
};
use segue_domain::{Plan, UserId, limits};
use segue_server::{
    app::Settings,
    store::recipients::{self, To},
};
use segue_signed::{
    MemberRole::{Admin, Member},
    Roster, SignedKeyCard, SignedRoster,
    roster::{Chain, MEMBERS_MAX},
};

use crate::{
    harness::{
        Database, Person, TestServer,
        person::Answer,
        roster::{after, first, id, keys},
        seal::{TestPack, draw},
        team::Team,
    },
    operating::soon,
    projects::numbers,
};

fn unverified() -> (u16, String) {
    (422, "unverified".to_owned())
}

fn not_found() -> (u16, String) {
    (404, "not_found".to_owned())
}

/// Who may claim what somebody who is no member gave.
async fn eligible(server: &TestServer, roster: &Roster, epoch: i64) -> Vec<UserId> {
    let mut tx = server.app.db.begin().await.unwrap();
    let to = To::Team { id: id(roster), epoch };
    recipients::people(&mut tx, &to, UserId::from_bytes([0; 16])).await.unwrap()
}

fn ids(people: &[&Person]) -> Vec<UserId> {
    let mut ids: Vec<UserId> = people.iter().map(|person| person.user_id.parse().unwrap()).collect();
    ids.sort_by_key(ToString::to_string);
    ids
}

async fn three(server: &TestServer) -> (Person, Person, Person) {
    let (ann, ben) = server.ann_and_ben().await;
    let cy = ann.bring("cy@example.com").await;
    (ann, ben, cy)
}

/// Follows the chain as the server tells it.
async fn follow(person: &Person, roster: &Roster) -> Chain {
    let path = format!("/api/v1/teams/{}/rosters", id(roster));
    let (mut chain, mut next) = (None::<Chain>, Some(0));
    while let Some(after) = next {
        let page: Rosters = person.get(&format!("{path}?after={after}")).await.ok();
        assert!(page.rosters.len() <= usize::try_from(limits::PAGE_ROSTERS_MAX).unwrap());
        for listed in &page.rosters {
            let signed = SignedRoster::parse(&listed.roster.0).unwrap();
            let card = SignedKeyCard::parse(&listed.signer.key_card.0).unwrap();
            match &mut chain {
                None => chain = Some(Chain::begin(&signed, &card).unwrap()),
                Some(chain) => chain.push(&signed, &card).unwrap(),
            }
        }
        next = page.next;
    }
    chain.unwrap()
}

on_both! {
    async fn a_team_is_seen_by_its_members_with_their_own_keys(server: TestServer) {
        let (ann, ben, cy) = three(&server).await;
        let roster = ann.team_with(&[&ben]).await;
        for (person, role) in [(&ann, "admin"), (&ben, "member")] {
            let team = person.team(&roster).await;
            assert_eq!((team.name.as_str(), team.members.len(), team.keys.len()), ("Parsers", 2, 1));
            assert_eq!(SignedRoster::parse(&team.roster.0).unwrap().roster, roster);
            let listed: Teams = person.get("/api/v1/teams").await.ok();
            let [one] = listed.teams.as_slice() else { panic!("{listed:?}") };
            assert_eq!((one.team_id.as_str(), one.role.as_str(), one.members), (team.team_id.as_str(), role, 2));
            let other = team.members.iter().find(|member| member.person.user_id == ben.user_id).unwrap();
            assert_eq!((other.role.as_str(), other.person.email.as_str()), ("member", "ben@example.com"));
            assert_eq!(other.person.key_card.0, ben.signed_card.encode());
        }
        assert_ne!(ann.team(&roster).await.keys, ben.team(&roster).await.keys);
        assert_eq!(cy.get("/api/v1/teams").await.ok::<Teams>().teams, []);
        assert_eq!(cy.get(&format!("/api/v1/teams/{}", id(&roster))).await.refused(), not_found());
    }

    async fn joining_keeps_the_key_and_leaving_changes_it(server: TestServer) {
        let (ann, ben, cy) = three(&server).await;
        let one = ann.team_with(&[&ben]).await;
        let two = after(&one, &[(&ann, Admin), (&ben, Member), (&cy, Member)]);
        let published: PublishedRoster = ann.publish(&two, keys(&[&cy])).await.ok();
        assert_eq!((published.version, published.epoch), (2, 1));
        assert_eq!(eligible(&server, &two, 1).await, ids(&[&ann, &ben, &cy]), "who joins may claim what waits");

        let three = after(&two, &[(&ann, Admin), (&cy, Member)]);
        let published: PublishedRoster = ann.publish(&three, keys(&[&ann, &cy])).await.ok();
        assert_eq!((published.version, published.epoch), (3, 2));
        assert_eq!(ben.get(&format!("/api/v1/teams/{}", id(&three))).await.refused(), not_found());
        assert_eq!(eligible(&server, &three, 1).await, ids(&[&ann, &cy]), "what waits stays for who remains");
        assert_eq!(eligible(&server, &three, 2).await, ids(&[&ann, &cy]));
        assert_eq!(cy.team(&three).await.keys.len(), 2, "keys of both epochs");

        let dee = ann.bring("dee@example.com").await;
        let four = after(&three, &[(&ann, Admin), (&cy, Admin), (&dee, Member)]);
        assert_eq!(ann.publish(&four, keys(&[&dee])).await.status, 200);
        assert_eq!(eligible(&server, &four, 1).await, ids(&[&ann, &cy]), "the old key was not hers");
        assert_eq!(follow(&dee, &four).await.head().unwrap(), &four);
        // Cy is an admin now, and Ann, who signed everything so far, leaves.
        let five = after(&four, &[(&cy, Admin), (&dee, Member)]);
        assert_eq!(ann.publish(&five, keys(&[&cy, &dee])).await.status, 200);
        assert_eq!(follow(&dee, &five).await.head().unwrap(), &five);
        assert_eq!(ann.publish(&after(&five, &[(&ann, Admin)]), keys(&[&ann])).await.refused(), not_found());
    }

    async fn what_is_handed_to_a_team_goes_to_who_is_in_it(server: TestServer) {
        let (ann, ben, cy) = three(&server).await;
        let one = ann.team_with(&[&ben, &cy]).await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let (draft, handoff) = ann.hand_to_team(&snapshot, &Team::published(&one)).await;
        let mails = server.column("SELECT id FROM outbox WHERE kind = 'created'").await;
        let mut told: Vec<_> = mails.iter().map(|id| id.rsplit('.').next().unwrap()).collect();
        told.sort_unstable();
        let mut others = [ben.user_id.as_str(), cy.user_id.as_str()];
        others.sort_unstable();
        assert_eq!(told, others, "all but the sender");

        let late = ann.seal_for_team(&snapshot, &Team::published(&one)).await;
        let two = after(&one, &[(&ann, Admin), (&ben, Member)]);
        assert_eq!(ann.publish(&two, keys(&[&ann, &ben])).await.status, 200);
        let refused = ann.post("/api/v1/handoffs", &late.body(&late.sign(&ann))).await.refused();
        assert_eq!(refused, (409, "stale_key".to_owned()), "sealed for the key that Cy knows");
        let dee = ann.bring("dee@example.com").await;
        let three = after(&two, &[(&ann, Admin), (&ben, Member), (&dee, Member)]);
        assert_eq!(ann.publish(&three, keys(&[&dee])).await.status, 200);
        let path = format!("/api/v1/handoffs/{}", handoff.handoff_id);
        for (who, person) in [("who left", &cy), ("who came under another key", &dee)] {
            assert_eq!(person.get(&path).await.refused(), not_found(), "{who}");
            assert_eq!(person.claim(&handoff.handoff_id, draft.claim).await.refused(), not_found(), "{who}");
        }
        assert_eq!(ann.claim(&handoff.handoff_id, draft.claim).await.refused(), not_found(), "who sent it");
        assert_eq!(ben.claim(&handoff.handoff_id, draft.claim).await.status, 200);
    }

    async fn only_admins_change_a_team_and_only_as_the_rules_say(server: TestServer) {
        let (ann, ben, cy) = three(&server).await;
        let one = ann.team_with(&[&ben]).await;
        let two = after(&one, &[(&ann, Admin), (&ben, Member), (&cy, Member)]);
        assert_eq!(ben.publish(&two, keys(&[&cy])).await.refused(), (403, "team_admin_only".to_owned()));
        assert_eq!(cy.publish(&two, keys(&[&cy])).await.refused(), not_found());
        let without_ben = after(&one, &[(&ann, Admin)]);
        for (what, roster) in [
            ("the epoch stays", Roster { epoch: 1, ..without_ben.clone() }),
            ("the key stays", Roster { team_key: one.team_key, ..without_ben.clone() }),
            ("nobody is admin", after(&one, &[(&ann, Member), (&ben, Member)])),
            ("another chain", Roster { previous: Some(draw()), ..two.clone() }),
        ] {
            assert_eq!(ann.publish(&roster, keys(&[&ann])).await.refused(), unverified(), "{what}");
        }
        // Signed by one person and sent by another.
        let body = PublishRoster { roster: ann.sign_roster(&two).encode().into(), keys: keys(&[&cy]), name: None };
        let path = format!("/api/v1/teams/{}/rosters", id(&two));
        assert_eq!(ben.post(&path, &body).await.refused(), unverified());
        let other = ann.team_with(&[&cy]).await;
        let astray = ann.post(&format!("/api/v1/teams/{}/rosters", id(&other)), &body).await;
        assert_eq!(astray.refused(), (422, "invalid".to_owned()), "the roster of another team");
        assert_eq!(server.count("SELECT COUNT(*) FROM team_rosters").await, 2, "nothing was kept of any of it");
        assert_eq!(ann.post(&path, &body).await.status, 200);
    }

    async fn the_team_key_comes_for_exactly_those_who_need_it(server: TestServer) {
        let (ann, ben, cy) = three(&server).await;
        let begun = first(&ann, &[(&ann, Admin), (&ben, Member)]);
        let twice = [keys(&[&ann, &ben]), keys(&[&ben])].concat();
        for wrong in [vec![], keys(&[&ann]), keys(&[&ann, &ben, &cy]), twice, vec![vec![0; 9].into()]] {
            assert_eq!(ann.create_team(&begun, wrong).await.refused(), (422, "invalid".to_owned()));
        }
        let mut stale = Person { signed_card: ben.signed_card.clone(), ..ben.clone() };
        stale.signed_card.card.encryption_key = draw();
        let answer = ann.create_team(&begun, keys(&[&ann, &stale])).await;
        assert_eq!(answer.refused(), (409, "stale_key".to_owned()));
        stale = ben.clone();
        stale.signed_card.card.identity_key = draw();
        let another = first(&ann, &[(&ann, Admin), (&stale, Member)]);
        let answer = ann.create_team(&another, keys(&[&ann, &ben])).await;
        assert_eq!(answer.refused(), (409, "stale_key".to_owned()), "an identity that is not Ben's");
        assert_eq!(server.count("SELECT COUNT(*) FROM teams").await, 0);
        assert_eq!(ann.create_team(&begun, keys(&[&ann, &ben])).await.status, 201);
        let next = after(&begun, &[(&ann, Admin), (&ben, Member), (&cy, Member)]);
        for wrong in [vec![], keys(&[&ben, &cy])] {
            assert_eq!(ann.publish(&next, wrong).await.refused(), (422, "invalid".to_owned()));
        }
        let alone = after(&begun, &[(&ann, Admin)]);
        assert_eq!(ann.publish(&alone, keys(&[&ann, &ben])).await.refused(), (422, "invalid".to_owned()));
    }

    async fn a_first_roster_is_its_senders_and_makes_its_id(server: TestServer) {
        let (ann, ben, cy) = three(&server).await;
        let good = first(&ann, &[(&ann, Admin), (&ben, Member)]);
        for (what, by, roster) in [
            ("of another id", &ann, Roster { team_id: draw(), ..good.clone() }),
            ("begun by another", &ben, good.clone()),
            ("a later version", &ann, Roster { version: 2, ..good.clone() }),
            ("with another epoch", &ann, Roster { epoch: 2, ..good.clone() }),
        ] {
            assert_eq!(by.create_team(&roster, keys(&[&ann, &ben])).await.refused(), unverified(), "{what}");
        }
        let foreign = first(&cy, &[(&ann, Admin)]);
        assert_eq!(cy.create_team(&foreign, keys(&[&ann])).await.refused(), (403, "team_admin_only".to_owned()));
        assert_eq!(ann.create_team(&good, keys(&[&ann, &ben])).await.status, 201);
        assert_eq!(ann.create_team(&good, keys(&[&ann, &ben])).await.refused(), (409, "conflict".to_owned()));
    }

    async fn an_index_that_says_other_than_the_roster_is_a_finding(server: TestServer) {
        let (ann, ben, cy) = three(&server).await;
        let one = ann.team_with(&[&ben]).await;
        ann.publish(&after(&one, &[(&ann, Admin)]), keys(&[&ann])).await.ok::<PublishedRoster>();
        let other = ann.team_with(&[&cy]).await;
        ann.publish(&after(&other, &[]), Vec::new()).await.ok::<PublishedRoster>();
        assert_eq!(soon(&server).await, []);
        let found = async || soon(&server).await.iter().any(|finding| finding.about == "team");
        for (damage, undo) in [
            ("UPDATE team_members SET role = 'member'", "UPDATE team_members SET role = 'admin'"),
            ("UPDATE teams SET epoch = epoch + 1", "UPDATE teams SET epoch = epoch - 1"),
            ("UPDATE team_keys SET epoch = epoch + 10", "UPDATE team_keys SET epoch = epoch - 10"),
            ("UPDATE teams SET version = version + 1", "UPDATE teams SET version = version - 1"),
            ("UPDATE teams SET key_fp = NULL", ""),
        ] {
            server.damage(damage).await;
            assert!(found().await, "{damage}");
            if !undo.is_empty() {
                server.damage(undo).await;
                assert!(!found().await, "{undo}");
            }
        }
    }

    async fn of_many_admins_at_once_one_is_next(server: TestServer) {
        let (ann, ben, cy) = three(&server).await;
        let people = [(&ann, Admin), (&ben, Admin)];
        let begun = first(&ann, &people);
        assert_eq!(ann.create_team(&begun, keys(&[&ann, &ben])).await.status, 201);
        let mut head = begun;
        for _ in 0..5 {
            let with = after(&head, &[(&ann, Admin), (&ben, Admin), (&cy, Member)]);
            let (with_keys, same) = (keys(&[&cy]), after(&head, &[(&ann, Admin), (&ben, Admin)]));
            let one = async { ann.publish(&with, with_keys).await };
            let others = async { join_all((0..4).map(|_| ben.publish(&same, Vec::new()))).await };
            let (first, mut answers) = futures::join!(one, others);
            answers.push(first);
            let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
            assert_eq!(won.len(), 1, "{answers:?}");
            let lost = answers.iter().filter(|answer| answer.status != 200);
            assert!(lost.map(Answer::refused).all(|refused| refused == (409, "conflict".to_owned())));
            head = SignedRoster::parse(&ann.team(&head).await.roster.0).unwrap().roster;
            if head.members.len() == 3 {
                let alone = after(&head, &[(&ann, Admin), (&ben, Admin)]);
                assert_eq!(ann.publish(&alone, keys(&[&ann, &ben])).await.status, 200);
                head = alone;
            }
        }
        assert_eq!(follow(&ben, &head).await.head().unwrap(), &head);
    }

    async fn a_dissolved_team_is_nobodys_and_stays_so(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let begun = ann.team_with(&[&ben]).await;
        let end = after(&begun, &[]);
        let sent = PublishRoster { roster: ann.sign_roster(&end).encode().into(), keys: Vec::new(), name: None };
        let path = format!("/api/v1/teams/{}/rosters", id(&end));
        let ended: PublishedRoster = ann.post_once(&path, "end", &sent).await.ok();
        assert_eq!((ended.version, ended.epoch), (2, 1));
        assert_eq!(ann.post_once(&path, "end", &sent).await.ok::<PublishedRoster>(), ended, "sent again");
        for person in [&ann, &ben] {
            assert_eq!(person.get("/api/v1/teams").await.ok::<Teams>().teams, []);
            assert_eq!(person.get(&format!("/api/v1/teams/{}", id(&end))).await.refused(), not_found());
        }
        assert_eq!(ann.publish(&after(&end, &[(&ann, Admin)]), keys(&[&ann])).await.refused(), not_found());
        assert_eq!(ann.create_team(&begun, keys(&[&ann, &ben])).await.refused(), (409, "conflict".to_owned()));
        assert_eq!(eligible(&server, &end, 1).await, []);
    }

    async fn a_long_chain_comes_in_pages_and_another_name_needs_no_new_people(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let mut head = ann.team_with(&[&ben]).await;
        let versions = u32::try_from(2 * limits::PAGE_ROSTERS_MAX).unwrap();
        while head.version < versions {
            head = after(&head, &[(&ann, Admin), (&ben, Member)]);
            assert_eq!(ann.publish(&head, Vec::new()).await.status, 200);
        }
        assert_eq!(follow(&ben, &head).await.head().unwrap(), &head);
        let path = format!("/api/v1/teams/{}/rosters", id(&head));
        for (after, count, next) in [(0, 20, Some(20)), (20, 20, None), (19, 20, Some(39)), (39, 1, None), (40, 0, None), (u32::MAX, 0, None)] {
            let page: Rosters = ben.get(&format!("{path}?after={after}")).await.ok();
            assert_eq!((page.rosters.len(), page.next), (count, next), "after {after}");
        }
        let renamed = after(&head, &[(&ann, Admin), (&ben, Member)]);
        let body = PublishRoster {
            roster: ann.sign_roster(&renamed).encode().into(),
            keys: Vec::new(),
            name: Some("Lexers".to_owned()),
        };
        assert_eq!(ann.post(&path, &body).await.status, 200);
        assert_eq!(ben.team(&renamed).await.name, "Lexers");
    }

    async fn teams_come_in_pages(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let mut expected = Vec::new();
        for _ in 0..3 {
            expected.insert(0, id(&ann.team_with(&[&ben]).await).to_string());
            server.clock.advance(1);
        }
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page: Teams = ben.get(&format!("/api/v1/teams?limit=2{cursor}")).await.ok();
            seen.extend(page.teams.into_iter().map(|team| team.team_id));
            let Some(next) = page.next else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, expected);
    }

    async fn only_people_whose_address_is_known_are_found_and_made_members(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let token = ann.invite("cy@example.com", false).await;
        let cy = Person::join(&server.url, &token, "cy@example.com").await;
        let look = async |asker: &Person, email: &str| {
            asker.post("/api/v1/people/lookup", &LookUp { email: email.to_owned() }).await
        };
        let found: RecipientKey = look(&ann, " Ben@Example.com").await.ok();
        assert_eq!((found.user_id, found.key_card.0), (ben.user_id.clone(), ben.signed_card.encode()));
        for email in ["cy@example.com", "nobody@example.com"] {
            assert_eq!(look(&ann, email).await.refused(), (422, "recipient_not_joined".to_owned()), "{email}");
        }
        for email in ["ben@example.com", "nobody@example.com", "no address"] {
            assert_eq!(look(&cy, email).await.refused(), (403, "address_not_verified".to_owned()));
        }
        let with_cy = first(&ann, &[(&ann, Admin), (&cy, Member)]);
        let refused = ann.create_team(&with_cy, keys(&[&ann, &cy])).await.refused();
        assert_eq!(refused, (422, "recipient_not_joined".to_owned()));
        let own = first(&cy, &[(&cy, Admin)]);
        assert_eq!(cy.create_team(&own, keys(&[&cy])).await.refused(), (403, "address_not_verified".to_owned()));
    }

    async fn a_plan_without_teams_begins_none_and_joins_any(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        server.damage("UPDATE users SET plan = 'pro' WHERE email = 'ben@example.com'").await;
        let mine = first(&ben, &[(&ben, Admin)]);
        assert_eq!(ben.create_team(&mine, keys(&[&ben])).await.refused(), (403, "upgrade_required".to_owned()));
        let roster = ann.team_with(&[&ben]).await;
        assert_eq!(ben.team(&roster).await.members.len(), 2);
        assert_eq!(server.app.settings.plan, Plan::Team);
    }

    async fn a_repeated_request_begins_one_team(server: TestServer) {
        let ann = server.owner().await;
        let roster = first(&ann, &[(&ann, Admin)]);
        let mut body = CreateTeam {
            name: "Parsers".to_owned(),
            roster: ann.sign_roster(&roster).encode().into(),
            keys: keys(&[&ann]),
        };
        let one: PublishedRoster = ann.post_once("/api/v1/teams", "k", &body).await.ok();
        assert_eq!(ann.post_once("/api/v1/teams", "k", &body).await.ok::<PublishedRoster>(), one);
        "Lexers".clone_into(&mut body.name);
        assert_eq!(ann.post_once("/api/v1/teams", "k", &body).await.refused(), (422, "idempotency_key_reused".to_owned()));
        for name in ["", "a\nb", &"x".repeat(limits::NAME_CHARS_MAX + 1)] {
            body.name = name.to_owned();
            assert_eq!(ann.post("/api/v1/teams", &body).await.refused(), (422, "invalid".to_owned()));
        }
    }

    async fn a_chain_of_the_most_rosters_only_gets_shorter_lists(server: TestServer) {
        let (ann, ben, cy) = three(&server).await;
        let mut roster = ann.team_with(&[&ben]).await;
        roster.version = limits::ROSTERS_MAX - 1;
        let (bytes, version) = (data_encoding::HEXLOWER.encode(&ann.sign_roster(&roster).encode()), roster.version);
        let bytes = match server.database {
            Database::Sqlite => format!("X'{bytes}'"),
            Database::Postgres(_) => format!("'\\x{bytes}'"),
        };
        server.damage(format!("UPDATE team_rosters SET version = {version}, roster = {bytes}").leak()).await;
        server.damage(format!("UPDATE teams SET version = {version}").leak()).await;
        let last = after(&roster, &[(&ann, Admin), (&ben, Member), (&cy, Member)]);
        assert_eq!(ann.publish(&last, keys(&[&cy])).await.status, 200);
        let same = after(&last, &[(&ann, Admin), (&ben, Admin), (&cy, Member)]);
        assert_eq!(ann.publish(&same, vec![]).await.refused(), (409, "conflict".to_owned()));
        let fewer = after(&last, &[(&ann, Admin), (&ben, Member)]);
        assert_eq!(ann.publish(&fewer, keys(&[&ann, &ben])).await.status, 200);
    }

    async fn who_is_in_the_most_teams_begins_no_other(server: TestServer) {
        let (ann, ben, _) = three(&server).await;
        let roster = ann.team_with(&[]).await;
        let others = format!("{}SELECT i FROM n", numbers(limits::TEAMS_MAX - 2));
        server.damage(format!("INSERT INTO teams (id, name, version, epoch, created_at) SELECT 't' || CAST(i AS TEXT), 'n', 1, 1, 1 FROM ({others}) o").leak()).await;
        let sql = format!("INSERT INTO team_members SELECT 't' || CAST(i AS TEXT), '{}', 'admin' FROM ({others}) o", ann.user_id);
        server.damage(sql.leak()).await;
        let last = first(&ann, &[(&ann, Admin)]);
        assert_eq!(ann.create_team(&last, keys(&[&ann])).await.status, 201);
        let more = first(&ann, &[(&ann, Admin)]);
        assert_eq!(ann.create_team(&more, keys(&[&ann])).await.refused(), (409, "conflict".to_owned()));
        ann.publish(&after(&roster, &[(&ann, Admin), (&ben, Member)]), keys(&[&ben])).await.ok::<PublishedRoster>();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: five hundred people join"]
async fn a_team_of_the_largest_size_works() {
    let server = TestServer::start(Database::sqlite()).await;
    let ann = server.owner().await;
    let mut people = Vec::new();
    for number in 1..MEMBERS_MAX {
        people.push(ann.bring(&format!("p{number}@example.com")).await);
    }
    let all: Vec<_> = people.iter().collect();
    let roster = ann.team_with(&all).await;
    assert_eq!(people[7].team(&roster).await.members.len(), MEMBERS_MAX);
    assert_eq!(follow(&people[7], &roster).await.head().unwrap(), &roster);
    let settings = Settings { requests_per_minute: 1_000_000, ..Settings::default() };
    let server = server.restart_with(settings).await;
    assert_eq!(ann.at(&server.url).team(&roster).await.members.len(), MEMBERS_MAX);
}
