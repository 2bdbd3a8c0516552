//! Which requests are answered at all: those for this host, and of forms only those that one of our pages sent.

use crate::session::Session;
use crate::site::Site;
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Method, Request, StatusCode};

/// Whether the request is for this host: else 421, whatever a resolver or a proxy made of the name.
pub(crate) fn is_ours<B>(request: &Request<B>, site: &Site) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        // HTTP/2 has the authority in the target.
        (None, _) => request.uri().authority().map(http::uri::Authority::as_str),
        (Some(_), Some(_)) => None,
    };
    host.is_some_and(|host| host.eq_ignore_ascii_case(site.authority()))
}

/// Refuses other methods than `GET`, `HEAD` and `POST`, and a `POST` that no page of ours can have sent.
pub(crate) fn check_sender<B>(request: &Request<B>, site: &Site) -> Result<(), StatusCode> {
    match *request.method() {
        Method::GET | Method::HEAD => Ok(()),
        Method::POST if is_of_our_page(request.headers(), site) => Ok(()),
        Method::POST => Err(StatusCode::FORBIDDEN),
        _ => Err(StatusCode::METHOD_NOT_ALLOWED),
    }
}

fn is_of_our_page(headers: &HeaderMap, site: &Site) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    let is_our_origin = matches!(
        (origins.next(), origins.next()),
        (Some(origin), None) if origin.as_bytes() == site.origin.as_bytes()
    );
    let is_same_site = headers.get_all("sec-fetch-site").iter().all(|value| value == "same-origin");
    is_our_origin && is_same_site
}

/// Whether a form carries the token of the session that its cookie names.
pub(crate) fn is_of_session(session: &Session, token: &str) -> bool {
    are_equal(&session.csrf, token)
}

/// Compares all bytes, so that the time tells nothing of how many are right.
pub(crate) fn are_equal(own: &str, sent: &str) -> bool {
    let pairs = own.bytes().zip(sent.bytes());
    own.len() == sent.len() && pairs.fold(0, |different, (a, b)| different | (a ^ b)) == 0
}
