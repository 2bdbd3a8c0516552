//! Running a case, and telling what is not as expected.

use super::table::{Case, Code, Ending, Expected, Step, StepAction};
use crate::dry_run::DryRun;
use countersign_core::command::{Command, ExecutionOutcome, Shown};
use countersign_core::creation;
use countersign_core::ids::ExecutionId;
use countersign_core::policy::Policy;
use countersign_core::policy::rules::Assessment;
use countersign_core::refusal::Refusal;
use countersign_core::text::CommentText;
use std::fmt::Display;
use uuid::Uuid;

/// Something that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What: a key of `expect`, or a step.
    pub what: String,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
    /// Why: of a refusal its reasons, else what each part of the policy demands.
    pub reasons: Vec<String>,
}

pub(super) fn run(case: &Case, policy: &Policy) -> Vec<Mismatch> {
    let expected = &case.expected;
    let mut failures = Failures { found: Vec::new(), because: Vec::new() };
    // What is demanded does not depend on whether the request may be made.
    match policy.people().resolve(case.requester.clone()) {
        Ok(requester) => {
            let assessment = creation::assess(&case.draft, &requester, policy);
            failures.because = demands(&assessment);
            failures.compare_terms(expected, &assessment);
        }
        Err(_) => failures.because = Vec::new(),
    }
    let begun = DryRun::begin(case.draft.clone(), case.requester.clone(), case.made_at, policy);
    let mut dry_run = match (begun, expected.refused) {
        (Ok(dry_run), None) => dry_run,
        (Ok(dry_run), Some(Code(code))) => {
            let found = format!("{}, not refused", dry_run.status_at(case.made_at));
            failures.add("refused", code, found);
            return failures.found;
        }
        (Err(refusal), None) => {
            let wanted = if expected.status.is_some() || !case.steps.is_empty() {
                "a request"
            } else {
                "it to be made"
            };
            failures.refused("request", wanted, &refusal);
            return failures.found;
        }
        (Err(refusal), Some(Code(code))) => {
            failures.compare_refusal("refused", code, expected.reason.as_deref(), &refusal);
            return failures.found;
        }
    };
    let mut end = case.made_at;
    for (number, step) in (1..).zip(&case.steps) {
        end = step.at;
        let answer = match command(&dry_run, step.action) {
            Some(command) => dry_run.give(&command, step.actor.clone(), step.at),
            // To look is no command.
            None => {
                let with_parameters = step.action == StepAction::ViewParameters;
                dry_run.view(with_parameters, step.actor.clone(), step.at)
            }
        };
        let what = format!("step {number}, {} by {}", step.action, step.actor.person);
        failures.compare_step(&what, step, answer);
    }
    if let Some(status) = expected.status {
        let found = dry_run.status_at(end);
        if found != status {
            failures.add("status", status, found);
        }
    }
    failures.found
}

/// The command of a step, if it is more than a look. Finishing is about the execution that is running, or about none.
fn command(dry_run: &DryRun<'_>, action: StepAction) -> Option<Command> {
    // INVARIANT: a text of one word is a comment.
    let text = CommentText::parse("because").ok()?;
    let finish = |outcome| Command::Finish {
        execution_id: dry_run
            .request()
            .execution
            .as_ref()
            .map_or(ExecutionId::new(Uuid::nil()), |execution| execution.id),
        outcome,
        result: None,
        actual_cost: None,
        note: None,
        shown: Shown::default(),
    };
    Some(match action {
        StepAction::Approve => Command::Approve { comment: None, shown: dry_run.shown() },
        StepAction::Reject => Command::Reject { reason: text, shown: dry_run.shown() },
        StepAction::Withdraw => Command::Withdraw { reason: None },
        StepAction::Cancel => Command::Cancel { reason: None },
        StepAction::Comment => Command::Comment { text },
        StepAction::View | StepAction::ViewParameters => return None,
        StepAction::Start => Command::Start { shown: dry_run.shown() },
        StepAction::Succeed => finish(ExecutionOutcome::Succeeded),
        StepAction::Fail => finish(ExecutionOutcome::Failed),
    })
}

/// What each part of the policy demands, in a line each.
fn demands(assessment: &Assessment) -> Vec<String> {
    assessment.rules.iter().map(|rule| format!("{}: {}", rule.name, rule.demands.join("; "))).collect()
}

struct Failures {
    found: Vec<Mismatch>,
    because: Vec<String>,
}

impl Failures {
    fn add(&mut self, what: &str, expected: impl Display, found: impl Display) {
        self.found.push(Mismatch {
            what: what.to_owned(),
            expected: expected.to_string(),
            found: found.to_string(),
            reasons: self.because.clone(),
        });
    }

    fn compare<T: PartialEq>(
        &mut self,
        what: &str,
        expected: Option<T>,
        found: T,
        word: impl Fn(&T) -> String,
    ) {
        if let Some(expected) = expected
            && expected != found
        {
            self.add(what, word(&expected), word(&found));
        }
    }

    fn compare_terms(&mut self, expected: &Expected, assessment: &Assessment) {
        let requirements = &assessment.requirements;
        self.compare("risk_level", expected.risk_level, requirements.risk_level, |risk| {
            risk.as_str().to_owned()
        });
        self.compare("environment", expected.environment, requirements.environment, |environment| {
            environment.as_str().to_owned()
        });
        let number = u8::to_string;
        self.compare(
            "approvals_required",
            expected.approvals_required,
            requirements.approvals_required,
            number,
        );
        self.compare("slots", expected.slots.clone(), requirements.slots.clone(), |slots| {
            if slots.is_empty() { "none".to_owned() } else { slots.to_string() }
        });
        self.compare(
            "digest_required",
            expected.digest_required,
            requirements.digest_required,
            bool::to_string,
        );
        let seconds = u32::to_string;
        self.compare("pending_seconds", expected.pending_seconds, requirements.pending_seconds, seconds);
        self.compare(
            "execute_within_seconds",
            expected.execute_within_seconds,
            requirements.execute_within_seconds,
            seconds,
        );
        self.compare("pending_limit", expected.pending_limit, requirements.pending_limit, u16::to_string);
        self.compare("approved_limit", expected.approved_limit, requirements.approved_limit, u16::to_string);
        let limit = expected.cost_limit.map(Some);
        self.compare("cost_limit", limit, requirements.cost_limit, |limit| {
            limit.map_or("none".to_owned(), |limit| limit.to_string())
        });
        self.compare(
            "justification_min",
            expected.justification_min,
            requirements.justification_min,
            u16::to_string,
        );
        let fields = expected.required_fields.clone();
        self.compare("required_fields", fields, requirements.required_fields.clone(), |fields| {
            let names: Vec<&str> = fields.iter().map(|field| field.into()).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        });
        for name in expected.rules.iter().flatten() {
            if !assessment.rules.iter().any(|rule| rule.name == *name) {
                let holding: Vec<_> = assessment.rules.iter().map(|rule| rule.name.as_str()).collect();
                self.add("rules", name, holding.join(", "));
            }
        }
    }

    fn compare_step(
        &mut self,
        what: &str,
        step: &Step,
        answer: Result<countersign_core::request::Status, Refusal>,
    ) {
        match (answer, step.expected) {
            (Ok(_), None) => {}
            (Ok(status), Some(Ending::Status(expected))) if status == expected => {}
            (Ok(status), Some(Ending::Status(expected))) => self.add(what, expected, status),
            (Ok(status), Some(Ending::Refused(Code(code)))) => {
                self.add(what, format!("refused ({code})"), format!("{status}, not refused"));
            }
            (Err(refusal), None) => self.refused(what, "not refused", &refusal),
            (Err(refusal), Some(Ending::Status(expected))) => self.refused(what, expected, &refusal),
            (Err(refusal), Some(Ending::Refused(Code(code)))) => {
                self.compare_refusal(what, code, step.reason.as_deref(), &refusal);
            }
        }
    }

    fn compare_refusal(&mut self, what: &str, code: &str, reason: Option<&str>, refusal: &Refusal) {
        let reasons = refusal.reasons();
        if refusal.code() != code {
            self.refused(what, format!("refused ({code})"), refusal);
        } else if let Some(reason) = reason
            && !reasons.iter().any(|found| found.contains(reason))
        {
            self.found.push(Mismatch {
                what: format!("{what}, reason"),
                expected: format!("a reason that has `{reason}` in it"),
                found: "none".to_owned(),
                reasons,
            });
        }
    }

    fn refused(&mut self, what: &str, expected: impl Display, refusal: &Refusal) {
        self.found.push(Mismatch {
            what: what.to_owned(),
            expected: expected.to_string(),
            found: format!("refused ({})", refusal.code()),
            reasons: refusal.reasons(),
        });
    }
}
