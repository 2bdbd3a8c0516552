//! The `countersign` binary: one arm per command.

use clap::Parser as _;
use countersign::arguments::{Arguments, Command};
use countersign::exit::Exit;
use countersign::{outbox, serve, token};
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Serve(arguments) => serve::run(*arguments).map_err(Exit::from),
        Command::Token(arguments) => token::run(&arguments).map_err(Exit::from),
        Command::Outbox(arguments) => outbox::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            // Nothing is left to do if even this cannot be written.
            let _ = writeln!(std::io::stderr(), "countersign: {exit}");
            ExitCode::from(exit.code)
        }
    }
}
