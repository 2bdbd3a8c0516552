//! Signing in at an issuer: the authorization code grant with PKCE (RFC 6749 section 4.1, RFC 7636), as far as a browser
//! takes part in it. The token endpoint is behind a port, and so is who verifies tokens.

use crate::cookies;
use crate::fields::Fields;
use crate::guard::are_equal;
use crate::ports::Redemption;
use crate::return_path;
use crate::site::{Issuer, Site};
use crate::visit::Visit;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::digest::Digest;
use http::HeaderMap;
use serde::{Deserialize, Serialize};

/// Where the issuer sends browsers back to.
pub(crate) const CALLBACK: &str = "/login/callback";
/// Where browsers come back to after signing out at the issuer.
pub(crate) const SIGNED_OUT: &str = "/signed-out";
/// The cookie of a sign-in on its way.
const COOKIE: &str = "__Host-countersign-login";
const PURPOSE: &str = "countersign.dashboard.login.v1";
/// How long a sign-in may take.
const SECONDS: i64 = 10 * 60;

/// A sign-in on its way.
#[derive(Debug, Serialize, Deserialize)]
struct Attempt {
    state: String,
    nonce: String,
    verifier: String,
    return_path: String,
    began_at: i64,
}

/// Begins a sign-in: where the browser goes, and the cookie that it comes back with. `None` if it cannot be sealed.
pub(crate) fn begin(site: &Site, issuer: &Issuer, back: &str, visit: &Visit) -> Option<(String, String)> {
    let random = |purpose: &str| URL_SAFE_NO_PAD.encode(visit.random(purpose, back));
    let attempt = Attempt {
        state: random("login state"),
        nonce: random("login nonce"),
        verifier: random("login verifier"),
        return_path: back.to_owned(),
        began_at: visit.now.as_millisecond(),
    };
    let challenge = URL_SAFE_NO_PAD.encode(Digest::of(&attempt.verifier).as_bytes());
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("response_type", "code")
        .append_pair("client_id", &issuer.client_id)
        .append_pair("redirect_uri", &redirect_uri(site))
        .append_pair("scope", &issuer.scope)
        .append_pair("state", &attempt.state)
        .append_pair("nonce", &attempt.nonce)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .finish();
    let separator = if issuer.authorization_endpoint.contains('?') { '&' } else { '?' };
    let sealed = site.keys.seal(PURPOSE, &attempt, visit)?;
    Some((
        format!("{}{separator}{query}", issuer.authorization_endpoint),
        cookies::set(COOKIE, &sealed, SECONDS),
    ))
}

/// What the issuer sent the browser back with, and where the visitor wanted to go; `None` unless this browser has begun the
/// sign-in within ten minutes.
pub(crate) fn come_back(
    site: &Site,
    headers: &HeaderMap,
    fields: &Fields,
    visit: &Visit,
) -> Option<(Redemption, String)> {
    let attempt: Attempt = site.keys.open(PURPOSE, cookies::cookie(headers, COOKIE)?)?;
    let code = fields.filled("code")?;
    let is_of_attempt = are_equal(&attempt.state, fields.get("state"));
    if !is_of_attempt || visit.since(attempt.began_at) > SECONDS * 1000 {
        return None;
    }
    let redemption = Redemption {
        code: code.to_owned(),
        verifier: attempt.verifier,
        nonce: attempt.nonce,
        redirect_uri: redirect_uri(site),
    };
    let back = return_path::checked(&attempt.return_path).unwrap_or(return_path::HOME);
    Some((redemption, back.to_owned()))
}

/// Takes the cookie away: a code is redeemed once.
pub(crate) fn clear() -> String {
    cookies::clear(COOKIE)
}

fn redirect_uri(site: &Site) -> String {
    format!("{}{CALLBACK}", site.origin)
}
