//! A visitor's request with all that pages are made from: session, preferences, time, and the ports.

use crate::answer::Answer;
use crate::calls::{Calls, Failure};
use crate::fields::Fields;
use crate::frame::{Frame, Live, links};
use crate::ports::Api;
use crate::preferences::Preferences;
use crate::session::Session;
use crate::shown::Shown;
use crate::site::Site;
use crate::ticket::Tickets;
use crate::times::Times;
use crate::visit::Visit;
use crate::words::Words;
use askama::Template;
use bytes::Bytes;
use http::{Request, StatusCode};

/// The header in which our script says what version of a page it shows.
pub(crate) const SHOWN_VERSION: &str = "countersign-version";

/// A visitor's request.
#[derive(Debug)]
pub(crate) struct Visitor<'a, P> {
    pub site: &'a Site,
    pub ports: &'a P,
    pub visit: &'a Visit,
    pub request: &'a Request<Bytes>,
    pub preferences: Preferences,
    pub session: Option<Session>,
    /// The members of the query, or of the form.
    pub fields: Fields,
}

impl<P> Visitor<'_, P> {
    /// The texts in the visitor's language.
    pub(crate) fn words(&self) -> &'static Words {
        self.preferences.language.words()
    }

    /// The clock of pages.
    pub(crate) fn times(&self) -> Times {
        Times { now: self.visit.now, zone: self.preferences.time_zone(), words: self.words() }
    }

    /// The path of the request.
    pub(crate) fn path(&self) -> &str {
        self.request.uri().path()
    }

    /// The session; a visitor without one signs in first.
    pub(crate) fn session(&self) -> Result<&Session, Failure> {
        self.session.as_ref().ok_or(Failure::SignedOut)
    }

    /// What the forms of the page are sealed with.
    pub(crate) fn tickets(&self) -> Result<Tickets<'_>, Failure> {
        Ok(Tickets { site: self.site, session: self.session()?, visit: self.visit })
    }

    /// Whether our script asks whether the page has changed.
    pub(crate) fn is_poll(&self) -> bool {
        self.request.headers().contains_key(SHOWN_VERSION)
    }

    /// The frame of a page with this heading.
    pub(crate) fn frame(&self, heading: impl Into<Shown>) -> Frame {
        let words = self.words();
        let session = self.session.as_ref();
        let address = self.request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        Frame {
            theme: self.preferences.theme.into(),
            has_keys: self.preferences.has_keys,
            notifies: self.preferences.notifies,
            links: if session.is_some() { links(words, self.path()) } else { Vec::new() },
            person: session.and_then(|session| session.person.as_ref()).map(Shown::from),
            is_signed_in: session.is_some(),
            csrf: session.map(|session| session.csrf.clone()).unwrap_or_default(),
            now: self.visit.now.to_string(),
            address: Shown::from(address).to_string(),
            ..Frame::new(heading.into())
        }
    }

    /// The answer with a page.
    pub(crate) fn page(&self, page: &impl Template) -> Answer {
        self.page_with(StatusCode::OK, page)
    }

    /// The answer with a page and a status.
    pub(crate) fn page_with(&self, status: StatusCode, page: &impl Template) -> Answer {
        match page.render() {
            Ok(html) => Answer::page(status, html),
            Err(_) => Answer::page(StatusCode::INTERNAL_SERVER_ERROR, self.words().went_wrong.to_owned()),
        }
    }

    /// The answer to a poll of a page: nothing if it shows this version.
    pub(crate) fn unless_shown(&self, live: &Live, answer: impl FnOnce() -> Answer) -> Answer {
        let shown = self.request.headers().get(SHOWN_VERSION);
        let is_shown = shown.is_some_and(|shown| shown.as_bytes() == live.version.as_bytes());
        if is_shown { Answer::unchanged() } else { answer() }
    }
}

impl<P: Api> Visitor<'_, P> {
    /// Calls with the visitor's token.
    pub(crate) fn calls(&self) -> Result<Calls<'_, P>, Failure> {
        Ok(Calls { api: self.ports, token: &self.session()?.token })
    }
}
