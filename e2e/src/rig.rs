//! Ann and Ben on a server that is ended, started again and cut off while they work.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::SystemTime,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    fault::Fault,
    person::Person,
    relay::{Relay, Way},
    server::{Options, Server, program, wrapped},
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
    place: Place,
}

/// Where servers are started.
struct Place {
    relay: Relay,
    data: PathBuf,
    wrapper: Vec<OsString>,
}

impl Rig {
    /// A fresh server and two people who have joined it, all below `root`.
    pub fn begin(root: &Path) -> Result<Self> {
        let relay = Relay::start()?;
        let mut rig = Self {
            relay: relay.clone(),
            ann: Person::new(&root.join("ann"))?,
            ben: Person::new(&root.join("ben"))?,
            server: None,
            place: Place { relay, data: root.join("server"), wrapper: Vec::new() },
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
        self.server = Some(self.place.start(Vec::new())?);
        Ok(())
    }

    /// Ends the server without a warning.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// The same with other words before each program of the server from now on.
    pub fn restart_under(&mut self, wrapper: Vec<OsString>) -> Result<()> {
        self.server = None;
        self.place.wrapper = wrapper;
        self.restart()
    }

    /// Works while a server serves that meets `fault`; when that ends, another takes its place at once. Says whether it
    /// was met. Afterwards, a server that meets nothing serves.
    pub fn with_fault<T>(&mut self, fault: &Fault, work: impl FnOnce(&Person, &Person) -> T) -> Result<(T, bool)> {
        self.server = None;
        let log = self.place.data.with_extension("strace");
        let Ok(faulty) = self.place.start(fault.wrapper(&log)) else {
            self.restart()?;
            return Ok((work(&self.ann, &self.ben), true));
        };
        let done = self.replacing(faulty, |ann, ben| (work(ann, ben), Fault::was_met(&log)))?;
        Ok((done.0, done.1?))
    }

    /// Works while the server is killed once so many bytes have gone one way; another takes its place at once.
    pub fn with_kill_after<T>(&mut self, way: Way, bytes: u64, work: impl FnOnce(&Person, &Person) -> T) -> Result<T> {
        let server = self.server.take().context("no server runs")?;
        let (relay, id) = (self.place.relay.clone(), server.id());
        self.replacing(server, |ann, ben| relay.signal_after(way, bytes, ("KILL", id), || work(ann, ben)))
    }

    fn replacing<T>(&mut self, mut server: Server, work: impl FnOnce(&Person, &Person) -> T) -> Result<T> {
        let end = server.end()?;
        // None: nobody is wanted in its place any more.
        let next = Mutex::new(Some(None));
        let place = &self.place;
        let done = thread::scope(|scope| -> Result<T> {
            let replace = scope.spawn(|| -> Result<()> {
                end.wait()?;
                if let Some(next) = &mut *next.lock().unwrap_or_else(PoisonError::into_inner) {
                    *next = Some(place.start(Vec::new())?);
                }
                Ok(())
            });
            let done = work(&self.ann, &self.ben);
            self.server = next.lock().unwrap_or_else(PoisonError::into_inner).take().flatten();
            drop(server);
            replace.join().expect("starting a server does not panic")?;
            Ok(done)
        })?;
        if self.server.is_none() {
            self.restart()?;
        }
        Ok(done)
    }

    /// The running server.
    pub fn server(&self) -> Result<&Server> {
        self.server.as_ref().context("no server runs")
    }

    /// Where the server keeps what it keeps.
    pub fn data(&self) -> &Path {
        &self.place.data
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
        age(&self.place.data.join("packs"))?;
        self.operate(&["check", "--repair", "--read-data"])?;
        self.operate(&["check", "--read-data"])
    }

    fn operate(&self, words: &[&str]) -> Result<()> {
        let mut program = wrapped(&self.place.wrapper, program("segue-server")?);
        let output = program.arg("--data").arg(&self.place.data).args(words).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{words:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

impl Place {
    fn start(&self, more: Vec<OsString>) -> Result<Server> {
        let wrapper = self.wrapper.iter().cloned().chain(more).collect();
        let server = Server::start(&self.data, &Options { wrapper, ..Options::default() })?;
        self.relay.lead_to(server.url())?;
        Ok(server)
    }
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
