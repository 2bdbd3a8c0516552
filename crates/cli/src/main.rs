//! The `countersign` binary: one arm per command.

use countersign::arguments::{Arguments, Command};
use countersign::client::{
    command, complete, config, decide, doctor, explain, inbox, login, manual, operations, simulate,
};
use countersign::exit::{Exit, Style};
use countersign::{outbox, policy, serve, token, verify};
use countersign_core::text::{escaped_line, must_be_escaped};
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Ends here if it is a shell that asks what a line could go on with.
    complete::answer_shell();
    let words: Vec<_> = std::env::args_os().collect();
    let style = Style::asked_for(&words);
    match Arguments::read(&words).map_err(|error| usage(&error, &words, style)).map(run) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(exit)) => {
            exit.tell(style);
            ExitCode::from(exit.code)
        }
        Err(code) => code,
    }
}

/// Help and versions are printed; what makes no sense is told. Both may name words of the command line,
/// which may be somebody else's text.
fn usage(error: &clap::Error, words: &[OsString], style: Style) -> ExitCode {
    let rendered = error.render().to_string();
    // A word with line breaks in it would make lines of its own.
    let broken = words.iter().map(|word| word.to_string_lossy()).filter(|word| word.contains('\n'));
    let text = broken.fold(rendered.clone(), |text, word| text.replace(&*word, &escaped_line(&word)));
    let is_plain = text == rendered && text.chars().all(|c| c == '\n' || !must_be_escaped(c));
    if !error.use_stderr() || (style == Style::Text && is_plain) {
        // Nothing is left to do if it cannot be written.
        let _ = error.print();
    } else {
        let message = text.trim_end().trim_start_matches("error: ").to_owned();
        Exit::usage(message).tell(style);
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn run(arguments: Arguments) -> Result<(), Exit> {
    match arguments.command {
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
        Command::Operations(arguments) => operations::run(&arguments),
        Command::Whoami(arguments) => command::whoami(&arguments),
        Command::Login(arguments) => login::login(&arguments),
        Command::Logout(arguments) => login::logout(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Completions(arguments) => manual::completions(&arguments),
        Command::Man(arguments) => manual::pages(&arguments),
    }
}
