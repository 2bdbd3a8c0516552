//! Policies that a slip of the hand has changed: either they are refused, or an operation that was
//! high still takes two people.
//!
//! Every change is made by the same chance in every run. What a slip makes of the catalogue is
//! another matter where it still reads well: `[operations.reboot]` with the lines of another
//! operation plainly says something else, and no reader can know that it was not meant.

use crate::fixture::{after, approve, as_caller, context, create, draft, human, service, start};
use countersign_core::command::Command;
use countersign_core::decide::{self, Outcome};
use countersign_core::policy::people::People;
use countersign_core::policy::rules::{Proposal, Rules};
use countersign_core::policy::{BUNDLED_OPERATIONS, BUNDLED_PEOPLE, Policy, PolicyText};
use countersign_core::principal::Principal;
use countersign_core::request::{Request, Status};
use countersign_core::risk::{Environment, RiskLevel};
use countersign_core::slots::Groups;
use countersign_policy::load;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use strum::{EnumIter, IntoEnumIterator};

/// Which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumIter)]
enum File {
    Operations,
    People,
    Access,
}

impl File {
    fn text(self) -> &'static str {
        match self {
            Self::Operations => BUNDLED_OPERATIONS,
            Self::People => BUNDLED_PEOPLE,
            Self::Access => countersign_access::BUNDLED,
        }
    }
}

/// A policy of which one file has been changed.
#[derive(Debug, Clone)]
struct Mutant {
    file: File,
    change: String,
    text: String,
}

impl Mutant {
    fn texts(&self) -> PolicyText<'_> {
        let text = |file: File| if file == self.file { self.text.as_str() } else { file.text() };
        PolicyText {
            operations: text(File::Operations),
            people: text(File::People),
            access: text(File::Access),
        }
    }
}

/// `SplitMix64`.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(bound).unwrap()).unwrap()
    }
}

/// What the catalogue says is high in production.
static HIGH: LazyLock<Vec<String>> = LazyLock::new(|| {
    let rules = Rules::parse(BUNDLED_OPERATIONS, People::parse(BUNDLED_PEOPLE).unwrap().groups()).unwrap();
    let high: Vec<_> = rules
        .operations()
        .filter(|name| assessed(&rules, name).0 == RiskLevel::High)
        .map(str::to_owned)
        .collect();
    assert!(high.len() >= 8, "{high:?}");
    high
});

fn assessed(rules: &Rules, operation: &str) -> (RiskLevel, u8) {
    let requirements = rules
        .assess(&Proposal {
            operation_type: operation,
            instance_id: "orders-db",
            declared_risk: None,
            declared_environment: Environment::Production,
            estimated_cost: None,
            requester_groups: &Groups::new(),
        })
        .requirements;
    (requirements.risk_level, requirements.approvals_required)
}

/// Whether the text of `operations.toml`, read line by line, plainly gives an operation another
/// risk than high in production.
fn plainly_says_otherwise(text: &str, operation: &str) -> bool {
    let header = format!("[operations.{operation}]");
    let mut sections = text.lines().map(str::trim).skip_while(|line| *line != header);
    sections
        .by_ref()
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .any(|line| line.starts_with("production") && !line.contains("\"high\""))
}

/// Gives a command as a caller, and says whether it was accepted.
fn give(request: &mut Request, policy: &Policy, actor: Principal, command: &Command) -> bool {
    let Ok(actor) = policy.people().resolve(as_caller(actor)) else { return false };
    let context = context(request.version + 1, after(i64::try_from(request.version).unwrap() * 1000));
    match decide::decide(request, command, &actor, &context, policy, None) {
        Ok(Outcome::Event(event)) => {
            request.apply(&event);
            true
        }
        Ok(Outcome::AlreadyApplied) | Err(_) => false,
    }
}

/// What must hold under whatever is a policy. Says whether a request could be made and approved.
fn check_two_people(mutant: &Mutant, policy: &Policy, operation: &str) -> bool {
    let Ok(ann) = policy.people().resolve(as_caller(human("ann", &["developer"]))) else { return false };
    let created = create(draft(operation), &ann, policy, None);
    let Ok(created) = created else { return false };
    let mut request = Request::create(&created).unwrap();
    let all = ["developer", "approver", "auditor", "admin", "guest"];
    let with_agent = ["developer", "approver", "auditor", "admin", "guest", "agent"];
    let mut step = |what: &str, expected: &[Status], actors: Vec<Principal>| {
        for actor in actors {
            let groups = actor.groups.clone();
            give(&mut request, policy, actor, &approve());
            give(&mut request, policy, human("ann", &["developer"]), &start());
            assert!(
                expected.contains(&request.status),
                "{what} in {groups:?} made {operation} {}: {:?}: {}\n{}",
                request.status,
                mutant.file,
                mutant.change,
                mutant.text,
            );
        }
        request.status
    };
    let nobody = [Status::Pending];
    step("the requester", &nobody, vec![human("ann", &all), human("ann", &["approver"])]);
    step("an agent", &nobody, vec![human("robo", &with_agent), human("robo", &["agent", "approver"])]);
    step("a service", &nobody, vec![service("ci", &all)]);
    step(
        "one approver",
        &nobody,
        vec![
            human("bob", &["approver"]),
            human("bob", &["approver"]),
            human("bob", &all),
            human("ann", &all),
        ],
    );
    let open = [Status::Pending, Status::Approved, Status::Executing];
    let status = step("a second approver", &open, vec![human("carol", &["approver", "admin"])]);
    let enough = status != Status::Pending;
    assert!(!enough || request.approvals_received() == 2);
    enough
}

/// How mutants fared.
#[derive(Debug, Default)]
struct Fates {
    refused: usize,
    /// Under which two people still approve.
    intact: usize,
    /// Under which no person can approve, or ask.
    closed: usize,
    /// Which plainly say something else of the operation.
    other: usize,
}

impl Fates {
    /// Holds one mutant against what must hold. `turn` picks the operation that is tried out.
    fn try_out(&mut self, mutant: &Mutant, turn: usize) {
        let Ok(policy) = load::parse(&mutant.texts()) else {
            self.refused += 1;
            return;
        };
        let otherwise = |operation: &str| {
            mutant.file == File::Operations && plainly_says_otherwise(&mutant.text, operation)
        };
        for operation in HIGH.iter().filter(|operation| !otherwise(operation)) {
            let (risk, approvals) = assessed(policy.rules(), operation);
            assert!(
                risk == RiskLevel::High && approvals >= 2,
                "{operation} needs {approvals}: {}\n{}",
                mutant.change,
                mutant.text
            );
        }
        let operation = &HIGH[turn % HIGH.len()];
        if otherwise(operation) {
            self.other += 1;
        } else if check_two_people(mutant, &policy, operation) {
            self.intact += 1;
        } else {
            self.closed += 1;
        }
    }
}

fn mutant(file: File, change: impl Into<String>, text: impl Into<String>) -> Mutant {
    Mutant { file, change: change.into(), text: text.into() }
}

#[test]
fn the_files_as_they_come_take_two_people_for_every_high_operation() {
    for (turn, _) in HIGH.iter().enumerate() {
        let mut fates = Fates::default();
        fates.try_out(&mutant(File::People, "none", BUNDLED_PEOPLE), turn);
        assert_eq!(fates.intact, 1);
    }
}

#[test]
fn a_missing_or_empty_file_is_refused() {
    for file in File::iter() {
        for text in ["", "\n", "# nothing\n", "\u{feff}"] {
            assert!(load::check(&mutant(file, "emptied", text).texts()).is_err(), "{file:?}: {text:?}");
        }
    }
    assert!(load::parse(&PolicyText { operations: "", people: "", access: "" }).is_err());
}

/// Of access policies, what is left of a cut at the end of a policy is a policy with fewer permits.
#[test]
fn a_truncated_file_is_refused_or_takes_two_people() {
    let mut fates = BTreeMap::<File, Fates>::new();
    for file in File::iter() {
        let text = file.text();
        for (turn, end) in (0..text.len()).step_by(7).enumerate() {
            let Some(cut) = text.get(..end) else { continue };
            fates.entry(file).or_default().try_out(&mutant(file, format!("cut at {end}"), cut), turn);
        }
    }
    assert!(fates.values().all(|fates| fates.refused > 20), "{fates:?}");
}

/// The places in a text where a slip means something: most are outside of comments.
fn place(text: &str, chance: &mut Chance) -> usize {
    let mut place = 0;
    for _ in 0..4 {
        place = chance.below(text.len());
        let (before, _) = text.split_at(place);
        let line = before.rsplit('\n').next().unwrap_or_default();
        if !line.trim_start().starts_with('#') && !line.trim_start().starts_with("//") {
            break;
        }
    }
    place
}

/// What people hit by mistake, and what the files are made of.
const BYTES: &[u8] = b" \n\t\"#/\\[]{}()=,.;:*?&|!<>@_-+0123459aehilnoprt\0";

fn slip(file: File, chance: &mut Chance) -> Mutant {
    let text = file.text();
    let kind = chance.below(10);
    if kind < 7 {
        // The files are ASCII, so every byte is a character.
        assert!(text.is_ascii());
        let place = place(text, chance);
        let byte = char::from(BYTES[chance.below(BYTES.len())]);
        let (before, after) = text.split_at(place);
        let mut rest = after.chars();
        let old = rest.next();
        let rest = rest.as_str();
        return match kind {
            0..=2 => {
                mutant(file, format!("{old:?} at {place} became {byte:?}"), format!("{before}{byte}{rest}"))
            }
            3..=4 => mutant(file, format!("{old:?} at {place} went"), format!("{before}{rest}")),
            _ => mutant(file, format!("{byte:?} came at {place}"), format!("{before}{byte}{after}")),
        };
    }
    let mut lines: Vec<&str> = text.lines().collect();
    let written: Vec<usize> = (0..lines.len())
        .filter(|line| {
            let line = lines[*line].trim();
            !line.is_empty() && !line.starts_with('#') && !line.starts_with("//")
        })
        .collect();
    let mut line = || written[chance.below(written.len())];
    let (one, other) = (line(), line());
    let change = match kind {
        7 => {
            lines.insert(other, lines[one]);
            format!("line {one} doubled at {other}")
        }
        8 => {
            lines.swap(one, other);
            format!("lines {one} and {other} swapped")
        }
        _ => {
            lines.remove(one);
            format!("line {one} went")
        }
    };
    mutant(file, change, lines.join("\n"))
}

fn slips(file: File, count: usize, seed: u64) -> Fates {
    let mut chance = Chance(seed);
    let mut fates = Fates::default();
    for turn in 0..count {
        fates.try_out(&slip(file, &mut chance), turn);
    }
    assert!(fates.refused > count / 10 && fates.intact + fates.closed > count / 10, "{fates:?}");
    fates
}

#[test]
fn a_slip_in_what_operations_demand_is_refused_or_takes_two_people() {
    slips(File::Operations, 1_200, 1);
}

#[test]
fn a_slip_in_who_is_who_is_refused_or_takes_two_people() {
    slips(File::People, 800, 2);
}

#[test]
fn a_slip_in_who_may_do_what_is_refused_or_takes_two_people() {
    let fates = slips(File::Access, 1_200, 3);
    assert_eq!(fates.other, 0);
}

/// Texts with one occurrence of a word replaced, for each occurrence.
fn replaced<'a>(text: &'a str, from: &'a str, to: &'a str) -> impl Iterator<Item = String> + 'a {
    text.match_indices(from).map(move |(place, _)| {
        let (before, rest) = text.split_at(place);
        format!("{before}{to}{}", rest.strip_prefix(from).unwrap())
    })
}

/// With the schema, as a directory is read: whatever it lets through takes two people.
#[test]
fn access_policies_turned_around_are_refused_or_take_two_people() {
    let groups = ["developer", "approver", "auditor", "admin", "guest", "agent", "Approver", "root", ""];
    let mut swaps = vec![
        ("permit (".to_owned(), "forbid (".to_owned()),
        ("when {".to_owned(), "unless {".to_owned()),
        ("context.own".to_owned(), "true".to_owned()),
        ("context.own".to_owned(), "!context.own".to_owned()),
        ("principal in Group::".to_owned(), "principal == Person::".to_owned()),
        (" == ".to_owned(), " != ".to_owned()),
    ];
    for from in &groups[..6] {
        for to in groups.iter().filter(|to| *to != from) {
            swaps.push((format!("Group::\"{from}\""), format!("Group::\"{to}\"")));
        }
    }
    for from in ["create", "list", "view", "view_parameters", "audit", "comment", "cancel", "execute"] {
        for to in ["approve", "administer", "Approve"] {
            swaps.push((format!("Action::\"{from}\""), format!("Action::\"{to}\"")));
        }
    }
    let (mut tried, mut valid) = (0, 0);
    for (from, to) in &swaps {
        for text in replaced(countersign_access::BUNDLED, from, to) {
            let mutant = mutant(File::Access, format!("{from} became {to}"), text);
            tried += 1;
            if let Ok((policy, _)) = load::check(&mutant.texts()) {
                valid += 1;
                check_two_people(&mutant, &policy, &HIGH[tried % HIGH.len()]);
            }
        }
    }
    assert!(tried > 100 && valid > 20 && valid < tried, "{tried} tried, {valid} valid");
}

/// The groups of `people.toml`: whatever they become, no policy about unknown groups is in force.
#[test]
fn a_group_that_is_renamed_is_missed_by_the_access_policies_that_name_it() {
    for group in ["developer", "approver", "auditor", "admin", "guest", "agent"] {
        for to in ["Approver", "developers", "x"] {
            let text = BUNDLED_PEOPLE.replacen(&format!("\"{group}\""), &format!("\"{to}\""), 1);
            let mutant = mutant(File::People, format!("{group} became {to}"), text);
            let error = load::check(&mutant.texts()).unwrap_err().to_string();
            assert!(error.starts_with("access.cedar:") && error.contains(group), "{error}");
        }
    }
}

/// Everybody is permitted everything, and the hard rules hold all the same.
#[test]
fn a_policy_that_permits_everything_takes_two_people() {
    let text = "@id(\"all\") permit (principal, action, resource);";
    for operation in HIGH.iter() {
        let mutant = mutant(File::Access, "everything", text);
        let (policy, _) = load::check(&mutant.texts()).unwrap();
        assert!(check_two_people(&mutant, &policy, operation), "{operation}");
    }
}
