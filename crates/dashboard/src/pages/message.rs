//! Pages that say one thing: that something is not there, is not permitted, or went wrong.

use crate::answer::Answer;
use crate::calls::Failure;
use crate::frame::Frame;
use crate::problems::Alert;
use crate::visitor::Visitor;
use crate::words::Words;
use askama::Template;
use http::{Method, StatusCode};

/// A page that says one thing.
#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    words: &'static Words,
    frame: Frame,
    text: &'static str,
    /// Where to go from here.
    path: &'static str,
    link: &'static str,
}

/// The page of a failure.
pub(crate) fn failure<P>(visitor: &Visitor<'_, P>, failure: &Failure) -> Answer {
    let words = visitor.words();
    match failure {
        Failure::NotFound => message(visitor, StatusCode::NOT_FOUND, words.not_found, words.not_found_text),
        Failure::Problem(problem) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_GATEWAY);
            let (heading, text) = match status {
                StatusCode::FORBIDDEN => (words.not_permitted, words.not_permitted_text),
                // What is wrong is in the address: filters that were typed into it, or a link.
                StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
                    (words.went_wrong, words.filters_refused)
                }
                // What was sent may have had its effect.
                _ if visitor.request.method() == Method::POST => {
                    (words.went_wrong, words.outcome_unknown_text)
                }
                _ => (words.went_wrong, words.went_wrong_text),
            };
            let alert = Alert::of_problem(problem, visitor.preferences.language);
            let frame = visitor.frame(heading.to_owned()).with_alert(Some(alert));
            let (path, link) = ("/inbox", words.go_to_inbox);
            visitor.page_with(status, &MessagePage { words, frame, text, path, link })
        }
        // What was sent may have had its effect, though no answer says so.
        Failure::Unavailable if visitor.request.method() == Method::POST => {
            message(visitor, StatusCode::BAD_GATEWAY, words.went_wrong, words.outcome_unknown_text)
        }
        Failure::Unavailable | Failure::SignedOut => {
            message(visitor, StatusCode::BAD_GATEWAY, words.went_wrong, words.went_wrong_text)
        }
    }
}

/// The page of a form that was not sent by a page of the session.
pub(crate) fn form_refused<P>(visitor: &Visitor<'_, P>) -> Answer {
    let words = visitor.words();
    message(visitor, StatusCode::FORBIDDEN, words.not_permitted, words.form_refused)
}

/// A page that says one thing.
pub(crate) fn message<P>(
    visitor: &Visitor<'_, P>,
    status: StatusCode,
    heading: &'static str,
    text: &'static str,
) -> Answer {
    let words = visitor.words();
    let frame = visitor.frame(heading.to_owned());
    let (path, link) = ("/inbox", words.go_to_inbox);
    visitor.page_with(status, &MessagePage { words, frame, text, path, link })
}

/// The page after signing out.
pub(crate) fn signed_out<P>(visitor: &Visitor<'_, P>) -> Answer {
    let words = visitor.words();
    let frame = visitor.frame(words.signed_out.to_owned());
    let (text, path, link) = (words.signed_out_text, "/sign-in", words.sign_in_again);
    visitor.page(&MessagePage { words, frame, text, path, link })
}
