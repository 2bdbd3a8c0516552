//! The headers of every answer: what a browser may do with it.

use crate::site::Site;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue};
use std::collections::BTreeSet;

/// Nothing is loaded but our style sheet, script and icon; no page is framed; no script makes HTML of text.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
    frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'; form-action 'self'";

/// For two years: a browser asks for this host over TLS alone.
const HSTS: &str = "max-age=63072000";

/// Adds them.
pub(crate) fn secure(headers: &mut HeaderMap, site: &Site) {
    let fixed = [
        // `no-referrer` would make the `Origin` of forms `null`.
        ("referrer-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("strict-transport-security", HSTS),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let issuer: BTreeSet<_> = site.issuer.iter().flat_map(|issuer| issuer.origins()).collect();
    let policy = issuer.into_iter().fold(POLICY.to_owned(), |policy, origin| policy + " " + origin);
    // A policy without the issuer is the stricter one.
    let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(POLICY));
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
