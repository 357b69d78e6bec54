//! `segue`: hands a live AI coding session to a teammate.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = match segue::args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return segue::args::refuse(&error),
    };
    let output = segue::output::Output::new(&arguments.global);
    match segue::commands::run(&arguments, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output.fail(&error),
    }
}
