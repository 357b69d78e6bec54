//! The Segue server: accounts, handoffs and sealed packs. It sees ciphertext and cards only.

use std::process::ExitCode;

use clap::Parser as _;
use segue_server::{config::Config, operate, start};

#[tokio::main]
#[expect(clippy::print_stderr, reason = "a server that cannot start says why, whether or not there is a log yet")]
async fn main() -> ExitCode {
    let config = Config::parse();
    let done = match config.command.clone() {
        Some(command) => operate::run(&config, &command).await,
        None => start::run(config).await.map(|()| ExitCode::SUCCESS),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("segue-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}
