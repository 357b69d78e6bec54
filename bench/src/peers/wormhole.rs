//! Magic Wormhole (the Rust client), with a mailbox and a relay on this machine. Both ends must be there at once and
//! nothing is stored. Timed, it connects directly, which is its fastest; counted, all of it goes through the relay.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use segue_e2e::fault::signal;

use super::Peer;
use crate::measure::{Daemon, checked, free_port, run, timed, typing};
use crate::proxy::{Bytes, Proxy};
use crate::stage::Way;
use crate::tools;

/// Whether the file is compressed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compress {
    Not,
    /// `zstd -3 -T2`, and `zstd -d` at the other end.
    Zstd,
}

pub(crate) struct Wormhole {
    program: PathBuf,
    root: PathBuf,
    compress: Compress,
    mailbox: Daemon,
    relay: Daemon,
    proxies: Vec<Proxy>,
    /// Where the clients find the mailbox and the relay.
    options: Vec<String>,
}

impl Wormhole {
    pub(crate) fn begin(root: &Path, way: Way, compress: Compress) -> Result<Self> {
        fs::create_dir_all(root)?;
        let (twist, mailbox_port, relay_port) = (tools::twist()?, free_port()?, free_port()?);
        let serve = |plugin: &str, port: u16| {
            let mut command = Command::new(&twist);
            command.current_dir(root).arg(plugin).arg(format!("--port=tcp:{port}:interface=127.0.0.1"));
            Daemon::start(&mut command, port)
        };
        let (mailbox, relay) = (serve("wormhole-mailbox", mailbox_port)?, serve("transitrelay", relay_port)?);
        let (mut proxies, mut ports) = (Vec::new(), [mailbox_port, relay_port]);
        for port in &mut ports {
            if let Some(proxy) = way.proxy(*port)? {
                *port = proxy.port();
                proxies.push(proxy);
            }
        }
        let options = vec![
            format!("--rendezvous-server=ws://127.0.0.1:{}/v1", ports[0]),
            format!("--relay-server=tcp://127.0.0.1:{}", ports[1]),
            if way == Way::Direct { "--force-direct" } else { "--force-relay" }.to_owned(),
        ];
        Ok(Self { program: tools::wormhole()?, root: root.to_owned(), compress, mailbox, relay, proxies, options })
    }

    /// As people use it between two devices: the sender shows its code and waits. How long the receiver takes that is given it.
    pub(crate) fn receive(&self, session: &Path, round: u64) -> Result<(PathBuf, Duration)> {
        let (inbox, code) = (self.root.join("received"), code(round));
        fs::create_dir_all(&inbox)?;
        let mut sending = self.client("send").args(["--no-qr", "--code", &code]).arg(session).spawn()?;
        let mut said = BufReader::new(sending.stdout.take().context("it has no standard output")?).lines();
        let shown = said.by_ref().map_while(Result::ok).any(|line| line.contains(&code));
        ensure!(shown, "wormhole-rs send shows no code");
        typing();
        let sender = sending.id();
        let ((got, watching), wall) = timed(|| {
            let receiving = self.client("receive").args(["--noconfirm", "--out-dir"]).arg(&inbox).arg(&code).spawn()?;
            let receiver = receiving.id();
            let watching = thread::spawn(move || {
                // It is read to its end, as a sender that nobody listens to fails.
                said.for_each(drop);
                let sent = checked("wormhole-rs send", sending.wait_with_output()?);
                if sent.is_err() {
                    // Its receiver would wait for ever.
                    drop(signal("KILL", receiver));
                }
                sent
            });
            Ok((receiving.wait_with_output()?, watching))
        })?;
        if !got.status.success() {
            // Its sender would wait for ever.
            drop(signal("KILL", sender));
        }
        watching.join().map_err(|_| anyhow!("watching the sender panicked"))??;
        checked("wormhole-rs receive", got)?;
        Ok((inbox.join(session.file_name().context("a file has a name")?), wall))
    }

    fn client(&self, what: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(what).args(&self.options).current_dir(&self.root).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

impl Peer for Wormhole {
    fn name(&self) -> &'static str {
        match self.compress {
            Compress::Not => "wormhole-rs",
            Compress::Zstd => "zstd -3 -T2, wormhole-rs, zstd -d",
        }
    }

    fn servers(&self) -> Vec<u32> {
        vec![self.mailbox.id(), self.relay.id()]
    }

    fn hand_over(&self, session: &Path, round: u64) -> Result<PathBuf> {
        let (outbox, inbox) = (self.root.join("round/sent"), self.root.join("round/received"));
        fs::create_dir_all(&outbox)?;
        fs::create_dir_all(&inbox)?;
        let code = code(round);
        // The receiver waits before the sender begins, as a person who was told to would.
        let mut receive = self.client("receive");
        let receiving = receive.args(["--noconfirm", "--out-dir"]).arg(&inbox).arg(&code).spawn()?;
        let mut sent = session.to_owned();
        if self.compress == Compress::Zstd {
            sent = outbox.join("session.jsonl.zst");
            run(Command::new("zstd").args(["-3", "-T2", "-q"]).arg(session).arg("-o").arg(&sent))?;
        }
        let name = sent.file_name().context("a file has a name")?.to_owned();
        let sending = self.client("send").args(["--no-qr", "--code", &code]).arg(&sent).output()?;
        // A failed send leaves a receiver that waits for ever: say which failed first.
        let sending = checked("wormhole-rs send", sending);
        let got = if sending.is_ok() { receiving.wait_with_output()? } else { ended(receiving)? };
        sending?;
        checked("wormhole-rs receive", got)?;
        let mut received = inbox.join(name);
        if self.compress == Compress::Zstd {
            let whole = inbox.join("session.jsonl");
            run(Command::new("zstd").args(["-d", "-q"]).arg(&received).arg("-o").arg(&whole))?;
            received = whole;
        }
        Ok(received)
    }

    fn tidy(&self) -> Result<()> {
        Ok(fs::remove_dir_all(self.root.join("round"))?)
    }

    fn take(&self) -> Option<Bytes> {
        let taken = self.proxies.iter().map(Proxy::take);
        taken.reduce(|one, other| Bytes { up: one.up + other.up, down: one.down + other.down })
    }
}

/// One that no other round has. The client refuses passwords that could be guessed.
fn code(round: u64) -> String {
    format!("{}-crossover-clockwork-{:x}", round + 10, round.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn ended(mut child: std::process::Child) -> Result<std::process::Output> {
    child.kill()?;
    Ok(child.wait_with_output()?)
}
