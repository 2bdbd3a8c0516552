//! The configuration file: profiles, each a service and how to get a token for it. Reads and changes it.
//!
//! It holds no secret, only where one is. What a profile means beside options and environment is
//! `profile.rs`.

use crate::agent::{self, AgentError};
use crate::signing::Auth;
use countersign_core::text::escaped_line;
use countersign_system::{private_file, text_file};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use toml_edit::{DocumentMut, Item, Table};

/// The longest name of a profile.
const MAX_NAME_BYTES: usize = 64;

/// The name of a profile. It is the name of a file too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct ProfileName(String);

impl ProfileName {
    /// Reads a name.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if text.is_empty() || text.len() > MAX_NAME_BYTES || text.starts_with(['.', '-']) {
            return Err(format!("a profile's name has 1 to {MAX_NAME_BYTES} characters, none of - . first"));
        }
        if !text.bytes().all(is_allowed) {
            return Err("a profile's name has letters, digits and - _ . in it, nothing else".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ProfileName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A service, and how to get a token for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Where the service is.
    pub url: Option<String>,
    /// Certificates to trust besides the public ones.
    pub ca_bundle: Option<PathBuf>,
    /// What proves who calls: a token, unless it says otherwise.
    pub auth: Option<Auth>,
    /// The region that calls are signed for.
    pub aws_region: Option<String>,
    /// A file that holds the token.
    pub token_file: Option<PathBuf>,
    /// Who `countersign login` asks for a token.
    pub oidc_issuer: Option<String>,
    /// This program's name there.
    pub oidc_client_id: Option<String>,
    /// What the token is to be for.
    pub oidc_audience: Option<String>,
    /// What it is to say.
    pub oidc_scope: Option<String>,
}

/// The configuration does not say which service is called, or says it wrongly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// There is no place for the configuration file.
    #[error("there is no home: set HOME, XDG_CONFIG_HOME or COUNTERSIGN_CONFIG")]
    NoConfigHome,
    /// There is no place for the tokens of logins.
    #[error("there is no home: set HOME or XDG_STATE_HOME")]
    NoStateHome,
    /// A variable has a value that means nothing.
    #[error("{name} {rule}")]
    Variable {
        /// Its name.
        name: &'static str,
        /// What it may be.
        rule: &'static str,
    },
    /// The file cannot be read, or others may change it.
    #[error("{}: {reason}", text_file::shown(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The file says what is not understood.
    #[error("{}:{line}: {}", text_file::shown(path), escaped_line(message))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The reason.
        message: String,
    },
    /// The file cannot be changed.
    #[error("{}: {reason}", text_file::shown(path))]
    Unwritable {
        /// The file, or the lock beside it.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// `profiles` is something else than tables.
    #[error("`profiles` must be tables: [profiles.NAME]")]
    NoTables,
    /// The environment names no way to prove who calls.
    #[error("COUNTERSIGN_AUTH: {0}")]
    Auth(String),
    /// The environment names a profile by what cannot be its name.
    #[error("COUNTERSIGN_PROFILE: {0}")]
    ProfileName(String),
    /// There is no profile of that name.
    #[error(
        "there is no profile `{name}` (known: {}); make it with `countersign config set-profile`",
        if known.is_empty() { "there are none".to_owned() } else { known.join(", ") }
    )]
    UnknownProfile {
        /// The name.
        name: ProfileName,
        /// The names that there are.
        known: Vec<String>,
    },
    /// There is no such profile to be made the default one.
    #[error(
        "there is no profile `{name}` in {}; make it with `countersign config set-profile {name} --url URL`",
        text_file::shown(path)
    )]
    NoSuchProfile {
        /// The name.
        name: ProfileName,
        /// The file.
        path: PathBuf,
    },
    /// A command that works on a profile is given none.
    #[error(
        "no profile is selected: name one with --profile, or make one with `countersign config set-profile NAME \
         --url URL --oidc-issuer URL --oidc-client-id ID` and `config use NAME`"
    )]
    NoProfile,
    /// A path that cannot be written into the file.
    #[error("{}: {reason}", escaped_line(path))]
    Path {
        /// The path.
        path: String,
        /// The reason.
        reason: String,
    },
    /// A URL that no token is sent to.
    #[error(transparent)]
    Url(#[from] AgentError),
}

/// What is to be changed of a profile. An empty text takes a setting out.
#[derive(Debug, Clone, Default)]
pub struct ProfileChanges {
    /// Where the service is.
    pub url: Option<String>,
    /// Certificates to trust besides the public ones.
    pub ca_bundle: Option<String>,
    /// What proves who calls.
    pub auth: Option<String>,
    /// The region that calls are signed for.
    pub aws_region: Option<String>,
    /// A file that holds the token.
    pub token_file: Option<String>,
    /// Who is asked for a token.
    pub oidc_issuer: Option<String>,
    /// This program's name there.
    pub oidc_client_id: Option<String>,
    /// What the token is to be for.
    pub oidc_audience: Option<String>,
    /// What it is to say.
    pub oidc_scope: Option<String>,
}

/// The configuration file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The profile that is taken when none is named.
    pub default_profile: Option<ProfileName>,
    /// The profiles.
    #[serde(default)]
    pub profiles: BTreeMap<ProfileName, Profile>,
}

impl Config {
    /// Reads the file; one that is not there says nothing.
    ///
    /// # Errors
    /// When it cannot be read, or has an unknown key.
    pub fn read(path: &Path) -> Result<Self, ConfigurationError> {
        Self::parse(path, &text_of(path)?)
    }

    /// Understands the text of a file.
    ///
    /// # Errors
    /// With file and line.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigurationError> {
        let config: Self =
            toml::from_str(text).map_err(|error| refused(path, text, error.span(), error.message()))?;
        match &config.default_profile {
            Some(name) if !config.profiles.contains_key(name) => {
                let at = text.find("default_profile").map(|at| at..at);
                Err(refused(path, text, at, &format!("there is no profile `{name}` to be the default one")))
            }
            _ => Ok(config),
        }
    }
}

/// The text of the file; nothing if there is none.
///
/// # Errors
/// When it cannot be read, or others may change it.
pub fn text_of(path: &Path) -> Result<String, ConfigurationError> {
    match private_file::read(path) {
        Ok(text) => Ok(text),
        Err(error) if error.is_not_found() => Ok(String::new()),
        Err(error) => {
            Err(ConfigurationError::Unreadable { path: path.to_owned(), reason: error.to_string() })
        }
    }
}

fn refused(
    path: &Path,
    text: &str,
    span: Option<std::ops::Range<usize>>,
    message: &str,
) -> ConfigurationError {
    let before = span.and_then(|span| text.as_bytes().get(..span.start));
    let line = 1 + before.map_or(0, |before| before.iter().filter(|b| **b == b'\n').count());
    ConfigurationError::Invalid { path: path.to_owned(), line, message: message.to_owned() }
}

/// Makes a profile, or changes what is given of it.
///
/// # Errors
/// When the file cannot be understood before or after the change; it is then as it was. When a URL would send a
/// token in the clear.
pub fn set_profile(
    path: &Path,
    name: &ProfileName,
    changes: &ProfileChanges,
) -> Result<(), ConfigurationError> {
    edit(path, |document| change_profile(document, name, changes))
}

/// Makes a profile the default one.
///
/// # Errors
/// As for [`set_profile`], and when there is no such profile.
pub fn set_default(path: &Path, name: &ProfileName) -> Result<(), ConfigurationError> {
    edit(path, |document| use_profile(document, path, name))
}

/// Changes the file. What it says besides, and its comments, stay.
///
/// # Errors
/// When the file cannot be understood before or after the change; it is then as it was.
fn edit(
    path: &Path,
    change: impl FnOnce(&mut DocumentMut) -> Result<(), ConfigurationError>,
) -> Result<(), ConfigurationError> {
    let at = |path: &Path, error: &dyn fmt::Display| ConfigurationError::Unwritable {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let lock = path.with_extension("lock");
    // Two commands at once must not undo each other's change.
    let _lock = private_file::lock(&lock).map_err(|error| at(&lock, &error))?;
    let text = text_of(path)?;
    Config::parse(path, &text)?;
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| refused(path, &text, None, error.message()))?;
    change(&mut document)?;
    let text = document.to_string();
    Config::parse(path, &text)?;
    private_file::write(path, text.as_bytes())
        .and_then(|()| private_file::remove_unfinished(path))
        .map_err(|error| at(path, &error))
}

/// Makes a profile the default one.
///
/// # Errors
/// When there is no such profile.
fn use_profile(
    document: &mut DocumentMut,
    path: &Path,
    name: &ProfileName,
) -> Result<(), ConfigurationError> {
    let profiles = document.get("profiles").and_then(Item::as_table_like);
    if !profiles.is_some_and(|profiles| profiles.contains_key(name.as_str())) {
        return Err(ConfigurationError::NoSuchProfile { name: name.clone(), path: path.to_owned() });
    }
    document.insert("default_profile", toml_edit::value(name.as_str()));
    Ok(())
}

/// Makes a profile, or changes what is given of it.
///
/// # Errors
/// When a URL would send a token in the clear, or a client id has no issuer.
fn change_profile(
    document: &mut DocumentMut,
    name: &ProfileName,
    changes: &ProfileChanges,
) -> Result<(), ConfigurationError> {
    if let Some(url) = changes.url.as_deref().filter(|url| !url.is_empty()) {
        agent::service(url)?;
    }
    if let Some(issuer) = changes.oidc_issuer.as_deref().filter(|issuer| !issuer.is_empty()) {
        agent::base("--oidc-issuer ", issuer)?;
    }
    let path = |path: &Option<String>| path.as_deref().map(absolute).transpose();
    let settings = [
        ("url", changes.url.clone()),
        ("ca_bundle", path(&changes.ca_bundle)?),
        ("auth", changes.auth.clone()),
        ("aws_region", changes.aws_region.clone()),
        ("token_file", path(&changes.token_file)?),
        ("oidc_issuer", changes.oidc_issuer.clone()),
        ("oidc_client_id", changes.oidc_client_id.clone()),
        ("oidc_audience", changes.oidc_audience.clone()),
        ("oidc_scope", changes.oidc_scope.clone()),
    ];
    // `[profiles]` has no line of its own in the file.
    let mut profiles = Table::new();
    profiles.set_implicit(true);
    let odd = |()| ConfigurationError::NoTables;
    let profiles = document.entry("profiles").or_insert(Item::Table(profiles));
    let profiles = profiles.as_table_like_mut().ok_or(()).map_err(odd)?;
    let profile = profiles.entry(name.as_str()).or_insert(Item::Table(Table::new()));
    let profile = profile.as_table_like_mut().ok_or(()).map_err(odd)?;
    for (name, value) in settings.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))) {
        if value.is_empty() {
            profile.remove(name);
        } else if let Some(item) = profile.get_mut(name) {
            *item = toml_edit::value(value);
        } else {
            profile.insert(name, toml_edit::value(value));
        }
    }
    Ok(())
}

/// A path of the command line is relative to where the command is run; in the file it would be
/// relative to something else.
fn absolute(path: &str) -> Result<String, ConfigurationError> {
    if path.is_empty() {
        return Ok(String::new());
    }
    let at = |reason: &str| ConfigurationError::Path { path: path.to_owned(), reason: reason.to_owned() };
    let absolute = std::path::absolute(path).map_err(|error| at(&error.to_string()))?;
    absolute.into_os_string().into_string().map_err(|_| at("is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    fn parse(text: &str) -> Result<Config, ConfigurationError> {
        Config::parse(Path::new("/c.toml"), text)
    }

    #[test]
    fn a_file_is_read() {
        let config = parse(
            "default_profile = \"prod\"\n[profiles.prod]\nurl = \"https://c.example.com\"\nca_bundle = \
             \"ca.pem\"\n[profiles.dev]\n",
        )
        .unwrap();
        assert_eq!(config.default_profile, Some(ProfileName("prod".to_owned())));
        let prod = config.profiles.get(&ProfileName("prod".to_owned())).unwrap();
        assert_eq!(prod.url.as_deref(), Some("https://c.example.com"));
        assert_eq!(config.profiles.len(), 2);
        assert_eq!(parse("").unwrap(), Config::default());
    }

    #[test]
    fn what_is_not_understood_is_refused_with_file_and_line() {
        for (text, start, contains) in [
            ("\n[profiles.a]\nulr = \"x\"\n", "/c.toml:3: ", "unknown field `ulr`"),
            ("# x\ncolour = 1\n", "/c.toml:2: ", "unknown field `colour`"),
            ("[profiles.a]\nurl = 1\n", "/c.toml:2: ", "string"),
            ("[profiles.a]\nurl = \"x\n", "/c.toml:2: ", ""),
            ("[profiles.\"../a\"]\n", "/c.toml:1: ", "a profile's name"),
            ("\ndefault_profile = \"b\"\n[profiles.a]\n", "/c.toml:2: ", "no profile `b`"),
        ] {
            let error = parse(text).unwrap_err();
            let message = error.to_string();
            assert!(matches!(error, ConfigurationError::Invalid { .. }), "{error:?}");
            assert!(message.starts_with(start) && message.contains(contains), "{message}");
        }
    }

    #[test]
    fn names_are_names_of_files() {
        for name in ["prod", "eu-west_1.b", "0"] {
            assert!(ProfileName::parse(name).is_ok(), "{name}");
        }
        for name in ["", ".", "..", ".a", "-a", "a/b", "a b", "é", &"a".repeat(65)] {
            assert!(ProfileName::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_profile_is_set_and_changed_and_the_rest_stays() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("countersign/config.toml");
        let prod = ProfileName::parse("prod").unwrap();
        let set = |changes: &ProfileChanges| set_profile(&path, &prod, changes).unwrap();
        let url = Some("https://c.example.com".to_owned());
        set(&ProfileChanges { url, ..ProfileChanges::default() });
        assert_eq!(fs::read_to_string(&path).unwrap(), "[profiles.prod]\nurl = \"https://c.example.com\"\n");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));

        fs::write(&path, "# mine\n[profiles.prod] # the one\nurl = \"https://old\" # why\n").unwrap();
        set(&ProfileChanges {
            token_file: Some("/run/token".to_owned()),
            oidc_issuer: Some("https://id.example.com".to_owned()),
            ..ProfileChanges::default()
        });
        set(&ProfileChanges {
            url: Some(String::new()),
            oidc_client_id: Some("cli".to_owned()),
            ..ProfileChanges::default()
        });
        set_default(&path, &prod).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("# mine") && text.contains("# the one"), "{text}");
        let config = Config::read(&path).unwrap();
        assert_eq!(config.default_profile.as_ref(), Some(&prod));
        let prod = config.profiles.get(&prod).unwrap();
        assert_eq!(prod.url, None);
        assert_eq!(prod.token_file, Some(PathBuf::from("/run/token")));
        assert_eq!(prod.oidc_client_id.as_deref(), Some("cli"));
    }

    #[test]
    fn what_would_be_wrong_is_not_written() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.toml");
        let (name, clear) = (ProfileName::parse("a").unwrap(), Some("http://c.example.com".to_owned()));
        for wrong in [
            ProfileChanges { url: clear.clone(), ..ProfileChanges::default() },
            ProfileChanges { oidc_issuer: clear, ..ProfileChanges::default() },
        ] {
            assert!(matches!(set_profile(&path, &name, &wrong), Err(ConfigurationError::Url(_))));
        }
        assert!(matches!(set_default(&path, &name), Err(ConfigurationError::NoSuchProfile { .. })));
        assert!(!path.exists());
        assert_eq!(Config::read(&path).unwrap(), Config::default());
    }
}
