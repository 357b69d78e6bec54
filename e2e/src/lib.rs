//! End-to-end tests: the real server, the real command line, the real tools.
//!
//! This library is what the tests and the demo stand on: people with a machine each, a server process, a model server
//! that answers by script, and the real tools, run against it.

pub mod claude;
pub mod conversation;
pub mod fault;
pub mod liar;
pub mod model_stub;
pub mod native;
pub mod person;
pub mod relay;
pub mod rig;
pub mod server;
pub mod showing;
#[cfg(target_os = "linux")]
pub mod small_disk;
pub mod story;
pub mod terminal;
pub mod wrong_clock;

pub use claude::Claude;
pub use model_stub::ModelStub;
