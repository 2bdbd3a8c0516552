//! The `countersign` binary: one arm per command.

use clap::CommandFactory as _;
use clap_complete::CompleteEnv;
use countersign::arguments::{Arguments, Command};
use countersign::commands::{
    approve, audit, cancel, claim, comment, completions, config, create, dashboard, doctor, events, evidence,
    execution, executor, explain, finish, gate, get, hold, hook, inbox, key, list, login, man, mcp,
    notifications, notify, observe, operations, outbox, permit, policy, reject, release, report, run, serve,
    simulate, start, token, verify, wait, webhooks, whoami, withdraw,
};
use countersign::error::CommandError;
use countersign::exit::{self, Style};
use countersign::hook::usage as hook_usage;
use countersign_core::text::{escaped_line, must_be_escaped};
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    // Ends here if it is a shell that asks what a line could go on with: an agent does not, whatever its environment says.
    if !hook_usage::is_hook(&words) {
        CompleteEnv::with_factory(Arguments::command).complete();
    }
    let style = Style::asked_for(&words);
    match Arguments::read(&words).map_err(|error| misread(&error, &words, style)).map(carry_out) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            exit::tell(&error, style);
            ExitCode::from(exit::code(error.kind()))
        }
        Err(code) => code,
    }
}

/// A line that makes no sense, said to whom it concerns: an agent takes it in its own form alone.
fn misread(error: &clap::Error, words: &[OsString], style: Style) -> ExitCode {
    hook_usage::refused(error, words).unwrap_or_else(|| usage(error, words, style))
}

/// Help and versions are printed; what cannot be parsed is an error. Both may name words of the command line,
/// which may be the text of another person.
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
        exit::tell(&CommandError::Usage(message), style);
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn carry_out(arguments: Arguments) -> Result<(), CommandError> {
    match arguments.command {
        Command::Serve(arguments) => serve::run(*arguments),
        Command::Token(arguments) => token::run(&arguments),
        Command::Policy(arguments) => policy::run(&arguments),
        Command::Outbox(arguments) => outbox::run(&arguments),
        Command::Webhooks(arguments) => webhooks::run(&arguments),
        Command::Notifications(arguments) => notifications::run(&arguments),
        Command::Notify(arguments) => notify::run(&arguments),
        Command::Permit(arguments) => permit::run(&arguments),
        Command::Key(arguments) => key::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Create(arguments) => create::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::List(arguments) => list::run(&arguments),
        Command::Gate(arguments) => gate::run(&arguments),
        Command::Get(arguments) => get::run(&arguments),
        Command::Wait(arguments) => wait::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Approve(arguments) => approve::run(&arguments),
        Command::Reject(arguments) => reject::run(&arguments),
        Command::Inbox(arguments) => inbox::run(&arguments),
        Command::Hold(arguments) => hold::run(&arguments),
        Command::Hook(arguments) => hook::run(&arguments),
        Command::Release(arguments) => release::run(&arguments),
        Command::Withdraw(arguments) => withdraw::run(&arguments),
        Command::Cancel(arguments) => cancel::run(&arguments),
        Command::Comment(arguments) => comment::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Events(arguments) => events::run(&arguments),
        Command::Evidence(arguments) => evidence::run(&arguments),
        Command::Start(arguments) => start::run(&arguments),
        Command::Execution(arguments) => execution::run(&arguments),
        Command::Claim(arguments) => claim::run(&arguments),
        Command::Observe(arguments) => observe::run(&arguments),
        Command::Finish(arguments) => finish::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Mcp(arguments) => mcp::run(&arguments),
        Command::Executor(arguments) => executor::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Operations(arguments) => operations::run(&arguments),
        Command::Whoami(arguments) => whoami::run(&arguments),
        Command::Dashboard(arguments) => dashboard::run(&arguments),
        Command::Login(arguments) => login::login(&arguments),
        Command::Logout(arguments) => login::logout(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments, Arguments::command()),
    }
}
