//! The Segue server: accounts, handoffs and sealed packs. It sees ciphertext and cards only.

use std::process::ExitCode;

use clap::Parser as _;
use segue_server::{config::Config, start};

#[tokio::main]
#[expect(clippy::print_stderr, reason = "a server that cannot start says why, whether or not there is a log yet")]
async fn main() -> ExitCode {
    match start::run(Config::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("segue-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}
