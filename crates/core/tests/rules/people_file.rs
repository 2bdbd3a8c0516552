//! `people.toml`: what it makes of a caller, and every way in which it is refused, with its line.

use crate::fixture::{as_caller, human, person, service};
use countersign_core::caller::PrincipalKind;
use countersign_core::person::PersonId;
use countersign_core::policy::BUNDLED_PEOPLE;
use countersign_core::policy::people::{MAX_ADDRESSES, MAX_GROUP_NAME, MAX_GROUPS, People};
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;

const GROUPS: &str = "groups = [\"developer\", \"approver\", \"agent\"]\n";

fn people(text: &str) -> People {
    let text = format!("{GROUPS}{text}");
    People::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn identified(people: &People, actor: Principal) -> Result<Principal, String> {
    people.resolve(as_caller(actor)).map_err(|refusal| {
        assert!(matches!(refusal, Refusal::NotPermitted(_)), "{refusal:?}");
        assert!(!refusal.reasons().is_empty());
        refusal.to_string()
    })
}

/// A text that is refused, where, and with which words.
fn check_refused(cases: &[(&str, usize, &str)]) {
    for (text, line, words) in cases {
        let error = People::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("people.toml:{line}: ")), "{text}\n{error}");
        assert!(error.contains(words) && !error.contains('\n'), "{text}\n{error}");
    }
}

#[test]
fn groups_that_cannot_be_meant_are_refused_with_their_line() {
    let long = format!("# x\ngroups = [\"{}\"]", "g".repeat(MAX_GROUP_NAME + 1));
    let many: Vec<_> = (0..=MAX_GROUPS).map(|number| format!("g{number}")).collect();
    let many = format!("\n\ngroups = {many:?}");
    check_refused(&[
        ("", 1, "missing field `groups`"),
        ("groups = []", 1, "must name 1 to 40 groups"),
        ("# x\ngroups = [\"a\", \"b\", \"a\"]", 2, "must not name `a` twice"),
        ("groups = [\"\"]", 1, "must be names of 1 to 48"),
        ("groups = [\"a b\"]", 1, "must be names of"),
        ("groups = [\" approver\"]", 1, "must be names of"),
        ("groups = [\"approver\\n\"]", 1, "must be names of"),
        ("groups = [\"аpprover\"]", 1, "must be names of"),
        ("groups = [\"dba|security\"]", 1, "must be names of"),
        ("groups = [\"a\\\"b\"]", 1, "must be names of"),
        ("groups = [1]", 1, "groups has an element that must be text, not `1`"),
        ("groups = \"approver\"", 1, "groups must be a list, not \"approver\""),
        ("group = [\"approver\"]", 1, "unknown field `group`"),
        ("groups = [\"a\"]\ngroups = [\"b\"]", 2, "duplicate key `groups`"),
        (&long, 2, "must be names of"),
        (&many, 3, "must name 1 to 40 groups"),
    ]);
}

#[test]
fn an_entry_that_cannot_be_meant_is_refused_with_its_line() {
    let crowd: Vec<_> = (0..MAX_ADDRESSES).map(|number| format!("a{number}@example.com")).collect();
    let crowd = format!("groups = [\"a\"]\n[people.\"ann@example.com\"]\naddresses = {crowd:?}");
    check_refused(&[
        // What is no address, and what may be a disguise of one.
        ("groups = [\"a\"]\n[people.ann]", 2, "people.ann `ann` must be an e-mail address"),
        ("groups = [\"a\"]\n[people.\"аnn@example.com\"]", 2, "must be an e-mail address"),
        ("groups = [\"a\"]\n[people.\"\"]", 2, "must be an e-mail address"),
        ("groups = [\"a\"]\n\n[people.\"a@x.org\"]\naddresses = [\"b\"]", 3, "`b` must be an e-mail address"),
        ("groups = [\"a\"]\n[people.\"a@x.org\"]\naddresses = [\"a\\u200b@x.org\"]", 2, "\\u{200b}"),
        ("groups = [\"a\"]\n[agents.bot]\nowner = \"a@x.org\"", 2, "must be an e-mail address"),
        ("groups = [\"a\"]\n[agents.\"bot@x.org\"]\nowner = \"ann\"", 2, "`ann` must be an e-mail address"),
        ("groups = [\"a\"]\n[services.ci]\nowner = \"service:other\"", 2, "must be an e-mail address"),
        ("groups = [\"a\"]\n[services.\"c i\"]\nowner = \"a@x.org\"", 2, "is not the subject of a service"),
        ("groups = [\"a\"]\n[services.\"\"]\nowner = \"a@x.org\"", 2, "is not the subject of a service"),
        // Unknown and missing keys.
        (
            "groups = [\"a\"]\n[people.\"a@x.org\"]\nalias = []",
            3,
            "people.a@x.org has an unknown field `alias`",
        ),
        ("groups = [\"a\"]\n[people.\"a@x.org\"]\ndisable = true", 3, "unknown field `disable`"),
        (
            "groups = [\"a\"]\n[people.\"a@x.org\"]\ndisabled = \"yes\"",
            3,
            "people.a@x.org.disabled must be `true` or `false`, not \"yes\"",
        ),
        ("groups = [\"a\"]\n[people.\"a@x.org\"]\nowner = \"b@x.org\"", 3, "unknown field `owner`"),
        ("groups = [\"a\"]\n[agents.\"bot@x.org\"]", 2, "agents.bot@x.org lacks `owner`"),
        ("groups = [\"a\"]\n[agents.\"bot@x.org\"]\nowner = \"a@x.org\"\naddresses = []", 4, "unknown field"),
        ("groups = [\"a\"]\n[services.ci]\ndisabled = true", 2, "services.ci lacks `owner`"),
        ("groups = [\"a\"]\n[persons.\"a@x.org\"]", 2, "unknown field `persons`"),
        ("groups = [\"a\"]\nunlisted_refused = 1", 2, "unlisted_refused must be `true` or `false`, not `1`"),
        ("groups = [\"a\"]\n[people.\"a@x.org\"]\n[people.\"a@x.org\"]", 3, "duplicate key `\"a@x.org\"`"),
        // What stands behind the name of a table is in that table.
        (
            "[people.\"a@x.org\"]\ngroups = [\"a\"]",
            2,
            "people.a@x.org has `groups`, which belongs to no table: put it before the first",
        ),
        (
            "groups = [\"a\"]\n[people]\nowner_required = true",
            3,
            "people.owner_required belongs to no table: put it before the first",
        ),
        (
            "groups = [\"a\"]\n[services.ci]\nowner = \"a@x.org\"\nunlisted_refused = 1",
            4,
            "services.ci has an unknown field `unlisted_refused`",
        ),
        (&crowd, 2, "has more than 6 addresses"),
    ]);
}

#[test]
fn an_address_of_two_is_refused_whichever_way_they_name_each_other() {
    check_refused(&[
        // Each the other's alias.
        (
            "groups = [\"a\"]\n[people.\"a@x.org\"]\naddresses = [\"b@x.org\"]\n\
             [people.\"b@x.org\"]\naddresses = [\"a@x.org\"]",
            4,
            "is an address of `a@x.org` already",
        ),
        // A chain: a is b, and b is c.
        (
            "groups = [\"a\"]\n[people.\"a@x.org\"]\naddresses = [\"b@x.org\"]\n\
             [people.\"b@x.org\"]\naddresses = [\"c@x.org\"]",
            4,
            "`b@x.org` is an address of `a@x.org` already",
        ),
        // One alias of two.
        (
            "groups = [\"a\"]\n[people.\"a@x.org\"]\naddresses = [\"c@x.org\"]\n\
             [people.\"b@x.org\"]\naddresses = [\"c@x.org\"]",
            4,
            "`c@x.org` is an address of `a@x.org` already",
        ),
        // The same in another spelling.
        ("groups = [\"a\"]\n[people.\"a@x.org\"]\n[people.\" A@X.ORG\"]", 2, "address of `a@x.org` already"),
        // A person and an agent.
        (
            "groups = [\"a\"]\n[people.\"a@x.org\"]\n[agents.\"A@x.org\"]\nowner = \"b@x.org\"",
            3,
            "is an address of `a@x.org` already",
        ),
        (
            "groups = [\"a\"]\n[people.\"a@x.org\"]\naddresses = [\"bot@x.org\"]\n\n\
             [agents.\"bot@x.org\"]\nowner = \"b@x.org\"",
            5,
            "is an address of `a@x.org` already",
        ),
    ]);
}

#[test]
fn the_owner_of_a_machine_is_a_person_and_no_chain_leads_to_one() {
    check_refused(&[
        (
            "groups = [\"a\"]\n[agents.\"r@x.org\"]\nowner = \"r@x.org\"",
            2,
            "must have a person for its owner: `r@x.org` is listed under agents",
        ),
        (
            "groups = [\"a\"]\n[agents.\"r@x.org\"]\nowner = \"s@x.org\"\n[agents.\"s@x.org\"]\nowner = \"r@x.org\"",
            2,
            "must have a person for its owner: `s@x.org` is listed under agents",
        ),
        (
            "groups = [\"a\"]\n[agents.\"r@x.org\"]\nowner = \"h@x.org\"\n[agents.\"s@x.org\"]\nowner = \"R@x.org\"",
            4,
            "must have a person for its owner: `r@x.org` is listed under agents",
        ),
        (
            "groups = [\"a\"]\n[agents.\"r@x.org\"]\nowner = \"h@x.org\"\n[services.ci]\nowner = \"r@x.org\"",
            4,
            "must have a person for its owner: `r@x.org` is listed under agents",
        ),
    ]);
    // By any address of theirs, and by one that is not listed.
    let people = people(
        "[people.\"ann@example.com\"]\naddresses = [\"ann.smith@example.com\"]\n\
         [agents.\"robo@example.com\"]\nowner = \" Ann.Smith@example.com\"\n\
         [services.ci]\nowner = \"dan@example.com\"",
    );
    assert_eq!(people.owner(&person("robo")), Some(&person("ann")));
    assert_eq!(people.owner(&PersonId::service("ci").unwrap()), Some(&person("dan")));
    assert_eq!(people.owner(&person("ann")), None);
}

/// THREATS 4 and 5: every spelling and every address is the one person.
#[test]
fn a_caller_is_one_person_by_every_address_in_every_spelling() {
    let people = people(
        "[people.\"Ann@Example.com \"]\naddresses = [\"A.Smith@example.com\", \"ann@example.com\"]\n\
         [people.\"bob@example.com\"]",
    );
    for spelling in ["ann@example.com", "ANN@example.com", " a.smith@EXAMPLE.com"] {
        let email = PersonId::from_email(spelling).unwrap();
        let actor = Principal::assumed(
            email,
            PrincipalKind::Human,
            human("x", &[]).channel,
            ["approver", "Approver", "root"],
        );
        let actor = people.resolve(as_caller(actor)).unwrap();
        assert_eq!(actor.person, person("ann"), "{spelling}");
        assert!(actor.is(&person("a.smith")) && actor.is(&person("ann")) && !actor.is(&person("bob")));
        // Group names mean something in one spelling only.
        assert_eq!(actor.groups, ["approver".to_owned()].into());
    }
    assert!(people.is_same(&person("a.smith"), &person("ann")));
    assert!(!people.is_same(&person("bob"), &person("ann")));
    assert_eq!(people.addresses(&person("a.smith")), [person("a.smith"), person("ann")].into());
    assert_eq!(people.addresses(&person("eve")), [person("eve")].into());
    // A person listed with nothing but a name is who they were.
    assert_eq!(people.resolve(as_caller(human("bob", &[]))).unwrap().addresses, [person("bob")].into());
}

/// THREATS 31: whatever the token says.
#[test]
fn a_disabled_person_is_refused_by_every_address_and_in_every_group() {
    let people = people(
        "[people.\"mallory@example.com\"]\naddresses = [\"mal@example.com\"]\ndisabled = true\n\
         [agents.\"robo@example.com\"]\nowner = \"ann@example.com\"\ndisabled = true\n\
         [services.ci]\nowner = \"ann@example.com\"\ndisabled = true",
    );
    for actor in [
        human("mallory", &["approver"]),
        human("mal", &["approver", "developer"]),
        human("mal", &["agent"]),
        human("mal", &[]),
        human("robo", &["agent"]),
        human("robo", &["approver"]),
        service("ci", &["developer"]),
    ] {
        let refused = identified(&people, actor).unwrap_err();
        assert!(refused.ends_with("is disabled in people.toml"), "{refused}");
    }
    assert!(people.is_disabled(&person("mal")) && !people.is_disabled(&person("ann")));
}

#[test]
fn a_machine_whose_owner_is_disabled_is_refused() {
    let people = people(
        "[people.\"ann@example.com\"]\naddresses = [\"a@example.com\"]\ndisabled = true\n\
         [agents.\"robo@example.com\"]\nowner = \"a@example.com\"\n\
         [services.ci]\nowner = \"ann@example.com\"",
    );
    for actor in [human("robo", &["agent"]), human("robo", &["developer"]), service("ci", &["developer"])] {
        let refused = identified(&people, actor).unwrap_err();
        assert!(refused.starts_with("whoever answers for"), "{refused}");
    }
}

/// What is listed as an agent is one, in whichever groups; and nothing makes a human of what is none.
#[test]
fn a_file_makes_an_agent_of_a_caller_and_never_a_human() {
    let people = people(
        "[people.\"tool@example.com\"]\n\
         [agents.\"robo@example.com\"]\nowner = \"ann@example.com\"\n\
         [services.ci]\nowner = \"ann@example.com\"",
    );
    for (actor, kind, owner) in [
        (human("robo", &["approver"]), PrincipalKind::Agent, Some("ann")),
        (human("robo", &["agent"]), PrincipalKind::Agent, Some("ann")),
        (human("robo", &[]), PrincipalKind::Agent, Some("ann")),
        (service("ci", &["approver"]), PrincipalKind::Service, Some("ann")),
        (service("other", &["approver"]), PrincipalKind::Service, None),
        // In the group and in `[people]`.
        (human("tool", &["agent", "approver"]), PrincipalKind::Agent, None),
        (human("tool", &["approver"]), PrincipalKind::Human, None),
        (human("ann", &["approver"]), PrincipalKind::Human, None),
        // A service that has the name of a person is not that person.
        (service("tool@example.com", &["approver"]), PrincipalKind::Service, None),
    ] {
        let found = people.resolve(as_caller(actor.clone())).unwrap();
        assert_eq!(
            (found.kind, found.owner.map(|owner| owner.person)),
            (kind, owner.map(person)),
            "{actor:?}"
        );
    }
}

/// A member of the `agent` group is an agent, even where policy does not know the group.
#[test]
fn an_agent_stays_one_under_a_policy_that_does_not_know_the_group() {
    let people = People::parse("groups = [\"approver\"]").unwrap();
    let found = people.resolve(as_caller(human("robo", &["agent", "approver"]))).unwrap();
    assert_eq!((found.kind, found.groups), (PrincipalKind::Agent, ["approver".to_owned()].into()));
}

#[test]
fn machines_without_an_owner_are_refused_where_one_is_required() {
    let people = people(
        "owner_required = true\n[people.\"tool@example.com\"]\n\
         [agents.\"robo@example.com\"]\nowner = \"ann@example.com\"",
    );
    for actor in [human("bot", &["agent"]), human("tool", &["agent"]), service("ci", &["developer"])] {
        let refused = identified(&people, actor).unwrap_err();
        assert!(refused.contains("does not say who answers for it"), "{refused}");
    }
    for actor in [human("robo", &["agent"]), human("tool", &["approver"]), human("eve", &[])] {
        assert!(people.resolve(as_caller(actor)).is_ok());
    }
}

#[test]
fn only_listed_callers_may_act_where_the_others_are_refused() {
    let people = people(
        "unlisted_refused = true\n[people.\"ann@example.com\"]\naddresses = [\"a@example.com\"]\n\
         [services.ci]\nowner = \"ann@example.com\"",
    );
    for actor in [human("eve", &["approver"]), human("bot", &["agent"]), service("cd", &["developer"])] {
        let refused = identified(&people, actor).unwrap_err();
        assert!(refused.ends_with("is not listed in people.toml"), "{refused}");
    }
    for actor in [human("ann", &[]), human("a", &["approver"]), service("ci", &["developer"])] {
        assert!(people.resolve(as_caller(actor)).is_ok());
    }
}

#[test]
fn the_file_that_comes_with_countersign_lists_no_person() {
    let people = People::parse(BUNDLED_PEOPLE).unwrap();
    assert_eq!(people.listed().count(), 0);
    let eve = people.resolve(as_caller(human("eve", &["approver", "wheel"]))).unwrap();
    assert_eq!((eve.kind, eve.groups), (PrincipalKind::Human, ["approver".to_owned()].into()));
}

/// Every cut of a full file is refused, or lists no disabled person as if they were not.
#[test]
fn no_cut_of_the_file_gives_a_person_back_what_it_took() {
    let full = format!(
        "{GROUPS}unlisted_refused = true\n[people.\"mallory@example.com\"]\ndisabled = true\n\
         [people.\"ann@example.com\"]\naddresses = [\"mal@example.com\"]\n"
    );
    for end in 0..=full.len() {
        let (cut, _) = full.split_at(end);
        let Ok(people) = People::parse(cut) else { continue };
        let line = cut.lines().count();
        let may_act = people.resolve(as_caller(human("mallory", &["approver"]))).is_ok();
        // The entry alone, before its `disabled`, or before anything is said of strangers.
        assert!(!may_act || line <= 4, "cut at {end}:\n{cut}");
    }
}

#[test]
fn an_alias_stands_for_a_group_that_there_is() {
    let table = "groups = [\"a\", \"agent\"]\n[group_aliases]\n";
    let long = format!("{table}\"{}\" = \"a\"", "é".repeat(129));
    let many: String = (0..=1000).map(|number| format!("\"CN={number}\" = \"a\"\n")).collect();
    let many = format!("{table}{many}");
    check_refused(&[
        (
            &format!("{table}\"CN=DBA,OU=Groups,DC=corp\" = \"dba\""),
            3,
            "group_aliases.CN=DBA,OU=Groups,DC=corp must stand for one of `groups`, which `dba` is not",
        ),
        (&format!("{table}\"CN=A\" = \"A\""), 3, "must stand for one of `groups`, which `A` is not"),
        (&format!("{table}\"CN=A\" = \"\""), 3, "must stand for one of `groups`"),
        (&format!("{table}\"CN=A\" = \"CN=B\"\n\"CN=B\" = \"a\""), 3, "must stand for one of `groups`"),
        (&format!("{table}\"CN=A\" = [\"a\"]"), 3, "group_aliases.CN=A must be text"),
        (&format!("{table}\"a\" = \"agent\""), 3, "group_aliases.a is a group itself"),
        (&format!("{table}\"\" = \"a\""), 3, "must be a name of 1 to 256 bytes"),
        (&format!("{table}\"a\\u0007\" = \"a\""), 3, "must be a name of 1 to 256 bytes"),
        (&long, 3, "must be a name of 1 to 256 bytes"),
        (&many, 2, "group_aliases must have at most 1000 entries"),
    ]);
    let people =
        People::parse(&format!("{table}\"CN=A,DC=corp\" = \"a\"\n\"{}\" = \"a\"", "x".repeat(256))).unwrap();
    assert_eq!(people.group("CN=A,DC=corp"), Some("a"));
    assert_eq!(
        (people.group("a"), people.group("CN=B"), people.group("cn=a,dc=corp")),
        (Some("a"), None, None)
    );
}
