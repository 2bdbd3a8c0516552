//! What a policy costs a process that has just been started: this program starts itself, many times.

use crate::claims::Claim;
use crate::cpu::{self, Spread};
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use countersign_core::policy::access::{Action, Subject};
use countersign_core::policy::people::People;
use countersign_core::policy::rules::Rules;
use countersign_core::principal::Principal;
use countersign_core::risk::{Environment, RiskLevel};
use countersign_core::timestamp::Timestamp;
use countersign_policy::load;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;

/// The argument by which this program tells that it has started itself.
pub(crate) const CHILD: &str = "child";

/// How often each stage is run.
const ROUNDS: usize = 300;
/// What reading the access policies may cost a start.
const CLAIM: f64 = 1500.0;

/// How far a process goes before it ends. Each stage has all that the first has.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// Reads operations.toml and people.toml.
    WithoutAccess,
    /// Reads access.cedar as well: what a function with the bundled policy does.
    WithAccess,
    /// And answers one question.
    Asked,
    /// And holds access.cedar against its schema: what a function does with a directory.
    Checked,
}

impl Stage {
    const ALL: [Self; 4] = [Self::WithoutAccess, Self::WithAccess, Self::Asked, Self::Checked];

    fn as_str(self) -> &'static str {
        match self {
            Self::WithoutAccess => "without-access",
            Self::WithAccess => "with-access",
            Self::Asked => "asked",
            Self::Checked => "checked",
        }
    }

    fn run(self) -> Result<(), String> {
        match self {
            Self::WithoutAccess => {
                let people = People::parse(load::BUNDLED.people).map_err(|error| error.to_string())?;
                let rules = Rules::parse(load::BUNDLED.operations, people.groups());
                let rules = rules.map_err(|error| error.to_string())?;
                black_box((people, rules, load::BUNDLED.version()));
            }
            Self::WithAccess => {
                black_box(load::bundled().map_err(|error| error.to_string())?);
            }
            Self::Asked => ask(&load::bundled().map_err(|error| error.to_string())?)?,
            Self::Checked => {
                black_box(load::parse_checked(&load::BUNDLED).map_err(|error| error.to_string())?);
            }
        }
        Ok(())
    }
}

fn ask(policy: &Policy) -> Result<(), String> {
    let person = PersonId::from_email("ann@example.com").map_err(|error| error.to_string())?;
    let actor = Principal::assumed(person.clone(), PrincipalKind::Human, Channel::Api, ["developer"]);
    let subject = Subject {
        operation_type: "modify_storage",
        instance_id: "production-db-01",
        environment: Environment::Production,
        risk_level: RiskLevel::High,
        estimated_cost: None,
        requested_by: &person,
    };
    let answer = policy.ask(Action::Create, &actor, subject, true, Timestamp::EARLIEST);
    if answer.is_permitted() { Ok(()) } else { Err(format!("a developer may not create: {answer:?}")) }
}

/// Goes as far as the stage says; the CPU time of this process until then, in nanoseconds.
pub(crate) fn child(stage: &str) -> Result<String, String> {
    let known = Stage::ALL.into_iter().find(|known| known.as_str() == stage);
    known.ok_or_else(|| format!("there is no stage {stage}"))?.run()?;
    Ok(format!("{}\n", cpu::nanoseconds()))
}

/// Starts processes of every stage in turn, and compares each with the one of the first stage that
/// was started right before it.
pub(crate) fn measure() -> Result<Vec<Claim>, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let [without, stages @ ..] = Stage::ALL;
    for stage in Stage::ALL {
        start(&program, stage)?;
    }
    let mut differences = stages.map(|stage| (stage, Vec::with_capacity(ROUNDS)));
    for _ in 0..ROUNDS {
        for (stage, differences) in &mut differences {
            let less = start(&program, without)?;
            let more = start(&program, *stage)?;
            differences.push(cpu::microseconds(more - less));
        }
    }
    Ok(differences.into_iter().map(|(stage, differences)| claim(stage, differences)).collect())
}

fn claim(stage: Stage, differences: Vec<f64>) -> Claim {
    let (what, at_most) = match stage {
        Stage::WithoutAccess => ("the same without access.cedar", None),
        Stage::WithAccess => ("a start: reading access.cedar, the default", Some(CLAIM)),
        Stage::Asked => ("a start: and the first question", None),
        Stage::Checked => ("a start: and the schema, as for a directory", None),
    };
    Claim { what: what.to_owned(), at_most, measured: Spread::of(differences) }
}

fn start(program: &Path, stage: Stage) -> Result<i64, String> {
    let output = Command::new(program).args([CHILD, stage.as_str()]).output();
    let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    printed.trim().parse().map_err(|_| {
        format!("a process of stage {} failed: {}", stage.as_str(), String::from_utf8_lossy(&output.stderr))
    })
}
