//! The web dashboard: pages as values. A request, the time and random bytes come in, a response goes out; what the
//! dashboard shows and does is what our API answers to the visitor's own token, by way of a port.
//!
//! It decides nothing: rules are in `countersign-core`, and every check of the API holds for pages too. It knows no
//! listener, store, clock, environment or HTTP client.
//!
//! [`dashboard`] has the routes, [`pages`] what each page asks and shows, `templates/` the HTML, [`words`] the texts.
#![warn(missing_docs)]

mod answer;
mod assets;
mod calls;
mod chart;
mod cookies;
mod dashboard;
mod document;
mod fields;
mod frame;
mod guard;
mod headers;
mod labels;
mod oidc;
mod pages;
mod ports;
mod preferences;
mod problems;
mod return_path;
mod seal;
mod session;
pub mod shown;
mod sign_in_at_issuer;
mod site;
mod ticket;
mod times;
mod visit;
mod visitor;
mod words;

pub use dashboard::{Dashboard, ROUTES};
pub use ports::{Api, ApiAnswer, ApiCall, NotRefreshed, Redemption, SignIn, Tokens};
pub use seal::Keys;
pub use sign_in_at_issuer::{SignInAtIssuer, not_refreshed};
pub use site::{Issuer, Site};
pub use visit::Visit;

#[cfg(test)]
mod tests;
