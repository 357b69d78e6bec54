//! Ann and Ben on a server that is ended, started again and cut off while they work.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
    thread,
    time::SystemTime,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    fault::Fault,
    person::Person,
    relay::Relay,
    server::{Options, Server, program},
    story::{ANN, BEN, invite},
};

/// Two people, a relay between them and a server, and the server.
pub struct Rig {
    /// What everything goes through.
    pub relay: Relay,
    /// Who hands over.
    pub ann: Person,
    /// Who is handed to.
    pub ben: Person,
    server: Option<Server>,
    data: PathBuf,
}

impl Rig {
    /// A fresh server and two people who have joined it, all below `root`.
    pub fn begin(root: &Path) -> Result<Self> {
        let mut rig = Self {
            relay: Relay::start()?,
            ann: Person::new(&root.join("ann"))?,
            ben: Person::new(&root.join("ben"))?,
            server: None,
            data: root.join("server"),
        };
        rig.restart()?;
        let link = rig.server()?.owner_link().context("the server printed no owner link")?;
        let link = link.replace(rig.server()?.url(), rig.relay.url());
        rig.ann.json(&["join", &link, "--email", ANN, "--name", "Ann"])?;
        invite(&rig.ann, &rig.ben, BEN)?;
        Ok(rig)
    }

    /// Ends the server without a warning, if one runs, and starts one on the same data.
    pub fn restart(&mut self) -> Result<()> {
        self.server = None;
        let server = start(&self.data, &self.relay, None)?;
        self.server = Some(server);
        Ok(())
    }

    /// Works while a server serves that meets `fault`; when that ends, another takes its place at once. Says whether it
    /// was met. Afterwards, a server that meets nothing serves.
    pub fn with_fault<T>(&mut self, fault: &Fault, work: impl FnOnce(&Person, &Person) -> T) -> Result<(T, bool)> {
        self.server = None;
        let Ok(mut faulty) = start(&self.data, &self.relay, Some(fault)) else {
            self.restart()?;
            return Ok((work(&self.ann, &self.ben), true));
        };
        let end = faulty.end()?;
        // None: nobody is wanted in its place any more.
        let next = Mutex::new(Some(None));
        let (data, relay) = (&self.data, &self.relay);
        let (done, met) = thread::scope(|scope| -> Result<(T, bool)> {
            let replace = scope.spawn(|| -> Result<()> {
                end.wait()?;
                if let Some(next) = &mut *next.lock().unwrap_or_else(PoisonError::into_inner) {
                    *next = Some(start(data, relay, None)?);
                }
                Ok(())
            });
            let done = work(&self.ann, &self.ben);
            let server = next.lock().unwrap_or_else(PoisonError::into_inner).take().flatten();
            self.server = server;
            let met = Fault::was_met(&data.with_extension("strace"))?;
            drop(faulty);
            replace.join().expect("starting a server does not panic")?;
            Ok((done, met))
        })?;
        if self.server.is_none() {
            self.restart()?;
        }
        Ok((done, met))
    }

    /// The running server.
    pub fn server(&self) -> Result<&Server> {
        self.server.as_ref().context("no server runs")
    }

    /// Where the server keeps what it keeps.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Nothing on the server disagrees, and it did not panic.
    pub fn check(&self) -> Result<()> {
        self.operate(&["check"])?;
        let log = self.server()?.log()?;
        ensure!(!log.contains("panicked"), "the server panicked: {log}");
        Ok(())
    }

    /// As [`check`](Self::check), an hour later and with all packs read: only stored bytes that no row names may be too many.
    pub fn check_later(&self) -> Result<()> {
        self.check()?;
        age(&self.data.join("packs"))?;
        self.operate(&["check", "--repair", "--read-data"])?;
        self.operate(&["check", "--read-data"])
    }

    fn operate(&self, words: &[&str]) -> Result<()> {
        let output = Command::new(program("segue-server")?).arg("--data").arg(&self.data).args(words).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{words:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

fn start(data: &Path, relay: &Relay, fault: Option<&Fault>) -> Result<Server> {
    let wrapper = fault.map(|fault| fault.wrapper(&data.with_extension("strace"))).unwrap_or_default();
    let server = Server::start(data, &Options { wrapper, ..Options::default() })?;
    relay.lead_to(server.url())?;
    Ok(server)
}

/// Dates all files below a folder back by two hours.
fn age(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            age(&entry.path())?;
        } else {
            let file = fs::File::options().write(true).open(entry.path())?;
            let before = file.metadata()?.modified()?.checked_sub(std::time::Duration::from_hours(2));
            file.set_modified(before.unwrap_or(SystemTime::UNIX_EPOCH))?;
        }
    }
    Ok(())
}
