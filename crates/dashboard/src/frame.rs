//! What is around the content of every page: navigation, who is signed in, what went wrong.

use crate::assets::{Assets, assets};
use crate::problems::Alert;
use crate::shown::Shown;
use crate::words::Words;

/// What is around the content of a page.
#[derive(Debug)]
pub(crate) struct Frame {
    pub theme: &'static str,
    pub has_keys: bool,
    pub notifies: bool,
    pub assets: &'static Assets,
    /// The heading of the page, which is its title too.
    pub heading: Shown,
    /// How many things wait, for the title.
    pub waiting: Option<usize>,
    pub links: Vec<Link>,
    pub person: Option<Shown>,
    pub is_signed_in: bool,
    /// The token of forms.
    pub csrf: String,
    pub alert: Option<Alert>,
    /// What the page says of itself, in the status.
    pub update: Shown,
    pub live: Option<Live>,
    /// The page itself, path and query.
    pub address: String,
    /// The time of the service, from which our script counts down.
    pub now: String,
}

/// A link of the navigation.
#[derive(Debug)]
pub(crate) struct Link {
    pub path: &'static str,
    pub name: &'static str,
    pub is_current: bool,
}

/// How a page is kept up to date.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    /// How often it is asked for.
    pub seconds: u32,
    /// What it was made from.
    pub version: String,
}

impl Frame {
    /// The frame of a page without a visitor.
    pub(crate) fn new(heading: Shown) -> Self {
        Self {
            theme: "system",
            has_keys: false,
            notifies: false,
            assets: assets(),
            heading,
            waiting: None,
            links: Vec::new(),
            person: None,
            is_signed_in: false,
            csrf: String::new(),
            alert: None,
            update: Shown::default(),
            live: None,
            address: String::new(),
            now: String::new(),
        }
    }

    /// With something that went wrong.
    #[must_use]
    pub(crate) fn with_alert(self, alert: Option<Alert>) -> Self {
        Self { alert, ..self }
    }

    /// With what the status says.
    #[must_use]
    pub(crate) fn with_update(self, update: String) -> Self {
        Self { update: Shown::from(update), ..self }
    }
}

/// The pages of the navigation.
pub(crate) fn links(words: &Words, current: &str) -> Vec<Link> {
    let pages = [
        ("/inbox", words.inbox),
        ("/requests", words.my_requests),
        ("/requests/new", words.new_request),
        ("/instances", words.instances),
        ("/history", words.history),
        ("/insights", words.insights),
        ("/audit", words.audit),
        ("/settings", words.settings),
    ];
    pages.map(|(path, name)| Link { path, name, is_current: path == current }).into()
}
