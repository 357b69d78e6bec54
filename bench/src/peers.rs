//! The ways to bring a session file from one person's machine to another's.

mod scp;
mod segue;
mod wormhole;

use std::path::{Path, PathBuf};

use anyhow::Result;

pub(crate) use self::wormhole::{Compress, Wormhole};
use crate::proxy::Bytes;
use crate::stage::Way;

/// A way, with its servers running and everything that is done once already done.
pub(crate) trait Peer {
    /// What it is called in tables.
    fn name(&self) -> &'static str;
    /// The processes of its servers.
    fn servers(&self) -> Vec<u32>;
    /// Brings the session over, from the sender's command to the bytes on the receiver's disk; the path of those.
    /// `round` is another one each time.
    fn hand_over(&self, session: &Path, round: u64) -> Result<PathBuf>;
    /// Removes what the last handing over left behind, outside the time that counts.
    fn tidy(&self) -> Result<()>;
    /// What went through its proxies since this was last asked; `None` where it has none.
    fn take(&self) -> Option<Bytes>;
}

/// All of them, `segue` first, which alone knows where the sender's sessions are; and that place.
pub(crate) fn all(root: &Path, way: Way) -> Result<(Vec<Box<dyn Peer>>, Sender)> {
    let segue = segue::Segue::begin(&root.join("segue"), way)?;
    let sender = segue.sender();
    let peers: Vec<Box<dyn Peer>> = vec![
        Box::new(segue),
        Box::new(Wormhole::begin(&root.join("wormhole"), way, Compress::Not)?),
        Box::new(Wormhole::begin(&root.join("zstd-wormhole"), way, Compress::Zstd)?),
        Box::new(scp::Scp::begin(&root.join("scp"), way, scp::Hops::Push)?),
        Box::new(scp::Scp::begin(&root.join("scp-store"), way, scp::Hops::PushAndPull)?),
    ];
    Ok((peers, sender))
}

/// Where the sender's sessions are.
#[derive(Debug)]
pub(crate) struct Sender {
    /// Their `~/.claude`.
    pub(crate) claude_dir: PathBuf,
    /// Where they work.
    pub(crate) work: PathBuf,
}
