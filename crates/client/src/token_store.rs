//! Where the tokens of `countersign login` are: a file for each profile, for its owner alone.
//!
//! Knows how long a token is good for, and that only one process at a time asks for the next one: an
//! issuer may take a refresh token that comes twice for a stolen one. What a person says last holds: a
//! renewal that began before a login or a logout changes nothing after it.

use crate::config::ProfileName;
use crate::oidc::{Login, LoginError};
use countersign_core::timestamp::Timestamp;
use countersign_system::{private_file, text_file};
use std::fmt;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// How long before its end a token is renewed, in seconds: it must live longer than the call it is
/// sent with.
pub const RENEWAL_SECONDS: i64 = 60;

/// The lock of a renewal, held while the issuer is asked.
const RENEWAL: &str = "renewal";
/// The lock of a change of the file.
const CHANGE: &str = "lock";

/// A login is not there, or cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenStoreError {
    /// A file of the store cannot be read or written.
    #[error("{}: {reason}", text_file::shown(path))]
    File {
        /// Its path.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// There is no login.
    #[error("nobody is logged in at profile {profile}: run `countersign login`")]
    NobodyLoggedIn {
        /// The profile.
        profile: ProfileName,
    },
    /// A login cannot be used any more, or not be renewed.
    #[error(transparent)]
    Login(#[from] LoginError),
}

/// The directory of the tokens.
#[derive(Debug, Clone)]
pub struct TokenStore {
    directory: PathBuf,
}

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// There was nothing.
    Nothing,
    /// What was there was no login, or others could read it.
    Unreadable,
    /// A login.
    Login(Box<Login>),
}

/// What a login needs before it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// The next token.
    Renewal,
    /// The person.
    Person,
}

/// What a login needs at this time.
pub fn need(login: &Login, now: Timestamp) -> Need {
    let left = left_milliseconds(login, now);
    match &login.refresh_token {
        _ if left > RENEWAL_SECONDS * 1000 => Need::Nothing,
        Some(_) => Need::Renewal,
        // Nothing better will come: it is used to its end.
        None if left > 0 => Need::Nothing,
        None => Need::Person,
    }
}

fn left_milliseconds(login: &Login, now: Timestamp) -> i64 {
    login.expires_at_seconds.saturating_mul(1000).saturating_sub(now.as_millisecond())
}

fn failed(path: &Path, error: &dyn fmt::Display) -> TokenStoreError {
    TokenStoreError::File { path: path.to_owned(), reason: error.to_string() }
}

impl TokenStore {
    /// The store in a directory, which is made when something is put there.
    pub fn at(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    fn path(&self, name: &ProfileName) -> PathBuf {
        self.directory.join(format!("{name}.json"))
    }

    /// A lock beside the login, of this kind. One is held while the issuer is asked, the other while the
    /// file is changed and never while anybody is waited for.
    fn lock(&self, name: &ProfileName, kind: &str) -> Result<File, TokenStoreError> {
        let path = self.path(name).with_extension(format!("json.{kind}"));
        private_file::lock(&path).map_err(|error| failed(&path, &error))
    }

    /// The login of a profile, if there is one.
    ///
    /// # Errors
    /// When it cannot be read, or others can read it too.
    pub fn read(&self, name: &ProfileName) -> Result<Option<Login>, TokenStoreError> {
        let path = self.path(name);
        let text = match private_file::read(&path) {
            Ok(text) => text,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => {
                return Err(failed(
                    &path,
                    &format!("{error}, or `countersign logout` and `countersign login`"),
                ));
            }
        };
        // The reason could quote the token.
        let not_ours = |_| failed(&path, &"not a login; run `countersign login`");
        serde_json::from_str(&text).map(Some).map_err(not_ours)
    }

    /// Keeps a login.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &ProfileName, login: &Login) -> Result<(), TokenStoreError> {
        let _change = self.lock(name, CHANGE)?;
        self.put(name, login)
    }

    /// Writes a login again, if it is still there: there is room for the next one then.
    fn keep(&self, name: &ProfileName, login: &Login) -> Result<(), TokenStoreError> {
        let _change = self.lock(name, CHANGE)?;
        if self.read(name)?.as_ref() == Some(login) { self.put(name, login) } else { Ok(()) }
    }

    fn put(&self, name: &ProfileName, login: &Login) -> Result<(), TokenStoreError> {
        let path = self.path(name);
        let json = serde_json::to_vec_pretty(login).map_err(|error| failed(&path, &error))?;
        private_file::write(&path, &json)
            .and_then(|()| private_file::remove_unfinished(&path))
            .map_err(|error| failed(&path, &error))
    }

    /// Forgets a login, and gives what was forgotten. One that cannot be read is removed all the same.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, name: &ProfileName) -> Result<Removed, TokenStoreError> {
        let _change = self.lock(name, CHANGE)?;
        let path = self.path(name);
        let login = self.read(name).ok().flatten();
        // One may hold a newer refresh token than the login.
        private_file::remove_unfinished(&path).map_err(|error| failed(&path, &error))?;
        match fs::remove_file(&path) {
            Ok(()) => Ok(login.map_or(Removed::Unreadable, |login| Removed::Login(Box::new(login)))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Removed::Nothing),
            Err(error) => Err(failed(&path, &error)),
        }
    }

    /// A login that is good for the next call, renewed if it must be. A process that finds another
    /// renewing it waits, and takes what that one got. If the person has logged in anew while the issuer was
    /// asked, that login holds; if they have logged out, there is no login, and what the issuer gave is
    /// handed to `discard`.
    ///
    /// # Errors
    /// Refused when the person has to log in (again); else what `renew` says, unless the old token is
    /// still good and the issuer has not refused.
    pub fn fresh(
        &self,
        name: &ProfileName,
        now: &dyn Fn() -> Timestamp,
        renew: &dyn Fn(&Login) -> Result<Login, LoginError>,
        discard: &dyn Fn(&Login),
    ) -> Result<Login, TokenStoreError> {
        let nobody = || TokenStoreError::NobodyLoggedIn { profile: name.clone() };
        let login = self.read(name)?.ok_or_else(nobody)?;
        match need(&login, now()) {
            Need::Nothing => return Ok(login),
            Need::Person => return Err(LoginError::Ended.into()),
            Need::Renewal => {}
        }
        let _renewal = self.lock(name, RENEWAL)?;
        let before = login;
        let login = self.read(name)?.ok_or_else(nobody)?;
        match need(&login, now()) {
            Need::Nothing => return Ok(login),
            // Another process has renewed it just now, and the issuer gives none that lives longer.
            Need::Renewal if login != before && left_milliseconds(&login, now()) > 0 => return Ok(login),
            Need::Person => return Err(LoginError::Ended.into()),
            Need::Renewal => {}
        }
        // A disk that is full loses what the issuer gives, and the token that it was asked with is spent.
        if let Err(error) = self.keep(name, &login) {
            return if left_milliseconds(&login, now()) > 0 { Ok(login) } else { Err(error) };
        }
        let renewed = renew(&login);
        let change = self.lock(name, CHANGE)?;
        match (self.read(name)?, renewed) {
            (Some(kept), Ok(renewed)) if kept == login => {
                self.put(name, &renewed)?;
                Ok(renewed)
            }
            (Some(kept), Err(error)) if kept == login => {
                let is_still_good = !error.is_refusal() && left_milliseconds(&login, now()) > 0;
                if is_still_good { Ok(login) } else { Err(error.into()) }
            }
            // What was renewed is not discarded: the issuer may hold both for one session.
            (Some(newer), _) => Ok(newer),
            (None, renewed) => {
                drop(change);
                if let Ok(renewed) = renewed {
                    discard(&renewed);
                }
                Err(nobody())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use std::cell::Cell;
    use std::os::unix::fs::PermissionsExt as _;

    const NOW_SECONDS: i64 = 1_800_000_000;

    fn now() -> Timestamp {
        Timestamp::from_millisecond(NOW_SECONDS * 1000)
    }

    fn login(left_seconds: i64, refresh_token: Option<&str>) -> Login {
        Login {
            service: "https://c.example.com".to_owned(),
            issuer: "https://id.example.com".to_owned(),
            client_id: "cli".to_owned(),
            token: Secret::new("token-text"),
            expires_at_seconds: NOW_SECONDS + left_seconds,
            refresh_token: refresh_token.map(Secret::new),
        }
    }

    fn discarded(login: &Login) {
        panic!("{login:?} is not to be given back");
    }

    fn name() -> ProfileName {
        ProfileName::parse("prod").unwrap()
    }

    #[test]
    fn a_token_is_renewed_a_minute_before_its_end() {
        for (left, refresh_token, expected) in [
            (3600, Some("r"), Need::Nothing),
            (61, Some("r"), Need::Nothing),
            (60, Some("r"), Need::Renewal),
            (-3600, Some("r"), Need::Renewal),
            (60, None, Need::Nothing),
            (1, None, Need::Nothing),
            (0, None, Need::Person),
        ] {
            assert_eq!(need(&login(left, refresh_token), now()), expected, "{left} {refresh_token:?}");
        }
    }

    #[test]
    fn a_fresh_login_makes_no_call_and_an_old_one_is_renewed_and_kept() {
        let home = tempfile::tempdir().unwrap();
        let store = TokenStore::at(&home.path().join("tokens"));
        let asked = Cell::new(0);
        let renew = |_: &Login| {
            asked.set(asked.get() + 1);
            Ok(login(3600, Some("r2")))
        };
        let error = store.fresh(&name(), &now, &renew, &discarded).unwrap_err();
        assert_eq!(error, TokenStoreError::NobodyLoggedIn { profile: name() });
        store.write(&name(), &login(600, Some("r1"))).unwrap();
        assert_eq!(store.fresh(&name(), &now, &renew, &discarded).unwrap(), login(600, Some("r1")));
        store.write(&name(), &login(10, Some("r1"))).unwrap();
        assert_eq!(store.fresh(&name(), &now, &renew, &discarded).unwrap(), login(3600, Some("r2")));
        assert_eq!(store.read(&name()).unwrap(), Some(login(3600, Some("r2"))));
        assert_eq!(asked.get(), 1);
        let mode = fs::metadata(home.path().join("tokens/prod.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let removed = Removed::Login(Box::new(login(3600, Some("r2"))));
        assert_eq!(store.remove(&name()).unwrap(), removed);
        assert_eq!(store.remove(&name()).unwrap(), Removed::Nothing);
    }

    #[test]
    fn a_failed_renewal_is_reported_only_when_the_old_token_has_ended() {
        let home = tempfile::tempdir().unwrap();
        let store = TokenStore::at(home.path());
        let renew = |_: &Login| Err(LoginError::NotAsked("away".to_owned()));
        store.write(&name(), &login(10, Some("r"))).unwrap();
        assert_eq!(store.fresh(&name(), &now, &renew, &discarded).unwrap(), login(10, Some("r")));
        store.write(&name(), &login(-10, Some("r"))).unwrap();
        let error = store.fresh(&name(), &now, &renew, &discarded).unwrap_err();
        assert_eq!(error.to_string(), "away");
    }

    #[test]
    fn a_refused_renewal_is_reported_even_if_the_old_token_is_still_good() {
        let home = tempfile::tempdir().unwrap();
        let store = TokenStore::at(home.path());
        let renew = |_: &Login| Err(LoginError::Ended);
        store.write(&name(), &login(10, Some("r"))).unwrap();
        let error = store.fresh(&name(), &now, &renew, &discarded).unwrap_err();
        assert_eq!(error, TokenStoreError::Login(LoginError::Ended));
        assert_eq!(store.read(&name()).unwrap(), Some(login(10, Some("r"))));
    }

    /// THREATS 69.
    #[test]
    fn threat_69_a_logout_or_a_login_holds_against_a_renewal_that_began_before_it() {
        let home = tempfile::tempdir().unwrap();
        let store = TokenStore::at(home.path());
        let given_back = Cell::new(0);
        let discard = |login: &Login| {
            assert_eq!(login.refresh_token, Some(Secret::new("r2")));
            given_back.set(given_back.get() + 1);
        };
        let renewal_while = |said: &dyn Fn()| {
            store.write(&name(), &login(10, Some("r1"))).unwrap();
            let renew = |_: &Login| {
                said();
                Ok(login(3600, Some("r2")))
            };
            store.fresh(&name(), &now, &renew, &discard)
        };
        let error = renewal_while(&|| drop(store.remove(&name()).unwrap())).unwrap_err();
        assert!(matches!(error, TokenStoreError::NobodyLoggedIn { .. }), "{error}");
        assert_eq!((store.read(&name()).unwrap(), given_back.get()), (None, 1));

        let anew = login(7200, Some("of-another-person"));
        let used = renewal_while(&|| store.write(&name(), &anew).unwrap()).unwrap();
        assert_eq!((used, store.read(&name()).unwrap()), (anew.clone(), Some(anew.clone())));

        // The new login may be why the issuer refuses the old one.
        store.write(&name(), &login(10, Some("r1"))).unwrap();
        let refuse = |_: &Login| {
            store.write(&name(), &anew).unwrap();
            Err(LoginError::Ended)
        };
        assert_eq!(store.fresh(&name(), &now, &refuse, &discard).unwrap(), anew);

        let out_and_in = || {
            store.remove(&name()).unwrap();
            store.write(&name(), &anew).unwrap();
        };
        assert_eq!(renewal_while(&out_and_in).unwrap(), anew);
        assert_eq!((store.read(&name()).unwrap(), given_back.get()), (Some(anew), 1));
    }

    #[test]
    fn two_who_find_an_old_token_ask_once() {
        let home = tempfile::tempdir().unwrap();
        let store = TokenStore::at(home.path());
        store.write(&name(), &login(10, Some("r1"))).unwrap();
        let asked = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let renew = |_: &Login| {
                        asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        Ok(login(3600, Some("r2")))
                    };
                    assert_eq!(
                        store.fresh(&name(), &now, &renew, &discarded).unwrap(),
                        login(3600, Some("r2"))
                    );
                });
            }
        });
        assert_eq!(asked.into_inner(), 1);
    }

    #[test]
    fn a_token_that_others_can_read_or_that_cannot_be_read_is_refused_and_never_quoted() {
        let home = tempfile::tempdir().unwrap();
        let store = TokenStore::at(home.path());
        store.write(&name(), &login(10, Some("refresh-text"))).unwrap();
        let path = home.path().join("prod.json");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(store.read(&name()).unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "{\"token\": \"token-text\", \"expires_at_seconds\": \"token-text\"}").unwrap();
        let error = store.read(&name()).unwrap_err().to_string();
        assert!(!error.contains("token-text"), "{error}");
        assert!(!format!("{:?}", login(10, Some("refresh-text"))).contains("-text"));
    }

    #[test]
    fn what_a_killed_renewal_left_goes_with_the_login() {
        let home = tempfile::tempdir().unwrap();
        let store = TokenStore::at(home.path());
        let left = home.path().join("prod.new-0123456789abcdef");
        store.write(&name(), &login(600, Some("r1"))).unwrap();
        for end in [
            |store: &TokenStore| drop(store.remove(&name())),
            |store: &TokenStore| drop(store.write(&name(), &login(600, None))),
        ] {
            fs::write(&left, "a newer refresh token").unwrap();
            end(&store);
            assert!(!left.exists());
        }
    }

    #[test]
    fn a_token_that_never_lives_long_is_renewed_once_by_those_who_wait_together() {
        let home = tempfile::tempdir().unwrap();
        let store = TokenStore::at(home.path());
        store.write(&name(), &login(10, Some("r1"))).unwrap();
        let (all_read, asked) = (std::sync::Barrier::new(8), std::sync::atomic::AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let waited = Cell::new(false);
                    // The time is asked for after the login was read, and before the lock is waited for.
                    let now = || {
                        if !waited.replace(true) {
                            all_read.wait();
                        }
                        now()
                    };
                    let renew = |_: &Login| {
                        asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        Ok(login(50, Some("r2")))
                    };
                    assert_eq!(
                        store.fresh(&name(), &now, &renew, &discarded).unwrap(),
                        login(50, Some("r2"))
                    );
                });
            }
        });
        assert_eq!(asked.into_inner(), 1);
    }
}
