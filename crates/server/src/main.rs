//! The Segue server: accounts, handoffs and sealed packs. It sees ciphertext and cards only.

use std::process::ExitCode;

use segue_server::{config::sources, operate, start};

#[tokio::main]
#[expect(clippy::print_stderr, reason = "a server that cannot start says why, whether or not there is a log yet")]
async fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let loaded = match sources::load(&words) {
        Ok(loaded) => loaded,
        // Help is one of these.
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(1);
            return if error.print().is_ok() { ExitCode::from(code) } else { ExitCode::FAILURE };
        }
    };
    let done = match loaded.config.command.clone() {
        Some(command) => operate::run(&loaded, &command).await,
        None => start::run(loaded.config).await.map(|()| ExitCode::SUCCESS),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("segue-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}
