//! What happens before a tool is used: asked for, waited for, and its approval spent before the agent may go on.

use crate::answer::Decision;
use crate::call::Place;
use crate::deadline::Verdict;
use crate::refusal::Refusal;
use crate::tool_use::ToolUse;
use countersign_agents::notice::Notice;
use countersign_tool_calls::{Begun, CallError, EndingCall, Standing, ToolCall, ToolCalls, WaitingCall};
use std::fmt;
use std::time::{Duration, Instant};

/// How long until a service that could not be reached is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// For how long it is looked for that a use may be put off, and how often. After that it is looked at with each news of the request.
const SETTLING: Duration = Duration::from_secs(10);
const LOOKING: Duration = Duration::from_millis(100);
/// What is reported of a call whose agent was refused, or could not be answered.
const NOT_ANSWERED: &str = "the agent could not be answered in time";

/// What a use is asked for with.
pub struct Asked<'a> {
    /// The place.
    pub place: &'a Place,
    /// The use.
    pub tool_use: &'a ToolUse,
    /// The call of it.
    pub call: &'a ToolCall,
    /// Whether a use that waits may be put off by now; nothing if none is to be.
    pub may_be_put_off: Option<&'a dyn Fn() -> bool>,
    /// Whether the agent still waits for the answer.
    pub is_wanted: &'a dyn Fn() -> bool,
}

impl fmt::Debug for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("tool_use", self.tool_use).finish_non_exhaustive()
    }
}

/// Asks, waits until the verdict is due, and decides. A refusal is decided by the caller if this gives an error.
///
/// # Errors
/// Why the use is refused.
pub fn decide(calls: &ToolCalls, asked: &Asked<'_>, verdict: &Verdict) -> Result<(), Box<Notice>> {
    let began = Instant::now();
    let refused = |error: CallError| Box::new(error.notice());
    let mut waiting = match calls.begin(asked.call).map_err(refused)? {
        Begun::Waiting(waiting) => *waiting,
        Begun::Unknown(notice) => return Err(Box::new(notice)),
        // Results are kept for callers that can be given them, and no agent takes one from a hook.
        Begun::Kept(_) => {
            return Err(Refusal::unusable("the directory of calls is not one of hooks").notice());
        }
    };
    loop {
        // No approval is spent for an agent that is gone, and the same call again goes on with the request.
        if !(asked.is_wanted)() {
            return Err(Refusal::unusable("the agent does not wait for the answer any more").notice());
        }
        match waiting.standing() {
            Standing::Approved => return start(calls, waiting, asked, verdict),
            Standing::Over => return Err(Box::new(waiting.notice())),
            Standing::Pending => {}
        }
        let notice = Box::new(waiting.notice());
        if asked.may_be_put_off.is_some_and(|may_be| may_be()) {
            verdict.decide(Decision::Defer(notice));
            return Ok(());
        }
        verdict.meanwhile(notice);
        // It may be possible in a moment.
        if asked.may_be_put_off.is_some() && began.elapsed() < SETTLING {
            std::thread::sleep(LOOKING);
        } else {
            match waiting.refresh() {
                Ok(()) => {}
                Err(error) if error.is_passing() => std::thread::sleep(AGAIN),
                Err(error) => return Err(refused(error)),
            }
        }
        if verdict.is_decided() {
            // The agent has its answer; the next call of the same goes on with the request.
            return Ok(());
        }
    }
}

fn start(
    calls: &ToolCalls,
    waiting: WaitingCall,
    asked: &Asked<'_>,
    verdict: &Verdict,
) -> Result<(), Box<Notice>> {
    if !verdict.start() {
        return Ok(());
    }
    let running = waiting.start().map_err(|error| Box::new(error.notice()))?;
    // Before the agent is answered: a short tool may have ended before this process has.
    let detached = asked.place.detached(asked.tool_use);
    let key = running.detach(detached).map_err(|error| Box::new(error.notice()))?;
    if verdict.decide(Decision::Go) && verdict.is_delivered() {
        return Ok(());
    }
    if let Ok(Some(running)) = calls.detached_call(&key) {
        take_back(running);
    }
    Ok(())
}

/// The approval is spent and nothing was run: reported as far as that goes. The service finds it out by itself otherwise.
fn take_back(running: EndingCall) {
    let _ = running.not_run(NOT_ANSWERED);
}
