//! Signing in, by an issuer, a one-time code or a token, and signing out.

use crate::answer::Answer;
use crate::calls::{Calls, Failure, with_query};
use crate::cookies;
use crate::frame::Frame;
use crate::oidc;
use crate::pages::message;
use crate::ports::{Api, SignIn, Tokens};
use crate::problems::Alert;
use crate::return_path;
use crate::session::{COOKIES, Session};
use crate::shown::Shown;
use crate::visitor::Visitor;
use crate::words::Words;
use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    words: &'static Words,
    frame: Frame,
    has_issuer: bool,
    return_path: String,
}

#[derive(Template)]
#[template(path = "code.html")]
struct CodePage {
    words: &'static Words,
    frame: Frame,
    person: Shown,
    code: Shown,
}

/// What `GET /v1/me` says of the caller.
#[derive(Debug, Deserialize)]
struct Me {
    person: String,
}

/// The page to sign in on.
pub(crate) fn page<P>(visitor: &Visitor<'_, P>, status: StatusCode, alert: Option<&str>) -> Answer {
    let words = visitor.words();
    let alert = alert.or_else(|| (visitor.fields.get("ended") == "form").then_some(words.session_ended));
    visitor.page_with(
        status,
        &SignInPage {
            words,
            frame: visitor.frame(words.sign_in.to_owned()).with_alert(alert.map(Alert::of)),
            has_issuer: visitor.site.issuer.is_some(),
            return_path: back(visitor).to_owned(),
        },
    )
}

/// The page that a one-time code opens: it names the person, and a form trades the code.
pub(crate) async fn code_page<P: SignIn>(visitor: &Visitor<'_, P>) -> Answer {
    let words = visitor.words();
    let code = visitor.fields.get("code");
    match visitor.ports.person_of(code).await {
        Some(person) => visitor.page(&CodePage {
            words,
            frame: visitor.frame(words.sign_in.to_owned()),
            person: Shown::from(person),
            code: Shown::line(code),
        }),
        None => page(visitor, StatusCode::FORBIDDEN, Some(words.code_expired)),
    }
}

/// Trades a one-time code.
pub(crate) async fn trade_code<P: Api + SignIn>(visitor: &Visitor<'_, P>) -> Answer {
    match visitor.ports.trade(visitor.fields.get("code")).await {
        Some(tokens) => begin(visitor, tokens, back(visitor)).await,
        None => page(visitor, StatusCode::FORBIDDEN, Some(visitor.words().code_expired)),
    }
}

/// Signs in with a token that was pasted.
pub(crate) async fn with_token<P: Api>(visitor: &Visitor<'_, P>) -> Answer {
    let bearer = visitor.fields.trimmed("token").to_owned();
    begin(visitor, Tokens { bearer, expires_at: None, refresh: None }, back(visitor)).await
}

/// Sends the browser to the issuer.
pub(crate) fn at_issuer<P>(visitor: &Visitor<'_, P>) -> Answer {
    let site = visitor.site;
    let begun =
        site.issuer.as_ref().and_then(|issuer| oidc::begin(site, issuer, back(visitor), visitor.visit));
    match begun {
        Some((url, cookie)) => Answer::redirect(&url).with_cookies([cookie]),
        None => page(visitor, StatusCode::NOT_FOUND, Some(visitor.words().sign_in_failed)),
    }
}

/// What the issuer sent the browser back with.
pub(crate) async fn callback<P: Api + SignIn>(visitor: &Visitor<'_, P>) -> Answer {
    let headers = visitor.request.headers();
    let failed = || page(visitor, StatusCode::FORBIDDEN, Some(visitor.words().sign_in_failed));
    let came_back = oidc::come_back(visitor.site, headers, &visitor.fields, visitor.visit);
    // Of another sign-in, perhaps an older one of another tab: the one on its way stays.
    let Some((redemption, back)) = came_back else { return failed() };
    let answer = match visitor.ports.redeem(redemption).await {
        Some(tokens) => begin(visitor, tokens, &back).await,
        None => failed(),
    };
    answer.with_cookies([oidc::clear()])
}

/// Ends the session: here, and at the issuer.
pub(crate) async fn out<P: SignIn>(visitor: &Visitor<'_, P>) -> Answer {
    if let Some(refresh) = visitor.session.as_ref().and_then(|session| session.refresh.as_deref()) {
        visitor.ports.revoke(refresh).await;
    }
    let issuer = visitor.site.issuer.as_ref();
    let end = issuer.and_then(|issuer| issuer.end_session_url.as_deref());
    Answer::redirect(end.unwrap_or(oidc::SIGNED_OUT)).with_cookies(ended())
}

/// What takes a session away.
pub(crate) fn ended() -> impl Iterator<Item = String> {
    COOKIES.into_iter().map(cookies::clear)
}

/// The page that a visitor without a session is sent to, with the way back. Of a form that was not taken, it says so.
pub(crate) fn first<P>(visitor: &Visitor<'_, P>) -> Answer {
    let uri = visitor.request.uri();
    let is_form = visitor.request.method() == Method::POST;
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    // Of a form about a request, the page of the request.
    let page = uri.path().rsplit_once('/').filter(|_| is_form).map_or("", |(page, _)| page);
    let back = return_path::checked(target).or_else(|| return_path::checked(page));
    let members = [("return", back), ("ended", is_form.then_some("form"))];
    let members: Vec<_> = members.iter().filter_map(|(name, value)| Some((*name, (*value)?))).collect();
    Answer::redirect(&with_query("/sign-in", &members)).with_cookies(ended())
}

fn back<'a, P>(visitor: &'a Visitor<'_, P>) -> &'a str {
    return_path::checked(visitor.fields.get("return")).unwrap_or(return_path::HOME)
}

/// Begins a session if the API takes the token.
async fn begin<P: Api>(visitor: &Visitor<'_, P>, tokens: Tokens, back: &str) -> Answer {
    let words = visitor.words();
    let session = match known(visitor.ports, Session::new(tokens, visitor.visit)).await {
        Ok(session) => session,
        Err(Failure::SignedOut) => return page(visitor, StatusCode::FORBIDDEN, Some(words.token_refused)),
        Err(failure) => return message::failure(visitor, &failure),
    };
    match session.cookies(&visitor.site.keys, visitor.visit) {
        Ok(cookies) => Answer::redirect(back).with_cookies(cookies),
        Err(_) => page(visitor, StatusCode::PAYLOAD_TOO_LARGE, Some(words.token_too_large)),
    }
}

/// The session with the person whose it is. An API without `GET /v1/me` names no person: then the token does, for the page
/// alone.
async fn known<P: Api>(api: &P, session: Session) -> Result<Session, Failure> {
    if session.token.is_empty() || !session.token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::SignedOut);
    }
    let calls = Calls { api, token: &session.token };
    match calls.get::<Me>("/v1/me").await {
        Ok(me) => Ok(Session { person: Some(me.value.person), is_known_by_name: true, ..session }),
        Err(Failure::NotFound) => match calls.get::<Value>("/v1/approvals?limit=1").await {
            Err(failure @ (Failure::SignedOut | Failure::Unavailable)) => Err(failure),
            // Whom policy shows no list is signed in all the same.
            Ok(_) | Err(_) => Ok(Session { person: claimed(&session.token), ..session }),
        },
        Err(failure) => Err(failure),
    }
}

/// The person that a token (RFC 7519) claims. Its signature is the API's business.
fn claimed(token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    ["email", "sub"].into_iter().find_map(|name| claims.get(name)?.as_str()).map(str::to_owned)
}
