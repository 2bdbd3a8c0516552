//! What was asked of the inbox on the command line, and by whom.

use countersign_api::wire::SummaryBody;

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The caller, as the service's answers name them; empty if the token does not say.
    pub person: String,
    /// What a request must be, in lower case: each the whole of its operation, instance, requester,
    /// environment or risk.
    pub filters: Vec<String>,
    /// How often the list is asked for.
    pub refresh_seconds: u32,
    /// End after one decision.
    pub is_once: bool,
    /// Wait when nothing is left.
    pub is_continuous: bool,
}

impl Settings {
    /// Whether a request may be for the caller to decide, as far as a list tells: it is not their own. The
    /// rest is for the service to say: an approval that no longer counts can be given again.
    pub fn is_decidable(&self, item: &SummaryBody) -> bool {
        item.status == "pending" && item.requested_by != self.person
    }

    /// Whether a request is one of those that are looked for.
    pub fn is_wanted(&self, item: &SummaryBody) -> bool {
        let is_of = |filter: &String| named(item).iter().any(|text| text.to_lowercase() == *filter);
        self.filters.iter().all(is_of)
    }
}

/// Whether a request has a text in it that its reader searches for.
pub fn is_found(item: &SummaryBody, text: &str) -> bool {
    let text = text.to_lowercase();
    item.request_id.starts_with(&text) || named(item).iter().any(|name| name.to_lowercase().contains(&text))
}

fn named(item: &SummaryBody) -> [&str; 5] {
    [&item.operation_type, &item.instance_id, &item.requested_by, &item.environment, &item.risk_level]
}
