//! The paths of the API that are called, in one place. Knows no method and no body.

use countersign_core::ids::RequestId;

/// Whether the service is there.
pub const HEALTH: &str = "/health";
/// All requests.
pub const APPROVALS: &str = "/v1/approvals";
/// What would come of a request.
pub const SIMULATE: &str = "/v1/approvals/simulate";

/// One request.
pub fn approval(request_id: &str) -> String {
    format!("{APPROVALS}/{request_id}")
}

/// What belongs to one request.
pub fn below(request_id: &str, part: &str) -> String {
    format!("{APPROVALS}/{request_id}/{part}")
}

/// The request that a path names: `/v1/approvals/ID`, and what is below.
pub fn named_in(path: &str) -> Option<RequestId> {
    let rest = path.strip_prefix(APPROVALS)?.strip_prefix('/')?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    RequestId::parse(rest.get(..end)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_the_request_that_its_answer_must_be_about() {
        let id = "01930000-0000-4000-8000-0000000000aa";
        for path in
            [approval(id), below(id, "events"), below(id, "execution"), format!("{}?x=y", approval(id))]
        {
            assert_eq!(named_in(&path).map(|id| id.to_string()).as_deref(), Some(id), "{path}");
        }
        for path in [APPROVALS, "/v1/approvals?limit=1", SIMULATE, HEALTH] {
            assert_eq!(named_in(path), None, "{path}");
        }
    }
}
