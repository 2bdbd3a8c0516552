//! Cookies: how they are read and written. What they hold is not known here.

use http::HeaderMap;
use http::header::COOKIE;

/// The value of a cookie, as a browser sent it.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// A cookie for this host alone, that no script reads and no other site's form carries.
pub(crate) fn set(name: &str, value: &str, seconds: i64) -> String {
    format!("{name}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax")
}

/// Takes a cookie away.
pub(crate) fn clear(name: &str) -> String {
    set(name, "", 0)
}
