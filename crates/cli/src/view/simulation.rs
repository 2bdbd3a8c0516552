//! A simulation as people read it: what would come of a request.

use crate::view::notifications::notifies;
use crate::view::page::View;
use crate::view::text::{Line, Text, Tone};
use crate::view::times::RelativeTime;
use crate::view::tones::{environment_tone, risk_tone, status_tone};
use crate::view::words;
use countersign_api::wire::{CallBody, SimulateBody};
use countersign_client::refusal::problem_in_lines;
use countersign_core::timestamp::Timestamp;

impl View {
    /// What would come of a request, all of it.
    pub(crate) fn simulation(&self, simulation: &SimulateBody) -> Text {
        let mut text = self.title(&simulation.operation_type, &simulation.instance_id);
        text.push(match simulation.permitted {
            true => Line::new(Tone::Good, "could be made").with(None, "; nothing has been"),
            false => Line::new(Tone::Danger, "could not be made"),
        });
        text.blank();
        for refusal in &simulation.refusals {
            let lines = problem_in_lines(&refusal.detail, &refusal.code, &refusal.reasons, &refusal.errors);
            self.lines(&mut text, "Refused", lines);
        }
        let is_approved = simulation.status == "approved";
        self.line(&mut text, "Begins as", &simulation.status, Some(status_tone(&simulation.status)));
        self.line(&mut text, "Risk", &simulation.risk_level, risk_tone(&simulation.risk_level));
        self.line(
            &mut text,
            "Environment",
            &simulation.environment,
            environment_tone(&simulation.environment),
        );
        let requester = words::in_groups(&simulation.requested_by, &simulation.requester_groups);
        self.line(&mut text, "Requester", &requester, None);
        self.line(
            &mut text,
            "Approvals",
            &words::demanded(simulation.approvals_required, &simulation.slots),
            None,
        );
        match (simulation.satisfiable, simulation.approvals_required) {
            (true, 0) => {}
            (true, _) => {
                self.line(&mut text, "Satisfiable", "yes: people could be found who may give them", None)
            }
            (false, _) => self.line(
                &mut text,
                "Satisfiable",
                "no: nobody could be found who may give them; it would wait until it expires",
                Some(Tone::Danger),
            ),
        }
        if simulation.digest_required && !is_approved {
            self.line(&mut text, "Digest", words::DIGEST_REQUIRED, None);
        }
        self.lines(&mut text, "Deadlines", self.deadlines(simulation, is_approved));
        if !simulation.required_fields.is_empty() {
            self.line(&mut text, "Must have", &simulation.required_fields.join(", "), None);
        }
        if let Some(limit) = simulation.cost_limit {
            self.line(&mut text, "Cost limit", &limit.to_string(), None);
        }
        if let Some(characters) = simulation.justification_min {
            self.line(&mut text, "Justification", &format!("at least {characters} characters"), None);
        }
        if is_approved {
            let approved = format!(
                "at most {} of one requester not started, this one included",
                simulation.approved_limit
            );
            self.line(&mut text, "Approved", &approved, None);
        } else {
            let pending = format!("at most {} of one requester, this one included", simulation.pending_limit);
            self.line(&mut text, "Pending", &pending, None);
        }
        if let Some(count) = simulation.notifies {
            self.line(&mut text, "Notifies", &notifies(count), None);
        }
        self.lines(&mut text, "Calls", simulation.calls.iter().map(call_in_words));
        self.lines(&mut text, "Because of", words::rules(&simulation.rules));
        self.line(&mut text, "Policy", &simulation.policy_version, None);
        self.line(&mut text, "Parameters", &simulation.parameters_digest, None);
        text
    }

    /// Counted from the making, whenever that was on the service's clock.
    fn deadlines(&self, simulation: &SimulateBody, is_approved: bool) -> Vec<String> {
        let made = Timestamp::parse(&simulation.requested_at);
        let moment = made.map_or(self.moment, |now| RelativeTime { now, ..self.moment });
        match &simulation.execute_by {
            Some(time) if is_approved => vec![format!("{} to start", moment.deadline(time))],
            _ => vec![
                format!("{} to decide", moment.deadline(&simulation.expires_at)),
                format!(
                    "{} to start, once approved",
                    RelativeTime::lasting(simulation.execute_within_seconds)
                ),
            ],
        }
    }
}

/// A call, its parameters as JSON.
fn call_in_words(call: &CallBody) -> String {
    let parameters = serde_json::Value::Object(call.parameters.clone());
    let configured = match call.configured.as_slice() {
        [] => String::new(),
        names => format!(", with {} of the executor's configuration", names.join(", ")),
    };
    let when = call.when.as_ref().map(|when| format!(", if {when}")).unwrap_or_default();
    format!("{} {parameters}{configured}{when}", call.action)
}

/// A simulation as the service answers it; `changes` are members that are different.
#[cfg(test)]
pub(crate) fn example(changes: serde_json::Value) -> SimulateBody {
    let mut body = serde_json::json!({
        "permitted": true, "refusals": [], "satisfiable": true, "status": "pending",
        "operation_type": "reboot", "instance_id": "production-db-01", "environment": "production",
        "risk_level": "high", "requested_by": "ann@example.com", "requester_groups": ["developer"],
        "requested_at": "2026-01-31T09:30:00.000Z", "parameters_digest": "d".repeat(64),
        "approvals_required": 2, "slots": [{ "groups": ["dba"], "approvals": 1 }],
        "digest_required": true, "expires_at": "2026-02-03T09:30:00.000Z",
        "execute_within_seconds": 86_400, "required_fields": ["ticket", "rollback_plan"],
        "cost_limit": 500.0, "pending_limit": 50, "approved_limit": 1000, "policy_version": "c".repeat(64),
        "rules": [
            { "name": "operations.reboot", "demands": ["risk high in production"] },
            { "name": "rules.databases", "demands": ["1 of dba", "a ticket"] },
        ],
    });
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    serde_json::from_value(body).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::page::check_fits;
    use crate::view::times::Times;
    use crate::view::width;
    use serde_json::json;

    fn shown(simulation: &SimulateBody, times: Times) -> String {
        // The clock here is wrong, which must not matter.
        let now = Timestamp::parse("2026-01-30T00:00:00Z").unwrap();
        let view = View { moment: RelativeTime { now, times }, width: width::WIDTH };
        view.simulation(simulation).to_string()
    }

    #[test]
    fn a_simulation_says_what_would_be_demanded_and_by_what() {
        let text = shown(&example(json!({})), Times::Relative);
        let expected = [
            "reboot on production-db-01",
            "could be made; nothing has been",
            "",
            "Begins as     pending",
            "Risk          high",
            "Environment   production",
            "Requester     ann@example.com (developer)",
            "Approvals     2 approvals: 1 of dba, 1 of anybody who may approve",
            "Satisfiable   yes: people could be found who may give them",
            "Digest        an approver must name the content_digest of what they were shown",
            "Deadlines     3d 0h left to decide",
            "              1d 0h to start, once approved",
            "Must have     ticket, rollback_plan",
            "Cost limit    500",
            "Pending       at most 50 of one requester, this one included",
            "Because of    operations.reboot: risk high in production",
            "              rules.databases: 1 of dba; a ticket",
        ];
        let lines: Vec<_> = text.lines().take(expected.len()).collect();
        assert_eq!(lines, expected);
        let dates = shown(&example(json!({})), Times::Utc);
        assert!(dates.contains("2026-02-03 09:30:00 UTC to decide"), "{dates}");
    }

    #[test]
    fn what_policy_approves_by_itself_has_no_deadline_of_a_decision() {
        let low = example(json!({
            "status": "approved", "approvals_required": 0, "slots": [], "risk_level": "low",
            "execute_by": "2026-02-01T09:30:00.000Z",
        }));
        let text = shown(&low, Times::Relative);
        assert!(text.contains("Begins as     approved\n"), "{text}");
        assert!(text.contains("Approvals     none\nDeadlines     1d 0h left to start\n"), "{text}");
        assert!(!text.contains("\nPending"), "{text}");
        let limit = "\nApproved      at most 1000 of one requester not started, this one included\n";
        assert!(text.contains(limit), "{text}");
    }

    #[test]
    fn every_refusal_is_said() {
        let refused = example(json!({
            "permitted": false, "satisfiable": false,
            "refusals": [
                { "code": "not_permitted", "detail": "not at night; not by guests",
                  "reasons": ["not at night", "not by guests"] },
                { "code": "validation_failed", "detail": "see errors: ticket",
                  "reasons": ["ticket is required"], "errors": [{ "pointer": "/ticket", "message": "is required" }] },
                { "code": "too_many_pending", "detail": "50 are pending", "reasons": [] },
            ],
        }));
        let text = shown(&refused, Times::Relative);
        let expected = "could not be made\n\n\
            Refused       refused for 2 reasons (not_permitted)\n              \
              why: not at night\n              \
              why: not by guests\n\
            Refused       fields break rules (validation_failed)\n              \
              ticket: is required\n\
            Refused       50 are pending (too_many_pending)\n";
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("Satisfiable   no: nobody could be found"), "{text}");
    }

    #[test]
    fn whatever_the_service_says_fits_and_imitates_no_line() {
        let evil = format!("{}\u{1b}[2J\nApprovals     none\u{202e}{}", "a ".repeat(60), "b".repeat(120));
        let simulation = example(json!({
            "permitted": false, "status": evil, "operation_type": evil, "environment": evil,
            "risk_level": evil, "requester_groups": [evil], "slots": [{ "groups": [evil], "approvals": 1 }], "expires_at": evil,
            "requested_at": evil, "required_fields": [evil], "policy_version": evil,
            "rules": [{ "name": evil, "demands": [evil, evil] }],
            "refusals": [{ "code": evil, "detail": evil, "reasons": [evil, evil],
                           "errors": [{ "pointer": evil, "message": evil }] }],
        }));
        let text = shown(&simulation, Times::Relative);
        check_fits(&text);
        assert!(!text.lines().any(|line| line.starts_with("Approvals     none")), "{text}");
    }
}
