//! What is done for a chat while its code is typed: it is read for its view, and sealed. Nothing of it leaves this machine before
//! its view was taken.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver},
    },
    thread::{Scope, ScopedJoinHandle},
};

use segue_formats::{Env, Found};

use super::scene::Chat;
use crate::{
    capture::Capture,
    error::Result,
    resolve::with_record,
    upload::{Basis, Drafted, Gate, Keeper, Uploader},
};

/// A chat that is being read and sealed. Dropped, it is given up.
pub(super) struct Ahead<'scope> {
    read: Receiver<Result<(Chat, Arc<Capture>)>>,
    sealing: Sealing<'scope>,
}

/// One that was read, and is being sealed.
pub(super) struct Sealing<'scope> {
    drafting: ScopedJoinHandle<'scope, Result<Option<Drafted>>>,
    keeper: Keeper,
    failed: Arc<AtomicBool>,
}

impl<'scope> Ahead<'scope> {
    /// Begins.
    pub(super) fn begin<'env>(
        scope: &'scope Scope<'scope, 'env>,
        uploader: &'env Uploader<'_>,
        tools: Env,
        found: Found,
    ) -> Self {
        let ((gate, keeper), (done, read)) = (Gate::closed(), mpsc::channel());
        let failed = Arc::new(AtomicBool::new(false));
        let has_failed = Arc::clone(&failed);
        let drafting = scope.spawn(move || {
            let chat = Chat::read(&tools, found.clone()).map(|(chat, capture)| (chat, Arc::new(capture)));
            let capture = chat.as_ref().ok().map(|(_, capture)| Arc::clone(capture));
            // Whoever is not told any more has given it up.
            let (Ok(()), Some(capture)) = (done.send(chat), capture) else { return Ok(None) };
            let record = with_record(&uploader.library.records()?, found).record;
            let basis = Basis::of(&uploader.library, record.as_ref())?;
            let drafted = uploader.draft(&gate, &mut capture.into(), basis);
            has_failed.store(drafted.is_err(), Ordering::SeqCst);
            drafted.map(Some)
        });
        Self { read, sealing: Sealing { drafting, keeper, failed } }
    }

    /// Waits until it is read.
    pub(super) fn read(self) -> Result<(Chat, Arc<Capture>, Sealing<'scope>)> {
        let (chat, capture) = self.read.recv().expect("reading a chat does not panic")?;
        Ok((chat, capture, self.sealing))
    }
}

impl Sealing<'_> {
    /// Whether it cannot be sealed as it was read.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// Lets it go, and waits until all that is large is sent. None where that failed: why may have passed meanwhile.
    pub(super) fn go(self) -> Option<Drafted> {
        self.keeper.open();
        self.drafting.join().expect("sealing does not panic").ok().flatten()
    }
}
