//! Direct invocations, where they are switched on: `lambda:InvokeFunction` is the trust boundary then, and the payload
//! names the person it acts for.

use crate::environment::{Environment, InvalidVariable};
use countersign_api::operation::{DirectCaller, Operation, OriginalOperation};
use countersign_api::operations::dispatch;
use countersign_api::problem::{Code, Problem};
use countersign_core::caller::Caller;
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::person::PersonId;
use countersign_core::policy::people::People;
use lambda_runtime::Diagnostic;
use serde_json::Value;

/// What direct invocations may do.
#[derive(Debug, Clone)]
pub struct DirectAccess {
    is_on: bool,
    groups: Vec<String>,
    read_groups: Vec<String>,
    may_decide: bool,
}

/// The environments in which direct invocation is on unless a variable says otherwise.
const TRIALS: [Option<&str>; 2] = [Some("dev"), Some("test")];

/// The service that a direct invocation is of: Lambda does not tell who invoked, so that all of them have one name. It
/// reads in its own name, and files requests for the persons that payloads name.
const SERVICE: &str = "direct";

impl DirectAccess {
    /// From `DIRECT_INVOCATION` (false but in the environments dev and test), `DIRECT_GROUPS` (developer), `DIRECT_READ_GROUPS` (auditor) and
    /// `DIRECT_DECISIONS` (false).
    ///
    /// # Errors
    /// A group that policy does not know, or a switch that is neither on nor off.
    pub fn read(environment: &Environment, people: &People) -> Result<Self, InvalidVariable> {
        let groups = |variable: &str, default: &str| {
            let groups = environment.names(variable, &[default]);
            if groups.iter().all(|group| people.groups().contains(group)) {
                Ok(groups)
            } else {
                Err(Environment::invalid(variable, "names a group that policy does not know"))
            }
        };
        Ok(Self {
            is_on: match environment.optional("DIRECT_INVOCATION") {
                // The template always sets it. A function by itself is a trial only in an environment that says so.
                None => TRIALS.contains(&environment.optional("ENVIRONMENT")),
                Some(_) => environment.switch("DIRECT_INVOCATION")?,
            },
            groups: groups("DIRECT_GROUPS", "developer")?,
            read_groups: groups("DIRECT_READ_GROUPS", "auditor")?,
            may_decide: environment.switch("DIRECT_DECISIONS")?,
        })
    }

    /// For whom a payload of an operation acts.
    ///
    /// # Errors
    /// 403 if no payload is taken, or if it decides and may not; 401 if it has to say and does not; 422 if it names no
    /// operation.
    pub fn actor(&self, operation: Operation, payload: &[u8]) -> Result<Caller, Problem> {
        if !self.is_on {
            let detail =
                "direct invocation is switched off (DIRECT_INVOCATION): call the HTTP API with a token";
            return Err(Problem::new(Code::NotPermitted, detail));
        }
        // What this cannot read, the operation refuses before it asks who calls.
        let payload: Value = serde_json::from_slice(payload).unwrap_or_default();
        let (field, decides) = match acting_operation(operation, &payload)?.definition().direct {
            DirectCaller::Person { field, decides } => (field, decides),
            DirectCaller::Reader => return self.reader(),
            DirectCaller::Never => {
                let detail = "this operation takes no direct invocation: call the HTTP API with a token";
                return Err(Problem::new(Code::NotPermitted, detail));
            }
            DirectCaller::Public | DirectCaller::Original => {
                return Err(Problem::internal("an operation without a caller asks who calls"));
            }
        };
        // Taking an approval back is a decision too: the trail says that its approver did it.
        if decides && !self.may_decide {
            let detail = "a direct invocation does not decide: people approve, reject and withdraw approvals \
                          over the HTTP API";
            return Err(Problem::new(Code::NotPermitted, detail));
        }
        let named = payload.get(field).and_then(Value::as_str);
        let person = named.and_then(|email| PersonId::from_email(email).ok()).ok_or_else(|| {
            let detail = format!("`{field}` must be the e-mail address of the person you act for");
            Problem::new(Code::Unauthenticated, detail)
        })?;
        let groups = self.groups.iter().map(String::as_str);
        let caller = Caller::new(person, PrincipalKind::Human, Channel::Direct, groups);
        Ok(Caller { filed_by: Some(service()?), ..caller })
    }

    /// A reader names no person. The invoker could name any person, so this shows the invoker nothing that they could not
    /// see anyway.
    fn reader(&self) -> Result<Caller, Problem> {
        let groups = self.read_groups.iter().map(String::as_str);
        Ok(Caller::new(service()?, PrincipalKind::Service, Channel::Direct, groups))
    }
}

fn service() -> Result<PersonId, Problem> {
    PersonId::service(SERVICE).map_err(|error| Problem::internal(error.to_string()))
}

/// The operation that a payload of another is: of the original endpoint, the one that it names.
fn acting_operation(operation: Operation, payload: &Value) -> Result<Operation, Problem> {
    if operation.definition().direct != DirectCaller::Original {
        return Ok(operation);
    }
    // What is no text is refused by the operation.
    match payload.get("operation").and_then(Value::as_str) {
        None => Ok(OriginalOperation::DEFAULT.operation()),
        Some(name) => {
            let original = name.parse::<OriginalOperation>();
            original.map(OriginalOperation::operation).map_err(|_| dispatch::unknown_operation())
        }
    }
}

/// A problem as a Lambda error: its type is the code, for `Catch` clauses of state machines.
pub fn error(problem: Problem, correlation_id: &str) -> Diagnostic {
    let mut message = problem.detail;
    for error in &problem.errors {
        message.push_str(&format!("; {} {}", error.pointer, error.message));
    }
    if let Some(status) = problem.current_status
        && !message.contains(status.as_str())
    {
        message.push_str(&format!(" (the request is {status})"));
    }
    if problem.code.status() >= 500 {
        message.push_str(&format!(" (correlation id {correlation_id})"));
    }
    Diagnostic { error_type: problem.code.as_str().to_owned(), error_message: message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::policy::Policy;
    use countersign_core::policy::access::{Action, Subject};
    use countersign_core::risk::{self, RiskLevel};
    use countersign_core::timestamp::Timestamp;
    use serde_json::json;
    use strum::IntoEnumIterator;

    fn policy() -> Policy {
        countersign_policy::load::bundled().unwrap()
    }

    fn read(variables: &'static [(&str, &str)]) -> Result<DirectAccess, InvalidVariable> {
        DirectAccess::read(&Environment::of(variables.iter().copied()), policy().people())
    }

    fn access(variables: &'static [(&str, &str)]) -> DirectAccess {
        DirectAccess { is_on: true, ..read(variables).unwrap() }
    }

    fn actor(access: &DirectAccess, operation: Operation, payload: &Value) -> Result<Caller, Problem> {
        access.actor(operation, payload.to_string().as_bytes())
    }

    #[test]
    fn a_command_acts_for_the_person_it_names() {
        let access = access(&[]);
        let ann = actor(&access, Operation::Create, &json!({"requested_by": "Ann@example.com"})).unwrap();
        assert_eq!(
            (ann.person.as_str(), ann.kind, ann.channel),
            ("ann@example.com", PrincipalKind::Human, Channel::Direct)
        );
        assert_eq!(ann.groups.iter().collect::<Vec<_>>(), ["developer"]);
        assert_eq!(ann.filed_by, Some(PersonId::service("direct").unwrap()));
        assert_eq!(
            actor(&access, Operation::Simulate, &json!({"requested_by": "ann@example.com"})).unwrap(),
            ann
        );
        for payload in
            [json!({}), json!({"requested_by": "аnn@example.com"}), json!({"requested_by": 1}), json!([])]
        {
            let problem = actor(&access, Operation::Create, &payload).unwrap_err();
            assert_eq!(problem.code, Code::Unauthenticated, "{payload}");
            assert!(problem.detail.contains("`requested_by`"), "{}", problem.detail);
        }
    }

    #[test]
    fn direct_invocation_is_switched_off_unless_a_variable_switches_it_on() {
        let ann = json!({ "requested_by": "ann@example.com" });
        let everything =
            [("DIRECT_DECISIONS", "true"), ("DIRECT_GROUPS", "admin"), ("DIRECT_READ_GROUPS", "admin")];
        for off in [
            read(&[]),
            read(&[("DIRECT_INVOCATION", "false")]),
            read(&[("ENVIRONMENT", "prod")]),
            read(&[("ENVIRONMENT", "dev"), ("DIRECT_INVOCATION", "false")]),
            DirectAccess::read(&Environment::of(everything), policy().people()),
        ] {
            let off = off.unwrap();
            for operation in [Operation::Create, Operation::Get, Operation::Approve, Operation::Dispatch] {
                let refused = actor(&off, operation, &ann).unwrap_err();
                assert_eq!(refused.code, Code::NotPermitted, "{operation:?}");
                assert!(refused.detail.contains("DIRECT_INVOCATION"), "{}", refused.detail);
            }
        }
        for on in [
            read(&[("DIRECT_INVOCATION", "true")]),
            read(&[("ENVIRONMENT", "dev")]),
            read(&[("ENVIRONMENT", "test")]),
        ] {
            assert!(actor(&on.unwrap(), Operation::Create, &ann).is_ok());
        }
        assert!(read(&[("DIRECT_INVOCATION", "on")]).is_err(), "a misspelt switch is an error");
    }

    #[test]
    fn a_direct_invocation_decides_only_where_it_is_switched_on() {
        let bob = json!({
            "approved_by": "bob@example.com",
            "rejected_by": "bob@example.com",
            "withdrawn_by": "bob@example.com",
        });
        let original = |operation: &str| {
            let mut payload = bob.clone();
            payload["operation"] = json!(operation);
            payload
        };
        for off in
            [access(&[]), access(&[("DIRECT_GROUPS", "admin")]), access(&[("DIRECT_DECISIONS", "false")])]
        {
            for operation in [Operation::Approve, Operation::Reject, Operation::Withdraw] {
                assert_eq!(
                    actor(&off, operation, &bob).unwrap_err().code,
                    Code::NotPermitted,
                    "{operation:?}"
                );
            }
            for operation in ["approve_request", "reject_request", "withdraw_approval"] {
                let refused = actor(&off, Operation::Dispatch, &original(operation)).unwrap_err();
                assert_eq!(refused.code, Code::NotPermitted, "{operation}");
            }
        }
        let on = access(&[("DIRECT_DECISIONS", "true"), ("DIRECT_GROUPS", "developer,approver")]);
        for operation in [Operation::Approve, Operation::Reject, Operation::Withdraw] {
            let allowed = actor(&on, operation, &bob).unwrap();
            assert_eq!(allowed.person.as_str(), "bob@example.com", "{operation:?}");
        }
        assert!(read(&[("DIRECT_DECISIONS", "yes")]).is_err(), "a misspelt switch is an error");
        assert!(read(&[("DIRECT_GROUPS", "developers")]).is_err());
    }

    #[test]
    fn a_reader_sees_and_changes_nothing() {
        let reader = actor(
            &access(&[]),
            Operation::Get,
            &json!({"request_id": "x", "requested_by": "ann@example.com"}),
        )
        .unwrap();
        assert_eq!((reader.person.as_str(), reader.kind), ("service:direct", PrincipalKind::Service));
        let (policy, now) = (policy(), Timestamp::EARLIEST);
        let reader = policy.people().resolve(reader).unwrap();
        assert!(policy.may_list(&reader, false, now).is_permitted());
        let ann = PersonId::from_email("ann@example.com").unwrap();
        let subject = Subject {
            operation_type: "reboot",
            instance_id: "production-db-01",
            environment: risk::Environment::Production,
            risk_level: RiskLevel::High,
            estimated_cost: None,
            requested_by: &ann,
        };
        for action in Action::iter().filter(|action| action.is_of_request()) {
            let reads = [Action::View, Action::ViewParameters, Action::Audit].contains(&action);
            let answer = policy.ask(action, &reader, subject, false, now);
            assert_eq!(answer.is_permitted(), reads, "{action:?}");
        }
    }

    #[test]
    fn what_is_no_original_operation_acts_for_no_caller() {
        let payload = json!({ "operation": "approve", "approved_by": "bob@example.com" });
        let refused = actor(&access(&[]), Operation::Dispatch, &payload).unwrap_err();
        assert_eq!(refused.code, Code::ValidationFailed);
    }
}
