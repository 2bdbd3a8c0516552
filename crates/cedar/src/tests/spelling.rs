//! THREATS 65: names that are written in capitals to get around a policy.

use super::{EVERYTHING, Situation, parsed, valid};
use countersign_core::policy::access::{AccessDecision, Action, Authorizer as _, RequestAttribute};

/// A `forbid` of creations on one condition, beside a permit for everything.
fn forbidding(condition: &str) -> String {
    format!(
        "{EVERYTHING}@id(\"never\") forbid (principal, action == Action::\"create\", resource is Operation) when {{ {condition} }};"
    )
}

fn creation(operation: &str, instance: &str) -> Situation {
    Situation::usual().with(|it| {
        it.action = Action::Create;
        (it.operation_type, it.instance_id) = (operation.to_owned(), instance.to_owned());
    })
}

#[test]
fn threat_65_no_spelling_gets_around_a_forbid() {
    for condition in [
        "context.instance == \"payments-db\"",
        "context.instance like \"payments-*\"",
        "[\"payments-db\", \"orders-db\"].contains(context.instance)",
        "resource == Operation::\"delete_instance\"",
        "context.operation == \"delete_instance\"",
        "context.operation like \"delete_*\" && context.instance like \"*-db\"",
    ] {
        let access = valid(&forbidding(condition));
        for (operation, instance) in [
            ("delete_instance", "payments-db"),
            ("delete_instance", "Payments-db"),
            ("Delete_Instance", "payments-db"),
            ("DELETE_INSTANCE", "PAYMENTS-DB"),
            ("delete_instancE", "payments-dB"),
        ] {
            let AccessDecision::Denied(reasons) = creation(operation, instance).put_to(&access) else {
                panic!("{operation} on {instance} gets around {condition}")
            };
            assert!(
                reasons.iter().all(|reason| reason.starts_with("forbidden by policy `never`")),
                "{reasons:?}"
            );
        }
        assert!(creation("modify_storage", "inventory").is_permitted_by(&access), "{condition}");
        assert!(creation("Modify_Storage", "Inventory").is_permitted_by(&access), "{condition}");
    }
}

/// What is permitted is permitted as it is sent and in lower case.
#[test]
fn threat_65_no_spelling_gets_into_a_permit() {
    let permitting = |condition: &str| {
        valid(&format!(
            "@id(\"some\") permit (principal, action == Action::\"create\", resource) when {{ {condition} }};"
        ))
    };
    let not_payments = permitting("!(context.instance like \"payments-*\")");
    assert!(!creation("reboot", "Payments-db").is_permitted_by(&not_payments));
    assert!(creation("reboot", "Orders-db").is_permitted_by(&not_payments));
    let orders = permitting("context.instance == \"orders-db\"");
    assert!(!creation("reboot", "Orders-db").is_permitted_by(&orders));
    let capitals = permitting("context.instance == \"Orders-db\"");
    assert!(!creation("reboot", "orders-db").is_permitted_by(&capitals));
    assert_eq!(
        creation("reboot", "Orders-db").put_to(&capitals),
        AccessDecision::Denied(vec![
            "no policy permits `create` to group approver, with the names in lower case".to_owned()
        ])
    );
}

#[test]
fn threat_65_what_is_denied_in_lower_case_is_denied_whatever() {
    let access = parsed(&forbidding("context.instance == \"payments-db\""));
    let open = [RequestAttribute::Person, RequestAttribute::Time];
    let is_denied =
        |instance: &str| access.denies_whatever(&creation("reboot", instance).access_request(), &open);
    assert!(is_denied("payments-db") && is_denied("Payments-db") && !is_denied("Orders-db"));
}
