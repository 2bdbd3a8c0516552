//! Where people look at a request.

/// The page of a request on the dashboard, if it is known where that is.
pub fn link(dashboard_url: Option<&str>, request_id: &str) -> Option<String> {
    dashboard_url.map(|url| format!("{}/approvals/{request_id}", url.trim_end_matches('/')))
}
