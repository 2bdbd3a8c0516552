//! Where the dashboard is, and with what it is set up.

use crate::seal::Keys;

/// How the dashboard is set up.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its origin as browsers write it, such as `https://countersign.example.com`: without a path.
    pub origin: String,
    /// The keys of cookies and tickets.
    pub keys: Keys,
    /// The issuer that people sign in at, if there is one.
    pub issuer: Option<Issuer>,
    /// Where a ticket is found: a URL in which `{}` stands for the ticket. Without it no ticket is a link.
    pub ticket_url: Option<String>,
    /// How many hours a request would have taken as a ticket of the process before.
    pub ticket_hours: Option<f64>,
}

impl Site {
    /// Host and port, as `Host` has them.
    pub(crate) fn authority(&self) -> &str {
        self.origin.split_once("://").map_or("", |(_, authority)| authority)
    }
}

/// An `OpenID` Connect issuer, as far as a browser is sent there.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// Where people sign in.
    pub authorization_endpoint: String,
    /// Where their session at the issuer ends, with what it takes as query.
    pub end_session_url: Option<String>,
    /// What the dashboard is called there.
    pub client_id: String,
    /// What is asked for, such as `openid email`.
    pub scope: String,
    /// Further origins that the issuer leads browsers through, such as that of a directory behind it.
    pub further_origins: Vec<String>,
}

impl Issuer {
    /// The origins that forms lead to by way of redirects: Chromium holds `form-action` against those too.
    pub(crate) fn origins(&self) -> impl Iterator<Item = &str> {
        let urls = [Some(self.authorization_endpoint.as_str()), self.end_session_url.as_deref()];
        let further = self.further_origins.iter().map(String::as_str);
        urls.into_iter().flatten().chain(further).filter_map(origin)
    }
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let length = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    url.get(..scheme.len() + "://".len() + length)
}
