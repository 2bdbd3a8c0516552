//! What is answered, before it has the headers of every answer.

use crate::shown::without_acting_characters;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue, LOCATION, SET_COOKIE};
use http::{Response, StatusCode};

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub cookies: Vec<String>,
    headers: Vec<(http::HeaderName, String)>,
    body: Bytes,
}

impl Answer {
    fn new(status: StatusCode, content_type: &str, body: Bytes) -> Self {
        let headers = vec![(CONTENT_TYPE, content_type.to_owned())];
        Self { status, cookies: Vec::new(), headers, body }
    }

    /// A page.
    pub(crate) fn page(status: StatusCode, html: String) -> Self {
        Self::new(status, "text/html; charset=utf-8", without_acting_characters(html).into())
    }

    /// A file to keep.
    pub(crate) fn file(content_type: &str, name: &str, body: Bytes) -> Self {
        let mut answer = Self::new(StatusCode::OK, content_type, body);
        answer.headers.push((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")));
        answer
    }

    /// A part of pages that never changes under its name.
    pub(crate) fn asset(content_type: &str, body: &'static str) -> Self {
        let mut answer = Self::new(StatusCode::OK, content_type, Bytes::from_static(body.as_bytes()));
        answer.headers.push((CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()));
        answer
    }

    /// Leads to another page, by `GET`.
    pub(crate) fn redirect(to: &str) -> Self {
        let headers = vec![(LOCATION, to.to_owned())];
        Self { status: StatusCode::SEE_OTHER, cookies: Vec::new(), headers, body: Bytes::new() }
    }

    /// Says that nothing has changed.
    pub(crate) fn unchanged() -> Self {
        Self { status: StatusCode::NO_CONTENT, cookies: Vec::new(), headers: Vec::new(), body: Bytes::new() }
    }

    /// With cookies.
    #[must_use]
    pub(crate) fn with_cookies(mut self, cookies: impl IntoIterator<Item = String>) -> Self {
        self.cookies.extend(cookies);
        self
    }

    /// As a response. A header that HTTP does not allow is left out.
    pub(crate) fn into_response(self) -> Response<Bytes> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        let cookies = self.cookies.into_iter().map(|cookie| (SET_COOKIE, cookie));
        for (name, value) in self.headers.into_iter().chain(cookies) {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}
