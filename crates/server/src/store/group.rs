//! SQLite's one writer commits in groups: transactions that wait for each other anyway share one commit, and so one
//! synchronisation of the disk.
//!
//! ```text
//! BEGIN IMMEDIATE ─ SAVEPOINT ▸ first ▸ RELEASE ─ SAVEPOINT ▸ second ▸ RELEASE ─ … ─ COMMIT ▸ all are told
//! ```
//!
//! Each transaction runs alone, between its savepoint and the release of it; one that is dropped is rolled back to its
//! savepoint. Its `commit` returns only once the group's commit is on disk, so what was acknowledged is never lost. The group
//! ends when nobody waits for a turn, or when it is full or old. When the commit fails nothing of the group has happened, and
//! every member is told so.
//!
//! A member sees what those before it did, which is not on disk yet. One that commits waits for all of it; one that is dropped,
//! because what it saw forbids what was asked, must not be answered before either: [`watched`] tells that it was, and
//! [`Writer::settled`] waits.

use std::{
    cell::Cell,
    io,
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sqlx::{Sqlite, SqliteConnection, SqlitePool, error::DatabaseError, pool::PoolConnection, raw_sql};
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMutexGuard, oneshot, watch},
    task_local,
    time::{Instant, timeout},
};

use super::WAIT;

/// Transactions in one group: the disk is synchronised once for all, and beyond this that is a small part of their time.
const MEMBERS_MAX: usize = 64;
/// How long the first of a group waits for others.
const AGE_MAX: Duration = Duration::from_millis(10);

/// The one writer.
#[derive(Clone, Debug)]
pub struct Writer {
    pool: SqlitePool,
    turn: Arc<Mutex<Group>>,
    waiting: Arc<AtomicUsize>,
    commits: Arc<AtomicUsize>,
    /// Number of the last group that has ended.
    ended: watch::Sender<u64>,
    /// Number of the last group that was undone.
    undone: Arc<AtomicU64>,
}

task_local! {
    /// Number of the last group of which the running request saw what was not on disk, and was dropped.
    static SEEN: Cell<u64>;
}

/// Does it, and says of which group it saw what was not on disk yet; 0 of none.
pub async fn watched<T>(work: impl Future<Output = T>) -> (T, u64) {
    let seen = async {
        let done = work.await;
        (done, SEEN.with(Cell::get))
    };
    SEEN.scope(Cell::new(0), seen).await
}

/// What is open and not committed yet.
#[derive(Debug, Default)]
struct Group {
    connection: Option<PoolConnection<Sqlite>>,
    begun: Option<Instant>,
    /// Counts the groups.
    number: u64,
    members: Vec<oneshot::Sender<Told>>,
}

/// What a member is told: that it is on disk, or that nothing happened, and whether that is because the disk is full.
type Told = Result<(), bool>;

/// One transaction of a group. Dropped without [`Member::commit`] it leaves nothing behind.
#[derive(Debug)]
pub struct Member {
    writer: Writer,
    turn: Option<OwnedMutexGuard<Group>>,
}

/// Somebody who waits for their turn. Who gives up may have been the last whom a group waited for.
struct Waiting(Writer);

impl Waiting {
    fn new(writer: &Writer) -> Self {
        writer.waiting.fetch_add(1, Ordering::SeqCst);
        Self(writer.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Writer {
    /// The writer on a pool of one connection.
    pub(super) fn new(pool: SqlitePool) -> Self {
        Self {
            pool,
            turn: Arc::default(),
            waiting: Arc::default(),
            commits: Arc::default(),
            ended: watch::Sender::new(0),
            undone: Arc::default(),
        }
    }

    /// The pool, for who writes beside all transactions. Its connection is free while no group is open.
    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Begins a transaction, once it is its turn.
    pub(super) async fn begin(&self) -> Result<Member, sqlx::Error> {
        let mut left = LeftEarly(Some(Waiting::new(self)));
        let turn = timeout(WAIT, Arc::clone(&self.turn).lock_owned()).await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        // From here on the member ends the group, however it is dropped.
        let mut member = Member { writer: self.clone(), turn: Some(turn) };
        left.0 = None;
        let group = member.group();
        let begin = if group.begun.is_some() { "SAVEPOINT member" } else { "BEGIN IMMEDIATE; SAVEPOINT member" };
        if group.connection.is_none() {
            group.connection = Some(self.pool.acquire().await?);
        }
        if group.begun.is_none() {
            group.begun = Some(Instant::now());
            group.number += 1;
        }
        raw_sql(begin).execute(&mut *member).await?;
        Ok(member)
    }

    /// Empties the log, where what was deleted would still stand. False when a reader or a group is in the way.
    pub(super) async fn empty_log(&self) -> Result<bool, sqlx::Error> {
        let mut turn = timeout(WAIT, self.turn.lock()).await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        if turn.begun.is_some() {
            return Ok(false);
        }
        if turn.connection.is_none() {
            turn.connection = Some(self.pool.acquire().await?);
        }
        let connection = turn.connection.as_deref_mut().ok_or(sqlx::Error::PoolClosed)?;
        let busy: i64 = sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection).await?;
        if !self.waits() {
            turn.connection = None;
        }
        Ok(busy == 0)
    }

    /// Closes the pool once the group that is open has ended.
    pub(super) async fn close(&self) {
        self.turn.lock().await.end("COMMIT", self).await;
        self.pool.close().await;
    }

    /// How many transactions wait for their turn.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// How many groups were committed.
    pub fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }

    /// Waits until a group has ended; false when it was undone, so that what was seen of it has not happened.
    pub async fn settled(&self, group: u64) -> bool {
        // The sender is here: waiting cannot fail.
        self.ended.subscribe().wait_for(|ended| *ended >= group).await.map(drop).unwrap_or_default();
        self.undone.load(Ordering::SeqCst) != group
    }

    fn waits(&self) -> bool {
        self.waiting() > 0
    }
}

/// A waiting place that is given up before its turn came: a group that waited for it is ended in its place.
struct LeftEarly(Option<Waiting>);

impl Drop for LeftEarly {
    fn drop(&mut self) {
        if let Some(waiting) = self.0.take() {
            let writer = waiting.0.clone();
            drop(waiting);
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn(async move { writer.turn.lock().await.settle(&writer).await });
            }
        }
    }
}

impl Group {
    /// Whether the next member may still come into it: somebody waits, and it is neither full nor old.
    fn goes_on(&self, writer: &Writer) -> bool {
        let young = self.begun.is_some_and(|begun| begun.elapsed() < AGE_MAX);
        writer.waits() && young && self.members.len() < MEMBERS_MAX
    }

    /// Releases a member that is done, and ends the group with it when it is time.
    async fn release(&mut self, writer: &Writer, told: oneshot::Sender<Told>) {
        self.members.push(told);
        if !self.goes_on(writer) {
            return self.end("RELEASE member; COMMIT", writer).await;
        }
        if let Err(error) = self.run("RELEASE member").await {
            self.give_up(writer, &error).await;
        }
    }

    /// Undoes a member that was dropped.
    async fn undo(&mut self, writer: &Writer) {
        match self.run("ROLLBACK TO member; RELEASE member").await {
            Ok(()) => self.settle(writer).await,
            // It was never begun, or the database has undone the whole group, as it does when the disk is full.
            Err(error) => self.give_up(writer, &error).await,
        }
    }

    /// Ends a group that nobody else will end.
    async fn settle(&mut self, writer: &Writer) {
        if !self.goes_on(writer) {
            self.end("COMMIT", writer).await;
        }
    }

    /// Commits and tells the members.
    async fn end(&mut self, sql: &'static str, writer: &Writer) {
        if self.begun.is_none() {
            return;
        }
        if let Err(error) = self.run(sql).await {
            return self.give_up(writer, &error).await;
        }
        self.begun = None;
        writer.commits.fetch_add(1, Ordering::SeqCst);
        writer.ended.send_replace(self.number);
        for member in self.members.drain(..) {
            // Who no longer waits needs not know.
            member.send(Ok(())).unwrap_or_default();
        }
        if !writer.waits() {
            self.connection = None;
        }
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        let connection = self.connection.as_deref_mut().ok_or(sqlx::Error::PoolClosed)?;
        raw_sql(sql).execute(connection).await.map(drop)
    }

    /// Nothing of the group has happened. Its connection is closed, whatever state it is in: that undoes what is left.
    async fn give_up(&mut self, writer: &Writer, error: &sqlx::Error) {
        if !self.members.is_empty() {
            tracing::error!(%error, members = self.members.len(), "a group of transactions was undone");
        }
        let full = error.as_database_error().and_then(DatabaseError::code).is_some_and(|code| code == "13");
        for member in self.members.drain(..) {
            member.send(Err(full)).unwrap_or_default();
        }
        self.begun = None;
        if let Some(connection) = self.connection.take() {
            drop(connection.close().await);
        }
        writer.undone.store(self.number, Ordering::SeqCst);
        writer.ended.send_replace(self.number);
    }
}

impl Member {
    fn group(&mut self) -> &mut Group {
        self.turn.as_mut().expect("a member has the turn until it ends")
    }

    /// Makes everything done in this transaction true; on return it is on disk.
    ///
    /// # Errors
    /// When the group could not be committed: then nothing of this transaction has happened.
    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        let (tell, told) = oneshot::channel();
        let mut turn = self.turn.take().expect("a member has the turn until it ends");
        let writer = self.writer.clone();
        // On a task of its own: who stops waiting for the answer must not leave the others without theirs.
        tokio::spawn(async move { turn.release(&writer, tell).await });
        match told.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(true)) => Err(sqlx::Error::Io(io::ErrorKind::StorageFull.into())),
            Ok(Err(false)) | Err(_) => Err(sqlx::Error::Io(io::Error::other("the transaction's group was undone"))),
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let Some(mut turn) = self.turn.take() else { return };
        if !turn.members.is_empty() {
            // Outside a request nobody is answered.
            SEEN.try_with(|seen| seen.set(turn.number)).unwrap_or_default();
        }
        let writer = self.writer.clone();
        // Without a runtime the process ends, and the database undoes what was not committed.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { turn.undo(&writer).await });
        }
    }
}

impl Deref for Member {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        let group = self.turn.as_ref().expect("a member has the turn until it ends");
        group.connection.as_deref().expect("a group that is open has a connection")
    }
}

impl DerefMut for Member {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.group().connection.as_deref_mut().expect("a group that is open has a connection")
    }
}
