//! An explanation as people read it: why a request stands where it stands, and what would move it.

use crate::view::page::View;
use crate::view::text::{Text, Tone};
use crate::view::tones::{environment_tone, risk_tone};
use crate::view::words;
use countersign_api::wire::{ActionBody, ApprovalBody, ExplainBody, RequestBody};

impl View {
    /// An explanation, all of it, of a request.
    pub(crate) fn explanation(&self, request: &RequestBody, explanation: &ExplainBody) -> Text {
        let mut text = self.title(&request.operation_type, &request.instance_id);
        self.status(&mut text, &explanation.status, "");
        text.blank();
        self.line(&mut text, "Request", &explanation.request_id, None);
        self.line(&mut text, "Risk", &explanation.risk_level, risk_tone(&explanation.risk_level));
        let environment = &explanation.environment;
        self.line(&mut text, "Environment", environment, environment_tone(environment));
        let demanded = words::demanded(explanation.approvals_required, &explanation.slots);
        self.line(&mut text, "Approvals", &demanded, None);
        if explanation.digest_required {
            self.line(&mut text, "Digest", words::DIGEST_REQUIRED, None);
        }
        self.lines(&mut text, "Because of", words::rules(&explanation.rules));
        self.line(&mut text, "Policy", &explanation.policy_version, None);
        // Until it is started, the policy of now is asked as well.
        let is_open = matches!(explanation.status.as_str(), "pending" | "approved");
        if is_open && explanation.current_policy_version != explanation.policy_version {
            self.current_policy(&mut text, explanation);
        }
        self.lines(&mut text, "Blocked", explanation.blocked_by.iter().cloned());
        if explanation.approvals.is_empty() {
            self.line(&mut text, "Approved by", "nobody yet", None);
        }
        self.lines(&mut text, "Approved by", explanation.approvals.iter().map(approval));
        if is_open {
            let missing = words::seats(&explanation.missing.slots, explanation.missing.from_anybody);
            self.lines(&mut text, "Missing", or_else(missing, "nothing"));
        }
        if explanation.status == "pending" {
            let approvers = explanation.approvers.iter();
            let approvers = approvers.map(|groups| format!("somebody in {}", groups.join(" and "))).collect();
            // Networks and hours count: the service asks for its caller's address, and for now.
            let nobody = "nobody now, from where you are";
            self.lines(&mut text, "Who can", or_else(approvers, nobody));
        }
        let (permitted, refused): (Vec<_>, Vec<_>) =
            explanation.actions.iter().partition(|action| action.permitted);
        let permitted: Vec<_> = permitted.into_iter().map(|action| action.action.clone()).collect();
        let permitted = if permitted.is_empty() { "nothing".to_owned() } else { permitted.join(", ") };
        self.line(&mut text, "You may", &permitted, None);
        self.lines(&mut text, "You may not", refused.into_iter().map(refusal));
        self.line(&mut text, "Otherwise", &explanation.otherwise, None);
        if let Some(deadline) = &explanation.deadline {
            self.line(&mut text, "Deadline", &self.moment.deadline(deadline), Some(Tone::Warning));
        }
        text
    }

    /// What the policy of now demands, when it is another than that of then.
    fn current_policy(&self, text: &mut Text, explanation: &ExplainBody) {
        let changed = match explanation.current_rules == explanation.rules {
            true => "has changed since, and demands the same of this request",
            false => "has changed since; the stricter of both holds. It demands:",
        };
        self.line(text, "Policy now", changed, None);
        if explanation.current_rules != explanation.rules {
            self.lines(text, "", words::rules(&explanation.current_rules));
        }
        self.line(text, "", &explanation.current_policy_version, None);
    }
}

/// Something is said of nothing, too.
fn or_else(values: Vec<String>, nothing: &str) -> Vec<String> {
    if values.is_empty() { vec![nothing.to_owned()] } else { values }
}

fn approval(approval: &ApprovalBody) -> String {
    let who = words::in_groups(&approval.person, &approval.groups);
    match (approval.counts, &approval.reason) {
        (true, _) => format!("{who}: counts"),
        (false, Some(reason)) => format!("{who}: does not count: {reason}"),
        (false, None) => format!("{who}: does not count"),
    }
}

/// `start (not_approved): the request is pending, not approved`.
fn refusal(action: &ActionBody) -> String {
    let code = action.code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
    let reasons = action.reasons.join("; ");
    let separator = if reasons.is_empty() { "" } else { ": " };
    format!("{}{code}{separator}{reasons}", action.action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::page::check_fits;
    use crate::view::request::example;
    use crate::view::times::RelativeTime;
    use crate::view::width;
    use countersign_core::timestamp::Timestamp;
    use serde_json::{Value, json};

    fn explanation(changes: Value) -> ExplainBody {
        let mut body = json!({
            "request_id": "01930000-0000-4000-8000-0000000000aa", "status": "pending", "risk_level": "high",
            "environment": "production", "approvals_required": 2,
            "slots": [{ "groups": ["dba", "sre"], "approvals": 1 }], "digest_required": false,
            "policy_version": "a".repeat(64),
            "rules": [{ "name": "rules.databases", "demands": ["1 of dba or sre", "2 approvals"] }],
            "current_policy_version": "a".repeat(64),
            "current_rules": [{ "name": "rules.databases", "demands": ["1 of dba or sre", "2 approvals"] }],
            "approvals": [
                { "person": "bob@example.com", "groups": ["approver"], "counts": true },
                { "person": "eve@example.com", "groups": [], "counts": false,
                  "reason": "`eve@example.com` has been disabled" },
            ],
            "missing": { "slots": [{ "groups": ["dba", "sre"], "approvals": 1 }], "from_anybody": 0 },
            "approvers": [["approver"], ["dba", "approver"]],
            "actions": [
                { "action": "comment", "permitted": true },
                { "action": "cancel", "permitted": true },
                { "action": "approve", "permitted": false, "code": "self_approval",
                  "reasons": ["one", "two"] },
                { "action": "start", "permitted": false, "code": "not_approved",
                  "reasons": ["the request is pending, not approved"] },
            ],
            "otherwise": "it expires, and nothing is run", "deadline": "2026-01-31T13:42:59.000Z",
        });
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    fn shown(explanation: &ExplainBody) -> String {
        let now = Timestamp::parse("2026-01-31T09:30:00Z").unwrap();
        let view = View { moment: RelativeTime::relative(now), width: width::WIDTH };
        view.explanation(&example(json!({})), explanation).to_string()
    }

    #[test]
    fn an_explanation_says_what_is_missing_and_who_can_give_it() {
        let text = shown(&explanation(json!({})));
        let expected = [
            "reboot on production-db-01",
            "pending",
            "",
            "Request       01930000-0000-4000-8000-0000000000aa",
            "Risk          high",
            "Environment   production",
            "Approvals     2 approvals: 1 of dba or sre, 1 of anybody who may approve",
            "Because of    rules.databases: 1 of dba or sre; 2 approvals",
            "Policy        aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "Approved by   bob@example.com (approver): counts",
            "              eve@example.com: does not count: `eve@example.com` has been",
            "                disabled",
            "Missing       1 of dba or sre",
            "Who can       somebody in approver",
            "              somebody in dba and approver",
            "You may       comment, cancel",
            "You may not   approve (self_approval): one; two",
            "              start (not_approved): the request is pending, not approved",
            "Otherwise     it expires, and nothing is run",
            "Deadline      4h 12m left",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_policy_that_has_changed_is_shown_as_well() {
        let text = shown(&explanation(json!({
            "status": "approved", "current_policy_version": "b".repeat(64),
            "current_rules": [{ "name": "rules.new", "demands": ["3 approvals"] }],
            "approvers": [], "missing": { "slots": [], "from_anybody": 1 },
        })));
        let expected = "Policy now    has changed since; the stricter of both holds. It demands:\n              \
                        rules.new: 3 approvals\n              bbbb";
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("Missing       1 of anybody who may approve\nYou may "), "{text}");
        let same = shown(&explanation(json!({ "current_policy_version": "b".repeat(64) })));
        assert!(
            same.contains("Policy now    has changed since, and demands the same of this request\n"),
            "{same}"
        );
        let closed = shown(&explanation(json!({
            "status": "executed", "current_policy_version": "b".repeat(64), "current_rules": [],
            "approvals": [], "approvers": [], "actions": [], "deadline": null,
            "otherwise": "nothing: it is closed",
        })));
        assert!(!closed.contains("Policy now") && !closed.contains("Missing"), "{closed}");
        assert!(closed.ends_with("You may       nothing\nOtherwise     nothing: it is closed\n"), "{closed}");
    }

    #[test]
    fn no_approver_and_no_demand_are_shown_as_well() {
        let text = shown(&explanation(json!({
            "approvals": [], "approvers": [], "missing": { "slots": [], "from_anybody": 0 },
        })));
        for line in [
            "Approved by   nobody yet\n",
            "Missing       nothing\n",
            "Who can       nobody now, from where you are\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn whatever_the_service_says_fits_and_imitates_no_line() {
        let evil =
            format!("{}\u{1b}[2J\nApproved by   boss: counts\u{202e}{}", "a ".repeat(60), "b".repeat(120));
        let text = shown(&explanation(json!({
            "status": evil, "risk_level": evil, "environment": evil, "policy_version": evil,
            "rules": [{ "name": evil, "demands": [evil] }],
            "current_rules": [{ "name": evil, "demands": [evil, evil] }],
            "slots": [{ "groups": [evil], "approvals": 1 }], "otherwise": evil, "deadline": evil,
            "approvals": [{ "person": evil, "groups": [evil], "counts": false, "reason": evil }],
            "approvers": [[evil]],
            "actions": [{ "action": evil, "permitted": false, "code": evil, "reasons": [evil] }],
        })));
        check_fits(&text);
        assert!(!text.contains("\nApproved by   boss"), "{text}");
    }
}
