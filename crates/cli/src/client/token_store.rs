//! Where the tokens of `countersign login` are: a file for each profile, for its owner alone.
//!
//! Knows how long a token is good for, and that only one process at a time asks for the next one: an
//! issuer may take a refresh token that comes twice for a stolen one.

use crate::client::config::ProfileName;
use crate::client::oidc::{Login, log_in_again};
use crate::client::private_file;
use crate::exit::Exit;
use countersign_core::timestamp::Timestamp;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// How long before its end a token is renewed, in seconds: it must live longer than the call it is
/// sent with.
pub const RENEWAL_SECONDS: i64 = 60;

/// The directory of the tokens.
#[derive(Debug, Clone)]
pub struct TokenStore {
    directory: PathBuf,
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

impl TokenStore {
    /// The store in a directory, which is made when something is put there.
    pub fn at(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    fn path(&self, name: &ProfileName) -> PathBuf {
        self.directory.join(format!("{name}.json"))
    }

    fn failed(&self, name: &ProfileName) -> impl Fn(io::Error) -> Exit {
        let path = self.path(name);
        move |error| Exit::from(format!("{}: {error}", path.display()))
    }

    /// The login of a profile, if there is one.
    ///
    /// # Errors
    /// When it cannot be read, or others can read it too.
    pub fn read(&self, name: &ProfileName) -> Result<Option<Login>, Exit> {
        let path = self.path(name);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed(name)(error)),
        };
        if private_file::is_open_to_others(&path).map_err(self.failed(name))? {
            return Err(Exit::from(format!(
                "{}: others can read this token; run chmod 600 on it, or `countersign logout` and `login`",
                path.display()
            )));
        }
        // The reason could quote the token.
        let not_ours = |_| Exit::from(format!("{}: not a login; run `countersign login`", path.display()));
        serde_json::from_str(&text).map(Some).map_err(not_ours)
    }

    /// Keeps a login.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &ProfileName, login: &Login) -> Result<(), Exit> {
        let json = serde_json::to_vec_pretty(login).map_err(|error| self.failed(name)(error.into()))?;
        private_file::write(&self.path(name), &json).map_err(self.failed(name))
    }

    /// Forgets a login; `false` when there was none.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, name: &ProfileName) -> Result<bool, Exit> {
        match fs::remove_file(self.path(name)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed(name)(error)),
        }
    }

    /// A login that is good for the next call, renewed if it must be. Whoever finds another process
    /// renewing it waits, and takes what that one got.
    ///
    /// # Errors
    /// Refused when the person has to log in (again); else what `renew` says, unless the old token is
    /// still good.
    pub fn fresh(
        &self,
        name: &ProfileName,
        now: &dyn Fn() -> Timestamp,
        renew: &dyn Fn(&Login) -> Result<Login, Exit>,
    ) -> Result<Login, Exit> {
        let nobody =
            || Exit::refused(format!("nobody is logged in at profile {name}: run `countersign login`"));
        let login = self.read(name)?.ok_or_else(nobody)?;
        match need(&login, now()) {
            Need::Nothing => return Ok(login),
            Need::Person => return Err(log_in_again()),
            Need::Renewal => {}
        }
        let _lock =
            private_file::lock(&self.path(name).with_extension("json.lock")).map_err(self.failed(name))?;
        let login = self.read(name)?.ok_or_else(nobody)?;
        match need(&login, now()) {
            Need::Nothing => return Ok(login),
            Need::Person => return Err(log_in_again()),
            Need::Renewal => {}
        }
        match renew(&login) {
            Ok(renewed) => {
                self.write(name, &renewed)?;
                Ok(renewed)
            }
            Err(_) if left_milliseconds(&login, now()) > 0 => Ok(login),
            Err(exit) => Err(exit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::secret::Secret;
    use std::cell::Cell;
    use std::os::unix::fs::PermissionsExt as _;

    const NOW_SECONDS: i64 = 1_800_000_000;

    fn now() -> Timestamp {
        Timestamp::from_millisecond(NOW_SECONDS * 1000)
    }

    fn login(left_seconds: i64, refresh_token: Option<&str>) -> Login {
        Login {
            issuer: "https://id.example.com".to_owned(),
            client_id: "cli".to_owned(),
            token: Secret::new("token-text"),
            expires_at_seconds: NOW_SECONDS + left_seconds,
            refresh_token: refresh_token.map(Secret::new),
        }
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
    fn a_fresh_login_asks_nobody_and_an_old_one_is_renewed_and_kept() {
        let home = tempfile::tempdir().unwrap();
        let store = TokenStore::at(&home.path().join("tokens"));
        let asked = Cell::new(0);
        let renew = |_: &Login| {
            asked.set(asked.get() + 1);
            Ok(login(3600, Some("r2")))
        };
        assert_eq!(store.fresh(&name(), &now, &renew).unwrap_err().code, 3);
        store.write(&name(), &login(600, Some("r1"))).unwrap();
        assert_eq!(store.fresh(&name(), &now, &renew).unwrap(), login(600, Some("r1")));
        store.write(&name(), &login(10, Some("r1"))).unwrap();
        assert_eq!(store.fresh(&name(), &now, &renew).unwrap(), login(3600, Some("r2")));
        assert_eq!(store.read(&name()).unwrap(), Some(login(3600, Some("r2"))));
        assert_eq!(asked.get(), 1);
        let mode = fs::metadata(home.path().join("tokens/prod.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(store.remove(&name()).unwrap());
        assert!(!store.remove(&name()).unwrap());
    }

    #[test]
    fn a_failed_renewal_is_told_only_when_the_old_token_has_ended() {
        let home = tempfile::tempdir().unwrap();
        let store = TokenStore::at(home.path());
        let renew = |_: &Login| Err(Exit::from("away".to_owned()));
        store.write(&name(), &login(10, Some("r"))).unwrap();
        assert_eq!(store.fresh(&name(), &now, &renew).unwrap(), login(10, Some("r")));
        store.write(&name(), &login(-10, Some("r"))).unwrap();
        assert_eq!(store.fresh(&name(), &now, &renew).unwrap_err().message, "away");
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
                    assert_eq!(store.fresh(&name(), &now, &renew).unwrap(), login(3600, Some("r2")));
                });
            }
        });
        assert_eq!(asked.into_inner(), 1);
    }

    #[test]
    fn a_token_that_others_can_read_or_nobody_can_is_refused_and_never_quoted() {
        let home = tempfile::tempdir().unwrap();
        let store = TokenStore::at(home.path());
        store.write(&name(), &login(10, Some("refresh-text"))).unwrap();
        let path = home.path().join("prod.json");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(store.read(&name()).unwrap_err().message.contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "{\"token\": \"token-text\", \"expires_at_seconds\": \"token-text\"}").unwrap();
        let exit = store.read(&name()).unwrap_err();
        assert!(!exit.message.contains("token-text"), "{}", exit.message);
        assert!(!format!("{:?}", login(10, Some("refresh-text"))).contains("-text"));
    }
}
