//! The `countersign` binary: one arm per command.

use countersign::arguments::{Arguments, Command};
use countersign::client::{command, config, decide, doctor, explain, inbox, login, manual, simulate};
use countersign::exit::Exit;
use countersign::{outbox, policy, serve, token, verify};
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let result = match Arguments::of_process().command {
        Command::Serve(arguments) => serve::run(*arguments).map_err(Exit::from),
        Command::Token(arguments) => token::run(&arguments),
        Command::Policy(arguments) => policy::run(&arguments),
        Command::Outbox(arguments) => outbox::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Create(arguments) => command::create(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::List(arguments) => command::list(&arguments),
        Command::Get(arguments) => command::get(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Approve(arguments) => decide::approve(&arguments),
        Command::Reject(arguments) => decide::reject(&arguments),
        Command::Inbox(arguments) => inbox::run(&arguments),
        Command::Withdraw(arguments) => command::withdraw(&arguments),
        Command::Cancel(arguments) => command::cancel(&arguments),
        Command::Comment(arguments) => command::comment(&arguments),
        Command::Events(arguments) => command::events(&arguments),
        Command::Start(arguments) => command::start(&arguments),
        Command::Finish(arguments) => command::finish(&arguments),
        Command::Whoami(arguments) => command::whoami(&arguments),
        Command::Login(arguments) => login::login(&arguments),
        Command::Logout(arguments) => login::logout(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Completions(arguments) => manual::completions(&arguments),
        Command::Man(arguments) => manual::pages(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            if !exit.message.is_empty() {
                // Nothing is left to do if even this cannot be written.
                let _ = writeln!(std::io::stderr(), "countersign: {exit}");
            }
            ExitCode::from(exit.code)
        }
    }
}
