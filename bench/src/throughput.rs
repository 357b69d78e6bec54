//! `segue-bench throughput`: how many handoffs a server takes in a second, and how many claims, through HTTP.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Context as _, Result};
use clap::Args;
use data_encoding::BASE64URL_NOPAD;
use segue_crypto::DeviceKey;
use segue_e2e::{
    person::Person,
    story::{BEN, id},
};
use segue_signed::{
    BundleKind, Card, Envelope, Header, KeyCard, Parcel, Recipient, SignedKeyCard, Wrap, WrapKind, parcel, sha256,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::generate;
use crate::http::{Connection, post};
use crate::measure::{now, timed};
use crate::report::{machine, per_mille, table};
use crate::stage::{Stage, Way, native_id, port_of};

/// How much to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Handoffs of each measurement
    #[arg(long, default_value_t = 2_000)]
    handoffs: u64,
    /// Callers at once, in turn
    #[arg(long, value_delimiter = ',', default_value = "1,8,64")]
    callers: Vec<u64>,
    /// Also on the PostgreSQL database named by BENCH_DATABASE_URL, which must be empty
    #[arg(long)]
    postgres: bool,
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut rows = measure("SQLite", None, options)?;
    if options.postgres {
        let url = std::env::var("BENCH_DATABASE_URL").context("BENCH_DATABASE_URL names no database")?;
        rows.extend(measure("PostgreSQL", Some(&url), options)?);
    }
    println!("{}\n\nClients and server share the machine; authentication is on, every answer is on disk.\n", machine());
    println!("{}", table(&["database", "callers", "what", "a second", "p50, ms", "p99, ms"], &rows));
    Ok(())
}

fn measure(name: &str, database: Option<&str>, options: &Options) -> Result<Vec<Vec<String>>> {
    let root = TempDir::new()?;
    let variables = database.map(|url| ("SEGUE_DATABASE_URL".into(), url.into())).into_iter().collect();
    let stage = Stage::begin_with(root.path(), false, Way::Direct, variables)?;
    let caller = Caller::new(&stage)?;
    let mut rows = Vec::new();
    for &callers in &options.callers {
        let each = options.handoffs.div_ceil(callers);
        let row = |what: &str, figures: &[f64], seconds: f64| {
            let at = |part| format!("{:.2}", per_mille(figures, part));
            let a_second = format!("{:.0}", f64::from(u32::try_from(figures.len()).unwrap_or(u32::MAX)) / seconds);
            vec![name.to_owned(), callers.to_string(), what.to_owned(), a_second, at(500), at(990)]
        };
        let (figures, seconds) = caller.all_at_once(callers, each, |caller, connection| {
            let (handoff, proof) = caller.create(connection)?;
            caller.claim(connection, &handoff, &proof)
        })?;
        rows.push(row("reserve, create and claim", &figures, seconds));
        let mut connection = Connection::open(caller.port)?;
        let waiting = (0..each * callers).map(|_| caller.create(&mut connection)).collect::<Result<Vec<_>>>()?;
        let next = AtomicU64::new(0);
        let (figures, seconds) = caller.all_at_once(callers, each, |caller, connection| {
            let number = usize::try_from(next.fetch_add(1, Ordering::SeqCst))?;
            let (handoff, proof) = waiting.get(number).context("a handoff for each claim")?;
            caller.claim(connection, handoff, proof)
        })?;
        rows.push(row("claim", &figures, seconds));
    }
    Ok(rows)
}

/// What Ann and Ben are known by.
struct Caller {
    port: u16,
    ann: Account,
    ben: Account,
    session: String,
    drawn: AtomicU64,
}

struct Account {
    token: String,
    device_key: DeviceKey,
    card: KeyCard,
}

impl Account {
    fn of(person: &Person) -> Result<Self> {
        let file: Value = serde_json::from_slice(&fs::read(person.segue_home().join("account.json"))?)?;
        let bytes = |field: &str| Ok::<_, anyhow::Error>(BASE64URL_NOPAD.decode(id(&file, field)?.as_bytes())?);
        let key: [u8; 32] = bytes("device_key")?.try_into().ok().context("a device key has 32 bytes")?;
        let card = SignedKeyCard::parse(&bytes("key_card")?)?.card;
        Ok(Self { token: id(&file, "token")?, device_key: DeviceKey::from_bytes(&key), card })
    }
}

impl Caller {
    fn new(stage: &Stage) -> Result<Self> {
        let session = generate::create(&stage.ann.home().join(".claude"), &stage.ann.work(), 100_000, 1)?;
        let session = id(&stage.ann.json(&["push", native_id(&session)?])?, "session_id")?;
        let (ann, ben) = (Account::of(&stage.ann)?, Account::of(&stage.ben)?);
        Ok(Self { port: port_of(stage.server.url())?, ann, ben, session, drawn: AtomicU64::new(0) })
    }

    /// Lets so many callers do it so often each; how long each time took, in ms, and all of it, in s.
    fn all_at_once(
        &self,
        callers: u64,
        each: u64,
        work: impl Fn(&Self, &mut Connection) -> Result<()> + Sync,
    ) -> Result<(Vec<f64>, f64)> {
        let start = now();
        let figures = thread::scope(|scope| {
            let work = &work;
            let callers: Vec<_> = (0..callers)
                .map(|_| {
                    scope.spawn(move || {
                        let mut connection = Connection::open(self.port)?;
                        let one = |_| {
                            let ((), wall) = timed(|| work(self, &mut connection))?;
                            Ok(wall.as_secs_f64() * 1000.0)
                        };
                        (0..each).map(one).collect::<Result<Vec<_>>>()
                    })
                })
                .collect();
            let ended = callers.into_iter().map(|caller| {
                caller.join().map_err(|_| anyhow::anyhow!("a caller panicked")).and_then(|figures| figures)
            });
            ended.collect::<Result<Vec<_>>>()
        })?;
        Ok((figures.concat(), start.elapsed().as_secs_f64()))
    }

    /// Bytes that are drawn once.
    fn draw<const N: usize>(&self) -> [u8; N] {
        let hash = sha256(&self.drawn.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        std::array::from_fn(|index| hash[index % hash.len()])
    }

    /// Reserves and creates a handoff to Ben; its id and what claims it.
    fn create(&self, connection: &mut Connection) -> Result<(String, [u8; 32])> {
        let body = serde_json::to_vec(&json!({"session_id": self.session, "to_email": BEN}))?;
        let request = post("/api/v1/handoffs/reserve", &self.ann.token, "application/json", &body);
        let reserved: Value = serde_json::from_slice(&connection.exchange(&request)?)?;
        let (handoff, proof) = (id(&reserved, "handoff_id")?, self.draw());
        let not_after = reserved["not_after"].as_u64().context("a reservation ends")?;
        let parcel = self.parcel(&handoff, not_after, &proof);
        connection.exchange(&post("/api/v1/handoffs", &self.ann.token, parcel::MEDIA_TYPE, &parcel))?;
        Ok((handoff, proof))
    }

    fn claim(&self, connection: &mut Connection, handoff: &str, proof: &[u8; 32]) -> Result<()> {
        let body = serde_json::to_vec(&json!({"claim_proof": BASE64URL_NOPAD.encode(proof)}))?;
        let path = format!("/api/v1/handoffs/{handoff}/claim");
        connection.exchange(&post(&path, &self.ben.token, "application/json", &body)).map(drop)
    }

    /// A handoff as a client sends it, but for what only its recipient could tell: what is sealed is random.
    fn parcel(&self, handoff: &str, not_after: u64, proof: &[u8; 32]) -> Vec<u8> {
        let (ann, ben) = (&self.ann.card, &self.ben.card);
        let manifest = self.draw::<4_096>();
        let recipient = Recipient {
            kind: WrapKind::User,
            id: ben.user_id.clone(),
            key_fp: ben.encryption_key_fingerprint(),
            epoch: ben.epoch,
        };
        let wrap = Wrap {
            kind: recipient.kind,
            id: recipient.id.clone(),
            key_fp: recipient.key_fp,
            epoch: recipient.epoch,
            enc: Some(self.draw()),
            ct: self.draw(),
        };
        let header = Header {
            bundle_id: self.draw(),
            kind: BundleKind::Handoff,
            handoff_id: handoff.to_owned(),
            revision: 0,
            session_id: self.session.clone(),
            seq: 1,
            parent: None,
            sender_id: ann.user_id.clone(),
            identity_key: ann.identity_key,
            device_key: self.ann.device_key.public(),
            author_id: ann.user_id.clone(),
            recipients: vec![recipient],
            card: Card { tool: "claude-code".to_owned(), title: "fix the parser".to_owned(), ..Card::default() },
            message: "can you take it from here?".to_owned(),
            ticket: String::new(),
            persona: String::new(),
            attachments: Vec::new(),
            created_at: not_after,
            not_after,
            directory_head: None,
        };
        let envelope = Envelope {
            header,
            manifest_hash: sha256(&manifest),
            manifest_len: 4_096,
            preview_hash: None,
            packs: Vec::new(),
            commit: self.draw(),
            claim_check: sha256(proof),
        };
        let signed = self.ann.device_key.sign_envelope(envelope);
        let (envelope, wraps) = (signed.as_bytes(), vec![wrap]);
        Parcel { envelope, manifest: &manifest, preview: None, wraps, packs: Vec::new() }.encode()
    }
}
