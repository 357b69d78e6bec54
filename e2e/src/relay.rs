//! A way between clients and a server that counts bytes, and is cut once when told to.
//!
//! Its address stays when the server is started again on another port.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
};

use crate::fault::signal;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// What happens when the bytes have passed.
pub enum Cut {
    /// Both sides are told that the connection has ended properly.
    Fin,
    /// Both sides are told that the connection is broken.
    Reset,
    /// Something else happens, and the bytes go on.
    Do(Box<dyn FnOnce() + Send>),
}

struct Plan {
    way: Way,
    left: u64,
    cut: Cut,
}

#[derive(Default)]
struct Shared {
    target: Mutex<Option<SocketAddr>>,
    plan: Mutex<Option<Plan>>,
    up: AtomicU64,
    down: AtomicU64,
}

/// A relay on a port of its own, for as long as the process runs.
#[derive(Clone)]
pub struct Relay {
    url: String,
    shared: Arc<Shared>,
}

/// A connection that does not go on.
enum End {
    Fin,
    Reset,
    Lost,
}

impl Relay {
    /// A relay that leads nowhere yet.
    pub fn start() -> Result<Self> {
        let listener = StdListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let relay = Self { url: format!("http://{}", listener.local_addr()?), shared: Arc::default() };
        let shared = Arc::clone(&relay.shared);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::spawn(move || runtime.block_on(listen(listener, shared)));
        Ok(relay)
    }

    /// Where clients connect.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Leads new connections to the server at `url`.
    pub fn lead_to(&self, url: &str) -> Result<()> {
        let target = url.strip_prefix("http://").context("not a plain http server")?.trim_end_matches('/').parse()?;
        *lock(&self.shared.target) = Some(target);
        Ok(())
    }

    /// Cuts the connection on which `bytes` more have gone this way, once; and counts from 0 again.
    pub fn cut_after(&self, way: Way, bytes: u64, cut: Cut) {
        self.shared.up.store(0, Ordering::SeqCst);
        self.shared.down.store(0, Ordering::SeqCst);
        *lock(&self.shared.plan) = Some(Plan { way, left: bytes, cut });
    }

    /// Works, and sends a process a signal once so many bytes have gone this way. The process must not have been waited for
    /// when the work is done.
    pub fn signal_after<T>(
        &self,
        way: Way,
        bytes: u64,
        (name, id): (&'static str, u32),
        work: impl FnOnce() -> T,
    ) -> T {
        let (told, done) = mpsc::channel();
        let send = move || {
            // A process that has ended meanwhile needs no signal; the channel is read as long as the plan is there.
            drop(signal(name, id));
            let _heard = told.send(());
        };
        self.cut_after(way, bytes, Cut::Do(Box::new(send)));
        let worked = work();
        if !self.go_on() {
            let _sent = done.recv();
        }
        worked
    }

    /// Forgets the plan; whether it was still to come.
    pub fn go_on(&self) -> bool {
        lock(&self.shared.plan).take().is_some()
    }

    /// Bytes that went this way, all connections together.
    pub fn passed(&self, way: Way) -> u64 {
        self.shared.counter(way).load(Ordering::SeqCst)
    }
}

impl Shared {
    fn counter(&self, way: Way) -> &AtomicU64 {
        match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        }
    }

    /// How many of `len` bytes may pass, and what happens behind them.
    fn allow(&self, way: Way, len: usize) -> (usize, Option<Cut>) {
        let mut plan = lock(&self.plan);
        let Some(mine) = plan.as_mut().filter(|plan| plan.way == way) else { return (len, None) };
        if let Some(left) = mine.left.checked_sub(len as u64).filter(|left| *left > 0) {
            mine.left = left;
            return (len, None);
        }
        let allowed = usize::try_from(mine.left).unwrap_or(len);
        (allowed, plan.take().map(|plan| plan.cut))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen(listener: StdListener, shared: Arc<Shared>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (client, _) = listener.accept().await?;
        let (target, shared) = (*lock(&shared.target), Arc::clone(&shared));
        tokio::spawn(async move {
            // A server that is not there looks like one whose connections end at once.
            if let Some(target) = target
                && let Ok(server) = TcpStream::connect(target).await
            {
                drop(relay(&shared, client, server).await);
            }
        });
    }
}

async fn relay(shared: &Shared, mut client: TcpStream, mut server: TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let end = {
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.split(), server.split());
        let up = pass(shared, Way::Up, &mut from_client, &mut to_server);
        let down = pass(shared, Way::Down, &mut from_server, &mut to_client);
        tokio::try_join!(up, down).err()
    };
    match end {
        Some(End::Reset) => {
            client.set_zero_linger()?;
            server.set_zero_linger()?;
        }
        Some(End::Fin) => {
            for stream in [&mut client, &mut server] {
                stream.shutdown().await?;
            }
            // What is not read would turn the end into a reset.
            let (mut left, mut right) = (tokio::io::sink(), tokio::io::sink());
            let _ends = tokio::join!(tokio::io::copy(&mut client, &mut left), tokio::io::copy(&mut server, &mut right));
        }
        Some(End::Lost) | None => {}
    }
    Ok(())
}

async fn pass(shared: &Shared, way: Way, from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>) -> Result<(), End> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await.map_err(|_| End::Lost)?;
        if read == 0 {
            return to.shutdown().await.map_err(|_| End::Lost);
        }
        let (allowed, cut) = shared.allow(way, read);
        let rest = allowed..read;
        to.write_all(&buffer[..allowed]).await.map_err(|_| End::Lost)?;
        shared.counter(way).fetch_add(allowed as u64, Ordering::SeqCst);
        match cut {
            Some(Cut::Fin) => return Err(End::Fin),
            Some(Cut::Reset) => return Err(End::Reset),
            Some(Cut::Do(act)) => {
                act();
                to.write_all(&buffer[rest.clone()]).await.map_err(|_| End::Lost)?;
                shared.counter(way).fetch_add(rest.len() as u64, Ordering::SeqCst);
            }
            None => {}
        }
    }
}
