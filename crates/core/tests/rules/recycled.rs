//! THREATS 61: an address that goes from one person to another, and what was made under it.

use crate::fixture::{
    HIGH, Trail, ann, approve, as_caller, bob, cancel, carol, comment, counting, draft, entry, finish, give,
    human, identified, key, people, person, reject, start, withdraw, word,
};
use countersign_core::command::{Command, ExecutionOutcome};
use countersign_core::policy::Policy;
use countersign_core::policy::people::People;
use countersign_core::request::Status;

/// What alice asked for as alice@, before that became another person's address.
struct Recycled {
    /// Everybody by what they were.
    then: Policy,
    /// Alice is known by another address, and says that alice@ was hers; it is carl's now.
    retired: Policy,
    /// The same, and alice has left.
    left: Policy,
    /// alice@ is carl's, and people.toml does not say that it was another person's.
    undeclared: Policy,
}

fn recycled() -> Recycled {
    let carl = entry("carl", "addresses = [\"alice@example.com\"]");
    Recycled {
        then: people(&entry("alice", "")),
        retired: people(&[entry("alice.b", "retired = [\"alice@example.com\"]"), carl.clone()].concat()),
        left: people(
            &[entry("alice.b", "retired = [\"alice@example.com\"]\ndisabled = true"), carl.clone()].concat(),
        ),
        undeclared: people(&carl),
    }
}

/// A main address that goes to another person hands nothing over: the new holder neither sees nor starts,
/// cancels, withdraws nor finishes what its former holder made, by whichever address their token has.
#[test]
fn threat_61_the_new_holder_of_a_retired_address_inherits_nothing() {
    let recycled = recycled();
    let alice = |groups: &[&str]| human("alice", groups);
    let made = |status: Status| {
        let requester = identified(&recycled.then, alice(&["developer"]));
        let mut trail = Trail::open_as(draft(HIGH), &requester, &recycled.then, None);
        let steps: &[Command] = match status {
            Status::Pending => &[],
            Status::Approved => &[approve(), approve()],
            _ => &[approve(), approve(), start()],
        };
        for (actor, command) in [bob(), carol(), alice(&["developer"])].into_iter().zip(steps) {
            trail.clock += 1000;
            give(&mut trail, &recycled.then, actor, command);
        }
        assert_eq!(trail.request.status, status);
        trail
    };
    let finish_of = |trail: &Trail| finish(&trail.request, ExecutionOutcome::Succeeded);
    for policy in [&recycled.retired, &recycled.left] {
        for (status, command) in [
            (Status::Pending, cancel()),
            (Status::Pending, comment()),
            (Status::Approved, cancel()),
            (Status::Approved, start()),
            (Status::Executing, finish_of(&made(Status::Executing))),
        ] {
            // Carl comes with alice@ in his token, or with his own address.
            for token in ["alice", "carl"] {
                let mut trail = made(status);
                let found = give(&mut trail, policy, human(token, &["developer"]), &command);
                assert_eq!(found, "not_found", "{token}: {command:?}");
                let sees_others = human(token, &["developer", "auditor"]);
                let found = give(&mut trail, policy, sees_others, &command);
                assert_eq!(found, "not_permitted", "{token}: {command:?}");
            }
        }
        // Nor do they decide on it: it was made under an address of theirs.
        for token in ["alice", "carl"] {
            let found = give(&mut made(Status::Pending), policy, human(token, &["approver"]), &approve());
            assert_eq!(found, "self_approval", "{token}");
        }
    }
    // Alice goes on with it under her other address.
    for (status, command, expected) in [
        (Status::Pending, cancel(), "cancelled"),
        (Status::Approved, start(), "executing"),
        (Status::Executing, finish_of(&made(Status::Executing)), "executed"),
    ] {
        let found = give(&mut made(status), &recycled.retired, human("alice.b", &["developer"]), &command);
        assert_eq!(found, expected);
    }
    for command in [approve(), reject()] {
        let mut trail = made(Status::Pending);
        let found = give(&mut trail, &recycled.retired, human("alice.b", &["approver"]), &command);
        assert_eq!(found, "self_approval");
    }
    // Where people.toml does not say that the address was another person's, there is one person with that address.
    let found =
        give(&mut made(Status::Approved), &recycled.undeclared, human("carl", &["developer"]), &start());
    assert_eq!(found, "executing");
}

/// The same of approvals: they stay their giver's, count while their giver may act, and are not the new
/// holder's to take back or to repeat.
#[test]
fn threat_61_the_approval_of_a_former_holder_is_not_the_new_holders() {
    let recycled = recycled();
    let mut trail = Trail::open_as(draft(HIGH), &ann(), &recycled.then, None);
    assert_eq!(give(&mut trail, &recycled.then, human("alice", &["approver"]), &approve()), "pending");
    for (policy, counted) in [(&recycled.retired, 1), (&recycled.left, 0)] {
        assert_eq!(counting(&trail.request, policy), counted);
        for token in ["alice", "carl"] {
            let found = give(&mut trail.clone(), policy, human(token, &["approver"]), &withdraw());
            assert_eq!(found, "not_decided", "{token}");
        }
    }
    let mut taken_back = trail.clone();
    let found = give(&mut taken_back, &recycled.retired, human("alice.b", &["approver"]), &withdraw());
    assert_eq!((found, taken_back.request.approvals_received()), ("pending", 0));
    for token in ["alice.b", "alice", "carl"] {
        let found = give(&mut trail.clone(), &recycled.retired, human(token, &["approver"]), &approve());
        assert_eq!(found, "already_decided", "{token}: one address is on record once");
    }
    // Alice has left, and her approval with her. Carl's own counts.
    let mut trail = Trail::open_as(draft(HIGH), &ann(), &recycled.left, None);
    for (token, expected) in [("alice", "pending"), ("bob", "approved")] {
        assert_eq!(give(&mut trail, &recycled.left, human(token, &["approver"]), &approve()), expected);
    }
    assert_eq!(trail.request.decisions[0].person, person("carl"));
    assert_eq!(counting(&trail.request, &recycled.left), 2);
    assert_eq!(give(&mut trail, &recycled.left, ann(), &start()), "executing");
}

/// A retry with a key that the former holder of an address has used is no retry.
#[test]
fn threat_61_the_idempotency_keys_of_a_former_holder_are_not_the_new_holders() {
    let recycled = recycled();
    let k = key("k", "body");
    let requester = identified(&recycled.then, human("alice", &["developer", "auditor"]));
    let mut trail = Trail::open_as(draft(HIGH), &requester, &recycled.then, None);
    assert!(trail.give_under(&recycled.then, &requester, &comment(), Some(&k)).is_ok());
    let mut retry = |policy: &Policy, name: &str| {
        let actor = identified(policy, human(name, &["developer", "auditor"]));
        word(&trail.give_under(policy, &actor, &comment(), Some(&k)))
    };
    assert_eq!(retry(&recycled.retired, "carl"), "not_permitted");
    assert_eq!(retry(&recycled.retired, "alice"), "not_permitted");
    assert_eq!(retry(&recycled.retired, "alice.b"), "replayed");
}

/// A token with an address that was retired and is listed for no other person is no person's.
#[test]
fn threat_61_a_token_with_a_retired_address_is_refused_until_its_new_holder_is_listed() {
    let policy = people(&entry("alice.b", "retired = [\"alice@example.com\"]"));
    let Err(refusal) = policy.people().resolve(as_caller(human("alice", &["developer"]))) else {
        panic!("alice@ is nobody's")
    };
    assert!(refusal.to_string().contains("retired address of `alice.b@example.com`"), "{refusal}");
    assert!(policy.people().resolve(as_caller(human("alice.b", &["developer"]))).is_ok());
    // A token with the address of another person does not make its bearer that person.
    let actor = identified(&recycled().retired, human("alice", &["developer"]));
    assert_eq!(actor.person, person("carl"));
}

#[test]
fn threat_61_a_file_that_contradicts_itself_about_retired_addresses_is_refused() {
    let groups = "groups = [\"developer\"]\n";
    for (entries, reason) in [
        (
            [entry("alice.b", "retired = [\"alice@example.com\"]"), entry("alice", "")].concat(),
            "nobody else is known by it",
        ),
        (entry("alice", "retired = [\"alice@example.com\"]"), "cannot be retired and an address of theirs"),
        (
            [
                entry("alice", "retired = [\"old@example.com\"]"),
                entry("bob", "retired = [\"old@example.com\"]"),
            ]
            .concat(),
            "is a retired address of `alice@example.com` already",
        ),
        (
            entry(
                "alice",
                "addresses = [\"a1@example.com\", \"a2@example.com\", \"a3@example.com\"]\n\
                 retired = [\"a4@example.com\", \"a5@example.com\", \"a6@example.com\"]",
            ),
            "retired ones included",
        ),
        (entry("alice", "retired = [\"nobody\"]"), "nobody"),
        (
            format!(
                "{}[agents.\"robo@example.com\"]\nowner = \"old@example.com\"\n",
                entry("alice", "retired = [\"old@example.com\"]")
            ),
            "retired address",
        ),
    ] {
        let Err(error) = People::parse(&format!("{groups}{entries}")) else { panic!("{entries}") };
        assert!(error.to_string().contains(reason), "{error}");
    }
}
