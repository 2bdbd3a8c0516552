//! What is odd about a policy that may be used: rules that never hold or change nothing, demands that
//! no approvers could meet, operations that run without a second pair of eyes.
//!
//! Found by trying the policy out on proposals that stand for all others, not by looking at how it is
//! written: what is said here is what [`countersign_core::decide`] would do.

mod approvers;
mod automatic;
mod environments;
mod names;
mod open_approval;

use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use countersign_core::policy::access::Subject;
use countersign_core::policy::finding::{Name, Severity};
use countersign_core::policy::rules::samples::SampleSpace;
use countersign_core::policy::rules::{self, Assessment, MAX_MATCHED_RULES, Proposal, Rule};
use countersign_core::policy::search::Search;
use countersign_core::requirements::Requirements;
use countersign_core::risk::Cost;
use countersign_core::timestamp::Timestamp;
use std::fmt;

/// Something odd.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lint {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub name: Name,
    /// The file.
    pub file: &'static str,
    /// The table or key in it.
    pub path: Vec<String>,
    /// What is odd, and what to do about it.
    pub message: String,
}

impl Lint {
    fn new(severity: Severity, name: Name, path: &[&str], message: impl Into<String>) -> Self {
        let path = path.iter().map(|name| (*name).to_owned()).collect();
        Self { severity, name, file: rules::FILE, path, message: message.into() }
    }

    fn of_rule(severity: Severity, name: Name, rule: &Rule, message: impl Into<String>) -> Self {
        Self::new(severity, name, &["rules", rule.name()], message)
    }
}

impl Lint {
    /// The table or key as the file has it: `operations."rds:ModifyDBInstance"`.
    pub fn place(&self) -> String {
        let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let key = |name: &String| match !name.is_empty() && name.chars().all(is_bare) {
            true => name.clone(),
            false => format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")),
        };
        self.path.iter().map(key).collect::<Vec<_>>().join(".")
    }
}

/// `operations.toml: rules.expensive: …`.
impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.file, self.place(), self.message)
    }
}

/// The most proposals that are tried.
const MAX_PROPOSALS: usize = 50_000;
/// The most questions that are put to policy in search of approvers, and of requesters.
const MAX_QUESTIONS: usize = 10_000;

/// Everything that is odd about a policy, the worst first. `now` matters where policies ask for the
/// time: a week from then on is tried.
pub fn lint(policy: &Policy, now: Timestamp) -> Vec<Lint> {
    let space = policy.rules().space();
    let mut lints = Vec::new();
    if space.proposal_count() > MAX_PROPOSALS {
        lints.push(Lint::new(
            Severity::Warning,
            Name::TooManyCombinations,
            &["rules"],
            format!(
                "there are {} combinations of what these rules tell apart, and only the first {MAX_PROPOSALS} were tried: some of what is odd may not be found",
                space.proposal_count()
            ),
        ));
    }
    for rule in policy.rules().rules() {
        lints.extend(idle_globs(policy, rule));
        if space.proposal_count() <= MAX_PROPOSALS {
            lints.extend(idle_rule(policy, rule, &space));
        }
        lints.extend(hole_at_the_top(policy, rule, &space));
    }
    lints.extend(too_much(policy, &space));
    let search = || Search::new(policy, now, None, MAX_QUESTIONS);
    let (mut approvers, mut requesters, mut outsiders) = (search(), search(), search());
    lints.extend(approvers::lint(policy, &space, &mut approvers));
    lints.extend(automatic::lint(policy, &space, &mut requesters));
    lints.extend(open_approval::lint(policy, &space, &mut outsiders));
    if [&approvers, &requesters, &outsiders].iter().any(|search| search.is_exhausted()) {
        lints.push(Lint::new(
            Severity::Note,
            Name::SearchGivenUp,
            &["rules"],
            format!(
                "{MAX_QUESTIONS} questions to access.cedar did not tell of everything who could ask for it or approve it: some of what is odd may not be found"
            ),
        ));
    }
    lints.extend(names::lint(policy));
    lints.extend(environments::lint(policy.rules()));
    lints.sort();
    lints.dedup();
    lints
}

/// The proposals of a space, as many as are tried, with what is demanded of each.
fn tried<'a>(policy: &'a Policy, space: &'a SampleSpace) -> impl Iterator<Item = (Proposal<'a>, Assessment)> {
    space.proposals().take(MAX_PROPOSALS).map(|proposal| (proposal, policy.assess(&proposal)))
}

/// Whether a request would be refused for what it costs even with all approvals.
fn is_too_expensive(requirements: &Requirements, cost: Option<Cost>) -> bool {
    requirements.cost_limit.is_some_and(|limit| cost.is_none_or(|cost| cost > limit))
}

/// What a question about a proposal is about.
fn subject<'a>(requester: &'a PersonId, proposal: &Proposal<'a>, requirements: &Requirements) -> Subject<'a> {
    Subject {
        operation_type: proposal.operation_type,
        instance_id: proposal.instance_id,
        environment: requirements.environment,
        risk_level: requirements.risk_level,
        estimated_cost: proposal.estimated_cost,
        requested_by: requester,
    }
}

/// `reboot on prod-z in production, at a cost of 501, asked for by contractor`.
fn in_words(proposal: &Proposal<'_>, requirements: &Requirements) -> String {
    let cost = proposal.estimated_cost.map_or(String::new(), |cost| format!(", at a cost of {cost}"));
    let groups: Vec<_> = proposal.requester_groups.iter().map(String::as_str).collect();
    let by =
        if groups.is_empty() { String::new() } else { format!(", asked for by {}", groups.join(" and ")) };
    format!(
        "{} on {} in {}{cost}{by}",
        proposal.operation_type,
        proposal.instance_id,
        requirements.environment.as_str()
    )
}

fn idle_globs(policy: &Policy, rule: &Rule) -> impl Iterator<Item = Lint> {
    rule.idle_operation_globs(policy.rules()).into_iter().map(move |glob| {
        let message =
            format!("`{glob}` matches no operation of the catalogue; what is not listed there is high");
        Lint::new(Severity::Warning, Name::UnlistedOperation, &["rules", rule.name(), "operations"], message)
    })
}

/// A rule that never holds, or only for requests that are refused, or that changes nothing.
fn idle_rule(policy: &Policy, rule: &Rule, space: &SampleSpace) -> Option<Lint> {
    let idle =
        |message: String| Some(Lint::of_rule(Severity::Warning, Name::RuleChangesNothing, rule, message));
    let rules = policy.rules();
    let without = rules.without(rule);
    let concerned = || space.proposals().filter(|proposal| rules.concerns(rule, proposal));
    let Some(first) = concerned().next() else {
        let message = "never holds: no request can meet all of its conditions";
        return Some(Lint::of_rule(Severity::Warning, Name::RuleNeverHolds, rule, message));
    };
    let exceeded = |proposal: &Proposal<'_>| {
        let requirements = rules.assess(proposal).requirements;
        requirements.cost_limit.filter(|_| is_too_expensive(&requirements, proposal.estimated_cost))
    };
    if let Some(limit) = exceeded(&first)
        && concerned().all(|proposal| exceeded(&proposal).is_some())
    {
        return idle(format!(
            "changes nothing: every request that it is about is refused, for costing more than {limit} or for naming no cost"
        ));
    }
    if concerned()
        .any(|proposal| rules.assess(&proposal).requirements != without.assess(&proposal).requirements)
    {
        return None;
    }
    let covers = |other: &&Rule| {
        other.name() != rule.name()
            && other.demands_all_of(rule)
            && concerned().all(|proposal| rules.concerns(other, &proposal))
    };
    if let Some(other) = rules.rules().iter().find(covers) {
        return idle(format!(
            "taking it out changes nothing: {} demands as much, wherever this one holds",
            other.place()
        ));
    }
    let Assessment { requirements, rules: parts } = without.assess(&first);
    let parts: Vec<_> = parts.into_iter().map(|part| part.name).collect();
    idle(format!(
        "taking it out changes nothing: other parts of the policy demand as much, wherever it holds; of {} these do: {}",
        in_words(&first, &requirements),
        parts.join(", ")
    ))
}

/// Costs above the range of a rule for which fewer people, or other ones, are asked than within.
fn hole_at_the_top(policy: &Policy, rule: &Rule, space: &SampleSpace) -> Option<Lint> {
    let limit = rule.cost_at_most()?;
    let is_above = |cost: &Option<Cost>| cost.is_none_or(|cost| cost > limit);
    let concerned = space.proposals().take(MAX_PROPOSALS);
    let concerned = concerned.filter(|proposal| policy.rules().concerns(rule, proposal));
    for within in concerned {
        // A cost that a policy names makes the better example.
        for cost in space.costs.iter().rev().filter(|cost| is_above(cost)) {
            let above = Proposal { estimated_cost: *cost, ..within };
            let requirements = policy.assess(&above).requirements;
            if !is_too_expensive(&requirements, *cost) && rule.asks_more_people_than(&requirements) {
                let demands = rule.demands_in_words();
                return Some(Lint::of_rule(
                    Severity::Warning,
                    Name::LessAboveRange,
                    rule,
                    format!(
                        "a request that costs more than {limit}, or names no cost, gets off with less: nothing demands as much of {} ({demands}); leave cost_at_most out, or add a rule for what is above",
                        in_words(&above, &requirements)
                    ),
                ));
            }
        }
    }
    None
}

/// Requests for which so many rules hold that they are refused.
fn too_much(policy: &Policy, space: &SampleSpace) -> Option<Lint> {
    let (proposal, assessment) =
        tried(policy, space).find(|(_, assessment)| assessment.rules.len() > MAX_MATCHED_RULES)?;
    let what = in_words(&proposal, &assessment.requirements);
    let count = assessment.rules.len();
    Some(Lint::new(
        Severity::Error,
        Name::TooManyRules,
        &["rules"],
        format!(
            "could never be made: {what}; {count} rules hold for it, and a request remembers at most {MAX_MATCHED_RULES}"
        ),
    ))
}
