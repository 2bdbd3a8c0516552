//! A hook: one document on stdin, one answer, whatever happens in between.
//!
//! INVARIANT: an agent that is about to use a tool is answered in its own form and with exit 0, or the exit is 2 with a reason on
//! stderr. Nothing else ends the process before its limit.

use crate::aws;
use crate::error::CommandError;
use crate::hook::arguments::AskArguments;
use crate::hook::service;
use countersign_core::text::escaped_line;
use countersign_hook::agent::Agent;
use countersign_hook::answer::{self, Answer, Decision};
use countersign_hook::before::{self, Asked};
use countersign_hook::deadline::{self, Verdict};
use countersign_hook::deferral::Conversation;
use countersign_hook::refusal::Refusal;
use countersign_hook::tools::Tools;
use countersign_hook::{Notice, check, deferral, input, post};
use countersign_system::{private_file, text_file};
use countersign_tool_calls::{CallError, CallRecords, OpenError, Options, ToolCalls};
use std::cell::Cell;
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::time::Duration;

/// The largest document that is read after a use: results may be long.
const MAX_RESULT_BYTES: u64 = 64 * 1024 * 1024;
/// How long a closed request, or a call of which nothing is known, is what a repeated call is answered.
const REPLAY: Duration = Duration::from_secs(300);
/// The largest transcript that is read.
const MAX_TRANSCRIPT_BYTES: u64 = 16 * 1024 * 1024;

/// What a hook is to do.
#[derive(Debug, Clone)]
pub struct Hook {
    /// The agent.
    pub agent: Agent,
    /// Whether it reports what has happened.
    pub is_after: bool,
    /// After how long the agent ends it.
    pub limit: Duration,
    /// Whether a use that waits is put off.
    pub is_deferred: bool,
    /// Whether the agent goes by its own rules, too, where a tool may be used.
    pub keeps_own_rules: bool,
    /// The process that started it.
    pub parent: Option<rustix::process::Pid>,
    /// Whether it says what it would do, and lets nothing run.
    pub is_check: bool,
    /// What it asks for, and as whom.
    pub ask: AskArguments,
}

impl Hook {
    /// Answers.
    ///
    /// # Errors
    /// When the exit is not 0; all has been said then.
    pub fn run(self) -> Result<(), CommandError> {
        // The words of a panic may be those of the input.
        panic::set_hook(Box::new(|_| {}));
        let is_after = self.is_after;
        let answered = panic::catch_unwind(AssertUnwindSafe(|| self.answer()));
        end(answered.unwrap_or_else(|_| match is_after {
            true => 0,
            false => write(&Answer::last_resort(&Refusal::failed().notice())).1,
        }))
    }

    fn answer(self) -> u8 {
        let (agent, is_after, keeps_own_rules) = (self.agent, self.is_after, self.keeps_own_rules);
        let patience = deadline::patience(self.limit);
        let mut code = 0;
        deadline::race(
            patience,
            move |verdict| self.work(verdict),
            |decision| {
                let answer = match decision {
                    _ if is_after => after(agent, decision),
                    decision if keeps_own_rules => answer::under_own_rules(agent, decision),
                    decision => answer::before(agent, decision),
                };
                let (is_written, exit) = write(&answer);
                code = exit;
                if !is_written && !is_after {
                    let notice = match decision {
                        Decision::Refuse(notice) | Decision::Defer(notice) => notice.clone(),
                        Decision::Go => {
                            Refusal::unusable("the answer could not be written to stdout").notice()
                        }
                    };
                    code = write(&Answer::last_resort(&notice)).1;
                }
                is_written
            },
        );
        code
    }

    fn work(&self, verdict: &Verdict) -> Result<(), Box<Notice>> {
        if self.is_after {
            return self.report(verdict);
        }
        let bytes = read(io::stdin().lock(), input::members::MAX_BYTES as u64)?;
        let before = input::before(self.agent, &bytes).map_err(|refusal| refusal.notice())?;
        let place = self.ask.place(self.agent);
        let call = place.call(&self.tools()?, &before.tool_use).map_err(|refusal| refusal.notice())?;
        let calls = self.calls()?;
        if self.is_check {
            let simulation = calls.connection().simulate(&call.body());
            let simulation = simulation.map_err(|error| Box::new(CallError::Service(error).notice()))?;
            return Err(check::notice(&simulation));
        }
        let conversation = conversation();
        let transcript = Transcript::of(before.transcript.as_deref());
        let is_possible = || {
            transcript.has_grown()
                && deferral::is_possible(&before, &conversation, transcript.text().as_deref())
        };
        let is_meant = self.is_deferred
            && self.agent == Agent::Claude
            && deferral::may_become_possible(&before, &conversation);
        let may_be_put_off = is_meant.then_some(&is_possible as &dyn Fn() -> bool);
        let asked = Asked {
            place: &place,
            tool_use: &before.tool_use,
            call: &call,
            may_be_put_off,
            is_wanted: &|| self.has_parent(),
        };
        before::decide(&calls, &asked, verdict)
    }

    /// Whether the process that started the hook is still there: an agent that has killed its shell is answered by nothing.
    fn has_parent(&self) -> bool {
        rustix::process::getppid() == self.parent
    }

    fn report(&self, verdict: &Verdict) -> Result<(), Box<Notice>> {
        // What is said before a use, that nothing was run and that the same call may be made again, is not true any more.
        let with_next_step = |notice: Box<Notice>, next_step: &str| {
            Box::new(Notice { next_step: next_step.to_owned(), ..*notice })
        };
        let report = self.written_down().map_err(|notice| {
            with_next_step(notice, "its request stays `executing` until the lease of the execution ends")
        })?;
        match report {
            post::Report::Done => {
                verdict.decide(Decision::Go);
                Ok(())
            }
            post::Report::OtherArguments => Err(Box::new(Notice::new(
                "other_arguments",
                "the tool was run with other arguments than were approved, which is reported as a failure",
                "find out which hook, plugin or person has changed them",
            ))),
            // There was nothing to report of a use that was refused.
            post::Report::Later { ended: None, .. } => {
                verdict.decide(Decision::Go);
                Ok(())
            }
            post::Report::Later { ended: Some(is_as_approved), notice } => {
                let what =
                    if is_as_approved { "" } else { "it was run with other arguments than were approved; " };
                let later =
                    "its end is written down, and is reported after a later tool, once the service answers";
                Err(with_next_step(notice, &format!("{what}{later}")))
            }
        }
    }

    fn written_down(&self) -> Result<post::Report, Box<Notice>> {
        let bytes = read(io::stdin().lock(), MAX_RESULT_BYTES)?;
        let after = input::after(self.agent, &bytes).map_err(|refusal| refusal.notice())?;
        let place = self.ask.place(self.agent);
        post::report(self.records()?, &place, &after).map_err(|error| Box::new(error.notice()))
    }

    fn tools(&self) -> Result<Tools, Box<Notice>> {
        let file = service::tools_file(&self.ask);
        let Some(path) = file.map_err(|error| Refusal::unusable(error.to_string()).notice())? else {
            return Tools::read(None).map_err(|error| Refusal::unusable(error.to_string()).notice());
        };
        let fault = |error: String| {
            Refusal::unusable(format!("the file of tools, {}: {error}", text_file::shown(&path))).notice()
        };
        // What another user may write would lower what is demanded.
        private_file::check_trusted(&path).map_err(|error| fault(error.to_string()))?;
        let text = text_file::read_to_string(&path).map_err(|error| fault(error.to_string()))?;
        Tools::read(Some(&text)).map_err(|error| fault(error.to_string()))
    }

    fn calls(&self) -> Result<ToolCalls, Box<Notice>> {
        ToolCalls::of(self.records()?).map_err(unopened)
    }

    fn records(&self) -> Result<CallRecords, Box<Notice>> {
        let unusable = |error: String| Refusal::unusable(error).notice();
        let settings = service::settings(&self.ask).map_err(|error| unusable(error.to_string()))?;
        let options = Options {
            directory: self.ask.directory().map_err(|error| unusable(error.to_string()))?,
            as_human: self.ask.as_human,
            replay: REPLAY,
            dashboard_url: self.ask.dashboard_url.clone(),
        };
        CallRecords::open(&settings, aws::signer, options).map_err(unopened)
    }
}

fn unopened(error: OpenError) -> Box<Notice> {
    Box::new(error.notice())
}

/// The answer after a use: nothing can be refused any more, and what went wrong is a line for the operator.
fn after(agent: Agent, decision: &Decision) -> Answer {
    let answer = answer::after(agent);
    match decision {
        Decision::Refuse(notice) => Answer {
            stderr: format!(
                "countersign: the end of a tool is not reported as usual: {}\n",
                escaped_line(&notice.text())
            ),
            ..answer
        },
        Decision::Go | Decision::Defer(_) => answer,
    }
}

/// Everything that comes in, up to so many bytes. The rest is read too: an agent that cannot write its document to the end may
/// take that for a failure of its own.
fn read(mut stdin: impl Read, most: u64) -> Result<Vec<u8>, Box<Notice>> {
    let mut bytes = Vec::new();
    let fault = |_: io::Error| Refusal::unreadable("the input of the hook cannot be read").notice();
    stdin.by_ref().take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(fault)?;
    if bytes.len() as u64 > most {
        let rest = stdin.take(MAX_RESULT_BYTES);
        io::copy(&mut { rest }, &mut io::sink()).map_err(fault)?;
        return Err(Refusal::too_large(usize::try_from(most).unwrap_or(usize::MAX)).notice());
    }
    Ok(bytes)
}

/// What the environment says of the conversation.
fn conversation() -> Conversation {
    let variable = |name: &str| std::env::var_os(name).and_then(|value| value.into_string().ok());
    Conversation {
        entrypoint: variable("CLAUDE_CODE_ENTRYPOINT"),
        attended: variable("CLAUDE_CODE_SESSION_ATTENDED"),
    }
}

/// What Claude Code writes of the conversation, while it writes.
struct Transcript<'a> {
    path: Option<&'a Path>,
    /// How long it was when it was last looked at.
    seen: Cell<Option<u64>>,
}

impl<'a> Transcript<'a> {
    fn of(path: Option<&'a str>) -> Self {
        Self { path: path.map(Path::new), seen: Cell::new(None) }
    }

    /// Whether there is more of it than at the last look.
    fn has_grown(&self) -> bool {
        let metadata = self.path.and_then(|path| std::fs::metadata(path).ok());
        let length = metadata.filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
        length.is_some() && self.seen.replace(length) != length
    }

    /// All of it; nothing if it cannot be read as a whole.
    fn text(&self) -> Option<String> {
        let path =
            self.path.filter(|_| self.seen.get().is_some_and(|length| length <= MAX_TRANSCRIPT_BYTES))?;
        std::fs::read_to_string(path).ok()
    }
}

/// Writes an answer; gives whether stdout has all of it, and the exit code.
pub(super) fn write(answer: &Answer) -> (bool, u8) {
    // Nothing is left to do if even this cannot be written.
    let _ = io::stderr().lock().write_all(answer.stderr.as_bytes());
    if answer.stdout.is_empty() {
        return (true, answer.code);
    }
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(answer.stdout.as_bytes()).and_then(|()| stdout.flush());
    (written.is_ok() && !is_nowhere(), answer.code)
}

/// Whether stdout is the null device: so it is, too, if the process was started without one.
fn is_nowhere() -> bool {
    let Ok(stdout) = rustix::fs::fstat(io::stdout()) else { return true };
    std::fs::metadata("/dev/null").is_ok_and(|null| {
        null.file_type().is_char_device() && null.rdev() == stdout.st_rdev && null.ino() == stdout.st_ino
    })
}

/// The end of the process.
pub(super) fn end(code: u8) -> Result<(), CommandError> {
    match code {
        0 => Ok(()),
        code => Err(CommandError::Command { code, message: String::new() }),
    }
}
