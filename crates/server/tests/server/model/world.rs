//! One server, and what the reference knows of it.

use std::collections::{BTreeMap, HashMap};

use segue_api::handoffs::{Events, Handoff, Handoffs, LateWrap, Reservation, Reserve};
use segue_domain::SessionId;
use segue_signed::{
    MemberRole::{Admin, Member},
    Recipient as Listed, Roster, SignedEnvelope, Wrap, WrapKind,
};
use serde_json::{Value, json};

use super::{Recipient, Step, view::projected};
use crate::{
    harness::{
        BEGIN, Database, HOUR_MS, Person, TestServer,
        person::Answer,
        roster::{after, keys},
        seal::{Draft, Sealed, TestPack, draw, wrap},
        team::Team,
    },
    reference::{Deed, People, Reference, Said, To, Who},
};

/// Empties a PostgreSQL database.
const EMPTY: &str = "DO $$ DECLARE name TEXT; BEGIN PERFORM set_config('session_replication_role', 'replica', true); \
                     FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations' \
                     LOOP EXECUTE 'DELETE FROM ' || quote_ident(name); END LOOP; END $$";
const ANN: Who = 0;
const DAN: Who = 3;
/// Who is in no team and is given nothing.
pub(super) const EVE: Who = 4;
const NAMES: [&str; 5] = ["ann", "ben", "cy", "dan", "eve"];

/// A handoff, and what must be true of it.
pub(super) struct Known {
    pub(super) id: String,
    pub(super) draft: Draft,
    pub(super) reference: Reference,
    /// The person, or the epoch of the team's key.
    person: Who,
    epoch: u32,
    pub(super) created_at: i64,
    pub(super) session: Option<String>,
    /// Mails by event and reader.
    pub(super) mails: Vec<(usize, Who)>,
}

/// A request that changed something.
struct Last {
    who: Who,
    path: String,
    key: String,
    body: Body,
    answer: Vec<u8>,
    /// What it did to which handoff; none when it created one.
    deed: Option<(usize, Deed)>,
    at: i64,
}

enum Body {
    Json(Value),
    Parcel(Vec<u8>),
}

pub(super) struct World {
    server: Option<TestServer>,
    pub(super) people: BTreeMap<Who, Person>,
    pub(super) now: i64,
    roster: Roster,
    members: People,
    /// Who has the team key of each epoch.
    holders: BTreeMap<u32, People>,
    sessions: HashMap<Who, SignedEnvelope>,
    pub(super) handoffs: Vec<Known>,
    last: Option<Last>,
    keys: usize,
    told: Vec<String>,
    names: HashMap<String, usize>,
}

impl World {
    pub(super) async fn new(server: TestServer) -> Self {
        server.hurry().await;
        if matches!(server.database, Database::Postgres(_)) {
            server.damage(EMPTY).await;
        }
        let ann = server.owner().await;
        let mut people = BTreeMap::new();
        for who in [1, 2, EVE] {
            people.insert(who, ann.bring(&format!("{}@example.com", NAMES[who])).await);
        }
        let roster = ann.team_with(&[&people[&1], &people[&2]]).await;
        people.insert(ANN, ann);
        let members = People::of([0, 1, 2]);
        let mut world = Self {
            server: Some(server),
            people,
            now: BEGIN.as_millis(),
            holders: BTreeMap::from([(roster.epoch, members)]),
            roster,
            members,
            sessions: HashMap::new(),
            handoffs: Vec::new(),
            last: None,
            keys: 0,
            told: Vec::new(),
            names: HashMap::new(),
        };
        for who in [0, 1] {
            world.push(who).await;
        }
        world
    }

    pub(super) fn server(&self) -> &TestServer {
        self.server.as_ref().unwrap()
    }

    fn pass(&mut self, millis: i64) {
        self.server().clock.advance(millis);
        self.now += millis;
    }

    pub(super) fn may_claim(&self, known: &Known) -> People {
        match known.reference.to {
            To::Person => People::of([known.person]),
            To::Address => People::of(self.people.contains_key(&DAN).then_some(DAN)),
            To::Team => {
                let has_key = |&who: &Who| self.holders[&known.epoch].has(who) && who != known.reference.sender;
                People::of(self.members.iter().filter(has_key))
            }
        }
    }

    /// The handoff that is meant, and its recipients.
    fn known(&self, which: usize) -> Option<(usize, People)> {
        let index = self.handoffs.len().checked_sub(1 + which)?;
        Some((index, self.may_claim(&self.handoffs[index])))
    }

    pub(super) async fn go(&mut self, step: Step) {
        // No two handoffs share their moment: the order of a list is the reference's.
        self.pass(1);
        match step {
            Step::Push(who) => self.push(who).await,
            Step::DeleteSession(who) => self.delete_session(who).await,
            Step::Hand { from, to, hours } => self.hand(from, to, hours).await,
            Step::See { who, which } => self.see(who, which).await,
            Step::Do { who, which, deed } => self.act(who, which, deed).await,
            Step::Events { who, which } => self.events(who, which).await,
            Step::List { who, inbox } => self.list(who, inbox).await,
            Step::Join if !self.people.contains_key(&DAN) => {
                let dan = self.people[&ANN].bring("DAN@example.com").await;
                self.people.insert(DAN, dan);
            }
            Step::Remove(who) if self.members.has(who) => self.publish(self.members.without(People::of([who]))).await,
            Step::Add(who) if !self.members.has(who) && self.people.contains_key(&who) => {
                self.publish(self.members.with(who)).await;
            }
            Step::Join | Step::Remove(_) | Step::Add(_) => {}
            Step::Pass { hours } => self.pass(hours * HOUR_MS),
            Step::Sweep => self.sweep().await,
            Step::Repeat => self.repeat().await,
            Step::Restart => {
                let server = self.server.take().unwrap().restart().await;
                server.hurry().await;
                self.people.values_mut().for_each(|person| *person = person.at(&server.url));
                self.server = Some(server);
            }
        }
    }

    async fn push(&mut self, who: Who) {
        let (person, pack) = (&self.people[&who], TestPack::new(500));
        assert_eq!(person.upload(&pack).await.status, 201);
        let id = SessionId::from_bytes(draw()).to_string();
        let first = || Draft::snapshot(person, &id, &[&pack]);
        let draft = self.sessions.get(&who).map_or_else(first, |head| Draft::next(person, head, &[&pack]));
        let (signed, session) = person.push(&draft).await;
        assert_eq!(u64::try_from(session.seq), Ok(draft.envelope.header.seq));
        self.sessions.insert(who, signed);
    }

    async fn delete_session(&mut self, who: Who) {
        let Some(head) = self.sessions.remove(&who) else { return };
        let path = format!("/api/v1/sessions/{}", head.envelope.header.session_id);
        assert_eq!(self.people[&who].delete(&path).await.status, 204);
    }

    async fn publish(&mut self, members: People) {
        let of = |who: Who| &self.people[&who];
        let listed: Vec<_> = members.iter().map(|who| (of(who), if who == ANN { Admin } else { Member })).collect();
        let next = after(&self.roster, &listed);
        let have_it = self.holders.get(&next.epoch).copied().unwrap_or_default();
        let new: Vec<_> = members.without(have_it).iter().map(of).collect();
        let answer = self.people[&ANN].publish(&next, keys(&new)).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let all = have_it.iter().fold(members, People::with);
        (self.roster, self.members) = (next, members);
        self.holders.insert(self.roster.epoch, all);
    }

    async fn sweep(&mut self) {
        segue_server::sweep::once(&self.server().app).await.unwrap();
        for known in &mut self.handoffs {
            known.reference.apply(ANN, Deed::Sweep, People::default(), self.now);
        }
        self.last.take_if(|last| self.now - last.at > 24 * HOUR_MS);
    }

    async fn hand(&mut self, from: Who, to: Recipient, expires_in_hours: Option<u32>) {
        let Some(head) = self.sessions.get(&from).cloned() else { return };
        let (person, team) = (&self.people[&from], Team::published(&self.roster));
        let (session_id, mut epoch) = (head.envelope.header.session_id.clone(), 0);
        let mut body = Reserve { session_id, expires_in_hours, ..Reserve::default() };
        let (kind, to_whom) = match to {
            Recipient::Person(who) => {
                body.to_user_id = Some(self.people[&who].user_id.clone());
                (To::Person, who)
            }
            Recipient::Team => {
                (body.to_team_id, epoch) = (Some(team.id.clone()), self.roster.epoch);
                (To::Team, 0)
            }
            Recipient::Address => {
                body.to_email = Some("dan@EXAMPLE.com".to_owned());
                (if self.people.contains_key(&DAN) { To::Person } else { To::Address }, DAN)
            }
        };
        let reserved = person.post("/api/v1/handoffs/reserve", &body).await;
        if kind == To::Team && !self.members.has(from) {
            return self.expect(&reserved, (404, "not_found"));
        }
        let reserved: Reservation = reserved.ok();
        let cards: Vec<_> = (kind == To::Person).then(|| self.people[&to_whom].card()).into_iter().collect();
        let mut draft = Draft::handoff(person, &head, &reserved.handoff_id, reserved.not_after, &cards);
        match kind {
            To::Person => {}
            To::Team => draft.lock_for_team(&team),
            To::Address => {
                let (kind, id, key_fp, epoch) = (WrapKind::Invite, "inv_anything".to_owned(), draw(), 1);
                draft.wraps = vec![Wrap { kind, id: id.clone(), key_fp, epoch, enc: Some(draw()), ct: draw() }];
                draft.envelope.header.recipients = vec![Listed { kind, id, key_fp, epoch }];
            }
        }
        let hours = expires_in_hours.unwrap_or(168);
        let reference = Reference::new(from, kind, self.now + i64::from(hours) * HOUR_MS);
        let (id, created_at) = (reserved.handoff_id, self.now);
        let body = Body::Parcel(draft.body(&draft.sign(person)).0);
        let (session, mails) = (None, Vec::new());
        let known = Known { id, draft, reference, person: to_whom, epoch, created_at, session, mails };
        self.handoffs.push(known);
        self.record_mails(self.handoffs.len() - 1, 0, None);
        let answer = self.change(from, "/api/v1/handoffs".to_owned(), body, None).await;
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        self.expect_view(from, self.handoffs.len() - 1, &answer);
    }

    /// Sends something that changes something, with a key.
    async fn change(&mut self, who: Who, path: String, body: Body, deed: Option<(usize, Deed)>) -> Answer {
        self.keys += 1;
        let key = format!("key {}", self.keys);
        let answer = post_once(&self.people[&who], &path, &key, &body).await;
        if answer.status.is_success() {
            self.last = Some(Last { who, path, key, body, answer: answer.body.clone(), deed, at: self.now });
        }
        answer
    }

    /// I3: the repeat of what was done gives the first answer and does nothing.
    async fn repeat(&mut self) {
        let Some(last) = &self.last else { return };
        let answer = post_once(&self.people[&last.who], &last.path, &last.key, &last.body).await;
        let may = last.deed.is_none_or(|(index, deed)| {
            let known = &self.handoffs[index];
            known.reference.has_right(last.who, deed, self.may_claim(known))
        });
        if may {
            assert_eq!(String::from_utf8_lossy(&answer.body), String::from_utf8_lossy(&last.answer), "a repeat");
        } else {
            self.expect(&answer, (404, "not_found"));
        }
    }

    async fn act(&mut self, who: Who, which: usize, deed: Deed) {
        let Some((index, may_claim)) = self.known(which) else { return };
        if !self.people.contains_key(&who) {
            return;
        }
        let (known, before) = (&self.handoffs[index], self.handoffs[index].reference.log.len());
        let (name, body) = match deed {
            Deed::Claim { right_proof } => {
                let proof = if right_proof { known.draft.claim } else { [0; 32] };
                ("claim", json!({ "claim_proof": data_encoding::BASE64URL_NOPAD.encode(&proof) }))
            }
            Deed::Revoke => ("revoke", json!({"reason": "stale"})),
            Deed::Decline => ("decline", json!({"reason": "not mine"})),
            Deed::Comment => ("comments", json!({"body": "hm"})),
            Deed::LockKey => {
                let dan = self.people.get(&DAN).unwrap_or(&self.people[&EVE]);
                let bytes = wrap(WrapKind::User, dan.card()).encode();
                ("wraps", json!(LateWrap { wrap: bytes.into() }))
            }
            Deed::Look | Deed::Read | Deed::Sweep => unreachable!("steps of their own"),
        };
        let path = format!("/api/v1/handoffs/{}/{name}", known.id);
        let claimer = known.reference.claimer;
        let answer = self.change(who, path, Body::Json(body), Some((index, deed))).await;
        let said = self.handoffs[index].reference.apply(who, deed, may_claim, self.now);
        self.record_mails(index, before, claimer);
        match (said, deed) {
            ((200, _), Deed::Claim { .. }) => self.expect_claim(index, &answer),
            ((200, _), _) => self.expect_view(who, index, &answer),
            ((201, _), _) => self.expect_comment(who, index, &answer),
            (refusal, _) => self.expect(&answer, refusal),
        }
    }

    /// Who is told of what was logged: the other party.
    fn record_mails(&mut self, index: usize, before: usize, claimer: Option<Who>) {
        let may_claim = self.may_claim(&self.handoffs[index]);
        let known = &mut self.handoffs[index];
        for (seq, (kind, actor)) in known.reference.log.iter().enumerate().skip(before) {
            let Some(actor) = *actor else { continue };
            let others = match claimer {
                _ if actor != known.reference.sender => People::of([known.reference.sender]),
                Some(claimer) => People::of([claimer]),
                None => may_claim,
            };
            // Who hands to oneself is told once, as anybody is.
            let others = if *kind == "created" { others } else { others.without(People::of([actor])) };
            if ["created", "claimed", "revoked", "declined", "commented"].contains(kind) {
                known.mails.extend(others.iter().map(|who| (seq + 1, who)));
            }
        }
    }

    async fn see(&mut self, who: Who, which: usize) {
        let Some((index, may_claim)) = self.known(which) else { return };
        let Some(person) = self.people.get(&who) else { return };
        let answer = person.get(&format!("/api/v1/handoffs/{}", self.handoffs[index].id)).await;
        match self.handoffs[index].reference.apply(who, Deed::Look, may_claim, self.now) {
            (200, _) => self.expect_view(who, index, &answer),
            refusal => self.expect(&answer, refusal),
        }
    }

    /// Page by page, and each exactly once (I11).
    async fn events(&mut self, who: Who, which: usize) {
        let Some((index, may_claim)) = self.known(which) else { return };
        let (Some(person), known) = (self.people.get(&who).cloned(), &self.handoffs[index]) else { return };
        let path = format!("/api/v1/handoffs/{}/events?limit=2", known.id);
        let (mut kinds, mut cursor) = (Vec::new(), String::new());
        let concerned = known.reference.concerns(who, may_claim);
        let expected: Vec<_> = known.reference.log.iter().map(|(kind, _)| (*kind).to_owned()).collect();
        loop {
            let answer = person.get(&format!("{path}{cursor}")).await;
            if !concerned {
                return self.expect(&answer, (404, "not_found"));
            }
            self.tell(&answer);
            let page: Events = answer.ok();
            kinds.extend(page.events.into_iter().map(|event| event.kind));
            let Some(next) = page.next else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(kinds, expected);
    }

    async fn list(&mut self, who: Who, inbox: bool) {
        let Some(person) = self.people.get(&who).cloned() else { return };
        let which = if inbox { "inbox" } else { "sent" };
        let (mut listed, mut cursor) = (Vec::new(), String::new());
        loop {
            let answer = person.get(&format!("/api/v1/handoffs?box={which}&limit=2{cursor}")).await;
            self.tell(&answer);
            let page: Handoffs = answer.ok();
            listed.extend(page.handoffs.iter().map(|one| json!(one)));
            let Some(next) = page.next else { break };
            cursor = format!("&cursor={next}");
        }
        let is_in = |known: &&Known| {
            let (reference, claimed) = (&known.reference, known.reference.claimer == Some(who));
            let given = self.may_claim(known).has(who) || (claimed && reference.sender != who);
            let refused = reference.to == To::Team && reference.declined.has(who) && !claimed;
            if inbox { given && !refused } else { reference.sender == who }
        };
        let expected: Vec<_> = self.handoffs.iter().rev().filter(is_in).map(|known| self.view(who, known)).collect();
        let listed: Vec<_> = listed.iter().map(projected).collect();
        assert_eq!(listed, expected, "the {which} of {}", NAMES[who]);
    }

    fn expect_view(&mut self, who: Who, index: usize, answer: &Answer) {
        self.tell(answer);
        let body: Handoff = answer.ok();
        assert_eq!(projected(&json!(body)), self.view(who, &self.handoffs[index]), "for {}", NAMES[who]);
    }

    fn expect_claim(&mut self, index: usize, answer: &Answer) {
        self.tell(answer);
        let (body, known): (Value, _) = (answer.ok(), &mut self.handoffs[index]);
        let session = body["session_id"].as_str().unwrap();
        assert_eq!(known.session.get_or_insert_with(|| session.to_owned()), session, "one claim, one session");
        assert_eq!(body["handoff_id"], known.id);
        assert_eq!(body["bundle_id"], known.draft.bundle_id().to_string());
    }

    fn expect_comment(&mut self, who: Who, index: usize, answer: &Answer) {
        self.tell(answer);
        let body: Value = answer.ok();
        assert_eq!(answer.status, 201);
        let (seq, author) = (self.handoffs[index].reference.log.len(), self.people[&who].user_id.clone());
        assert_eq!(
            (&body["seq"], &body["author"]["user_id"], &body["body"]),
            (&json!(seq), &json!(author), &json!("hm"))
        );
    }

    fn expect(&mut self, answer: &Answer, said: Said) {
        self.tell(answer);
        let (status, code) = answer.refused();
        assert_eq!((status, code.as_str()), said, "{}", String::from_utf8_lossy(&answer.body));
    }

    /// Remembers an answer, with ids, hashes and cursors by the order of their appearance.
    fn tell(&mut self, answer: &Answer) {
        let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
        body.as_object_mut().map(|body| body.remove("request_id"));
        let text = body.to_string();
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
        let mut line = answer.status.as_str().to_owned();
        for word in text.split_inclusive(|letter| !is_part(letter)) {
            let name = word.trim_end_matches(|letter| !is_part(letter));
            if name.len() < 20 {
                line.push_str(word);
                continue;
            }
            let new = self.names.len();
            let number = self.names.entry(name.to_owned()).or_insert(new);
            line.extend(["#", &number.to_string(), &word[name.len()..]]);
        }
        self.told.push(line);
    }

    /// Everything that was answered.
    pub(super) async fn end(self) -> Vec<String> {
        if let Some(server) = self.server {
            server.end().await;
        }
        self.told
    }
}

async fn post_once(person: &Person, path: &str, key: &str, body: &Body) -> Answer {
    match body {
        Body::Json(body) => person.post_once(path, key, body).await,
        Body::Parcel(bytes) => person.post_once(path, key, &Sealed(bytes.clone())).await,
    }
}
