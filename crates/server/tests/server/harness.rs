//! A real server on port 0 with a clock that stands still, and people with real keys.

pub(crate) mod database;
pub(crate) mod device;
pub(crate) mod live;
pub(crate) mod mailbox;
pub(crate) mod pairing;
pub(crate) mod person;
pub(crate) mod raw;
pub(crate) mod roster;
pub(crate) mod seal;
pub(crate) mod team;

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use segue_domain::{Timestamp, limits, time::FixedClock};
use segue_server::{
    Listeners,
    app::{App, Settings},
    config::SignUp,
    connections::Bounds,
    joining, listen, logs,
    mail::{Post, Transport},
    metrics::Metrics,
    news::News,
    packs::{Packs, Step},
    rates::Rates,
    serve,
    store::{Db, identity},
};
use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub(crate) use database::Database;
pub(crate) use person::Person;

/// When the tests begin: some day in 2027.
pub(crate) const BEGIN: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// One hour.
pub(crate) const HOUR_MS: i64 = 3_600_000;

/// Runs a test on SQLite, and on PostgreSQL unless that was left out in so many words.
macro_rules! on_both {
    ($($(#[$attribute:meta])* async fn $name:ident($server:ident: $type:ty) $body:block)+) => {$(
        async fn $name($server: $type) $body

        mod $name {
            use crate::harness::{Database, TestServer};

            #[tokio::test(flavor = "multi_thread")]
            $(#[$attribute])*
            async fn sqlite() {
                super::$name(TestServer::start(Database::sqlite()).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            $(#[$attribute])*
            async fn postgres() {
                if let Some(database) = Database::postgres().await {
                    super::$name(TestServer::start(database).await).await;
                }
            }
        }
    )+};
}

/// What the storage was asked to do, and whether it does it.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) reads: AtomicU64,
    pub(crate) broken: AtomicBool,
    /// Steps that are still done before one fails, and how.
    fault: Mutex<Option<(u64, io::ErrorKind)>>,
    /// The kind of step that fails next.
    broken_step: Mutex<Option<Step>>,
    /// While somebody has it, writes wait.
    pub(crate) writes: tokio::sync::Mutex<()>,
}

impl Disk {
    /// Lets the step after `steps` others fail, once.
    pub(crate) fn fail_after(&self, steps: u64, kind: io::ErrorKind) {
        *self.fault.lock().unwrap() = Some((steps, kind));
    }

    /// Lets the next step of this kind fail, once.
    pub(crate) fn fail_at(&self, step: Step) {
        *self.broken_step.lock().unwrap() = Some(step);
    }

    /// Takes the fault back for a while.
    pub(crate) fn take_fault(&self) -> Option<(u64, io::ErrorKind)> {
        self.fault.lock().unwrap().take()
    }

    /// Puts it in place again.
    pub(crate) fn put_fault(&self, fault: Option<(u64, io::ErrorKind)>) {
        *self.fault.lock().unwrap() = fault;
    }

    /// Whether the fault that was set has come; takes it back otherwise.
    pub(crate) fn has_failed(&self) -> bool {
        self.fault.lock().unwrap().take().is_none()
    }

    fn fault(&self) -> io::Result<()> {
        let mut fault = self.fault.lock().unwrap();
        match *fault {
            Some((0, kind)) => {
                *fault = None;
                Err(io::Error::new(kind, "broken by the test"))
            }
            Some((steps, kind)) => {
                *fault = Some((steps - 1, kind));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn step(&self, step: Step) -> io::Result<()> {
        if step == Step::Read {
            self.reads.fetch_add(1, Ordering::SeqCst);
        }
        if step == Step::Write {
            drop(self.writes.blocking_lock());
        }
        self.fault()?;
        if self.broken_step.lock().unwrap().take_if(|broken| *broken == step).is_some() {
            return Err(io::Error::other("broken by the test"));
        }
        if self.broken.load(Ordering::SeqCst) { Err(io::Error::other("broken by the test")) } else { Ok(()) }
    }
}

/// A server that runs in this process.
pub(crate) struct TestServer {
    pub(crate) url: String,
    /// Where its metrics are.
    pub(crate) metrics: String,
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) disk: Arc<Disk>,
    pub(crate) folder: TempDir,
    pub(crate) shutdown: CancellationToken,
    pub(crate) database: Database,
    settings: Settings,
    smtp: Option<String>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl TestServer {
    pub(crate) async fn start(database: Database) -> Self {
        // All people of a test come from one address, as through a proxy.
        let connections = Bounds { per_address: limits::CONNECTIONS_MAX, ..Bounds::default() };
        let settings =
            Settings { requests_per_minute: 1_000_000, connections, mail_every: None, ..Settings::default() };
        Self::start_with(database, settings).await
    }

    /// The same data, served by one that sends mails: by SMTP where a URL is given, else into the folder `mail`.
    pub(crate) async fn mailing(mut self, smtp: Option<&str>, sign_up: SignUp) -> Self {
        self.smtp = smtp.map(str::to_owned);
        let mail_every = Some(Duration::from_millis(20));
        let settings = Settings { mail_every, sign_up, ..self.settings.clone() };
        self.restart_with(settings).await
    }

    pub(crate) async fn start_with(database: Database, settings: Settings) -> Self {
        log();
        let folder = TempDir::new().unwrap();
        Self::open(database, settings, folder, Arc::new(FixedClock::at(BEGIN)), None).await
    }

    /// A server over data that is there already.
    pub(crate) async fn over(database: Database, folder: TempDir) -> Self {
        let settings = Settings { requests_per_minute: 1_000_000, mail_every: None, ..Settings::default() };
        Self::open(database, settings, folder, Arc::new(FixedClock::at(BEGIN)), None).await
    }

    /// Changes the database by hand.
    pub(crate) async fn damage(&self, sql: &'static str) {
        match &self.app.db {
            Db::Sqlite { write, .. } => {
                let mut connection = write.pool().acquire().await.unwrap();
                sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut *connection).await.unwrap();
                sqlx::query(sql).execute(&mut *connection).await.unwrap();
            }
            Db::Postgres(pool) => drop(sqlx::query(sql).execute(pool).await.unwrap()),
        }
    }

    /// Puts rows there by hand.
    pub(crate) async fn run(&self, sql: String) {
        match &self.app.db {
            Db::Sqlite { write, .. } => drop(sqlx::query(AssertSqlSafe(sql)).execute(write.pool()).await.unwrap()),
            Db::Postgres(pool) => drop(sqlx::query(AssertSqlSafe(sql)).execute(pool).await.unwrap()),
        }
    }

    /// The same data, served by another server with other settings.
    pub(crate) async fn restart_with(self, settings: Settings) -> Self {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
        Self::open(self.database, settings, self.folder, self.clock, self.smtp).await
    }

    pub(crate) async fn restart(self) -> Self {
        let settings = self.settings.clone();
        self.restart_with(settings).await
    }

    /// Another server over the same PostgreSQL database, the same packs and the same clock.
    pub(crate) async fn beside(&self) -> Self {
        let Database::Postgres(url) = &self.database else { panic!("SQLite is for one server") };
        let folder = TempDir::new().unwrap();
        std::os::unix::fs::symlink(self.folder.path().join("packs"), folder.path().join("packs")).unwrap();
        Self::open(Database::Postgres(url.clone()), self.settings.clone(), folder, Arc::clone(&self.clock), None).await
    }

    async fn open(
        database: Database,
        settings: Settings,
        folder: TempDir,
        clock: Arc<FixedClock>,
        smtp: Option<String>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let db = match &database {
            Database::Sqlite => open_sqlite(folder.path()).await,
            Database::Postgres(url) => Db::open_postgres(url).await.unwrap(),
        };
        let server_id = identity::of(&db, &seal::draw()).await.unwrap();
        let disk = Arc::new(Disk::default());
        let watch = Arc::clone(&disk);
        let packs = Packs::open(&folder.path().join("packs")).unwrap().watched(Arc::new(move |step| watch.step(step)));
        let app = Arc::new(App {
            db,
            packs,
            clock: Arc::<FixedClock>::clone(&clock),
            random: seal::seeded(),
            post: Post::new(transport(smtp.as_deref(), folder.path()), None, &url).unwrap(),
            rates: Rates::new(settings.requests_per_minute),
            metrics: Arc::new(Metrics::new(BEGIN)),
            news: News::default(),
            scrubbing: tokio::sync::Notify::new(),
            server_id,
            settings: settings.clone(),
        });
        let shutdown = CancellationToken::new();
        let watched = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let metrics = format!("http://{}", watched.local_addr().unwrap());
        let listeners = Listeners { clients: listener, metrics: Some(watched) };
        let task = tokio::spawn(serve(Arc::clone(&app), listeners, listen::Transport::Plain, shutdown.clone()));
        Self { url, metrics, app, clock, disk, folder, shutdown, database, settings, smtp, task }
    }

    /// Waits for no disk from now on: for thousands of requests whose power is not cut. On PostgreSQL [`Database::hasty`] does it.
    pub(crate) async fn hurry(&self) {
        if let Db::Sqlite { write, .. } = &self.app.db {
            sqlx::query("PRAGMA synchronous = OFF").execute(write.pool()).await.unwrap();
        }
    }

    /// Stops, and closes the database.
    pub(crate) async fn end(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
        self.app.db.close().await;
    }

    /// Another server over the same PostgreSQL, with settings and a folder of its own.
    pub(crate) async fn beside_with(&self, settings: Settings) -> Self {
        let Database::Postgres(url) = &self.database else { panic!("SQLite has one server") };
        let (database, clock) = (Database::Postgres(url.clone()), Arc::clone(&self.clock));
        Self::open(database, settings, TempDir::new().unwrap(), clock, None).await
    }

    /// Waits until so many servers hear each other.
    pub(crate) async fn until_it_listens(&self, servers: i64) {
        let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        while self.count(sql).await < servers {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until the server has stopped.
    pub(crate) async fn stopped(self) -> anyhow::Result<()> {
        tokio::time::timeout(Duration::from_mins(1), self.task).await.unwrap().unwrap()
    }

    /// The first person: joins by the owner link.
    pub(crate) async fn owner(&self) -> Person {
        let token = joining::owner_token(&self.app).await.unwrap().unwrap();
        let token = data_encoding::BASE64URL_NOPAD.decode(token.as_bytes()).unwrap();
        Person::join(&self.url, &token, "owner@example.com").await
    }

    /// Ann, who owns the server, and Ben, whom she vouched for.
    pub(crate) async fn ann_and_ben(&self) -> (Person, Person) {
        let ann = self.owner().await;
        let ben = ann.bring("ben@example.com").await;
        (ann, ben)
    }

    /// How many files the storage has, those aside included.
    pub(crate) fn files(&self) -> usize {
        let mut folders = vec![self.folder.path().join("packs")];
        let mut count = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { count += 1 }
            }
        }
        count
    }

    /// One number from the database.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        match &self.app.db {
            Db::Sqlite { read, .. } => sqlx::query_scalar(sql).fetch_one(read).await.unwrap(),
            Db::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
        }
    }

    /// One column of text from the database.
    pub(crate) async fn column(&self, sql: &'static str) -> Vec<String> {
        match &self.app.db {
            Db::Sqlite { read, .. } => sqlx::query_scalar(sql).fetch_all(read).await.unwrap(),
            Db::Postgres(pool) => sqlx::query_scalar(sql).fetch_all(pool).await.unwrap(),
        }
    }
}

fn transport(smtp: Option<&str>, folder: &Path) -> Transport {
    match smtp {
        Some(url) => Transport::smtp(url, "localhost").unwrap(),
        None => Transport::folder(folder.join("mail")).unwrap(),
    }
}

async fn open_sqlite(folder: &Path) -> Db {
    let file = folder.join("segue.db");
    std::fs::OpenOptions::new().append(true).create(true).open(&file).unwrap();
    Db::open_sqlite(&file).await.unwrap()
}

/// Everything that all servers of this process have logged.
pub(crate) fn log() -> Arc<Mutex<Vec<u8>>> {
    static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    let log = LOG.get_or_init(|| {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&lines);
        let subscriber = logs::subscriber(true, move || Lines(Arc::clone(&writer)));
        tracing::subscriber::set_global_default(subscriber).unwrap();
        lines
    });
    Arc::clone(log)
}

struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
