//! One-time codes: what a browser takes in place of a token that a command has. 128 bits, for a minute, once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a code is good.
const LIFETIME: Duration = Duration::from_secs(60);
/// How many codes there are at most: each holds a token.
const MAX_CODES: usize = 256;

struct Entry {
    person: String,
    token: String,
    made_at: Duration,
}

/// Codes that were made and not traded. Times are those of a clock that only measures.
#[derive(Default)]
pub(crate) struct SignInCodes(Mutex<HashMap<String, Entry>>);

impl fmt::Debug for SignInCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignInCodes(secret)")
    }
}

fn is_good(entry: &Entry, now: Duration) -> bool {
    now.saturating_sub(entry.made_at) < LIFETIME
}

impl SignInCodes {
    /// A code for a token of a person; none if there are too many, or the system gives no random bytes.
    pub(crate) fn make(&self, person: &str, token: &str, now: Duration) -> Option<String> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).ok()?;
        let code = hex::encode(bytes);
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        codes.retain(|_, entry| is_good(entry, now));
        if codes.len() >= MAX_CODES {
            return None;
        }
        let entry = Entry { person: person.to_owned(), token: token.to_owned(), made_at: now };
        codes.insert(code.clone(), entry);
        Some(code)
    }

    /// The person for whom a code was made. It stays good.
    pub(crate) fn person_of(&self, code: &str, now: Duration) -> Option<String> {
        let codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        codes.get(code).filter(|entry| is_good(entry, now)).map(|entry| entry.person.clone())
    }

    /// The token that a code stands for. The code is spent.
    pub(crate) fn trade(&self, code: &str, now: Duration) -> Option<String> {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        codes.remove(code).filter(|entry| is_good(entry, now)).map(|entry| entry.token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_good_once_and_for_a_minute() {
        let codes = SignInCodes::default();
        let begin = Duration::from_secs(100);
        let code = codes.make("ann@example.com", "token", begin).unwrap();
        assert_eq!((code.len(), codes.person_of(&code, begin).as_deref()), (32, Some("ann@example.com")));
        assert_eq!(codes.trade("other", begin), None);
        assert_eq!(codes.trade(&code, begin).as_deref(), Some("token"));
        assert_eq!((codes.trade(&code, begin), codes.person_of(&code, begin)), (None, None));
        let late = codes.make("ann@example.com", "token", begin).unwrap();
        assert_eq!(codes.trade(&late, begin + LIFETIME), None);
        assert!(!format!("{codes:?}").contains("token"));
    }

    #[test]
    fn there_are_only_so_many_and_room_comes_with_time() {
        let codes = SignInCodes::default();
        for _ in 0..MAX_CODES {
            assert!(codes.make("ann@example.com", "token", Duration::ZERO).is_some());
        }
        assert_eq!(codes.make("ann@example.com", "token", Duration::ZERO), None);
        assert!(codes.make("ann@example.com", "token", LIFETIME).is_some());
    }
}
