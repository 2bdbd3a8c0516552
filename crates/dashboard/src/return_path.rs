//! Where signing in leads back to: pages of ours that a `GET` opens, and nowhere else.

/// The paths of pages.
const PAGES: [&str; 9] = [
    "/inbox",
    "/review",
    "/requests",
    "/requests/new",
    "/instances",
    "/history",
    "/insights",
    "/audit",
    "/settings",
];
/// The longest path that is kept.
const MAX_BYTES: usize = 1_000;

/// The first page.
pub(crate) const HOME: &str = "/inbox";

/// The path and query if they are of a page of ours.
pub(crate) fn checked(target: &str) -> Option<&str> {
    let path = target.split('?').next()?;
    let is_page = PAGES.contains(&path) || request_id(path).is_some();
    let is_plain = target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\' && byte != b'#');
    (is_page && is_plain && target.len() <= MAX_BYTES).then_some(target)
}

/// The request of `/approvals/{id}`.
pub(crate) fn request_id(path: &str) -> Option<&str> {
    path.strip_prefix("/approvals/").filter(|id| is_request_id(id))
}

/// Whether it looks like the id of a request; whether there is one, the API knows.
pub(crate) fn is_request_id(id: &str) -> bool {
    id.len() == 36
        && id.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_ours_are_returned_to() {
        let id = "019c1339-a5c0-7000-8000-000000000001";
        let request = format!("/approvals/{id}");
        for target in ["/inbox", "/inbox?view=all", "/instances?id=arn:aws:rds:eu:1:db/a", &request] {
            assert_eq!(checked(target), Some(target));
        }
        let approve = format!("/approvals/{id}/approve");
        for target in [
            "",
            "/",
            "//evil",
            "///evil",
            "/\\evil",
            "https://evil",
            "javascript:alert(1)",
            "/inbox#x",
            "/inbox\r\nA: b",
            "/inbox/../sign-out",
            "/sign-out",
            "/login",
            &approve,
            "inbox",
            " /inbox",
            "/inbox?a=\u{e9}",
            "/%2Fevil",
        ] {
            assert_eq!(checked(target), None, "{target}");
        }
    }
}
