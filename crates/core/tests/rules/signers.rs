//! For whom roles and users of AWS sign: which names are read, what they stand for, and who is refused.

use crate::fixture::{HIGH, Trail, approve, in_force, people, person, policy_of_people, word};
use crate::people::check_cannot_decide;
use countersign_core::arn::{PrincipalArn, SignerArn};
use countersign_core::caller::{Authentication, Caller, Channel, PrincipalKind};
use countersign_core::policy::Policy;
use countersign_core::policy::people::People;
use countersign_core::policy::signers::IAM_ISSUER;

const APPROVERS: &str = "AWSReservedSSO_Approver_0123456789abcdef";
const PERMISSION_SETS: &str = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com";

/// A service with two names, and a permission set.
fn entries() -> String {
    format!(
        "[services.pipeline]\nowner = \"erin@example.com\"\ngroups = [\"developer\"]\n\
         arns = [\"arn:aws:iam::123456789012:role/ci/deploy\", \"arn:aws:iam::123456789012:user/ci/robot\"]\n\
         [identity_center.\"{PERMISSION_SETS}/eu-central-1/{APPROVERS}\"]\nrole_id = \"AROAROLE\"\ngroups = [\"approver\"]\n"
    )
}

fn caller(policy: &Policy, arn: &str) -> Result<Caller, String> {
    caller_with_id(policy, arn, "AROAROLE:session")
}

fn caller_with_id(policy: &Policy, arn: &str, unique_id: &str) -> Result<Caller, String> {
    let signer = SignerArn::parse(arn).map_err(|error| error.to_string())?;
    policy.people().caller(&signer, unique_id).map_err(|refusal| refusal.to_string())
}

fn session(role: &str, name: &str) -> String {
    format!("arn:aws:sts::123456789012:assumed-role/{role}/{name}")
}

#[test]
fn a_role_or_user_that_is_listed_signs_for_its_service() {
    let policy = people(&entries());
    for arn in [session("deploy", "GitHubActions"), "arn:aws:iam::123456789012:user/ci/robot".to_owned()] {
        let pipeline = caller(&policy, &arn).unwrap();
        assert_eq!((pipeline.person.as_str(), pipeline.kind), ("service:pipeline", PrincipalKind::Service));
        assert_eq!((pipeline.channel, pipeline.source_ip), (Channel::Api, None));
        assert_eq!(pipeline.groups, ["developer".to_owned()].into());
        let proven = Authentication { issuer: IAM_ISSUER.to_owned(), subject: arn, at: None };
        assert_eq!(pipeline.authentication, Some(proven.clone()));
        let pipeline = policy.people().resolve(pipeline).unwrap();
        assert_eq!(pipeline.authentication, Some(proven));
        assert_eq!(pipeline.owner.map(|owner| owner.person), Some(person("erin")));
    }
}

/// However many groups are listed for it.
#[test]
fn a_service_that_signs_never_decides() {
    let all = "[services.pipeline]\nowner = \"erin@example.com\"\ngroups = [\"approver\", \"admin\"]\n\
               arns = [\"arn:aws:iam::123456789012:role/deploy\"]\n";
    let policy = people(all);
    let request = Trail::open(HIGH).request;
    let pipeline = caller(&policy, &session("deploy", "robot")).unwrap();
    let pipeline = policy.people().resolve(pipeline).unwrap();
    assert_eq!(pipeline.groups.len(), 2);
    check_cannot_decide(&request, &pipeline, "agent_cannot_approve");
}

#[test]
fn a_session_of_a_permission_set_is_the_person_of_that_name() {
    let policy = people(&entries());
    let bob = caller(&policy, &session(APPROVERS, "Bob@Example.com")).unwrap();
    assert_eq!((&bob.person, bob.kind), (&person("bob"), PrincipalKind::Human));
    let subject = bob.authentication.as_ref().map(|proven| proven.subject.clone());
    assert_eq!(subject, Some(session(APPROVERS, "Bob@Example.com")), "as AWS writes it");
    let bob = policy.people().resolve(bob).unwrap();
    let mut trail = Trail::open(HIGH);
    assert_eq!(word(&trail.give_under(&policy, &bob, &approve(), None)), "pending");
    // To every rule they are who their token says as well.
    check_cannot_decide(&trail.request, &crate::fixture::bob(), "already_decided");
    let ann = policy.people().resolve(caller(&policy, &session(APPROVERS, "ann@example.com")).unwrap());
    check_cannot_decide(&trail.request, &ann.unwrap(), "self_approval");

    for name in
        ["bob", "i-0123456789abcdef0", "b@", "botocore-session-1767225600", "bob@example.com@example.com"]
    {
        let refused = caller(&policy, &session(APPROVERS, name)).unwrap_err();
        assert!(refused.contains(&format!("`{name}`, must be an e-mail address")), "{refused}");
    }
    // Cut off at the end of what a session's name holds, or not: none can tell.
    let longest = |length: usize| format!("{}@example.com", "b".repeat(length - "@example.com".len()));
    assert!(caller(&policy, &session(APPROVERS, &longest(63))).is_ok());
    assert!(caller(&policy, &session(APPROVERS, &longest(64))).is_err());
}

#[test]
fn a_permission_set_makes_no_human_of_an_agent() {
    let robots = format!(
        "[identity_center.\"{PERMISSION_SETS}/{APPROVERS}\"]\nrole_id = \"AROAROLE\"\ngroups = [\"agent\", \"approver\"]\n\
         [agents.\"robo@example.com\"]\nowner = \"erin@example.com\"\n"
    );
    let policy = people(&robots);
    let mallory = caller(&policy, &session(APPROVERS, "mallory@example.com")).unwrap();
    assert_eq!(mallory.kind, PrincipalKind::Agent);
    let policy = people(&(entries() + "[agents.\"robo@example.com\"]\nowner = \"erin@example.com\"\n"));
    let robo = caller(&policy, &session(APPROVERS, "robo@example.com")).unwrap();
    assert_eq!(policy.people().resolve(robo).unwrap().kind, PrincipalKind::Agent);
}

#[test]
fn the_entry_of_whom_is_signed_for_holds_for_signed_calls_too() {
    let disabled = format!("{}[people.\"bob@example.com\"]\ndisabled = true\n", entries());
    let policy = people(&disabled.replace("[services.pipeline]", "[services.pipeline]\ndisabled = true"));
    for arn in [session("deploy", "robot"), session(APPROVERS, "bob@example.com")] {
        let refused = policy.people().resolve(caller(&policy, &arn).unwrap()).unwrap_err().to_string();
        assert!(refused.contains("is disabled in people.toml"), "{refused}");
    }
    let bundled = countersign_core::policy::BUNDLED_PEOPLE;
    let closed = bundled.replace("unlisted_refused = false", "unlisted_refused = true");
    assert_ne!(closed, bundled);
    let policy = policy_of_people(2, &format!("{closed}\n{}", entries()));
    let bob = caller(&policy, &session(APPROVERS, "bob@example.com")).unwrap();
    assert!(policy.people().resolve(bob).is_err(), "only those who are listed may act");
}

#[test]
fn whoever_is_not_listed_is_refused_with_the_name_to_list() {
    let policy = people(&entries());
    for (arn, named) in [
        // Other names, kinds, accounts and partitions than are listed.
        (session("deploy2", "robot"), "arn:aws:iam::123456789012:role/deploy2"),
        (session("Deploy", "robot"), "arn:aws:iam::123456789012:role/Deploy"),
        (session("robot", "robot"), "arn:aws:iam::123456789012:role/robot"),
        (
            "arn:aws:sts::210987654321:assumed-role/deploy/x1".to_owned(),
            "arn:aws:iam::210987654321:role/deploy",
        ),
        (
            "arn:aws-cn:sts::123456789012:assumed-role/deploy/x1".to_owned(),
            "arn:aws-cn:iam::123456789012:role/deploy",
        ),
        ("arn:aws:iam::123456789012:user/deploy".to_owned(), "arn:aws:iam::123456789012:user/deploy"),
        ("arn:aws:iam::123456789012:user/robot".to_owned(), "arn:aws:iam::123456789012:user/robot"),
        ("arn:aws:iam::123456789012:user/ci/robot2".to_owned(), "arn:aws:iam::123456789012:user/ci/robot2"),
        ("arn:aws:iam::123456789012:user/ci/x/robot".to_owned(), "arn:aws:iam::123456789012:user/ci/x/robot"),
    ] {
        let refused = caller(&policy, &arn).unwrap_err();
        assert!(refused.contains(&format!("`{named}` is not listed in people.toml")), "{arn}\n{refused}");
        assert!(refused.contains("`arns` of a service"), "{refused}");
        assert!(caller(in_force(), &arn).is_err(), "nothing is listed in the bundled policy");
    }
    for role in [
        "AWSReservedSSO_Approver_fedcba9876543210",
        "AWSReservedSSO_x",
        "awsreservedsso_Approver_0123456789abcdef",
    ] {
        let refused = caller(&policy, &session(role, "bob@example.com")).unwrap_err();
        assert!(refused.contains(role) && refused.contains("`identity_center`"), "{refused}");
    }
}

/// Nothing that AWS does not write is a caller, however near it is to what is listed.
#[test]
fn threat_53_what_is_no_user_and_no_session_of_a_role_has_signed_nothing() {
    let policy = people(&entries());
    let long = session("deploy", &"x".repeat(65));
    let path = format!("arn:aws:iam::123456789012:user/{}/robot", "p".repeat(600));
    for arn in [
        // Not who signs.
        "arn:aws:iam::123456789012:root",
        "arn:aws:sts::123456789012:root",
        "arn:aws:iam::123456789012:role/ci/deploy",
        "arn:aws:iam::123456789012:role/deploy",
        "arn:aws:sts::123456789012:federated-user/robot",
        "arn:aws:sts::123456789012:self",
        "arn:aws:iam::123456789012:group/deploy",
        "arn:aws:iam::cloudfront:user/robot",
        "123456789012",
        "anonymous",
        "",
        // The wrong service, region, partition or account.
        "arn:aws:iam::123456789012:assumed-role/deploy/robot",
        "arn:aws:sts::123456789012:role/deploy/robot",
        "arn:aws:sts::123456789012:user/ci/robot",
        "arn:aws:iam:eu-central-1:123456789012:user/ci/robot",
        "arn:aws:sts:eu-central-1:123456789012:assumed-role/deploy/robot",
        "arn:AWS:sts::123456789012:assumed-role/deploy/robot",
        "arn:aws-:sts::123456789012:assumed-role/deploy/robot",
        "arn::sts::123456789012:assumed-role/deploy/robot",
        "ARN:aws:sts::123456789012:assumed-role/deploy/robot",
        "arn:aws:sts::12345678901:assumed-role/deploy/robot",
        "arn:aws:sts::1234567890123:assumed-role/deploy/robot",
        "arn:aws:sts::12345678901２:assumed-role/deploy/robot",
        "arn:aws:sts:::assumed-role/deploy/robot",
        "arn:aws:sts::*:assumed-role/deploy/robot",
        // Too few parts, or too many.
        "arn:aws:sts::123456789012",
        "arn:aws:sts::123456789012:assumed-role",
        "arn:aws:sts::123456789012:assumed-role/deploy",
        "arn:aws:sts::123456789012:assumed-role/deploy/",
        "arn:aws:sts::123456789012:assumed-role/deploy/r",
        "arn:aws:sts::123456789012:assumed-role//robot",
        "arn:aws:sts::123456789012:assumed-role/ci/deploy/robot",
        "arn:aws:sts::123456789012:assumed-role/deploy/robot/x",
        "arn:aws:sts::123456789012:assumed-role:deploy:robot",
        "arn:aws:iam::123456789012:user/",
        "arn:aws:iam::123456789012:user",
        "arn:aws:iam::123456789012:user//robot",
        "arn:aws:iam::123456789012:user/ci//robot",
        "arn:aws:iam::123456789012:user/ci/robot/",
        // What looks the same, and what a line or a pattern would make of it.
        "arn:aws:sts::123456789012:assumed-role/dеploy/robot",
        "arn:aws:sts::123456789012:assumed-role/deploy/bob\u{200b}@example.com",
        "arn:aws:sts::123456789012:assumed-role/deploy/robot\n",
        " arn:aws:sts::123456789012:assumed-role/deploy/robot",
        "arn:aws:sts::123456789012:assumed-role/deploy /robot",
        "arn:aws:sts::123456789012:assumed-role/deploy%2frobot",
        "arn:aws:sts::123456789012:assumed-role/*/robot",
        "arn:aws:sts::123456789012:assumed-role/depl?y/robot",
        "arn:aws:iam::123456789012:user/ci/rob*t",
        "arn:aws:iam::123456789012:user/ci/robot\0",
        &long,
        &path,
    ] {
        assert!(SignerArn::parse(arn).is_err(), "{arn:?}");
        assert!(caller(&policy, arn).is_err(), "{arn:?}");
    }
}

#[test]
fn what_is_read_is_written_as_it_was() {
    for arn in [
        "arn:aws:sts::123456789012:assumed-role/deploy/robot",
        "arn:aws-us-gov:sts::123456789012:assumed-role/a+=,.@-_/b+=,.@-_",
        "arn:aws-iso-b:iam::123456789012:user/x",
        "arn:aws:iam::123456789012:user/a/b:c/x",
    ] {
        assert_eq!(SignerArn::parse(arn).map(|read| read.to_string()).as_deref(), Ok(arn));
    }
    for arn in ["arn:aws:iam::123456789012:role/x", "arn:aws:iam::123456789012:role/a/b/x"] {
        assert_eq!(PrincipalArn::parse(arn).map(|read| read.to_string()).as_deref(), Ok(arn));
    }
}

/// What stands in the list of a service: where it is refused, and with which words.
#[test]
fn an_arn_that_cannot_be_meant_is_refused_with_line_and_column() {
    let service = "groups = [\"a\", \"b\"]\n[services.ci]\nowner = \"a@x.org\"\n";
    for (arn, words) in [
        ("deploy", "is not the ARN of a role or user"),
        ("arn:aws:iam::123456789012:root", "is the root of an account"),
        ("arn:aws:iam::123456789012:role/*", "must name one role or user"),
        ("arn:aws:iam::123456789012:role/", "is not the ARN"),
        ("arn:aws:iam::123456789012:role/a b", "is not the ARN"),
        ("arn:aws:iam::123456789012:policy/deploy", "is not the ARN"),
        ("arn:aws:sts::123456789012:federated-user/ci", "is not the ARN"),
        (
            "arn:aws:sts::123456789012:assumed-role/deploy/robot",
            "is a session: name its role, as in `arn:aws:iam::123456789012:role/deploy`",
        ),
        ("arn:aws:iam::123456789012:role/AWSReservedSSO_Admin_0123456789abcdef", "under `identity_center`"),
        ("arn:aws:iam::123456789012:role/awsreservedsso_x", "under `identity_center`"),
    ] {
        let text = format!("{service}arns = [\n  \"arn:aws:iam::1:role/x\",\n]")
            .replace("arn:aws:iam::1:role/x", arn);
        let error = People::parse(&text).unwrap_err();
        assert_eq!((error.line, error.column), (Some(5), Some(3)), "{error}");
        assert!(
            error.to_string().starts_with(&format!("people.toml:5:3: services.ci.arns `{arn}` ")),
            "{error}"
        );
        assert!(error.to_string().contains(words), "{error}");
    }
    let role = "arn:aws:iam::123456789012:role";
    for (text, at, words) in [
        // Twice, whatever the path and the capitals.
        (format!("arns = [\"{role}/x\", \"{role}/x\"]"), (4, 45), "is listed already"),
        (format!("arns = [\"{role}/x\", \"{role}/p/x\"]"), (4, 45), "is listed already, as `arn:aws:iam::123456789012:role/x`"),
        (format!("arns = [\"{role}/x\", \"{role}/X\"]"), (4, 45), "is listed already"),
        (
            format!("arns = [\"{role}/x\"]\n[services.other]\nowner = \"a@x.org\"\narns = [\"{role}/x\"]"),
            (7, 9),
            "services.other.arns",
        ),
        // Groups.
        ("groups = [\"a\"]".to_owned(), (4, 11), "it has no `arns`"),
        (format!("arns = [\"{role}/x\"]\ngroups = [\"a\", \"c\"]"), (5, 16), "`c` is none of `groups`"),
        // Permission sets.
        (format!("[identity_center.\"{role}/Approver\"]\nrole_id = \"AROAROLE\"\ngroups = []"), (4, 18), "is no role of IAM Identity Center"),
        (format!("[identity_center.\"{role}/{APPROVERS}\"]\nrole_id = \"AROAROLE\"\ngroups = []"), (4, 18), "is no role of IAM Identity Center"),
        (
            format!("[identity_center.\"{role}/aws-reserved/sso.amazonaws.com/x/y/{APPROVERS}\"]\nrole_id = \"AROAROLE\"\ngroups = []"),
            (4, 18),
            "is no role of IAM Identity Center",
        ),
        (
            format!("[identity_center.\"{role}/x/aws-reserved/sso.amazonaws.com/{APPROVERS}\"]\nrole_id = \"AROAROLE\"\ngroups = []"),
            (4, 18),
            "is no role of IAM Identity Center",
        ),
        (
            format!("[identity_center.\"{PERMISSION_SETS}/Approver\"]\nrole_id = \"AROAROLE\"\ngroups = []"),
            (4, 18),
            "is no role of IAM Identity Center",
        ),
        (
            "[identity_center.\"arn:aws:iam::123456789012:user/aws-reserved/sso.amazonaws.com/AWSReservedSSO_x\"]\nrole_id = \"AROAROLE\"\ngroups = []".to_owned(),
            (4, 18),
            "is no role of IAM Identity Center",
        ),
        (
            format!(
                "[identity_center.\"{PERMISSION_SETS}/{APPROVERS}\"]\nrole_id = \"AROAROLE\"\ngroups = []\n\
                 [identity_center.\"{PERMISSION_SETS}/eu-central-1/{APPROVERS}\"]\nrole_id = \"AROAROLE\"\ngroups = []"
            ),
            (7, 18),
            "is listed already",
        ),
        (
            format!("[identity_center.\"{PERMISSION_SETS}/{APPROVERS}\"]\nrole_id = \"AROAROLE\"\ngroups = [\"c\"]"),
            (6, 11),
            "`c` is none of `groups`",
        ),
    ] {
        let error = People::parse(&format!("{service}{text}")).unwrap_err();
        assert_eq!((error.line, error.column), (Some(at.0), Some(at.1)), "{text}\n{error}");
        assert!(error.to_string().contains(words), "{text}\n{error}");
    }
    for text in [
        format!("[identity_center.\"{PERMISSION_SETS}/{APPROVERS}\"]"),
        format!("[identity_center.\"{PERMISSION_SETS}/{APPROVERS}\"]\ngroups = [\"a\"]"),
        format!(
            "[identity_center.\"{PERMISSION_SETS}/{APPROVERS}\"]\nrole_id = \"AROAROLE\"\ngroups = [\"a\"]\nowner = \"a@x.org\""
        ),
        "arns = \"arn:aws:iam::123456789012:role/x\"".to_owned(),
        "arns = [1]".to_owned(),
        "[agents.\"r@x.org\"]\nowner = \"a@x.org\"\narns = []".to_owned(),
    ] {
        assert!(People::parse(&format!("{service}{text}")).is_err(), "{text}");
    }
}

/// Once a listed role is deleted, a caller who may make roles can make one of the same name, and choose the names of
/// its sessions. IAM never gives the same id twice.
#[test]
fn a_role_that_is_made_again_under_a_listed_name_signs_for_no_person() {
    let policy = people(&entries());
    let bob = session(APPROVERS, "bob@example.com");
    assert_eq!(caller(&policy, &bob).unwrap().person, person("bob"));
    for unique_id in
        ["AROAOTHER:bob@example.com", "AROAROLE", "", ":", "aroarole:x", "AROAROLEX:x", "AIDAROLE:x"]
    {
        let refused = caller_with_id(&policy, &bob, unique_id).unwrap_err();
        assert!(refused.contains("has another id"), "{unique_id}: {refused}");
    }
}

#[test]
fn the_id_of_a_role_is_one() {
    for role_id in ["", "AROA", "aroaexample", "AIDAEXAMPLE", "AROA EXAMPLE", "AROAEXAMPLE:x"] {
        let text = format!(
            "groups = [\"a\"]\n[identity_center.\"{PERMISSION_SETS}/{APPROVERS}\"]\nrole_id = \"{role_id}\"\ngroups = [\"a\"]"
        );
        let error = People::parse(&text).unwrap_err();
        assert_eq!((error.line, error.column), (Some(3), Some(11)), "{error}");
        assert!(error.to_string().contains("is no id of a role"), "{error}");
    }
}
