//! `scp` over an `sshd` of our own on this machine, with a key: one hop to the receiver, or two by way of a store.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::Peer;
use crate::measure::{Daemon, free_port, run};
use crate::proxy::{Bytes, Proxy};
use crate::stage::Way;
use crate::tools;

/// How the file travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hops {
    /// Straight onto the receiver's disk; it must be reachable.
    Push,
    /// To a store, and from there when the receiver asks, as Segue does.
    PushAndPull,
}

pub(super) struct Scp {
    root: PathBuf,
    hops: Hops,
    sshd: Daemon,
    proxy: Option<Proxy>,
    options: Vec<String>,
    host: String,
}

impl Scp {
    pub(super) fn begin(root: &Path, way: Way, hops: Hops) -> Result<Self> {
        fs::create_dir_all(root)?;
        let (sshd, port) = (tools::sshd()?, free_port()?);
        let (host_key, own_key) = (root.join("host_key"), root.join("own_key"));
        for key in [&host_key, &own_key] {
            run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(key))?;
        }
        fs::copy(own_key.with_extension("pub"), root.join("authorized_keys"))?;
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\n\
             StrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n",
            host_key.display(),
            root.join("authorized_keys").display()
        );
        fs::write(root.join("sshd_config"), config)?;
        if tools::user()? == "root" {
            // Where the unprivileged half of sshd lives; the service's unit makes it elsewhere.
            fs::create_dir_all("/run/sshd")?;
        }
        let sshd = Daemon::start(Command::new(sshd).args(["-D", "-f"]).arg(root.join("sshd_config")), port)?;
        let proxy = way.proxy(port)?;
        let through = proxy.as_ref().map_or(port, Proxy::port);
        let settings = [
            format!("Port={through}"),
            format!("IdentityFile={}", own_key.display()),
            "IdentitiesOnly=yes".to_owned(),
            "StrictHostKeyChecking=no".to_owned(),
            "UserKnownHostsFile=/dev/null".to_owned(),
            "LogLevel=ERROR".to_owned(),
        ];
        let options = settings.into_iter().flat_map(|setting| ["-o".to_owned(), setting]).collect();
        let host = format!("{}@127.0.0.1", tools::user()?);
        Ok(Self { root: root.to_owned(), hops, sshd, proxy, options, host })
    }

    /// `scp` without the machine's own settings.
    fn scp(&self) -> Command {
        let mut command = Command::new("scp");
        command.args(["-q", "-F", "none"]).args(&self.options);
        command
    }
}

impl Peer for Scp {
    fn name(&self) -> &'static str {
        match self.hops {
            Hops::Push => "scp, one hop",
            Hops::PushAndPull => "scp to a store, scp from it",
        }
    }

    fn servers(&self) -> Vec<u32> {
        vec![self.sshd.id()]
    }

    fn hand_over(&self, session: &Path, _round: u64) -> Result<PathBuf> {
        let (first, second) = (self.root.join("round/first.jsonl"), self.root.join("round/second.jsonl"));
        fs::create_dir_all(self.root.join("round"))?;
        run(self.scp().arg(session).arg(format!("{}:{}", self.host, first.display())))?;
        if self.hops == Hops::Push {
            return Ok(first);
        }
        run(self.scp().arg(format!("{}:{}", self.host, first.display())).arg(&second))?;
        Ok(second)
    }

    fn tidy(&self) -> Result<()> {
        Ok(fs::remove_dir_all(self.root.join("round"))?)
    }

    fn take(&self) -> Option<Bytes> {
        self.proxy.as_ref().map(Proxy::take)
    }
}
