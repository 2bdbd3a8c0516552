//! Sessions: what a browser carries of a visitor who is signed in, sealed in cookies.
//!
//! A session is not stored anywhere else: who has its cookies has it, until it or its token ends.

use crate::cookies;
use crate::ports::Tokens;
use crate::seal::Keys;
use crate::visit::Visit;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The cookie, and its second piece: a browser takes 4,096 bytes of name, value and attributes.
pub(crate) const COOKIES: [&str; 2] = ["__Host-countersign", "__Host-countersign-2"];
/// The most that one piece holds, in bytes.
const PIECE_BYTES: usize = 3_900;
/// The most that all pieces hold, in bytes: servers and gateways take 8 to 10 KiB of all headers.
pub(crate) const MAX_BYTES: usize = 7 * 1024;
const PURPOSE: &str = "countersign.dashboard.session.v1";
const MINUTE: i64 = 60 * 1000;
/// A session that no person has used for as long has ended.
pub(crate) const IDLE: i64 = 60 * MINUTE;
/// No session lasts longer.
pub(crate) const LONGEST: i64 = 12 * 60 * MINUTE;
/// How old the cookies may become before a visit renews them.
const RENEWED_AFTER: i64 = MINUTE;
/// How long before its end a token is replaced.
const REFRESHED_BEFORE: i64 = MINUTE;

/// A visitor who is signed in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Names it, in tickets.
    pub id: String,
    /// What each form must carry.
    pub csrf: String,
    /// The bearer token.
    pub token: String,
    /// When the token ends.
    pub token_expires_at: Option<i64>,
    /// What another token is got with.
    pub refresh: Option<String>,
    /// The person, as the API names them; or else as the token does.
    pub person: Option<String>,
    /// Whether the API has `GET /v1/me`, and with it `waiting_for` and `expected_version`.
    pub is_known_by_name: bool,
    /// When the visitor signed in.
    pub signed_in_at: i64,
    /// When a page was last opened: polls do not count.
    pub seen_at: i64,
}

/// Whether cookies of an answer say what becomes of the session.
pub(crate) fn is_set_by(cookies: &[String]) -> bool {
    let names = |cookie: &String| cookie.split('=').next().is_some_and(|name| COOKIES.contains(&name));
    cookies.iter().any(names)
}

/// The sealed session does not fit into cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl Session {
    /// The session of a visitor who has just signed in.
    pub(crate) fn new(tokens: Tokens, visit: &Visit) -> Self {
        let now = visit.now.as_millisecond();
        Self {
            id: visit.random_name("session id", &tokens.bearer),
            csrf: visit.random_name("session form token", &tokens.bearer),
            token: tokens.bearer,
            token_expires_at: tokens.expires_at,
            refresh: tokens.refresh,
            person: None,
            is_known_by_name: false,
            signed_in_at: now,
            seen_at: now,
        }
    }

    /// The session that a browser carries, if it has not ended.
    pub(crate) fn read(headers: &HeaderMap, keys: &Keys, visit: &Visit) -> Option<Self> {
        let pieces = COOKIES.into_iter().map_while(|name| cookies::cookie(headers, name));
        let session: Self = keys.open(PURPOSE, &pieces.collect::<String>())?;
        let lasts = visit.since(session.seen_at) < IDLE && visit.since(session.signed_in_at) < LONGEST;
        lasts.then_some(session)
    }

    /// The cookies that carry it.
    pub(crate) fn cookies(&self, keys: &Keys, visit: &Visit) -> Result<Vec<String>, TooLarge> {
        let sealed = keys.seal(PURPOSE, self, visit).ok_or(TooLarge)?;
        if sealed.len() > MAX_BYTES {
            return Err(TooLarge);
        }
        let seconds = (LONGEST - visit.since(self.signed_in_at)).max(0) / 1000;
        // Base64 is ASCII, so that every place is the begin of a character.
        let (first, second) = sealed.split_at(sealed.len().min(PIECE_BYTES));
        let second = if second.is_empty() {
            cookies::clear(COOKIES[1])
        } else {
            cookies::set(COOKIES[1], second, seconds)
        };
        Ok(vec![cookies::set(COOKIES[0], first, seconds), second])
    }

    /// Whether the cookies are to be written anew after a visit at this time.
    pub(crate) fn is_to_be_renewed(&self, visit: &Visit) -> bool {
        visit.since(self.seen_at) >= RENEWED_AFTER
    }

    /// Whether the token is good no more.
    pub(crate) fn token_has_ended(&self, visit: &Visit) -> bool {
        self.token_expires_at.is_some_and(|end| visit.now.as_millisecond() >= end)
    }

    /// Whether the token is about to end.
    pub(crate) fn is_to_be_refreshed(&self, visit: &Visit) -> bool {
        self.token_expires_at.is_some_and(|end| visit.now.as_millisecond() >= end - REFRESHED_BEFORE)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{keys, later, visit};
    use http::HeaderValue;
    use http::header::COOKIE;

    fn session(bytes: usize) -> Session {
        let tokens = Tokens { bearer: "t".repeat(bytes), expires_at: None, refresh: None };
        Session::new(tokens, &visit())
    }

    fn carried(cookies: &[String]) -> HeaderMap {
        let pairs: Vec<_> = cookies.iter().map(|cookie| cookie.split(';').next().unwrap()).collect();
        HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(&pairs.join("; ")).unwrap())])
    }

    #[test]
    fn a_session_is_what_the_browser_carries_of_it() {
        for bytes in [20, 2_500, 4_800] {
            let session = session(bytes);
            let cookies = session.cookies(&keys(), &visit()).unwrap();
            for cookie in &cookies {
                assert!(cookie.starts_with("__Host-"), "{cookie}");
                assert!(cookie.ends_with("; Secure; HttpOnly; SameSite=Lax"), "{cookie}");
                assert!(cookie.contains("; Path=/;") && !cookie.contains("Domain"), "{cookie}");
                assert!(cookie.len() < 4_096 && !cookie.contains("ttt"), "{cookie}");
            }
            assert_eq!(Session::read(&carried(&cookies), &keys(), &visit()), Some(session));
        }
        assert_eq!(session(5_300).cookies(&keys(), &visit()), Err(TooLarge));
    }

    #[test]
    fn a_session_ends_after_an_hour_without_pages_and_after_half_a_day() {
        let read = |session: &Session, visit: &Visit| {
            Session::read(&carried(&session.cookies(&keys(), visit).unwrap()), &keys(), visit)
        };
        let mut session = session(20);
        assert!(read(&session, &later(IDLE - 1)).is_some());
        assert!(read(&session, &later(IDLE)).is_none());
        session.seen_at += LONGEST - 1;
        assert!(read(&session, &later(LONGEST - 1)).is_some());
        assert!(read(&session, &later(LONGEST)).is_none());
    }

    #[test]
    fn pieces_are_not_swapped_and_not_changed() {
        let cookies = session(4_000).cookies(&keys(), &visit()).unwrap();
        let values: Vec<_> = cookies.iter().map(|c| c.split(['=', ';']).nth(1).unwrap()).collect();
        let [first, second] = values[..] else { panic!("two pieces") };
        let cut = second.get(1..).unwrap();
        for (one, two) in [(second, first), (first, ""), (first, first), ("", second), (first, cut)] {
            let headers = carried(&[format!("{}={one}", COOKIES[0]), format!("{}={two}", COOKIES[1])]);
            assert_eq!(Session::read(&headers, &keys(), &visit()), None);
        }
    }
}
