//! Where packs go: a small one is kept to travel with the manifest, a large one is sent while it is still being sealed.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread::{Scope, ScopedJoinHandle},
};

use segue_bundle::PackSink;
use segue_domain::{PackId, limits::PACKS_INLINE_BYTES_MAX};
use segue_signed::PackEntry;

use super::gate::Gate;
use crate::{
    error::{CliError, Exit, Result},
    home::{Home, Temporary},
    output::Output,
    progress::Progress,
    remote::{Remote, same_bytes},
    spool::{Spool, SpoolWriter},
};

/// Packs that wait to be sent, beside the one that is: what sealing may be ahead of the network, on disk.
const WAITING_MAX: usize = 1;

/// A pack that was not sent.
pub struct SmallPack {
    /// Its id.
    pub id: [u8; 16],
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Sends packs.
pub(super) struct UploadSink<'scope> {
    folder: Temporary,
    small: Vec<SmallPack>,
    open: Option<Open>,
    queue: SyncSender<Upload>,
    sent: Vec<PackEntry>,
    sender: ScopedJoinHandle<'scope, Result<Vec<segue_api::bundles::Pack>>>,
    // Whether sealing ended because sending had.
    unsent: bool,
}

enum Open {
    Small(SmallPack),
    Large(SpoolWriter),
}

struct Upload {
    id: PackId,
    spool: Arc<Spool>,
}

impl<'scope> UploadSink<'scope> {
    /// Spools below `home`, and sends to `remote` what may pass the `gate`, in a thread of its own, which connects at once if
    /// there is time to.
    pub(super) fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        remote: &'env Remote,
        home: &Home,
        output: &'env Output,
        gate: &'env Gate,
        early: bool,
    ) -> Result<Self> {
        let (queue, uploads) = sync_channel::<Upload>(WAITING_MAX);
        let progress = Arc::new(Progress::bytes(output, "sending"));
        let sender = scope.spawn(move || {
            if early {
                remote.connect();
            }
            let told = move |bytes| progress.moved(bytes);
            let send = |Upload { id, spool }| gate.pass().and_then(|()| remote.put_pack(id, &spool, &told));
            uploads.iter().map(send).collect()
        });
        Ok(Self {
            folder: home.temporary()?,
            small: Vec::new(),
            open: None,
            queue,
            sent: Vec::new(),
            sender,
            unsent: false,
        })
    }

    /// Waits until all is sent, and gives the packs that were not; nothing is waited for where all was not `sealed`.
    ///
    /// # Errors
    /// Why sending failed, in the words of the command line.
    pub(super) fn finish(self, sealed: bool) -> Result<Vec<SmallPack>> {
        let Self { small, open, queue, sent, sender, folder, unsent } = self;
        drop((open, queue));
        // What is of no use takes no room while the sender waits.
        let _kept = sealed.then_some(folder);
        let stored = match sender.join().expect("sending does not panic") {
            // Of a pack that sealing gave up: its error is the one to tell.
            Err(_) if !sealed && !unsent => return Ok(small),
            stored => stored?,
        };
        if sent.iter().zip(&stored).all(|(entry, stored)| same_bytes(stored, entry)) {
            return Ok(small);
        }
        Err(CliError::new(Exit::Network, "pack_hash", "the server stored other bytes than were sent")
            .hint("Try again."))
    }

    /// Begins to send what was kept so far.
    fn send(&mut self, pack: &SmallPack) -> io::Result<SpoolWriter> {
        let spool = Spool::new(self.folder.path().join(self.sent.len().to_string()));
        let mut writer = spool.writer()?;
        writer.write(&pack.bytes)?;
        let upload = Upload { id: PackId::from_bytes(pack.id), spool };
        self.queue.send(upload).map_err(|_| {
            self.unsent = true;
            io::Error::other("the packs before were not sent")
        })?;
        Ok(writer)
    }

    fn room(&self) -> usize {
        PACKS_INLINE_BYTES_MAX.saturating_sub(self.small.iter().map(|pack| pack.bytes.len()).sum())
    }
}

impl PackSink for UploadSink<'_> {
    fn begin(&mut self, id: [u8; 16]) -> io::Result<()> {
        self.open = Some(Open::Small(SmallPack { id, bytes: Vec::new() }));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = self.room();
        match self.open.take() {
            Some(Open::Small(mut pack)) => {
                pack.bytes.extend_from_slice(bytes);
                self.open =
                    Some(if pack.bytes.len() > room { Open::Large(self.send(&pack)?) } else { Open::Small(pack) });
            }
            Some(Open::Large(mut writer)) => {
                writer.write(bytes)?;
                self.open = Some(Open::Large(writer));
            }
            None => {}
        }
        Ok(())
    }

    fn backlog(&self) -> u64 {
        match &self.open {
            Some(Open::Large(writer)) => writer.unread(),
            _ => 0,
        }
    }

    fn finish(&mut self, entry: PackEntry) -> io::Result<()> {
        match self.open.take() {
            Some(Open::Small(pack)) => self.small.push(pack),
            Some(Open::Large(writer)) => {
                writer.complete();
                self.sent.push(entry);
            }
            None => {}
        }
        Ok(())
    }
}
