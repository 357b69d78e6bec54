//! A TCP proxy on this machine that counts the bytes of each direction, whatever protocol they are, and may be as slow as a line
//! between two places.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::measure::now;

/// What is read at once, in bytes.
const BUFFER: usize = 256 * 1024;

/// Bytes that are on a slow line at a time, in pieces of [`BUFFER`].
const ON_LINE: usize = 64;

/// A line between two places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    /// How much passes in each direction, in megabits a second.
    pub(crate) mbit: u32,
    /// How long a bit takes from one end to the other, in ms.
    pub(crate) delay_ms: u32,
}

impl Line {
    fn delay(self) -> Duration {
        Duration::from_millis(u64::from(self.delay_ms))
    }
}

/// A running proxy; it stops when it is dropped.
pub(crate) struct Proxy {
    port: u16,
    counts: Arc<Counts>,
    _runtime: Runtime,
}

/// Bytes that went through, without the headers of TCP and IP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bytes {
    /// From who connected to who was connected to.
    pub(crate) up: u64,
    /// Back.
    pub(crate) down: u64,
}

#[derive(Default)]
struct Counts {
    up: Direction,
    down: Direction,
}

#[derive(Default)]
struct Direction {
    bytes: AtomicU64,
    /// When all that was sent so far has left; all connections share the line.
    free: Mutex<Option<Instant>>,
}

impl Direction {
    /// When the last of `len` more bytes arrives.
    fn arrival(&self, line: Line, len: usize) -> Instant {
        let takes = Duration::from_nanos(len as u64 * 8_000 / u64::from(line.mbit));
        let mut free = self.free.lock().expect("no panic holds it");
        let left = free.map_or(now(), |free| free.max(now())) + takes;
        *free = Some(left);
        left + line.delay()
    }
}

impl Proxy {
    /// Passes on to a port of this machine, from a free port of it.
    pub(crate) fn start(target: u16, line: Option<Line>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let port = listener.local_addr()?.port();
        let counts = Arc::new(Counts::default());
        let target = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, target));
        drop(runtime.spawn(accept(listener, target, Arc::clone(&counts), line)));
        Ok(Self { port, counts, _runtime: runtime })
    }

    /// Where to connect to.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What went through since the start or the last time this was asked.
    pub(crate) fn take(&self) -> Bytes {
        let [up, down] = [&self.counts.up, &self.counts.down].map(|way| way.bytes.swap(0, Ordering::SeqCst));
        Bytes { up, down }
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, counts: Arc<Counts>, line: Option<Line>) {
    while let Ok((near, _)) = listener.accept().await {
        let counts = Arc::clone(&counts);
        // One connection that breaks is seen by its two ends; the others go on.
        drop(tokio::spawn(async move { drop(join(near, target, &counts, line).await) }));
    }
}

async fn join(near: TcpStream, target: SocketAddr, counts: &Counts, line: Option<Line>) -> io::Result<()> {
    if let Some(line) = line {
        // There and back, as a connection takes to be made.
        tokio::time::sleep(line.delay() * 2).await;
    }
    let far = TcpStream::connect(target).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    tokio::try_join!(pass(near_in, far_out, &counts.up, line), pass(far_in, near_out, &counts.down, line))?;
    Ok(())
}

/// Counts before it passes on, so that what has arrived has been counted.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: &Direction, line: Option<Line>) -> io::Result<()> {
    let (sender, mut receiver) = mpsc::channel::<(Option<Instant>, Vec<u8>)>(ON_LINE);
    let read = async move {
        let mut buffer = vec![0; BUFFER];
        loop {
            let len = from.read(&mut buffer).await?;
            way.bytes.fetch_add(len as u64, Ordering::SeqCst);
            let arrival = line.map(|line| way.arrival(line, len));
            // An end that is gone is an error of the other half.
            if sender.send((arrival, buffer[..len].to_vec())).await.is_err() || len == 0 {
                return io::Result::Ok(());
            }
        }
    };
    let write = async move {
        while let Some((arrival, bytes)) = receiver.recv().await {
            if let Some(arrival) = arrival {
                tokio::time::sleep_until(arrival.into()).await;
            }
            to.write_all(&bytes).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(read, write).map(drop)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net;
    use std::thread;

    use super::*;

    #[test]
    fn each_direction_is_counted_and_nothing_is_changed() {
        let listener = net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap().port(), None).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            stream.read_to_end(&mut asked).unwrap();
            stream.write_all(b"fine").unwrap();
            asked
        });
        let mut client = net::TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
        let sent = vec![7; BUFFER + 1];
        client.write_all(&sent).unwrap();
        client.shutdown(net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert_eq!((answer.as_slice(), server.join().unwrap()), (&b"fine"[..], sent));
        assert_eq!(proxy.take(), Bytes { up: BUFFER as u64 + 1, down: 4 });
        assert_eq!(proxy.take(), Bytes::default());
    }
}
