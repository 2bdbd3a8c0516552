//! Which page answers which request, and how its session goes on.

use crate::answer::Answer;
use crate::calls::Failure;
use crate::fields::Fields;
use crate::pages::request::{act, page};
use crate::pages::{
    audit, csv, history, inbox, insights, instances, message, new_request, requests, review, settings,
    sign_in,
};
use crate::ports::{Api, NotRefreshed, SignIn};
use crate::preferences::Preferences;
use crate::session::{self, Session};
use crate::site::Site;
use crate::ticket::Action;
use crate::visit::Visit;
use crate::visitor::Visitor;
use crate::{assets, guard, headers, oidc, return_path};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};

/// Method and path of each route, as a gateway in front names them.
pub const ROUTES: [(&str, &str); 26] = [
    ("GET", "/"),
    ("GET", "/approvals/{id}"),
    ("GET", "/assets/{name}"),
    ("GET", "/audit"),
    ("GET", "/history"),
    ("GET", "/history.csv"),
    ("GET", "/inbox"),
    ("GET", "/insights"),
    ("GET", "/instances"),
    ("GET", oidc::CALLBACK),
    ("GET", "/requests"),
    ("GET", "/requests/new"),
    ("GET", "/review"),
    ("GET", "/settings"),
    ("GET", "/sign-in"),
    ("GET", "/sign-in/code"),
    ("GET", oidc::SIGNED_OUT),
    ("POST", "/approvals/{id}/{action}"),
    ("POST", "/audit/evidence"),
    ("POST", "/login"),
    ("POST", "/requests/new"),
    ("POST", "/review"),
    ("POST", "/settings"),
    ("POST", "/sign-in/code"),
    ("POST", "/sign-in/token"),
    ("POST", "/sign-out"),
];

/// The dashboard.
#[derive(Debug, Clone)]
pub struct Dashboard {
    site: Site,
}

impl Dashboard {
    /// The dashboard of a site.
    #[must_use]
    pub fn new(site: Site) -> Self {
        Self { site }
    }

    #[cfg(test)]
    pub(crate) fn site(&self) -> &Site {
        &self.site
    }

    /// Answers a request.
    pub async fn answer<P: Api + SignIn>(
        &self,
        request: &Request<Bytes>,
        visit: &Visit,
        ports: &P,
    ) -> Response<Bytes> {
        let answer = self.answered(request, visit, ports).await;
        let mut response = answer.into_response();
        headers::secure(response.headers_mut(), &self.site);
        if request.method() == Method::HEAD {
            *response.body_mut() = Bytes::new();
        }
        response
    }

    async fn answered<P: Api + SignIn>(&self, request: &Request<Bytes>, visit: &Visit, ports: &P) -> Answer {
        let is_form = request.method() == Method::POST;
        let mut visitor = Visitor {
            site: &self.site,
            ports,
            visit,
            request,
            preferences: Preferences::read(request.headers()),
            session: None,
            fields: if is_form { Fields::parse(request.body()) } else { Fields::of_query(request) },
        };
        let words = visitor.words();
        if !guard::is_ours(request, &self.site) {
            let status = StatusCode::MISDIRECTED_REQUEST;
            return message::message(&visitor, status, words.not_found, words.wrong_host);
        }
        if let Some(asset) = assets::at(request.uri().path()) {
            return asset;
        }
        match guard::check_sender(request, &self.site) {
            Ok(()) => {}
            Err(StatusCode::FORBIDDEN) => return message::form_refused(&visitor),
            Err(status) => return message::message(&visitor, status, words.not_found, words.wrong_method),
        }
        let (session, renewal) = self.session(&visitor).await;
        let has_ended = session.as_ref().is_some_and(|session| session.token_has_ended(visit));
        visitor.session = session;
        // Signing in again would be no help, and the refresh token is still good.
        if renewal == Renewal::Waits && has_ended {
            return message::failure(&visitor, &Failure::Unavailable);
        }
        let answer = if is_form { post(&visitor).await } else { get(&visitor).await };
        self.renewed(&visitor, renewal, answer)
    }

    /// The visitor's session, and what became of its token.
    async fn session<P: SignIn>(&self, visitor: &Visitor<'_, P>) -> (Option<Session>, Renewal) {
        let session = Session::read(visitor.request.headers(), &self.site.keys, visitor.visit);
        let Some(session) = session else { return (None, Renewal::NotDue) };
        let Some(refresh) = session.refresh.as_deref().filter(|_| session.is_to_be_refreshed(visitor.visit))
        else {
            return (Some(session), Renewal::NotDue);
        };
        match visitor.ports.refresh(refresh, &session.token).await {
            Ok(tokens) => {
                let refresh = tokens.refresh.or_else(|| session.refresh.clone());
                let token_expires_at = tokens.expires_at;
                (Some(Session { token: tokens.bearer, token_expires_at, refresh, ..session }), Renewal::Done)
            }
            // The old token may still be good for some seconds; the API says.
            Err(NotRefreshed::Refused) => (Some(session), Renewal::Refused),
            Err(NotRefreshed::Unavailable) => (Some(session), Renewal::Waits),
        }
    }

    /// The answer with the cookies of a session that goes on. A poll is no use of it.
    fn renewed<P>(&self, visitor: &Visitor<'_, P>, renewal: Renewal, answer: Answer) -> Answer {
        let Some(session) = &visitor.session else { return answer };
        let is_used = !visitor.is_poll() && session.is_to_be_renewed(visitor.visit);
        let is_to_be_written = match renewal {
            Renewal::Done => true,
            Renewal::NotDue => is_used,
            // Another tab may have got the next token: what it has written is not written over with this one.
            Renewal::Refused | Renewal::Waits => false,
        };
        // An answer that begins or ends a session has said what becomes of its cookies.
        if session::is_set_by(&answer.cookies) || !is_to_be_written {
            return answer;
        }
        let seen_at = if is_used { visitor.visit.now.as_millisecond() } else { session.seen_at };
        let session = Session { seen_at, ..session.clone() };
        match session.cookies(&self.site.keys, visitor.visit) {
            Ok(cookies) => answer.with_cookies(cookies),
            Err(_) => answer,
        }
    }
}

/// What became of the token of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Renewal {
    /// It is good for some time.
    NotDue,
    /// There is another one.
    Done,
    /// The issuer gives no other.
    Refused,
    /// The issuer cannot be asked now.
    Waits,
}

/// The answer to a `GET`.
async fn get<P: Api + SignIn>(visitor: &Visitor<'_, P>) -> Answer {
    match visitor.path() {
        "/" => Answer::redirect("/inbox"),
        "/sign-in" => sign_in::page(visitor, StatusCode::OK, None),
        "/sign-in/code" => sign_in::code_page(visitor).await,
        oidc::SIGNED_OUT => message::signed_out(visitor),
        oidc::CALLBACK => sign_in::callback(visitor).await,
        _ => shown(visitor, opened(visitor).await),
    }
}

/// The answer to a `POST` that a page of ours has sent.
async fn post<P: Api + SignIn>(visitor: &Visitor<'_, P>) -> Answer {
    match visitor.path() {
        "/login" => sign_in::at_issuer(visitor),
        "/sign-in/code" => sign_in::trade_code(visitor).await,
        "/sign-in/token" => sign_in::with_token(visitor).await,
        _ => match visitor.session() {
            Err(_) => sign_in::first(visitor),
            Ok(session) if !guard::is_of_session(session, visitor.fields.get("csrf")) => {
                message::form_refused(visitor)
            }
            Ok(_) if visitor.path() == "/sign-out" => sign_in::out(visitor).await,
            Ok(_) => shown(visitor, sent(visitor).await),
        },
    }
}

/// A page, or the page of why there is none.
fn shown<P>(visitor: &Visitor<'_, P>, answer: Result<Answer, Failure>) -> Answer {
    match answer {
        Ok(answer) => answer,
        Err(Failure::SignedOut) => sign_in::first(visitor),
        Err(failure) => message::failure(visitor, &failure),
    }
}

/// The page of a path, for a visitor who is signed in.
async fn opened<P: Api>(visitor: &Visitor<'_, P>) -> Result<Answer, Failure> {
    visitor.session()?;
    match visitor.path() {
        "/inbox" => inbox::page(visitor).await,
        "/review" => review::page(visitor).await,
        "/requests" => requests::page(visitor).await,
        "/requests/new" => new_request::page(visitor),
        "/instances" => instances::page(visitor).await,
        "/history" => history::page(visitor).await,
        "/history.csv" => csv::file(visitor).await,
        "/insights" => insights::page(visitor).await,
        "/audit" => audit::page(visitor).await,
        "/settings" => settings::page(visitor),
        path => match return_path::request_id(path) {
            Some(id) => page::page(visitor, id).await,
            None => Err(Failure::NotFound),
        },
    }
}

/// What comes of a form.
async fn sent<P: Api>(visitor: &Visitor<'_, P>) -> Result<Answer, Failure> {
    visitor.session()?;
    match visitor.path() {
        "/review" => review::decide(visitor).await,
        "/requests/new" => new_request::send(visitor).await,
        "/audit/evidence" => audit::evidence(visitor).await,
        "/settings" => settings::save(visitor),
        path => match form_of_request(path) {
            Some((id, action)) => act::act(visitor, id, action).await,
            None => Err(Failure::NotFound),
        },
    }
}

/// Request and action of `/approvals/{id}/{action}`.
fn form_of_request(path: &str) -> Option<(&str, Action)> {
    let (request, action) = path.rsplit_once('/')?;
    Some((return_path::request_id(request)?, action.parse().ok()?))
}
