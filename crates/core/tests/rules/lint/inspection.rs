//! What is found by what `access.cedar` says of itself: whom and what it names, and what no question
//! would change.

use super::people::{example, forbid};
use super::{ACCESS, GROUPS, OPERATIONS, found, oddities, policy, shown};
use crate::fixture::after;
use countersign_access::Access;
use countersign_core::policy::access::{
    AccessDecision, AccessRequest, Action, Authorizer, Reference, RequestAttribute,
};
use countersign_core::policy::people::People;
use countersign_core::policy::rules::Rules;
use countersign_core::policy::{Policy, PolicyText};
use countersign_policy::lint::lint;
use countersign_policy::load::PolicyFiles;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn approvers_come_through_any_channel() {
    for channel in ["api", "dashboard", "direct", "local"] {
        let access =
            format!("{ACCESS}{}", forbid(&format!("unless {{ context.channel == Channel::\"{channel}\" }}")));
        assert_eq!(oddities(&policy(OPERATIONS, GROUPS, &access)), Vec::<String>::new(), "{channel}");
    }
}

#[test]
fn approvers_may_be_people_whom_a_policy_names() {
    let named = r#"
        @id("ask") permit (principal in Group::"developer", action == Action::"create", resource);
        @id("boss") permit (principal == Person::"olga@example.com", action, resource);
    "#;
    assert_eq!(oddities(&policy(OPERATIONS, GROUPS, named)), Vec::<String>::new());
    // Agents and services do not approve, nor do people who have been disabled.
    let nobody = "nobody could approve it";
    for (people, name) in [
        (format!("{GROUPS}\n[people.\"olga@example.com\"]\ndisabled = true"), "olga@example.com"),
        (format!("{GROUPS}\n[agents.\"olga@example.com\"]\nowner = \"ann@example.com\""), "olga@example.com"),
        (GROUPS.to_owned(), "service:pipeline"),
    ] {
        let odd = oddities(&policy(OPERATIONS, &people, &named.replace("olga@example.com", name)));
        assert!(odd.iter().any(|odd| odd.contains(nobody)), "{people}: {odd:#?}");
    }
}

#[test]
fn a_slot_whose_group_may_not_approve_with_any_other_is_an_error() {
    let permit = "@id(\"finance-decides\")\npermit";
    let odd = oddities(&example(permit, "@id(\"finance-decides\")\nforbid"));
    assert!(odd.iter().any(|odd| odd.contains("nobody could give 1 of finance")), "{odd:#?}");
}

#[test]
fn a_person_by_an_address_that_is_not_the_main_one_is_an_error() {
    let people = format!("{GROUPS}\n[people.\"mallory@x.org\"]\naddresses = [\"mal@x.org\"]");
    let forbid = |name: &str| {
        format!("{ACCESS}@id(\"mal\") forbid (principal == Person::\"{name}\", action, resource);")
    };
    for (name, expected) in [
        (
            "mal@x.org",
            &[
                "error: access.cedar: mal: `Person::\"mal@x.org\"` is nobody: it is an address of `mallory@x.org`; write `Person::\"mallory@x.org\"`",
            ][..],
        ),
        ("mallory@x.org", &[]),
        ("unlisted@x.org", &[]),
        (
            "service:pipeline",
            &[
                "warning: access.cedar: mal: `service:pipeline` is not listed in people.toml with an owner: nobody is kept from approving what it asks for",
            ],
        ),
    ] {
        assert_eq!(oddities(&policy(OPERATIONS, &people, &forbid(name))), expected, "{name}");
    }
    // In conditions as well.
    let condition = r#"@id("mal") forbid (principal, action, resource is Operation) when { context.requester == Person::"mal@x.org" };"#;
    let odd = oddities(&policy(OPERATIONS, &people, &format!("{ACCESS}{condition}")));
    assert!(odd.len() == 1 && odd[0].starts_with("error: access.cedar: mal: "), "{odd:#?}");
}

#[test]
fn an_operation_that_the_catalogue_has_not_is_warned_of() {
    for (name, expected) in [
        ("reboot", &[][..]),
        (
            "rebot",
            &[
                "warning: access.cedar: no: `Operation::\"rebot\"` matches no operation of the catalogue; what is not listed there is high",
            ],
        ),
    ] {
        let forbid = format!(
            "{ACCESS}@id(\"no\") forbid (principal, action == Action::\"create\", resource == Operation::\"{name}\");"
        );
        assert_eq!(oddities(&policy(OPERATIONS, GROUPS, &forbid)), expected, "{name}");
    }
}

#[test]
fn a_requester_who_needs_no_approval_may_be_named() {
    let low = format!("{OPERATIONS}\n[operations.read]\nproduction = \"low\"\nnon_production = \"low\"\n");
    let access = format!(
        r#"{ACCESS} @id("create") permit (principal == Person::"service:pipeline", action == Action::"create", resource)
        when {{ context.channel == Channel::"direct" }};"#
    );
    let lints = shown(&found(&policy(&low, GROUPS, &access)));
    let who = "whoever is in approver or developer or `service:pipeline` starts it";
    assert!(lints.iter().any(|lint| lint.starts_with("note: ") && lint.contains(who)), "{lints:#?}");
}

/// Counts the questions.
#[derive(Debug)]
struct Counting {
    access: Access,
    asked: AtomicUsize,
}

impl Counting {
    fn count(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
    }
}

impl Authorizer for Counting {
    fn answer(&self, question: &AccessRequest<'_>) -> AccessDecision {
        self.count();
        self.access.answer(question)
    }

    fn tells_requests_apart(&self, action: Action) -> bool {
        self.access.tells_requests_apart(action)
    }

    fn turns_on(&self, action: Action, part: RequestAttribute) -> bool {
        self.access.turns_on(action, part)
    }

    fn denies_whatever(&self, question: &AccessRequest<'_>, open: &[RequestAttribute]) -> bool {
        self.count();
        self.access.denies_whatever(question, open)
    }

    fn named_people(&self) -> Vec<Reference> {
        self.access.named_people()
    }

    fn named_operations(&self) -> Vec<Reference> {
        self.access.named_operations()
    }

    fn names_group(&self, group: &str) -> bool {
        self.access.names_group(group)
    }

    fn addresses(&self) -> Vec<IpAddr> {
        self.access.addresses()
    }
}

/// What is found, and how many questions it took.
fn counted(text: &PolicyText<'_>) -> (Vec<String>, usize) {
    let people = People::parse(text.people).unwrap();
    let rules = Rules::parse(text.operations, people.groups()).unwrap();
    let access = Access::parse("access.cedar", text.access, people.groups(), rules.time_zone()).unwrap();
    let access = Arc::new(Counting { access, asked: AtomicUsize::new(0) });
    let policy = Policy::new(text.version(), rules, people, Arc::<Counting>::clone(&access));
    let lints = shown(&lint(&policy, after(0)));
    (lints, access.asked.load(Ordering::Relaxed))
}

#[test]
fn few_questions_show_that_no_person_may_approve() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policy/examples/office-hours");
    let files = PolicyFiles::read(&directory).unwrap();
    let example = files.text();
    // Whatever is not low everywhere takes an approver, and so do both slots.
    let listed = example.operations.lines().filter_map(|line| line.strip_prefix("[operations."));
    let listed = listed.map(|name| format!("operations.{}", name.trim_end_matches(']')));
    let places: Vec<String> = listed
        .filter(|place| !place.ends_with("enable_enhanced_monitoring") && !place.ends_with("read_file"))
        .chain(["operations.toml: operations: nobody", "1 of dba", "1 of finance"].map(str::to_owned))
        .collect();
    for (condition, is_hopeless, questions) in [
        ("when { false }", false, 2_500),
        ("", true, 10_000),
        ("when { principal != context.requester }", true, 20_000),
    ] {
        let access = format!("{}\n{}", example.access, forbid(condition));
        let (lints, asked) = counted(&PolicyText { access: &access, ..example });
        let errors: Vec<_> = lints.iter().filter(|lint| lint.contains("nobody could")).collect();
        assert_eq!(errors.is_empty(), !is_hopeless, "{condition}: {lints:#?}");
        let is_told = |place: &&String| errors.iter().any(|error| error.contains(place.as_str()));
        assert!(!is_hopeless || places.iter().all(|place| is_told(&place)), "{condition}: {lints:#?}");
        assert!(asked < questions, "{condition}: {asked} questions");
    }
}
