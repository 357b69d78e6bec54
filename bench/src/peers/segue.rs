//! Segue as it is built for people: TLS, authentication, a durable database; sealed, stored, claimed, verified.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Peer, Sender};
use crate::proxy::{Bytes, Proxy};
use crate::stage::{Stage, Way, native_id};

pub(super) struct Segue {
    stage: Stage,
}

impl Segue {
    pub(super) fn begin(root: &Path, way: Way) -> Result<Self> {
        Ok(Self { stage: Stage::begin(root, true, way)? })
    }

    pub(super) fn sender(&self) -> Sender {
        Sender { claude_dir: self.stage.ann.home().join(".claude"), work: self.stage.ann.work() }
    }
}

impl Peer for Segue {
    fn name(&self) -> &'static str {
        "segue handoff + pull-handoff"
    }

    fn servers(&self) -> Vec<u32> {
        vec![self.stage.server.id()]
    }

    fn hand_over(&self, session: &Path, _round: u64) -> Result<PathBuf> {
        self.stage.hand_over(native_id(session)?)
    }

    /// What was received stays, as it does at people's: the next session is another one.
    fn tidy(&self) -> Result<()> {
        Ok(())
    }

    fn take(&self) -> Option<Bytes> {
        self.stage.proxy.as_ref().map(Proxy::take)
    }
}
