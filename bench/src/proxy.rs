//! A TCP proxy on this machine that counts the bytes of each direction, whatever protocol they are.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// What is read at once, in bytes.
const BUFFER: usize = 256 * 1024;

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
    up: AtomicU64,
    down: AtomicU64,
}

impl Proxy {
    /// Passes on to a port of this machine, from a free port of it.
    pub(crate) fn start(target: u16) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let port = listener.local_addr()?.port();
        let counts = Arc::new(Counts::default());
        let target = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, target));
        drop(runtime.spawn(accept(listener, target, Arc::clone(&counts))));
        Ok(Self { port, counts, _runtime: runtime })
    }

    /// Where to connect to.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What went through since the start or the last time this was asked.
    pub(crate) fn take(&self) -> Bytes {
        Bytes { up: self.counts.up.swap(0, Ordering::SeqCst), down: self.counts.down.swap(0, Ordering::SeqCst) }
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, counts: Arc<Counts>) {
    while let Ok((near, _)) = listener.accept().await {
        let counts = Arc::clone(&counts);
        // One connection that breaks is seen by its two ends; the others go on.
        drop(tokio::spawn(async move { drop(join(near, target, &counts).await) }));
    }
}

async fn join(near: TcpStream, target: SocketAddr, counts: &Counts) -> io::Result<()> {
    let far = TcpStream::connect(target).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    tokio::try_join!(pass(near_in, far_out, &counts.up), pass(far_in, near_out, &counts.down))?;
    Ok(())
}

/// Counts before it passes on, so that what has arrived has been counted.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, count: &AtomicU64) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let len = from.read(&mut buffer).await?;
        if len == 0 {
            return to.shutdown().await;
        }
        count.fetch_add(len as u64, Ordering::SeqCst);
        to.write_all(&buffer[..len]).await?;
    }
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
        let proxy = Proxy::start(listener.local_addr().unwrap().port()).unwrap();
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
