//! Which service is called, and as whom: options, environment, profile and defaults weighed against
//! each other. The one place where that is decided.
//!
//! An option wins over the environment, the environment over the profile, the profile over what is
//! built in.

use crate::config::{Config, ConfigurationError, Profile, ProfileName};
use crate::environment::Environment;
use crate::secret::Secret;
use crate::signing::Auth;
use std::path::{Path, PathBuf};

/// Where `countersign serve` listens by default.
pub const DEFAULT_URL: &str = "http://127.0.0.1:9000";

/// Where the service of a profile is.
pub fn url_of(profile: &Profile) -> &str {
    profile.url.as_deref().unwrap_or(DEFAULT_URL).trim_end_matches('/')
}

/// What a command line says of it.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Where the service is.
    pub url: Option<String>,
    /// The profile.
    pub profile: Option<ProfileName>,
    /// What proves who calls.
    pub auth: Option<Auth>,
    /// A file that holds the token.
    pub token_file: Option<PathBuf>,
    /// Certificates to trust besides the public ones.
    pub ca_bundle: Option<PathBuf>,
}

/// What is called, and as whom.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the service is.
    pub url: String,
    /// Certificates to trust besides the public ones.
    pub ca_bundle: Option<PathBuf>,
    /// Further roots for calls of AWS itself. The service's own are not trusted there: who holds the key of one service
    /// is not to get credentials for all of AWS.
    pub aws_ca_bundle: Option<PathBuf>,
    /// Where the token is.
    pub token: TokenSource,
    /// The profile, if one is in use. Its paths are absolute.
    pub profile: Option<(ProfileName, Profile)>,
}

/// Where the token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// None is configured.
    Nowhere,
    /// In `COUNTERSIGN_TOKEN`.
    Environment(Secret),
    /// In a file.
    File {
        /// Who named it, for messages.
        named_by: &'static str,
        /// Its path.
        path: PathBuf,
    },
    /// Where `countersign login` left it.
    Login,
    /// There is none: calls are signed with credentials of AWS, for this region if the profile says which.
    Signed {
        /// The region.
        region: Option<String>,
    },
    /// In the profile, which is for another URL than the one that is called.
    OfAnotherUrl,
}

/// The settings of this process.
///
/// # Errors
/// When the configuration file cannot be understood, or there is no such profile.
pub fn settings(overrides: &Overrides) -> Result<Settings, ConfigurationError> {
    let environment = Environment::of_process();
    let config = environment.config_path().map_or(Ok(Config::default()), |path| Config::read(&path))?;
    weigh(overrides, &environment, &config)
}

/// The profile in use: the one that is named, or the default one.
///
/// # Errors
/// When there is none of that name.
pub fn selected(
    named: Option<&ProfileName>,
    environment: &Environment,
    config: &Config,
) -> Result<Option<(ProfileName, Profile)>, ConfigurationError> {
    let of_environment = environment.profile.as_deref().map(ProfileName::parse).transpose();
    let of_environment = of_environment.map_err(ConfigurationError::ProfileName)?;
    let Some(name) = named.or(of_environment.as_ref()).or(config.default_profile.as_ref()) else {
        return Ok(None);
    };
    let Some(profile) = config.profiles.get(name) else {
        let known = config.profiles.keys().map(ProfileName::to_string).collect();
        return Err(ConfigurationError::UnknownProfile { name: name.clone(), known });
    };
    let path = |path: &Option<PathBuf>| path.as_deref().map(|path: &Path| environment.resolved(path));
    let profile = Profile {
        ca_bundle: path(&profile.ca_bundle),
        token_file: path(&profile.token_file),
        ..profile.clone()
    };
    Ok(Some((name.clone(), profile)))
}

/// Weighs what is said where.
///
/// # Errors
/// When there is no such profile.
pub fn weigh(
    overrides: &Overrides,
    environment: &Environment,
    config: &Config,
) -> Result<Settings, ConfigurationError> {
    let selected = selected(overrides.profile.as_ref(), environment, config)?;
    let profile = selected.as_ref().map(|(_, profile)| profile.clone()).unwrap_or_default();
    let url_of_profile = url_of(&profile);
    let url = overrides.url.as_deref().or(environment.url.as_deref()).unwrap_or(url_of_profile);
    // A service at another URL must not get the token of the profile's service.
    let is_of_profile = url.trim_end_matches('/') == url_of_profile;
    let file = |named_by, path: &Path| TokenSource::File { named_by, path: path.to_owned() };
    let of_environment = environment.auth.as_deref().map(str::parse::<Auth>).transpose();
    let of_environment =
        of_environment.map_err(|_| ConfigurationError::Auth("must be `token` or `aws`".to_owned()))?;
    let auth = overrides.auth.or(of_environment);
    let region = profile.aws_region.clone().filter(|_| is_of_profile);
    let has_token = profile.token_file.is_some() || profile.oidc_issuer.is_some();
    let signs = auth.or(profile.auth) == Some(Auth::Aws);
    let token = if let Some(path) = &overrides.token_file {
        file("--token-file", path)
    } else if auth == Some(Auth::Aws) {
        TokenSource::Signed { region }
    } else if let Some(token) = &environment.token {
        TokenSource::Environment(token.clone())
    } else if let Some(path) = &environment.token_file {
        file("COUNTERSIGN_TOKEN_FILE", path)
    } else if !signs && !has_token {
        TokenSource::Nowhere
    } else if !is_of_profile {
        TokenSource::OfAnotherUrl
    } else if signs {
        TokenSource::Signed { region }
    } else if let Some(path) = &profile.token_file {
        file("the profile's token_file", path)
    } else {
        TokenSource::Login
    };
    let ca_bundle = overrides.ca_bundle.as_ref().or(environment.ca_bundle.as_ref());
    Ok(Settings {
        url: url.trim_end_matches('/').to_owned(),
        ca_bundle: ca_bundle.or(profile.ca_bundle.as_ref()).cloned(),
        aws_ca_bundle: environment.aws_ca_bundle.clone(),
        token,
        profile: selected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "default_profile = \"dev\"\n\
        [profiles.dev]\nurl = \"http://localhost:1\"\nca_bundle = \"dev.pem\"\ntoken_file = \"/dev.token\"\n\
        [profiles.prod]\nurl = \"https://prod.example.com/\"\noidc_issuer = \"https://id.example.com\"\n\
        oidc_client_id = \"cli\"\n[profiles.empty]\n";

    fn config() -> Config {
        Config::parse(Path::new("/people/ann/.config/countersign/config.toml"), FILE).unwrap()
    }

    fn environment() -> Environment {
        Environment { home: Some("/people/ann".into()), ..Environment::default() }
    }

    fn named(name: &str) -> Overrides {
        Overrides { profile: Some(ProfileName::parse(name).unwrap()), ..Overrides::default() }
    }

    fn file(named_by: &'static str, path: &str) -> TokenSource {
        TokenSource::File { named_by, path: path.into() }
    }

    #[test]
    fn options_win_over_the_environment_it_over_the_profile_and_that_over_defaults() {
        let nothing = Overrides::default();
        let built_in = weigh(&nothing, &environment(), &Config::default()).unwrap();
        assert_eq!(built_in.url, DEFAULT_URL);
        assert_eq!((built_in.token, built_in.ca_bundle), (TokenSource::Nowhere, None));

        let of_profile = weigh(&nothing, &environment(), &config()).unwrap();
        assert_eq!(of_profile.url, "http://localhost:1");
        assert_eq!(of_profile.ca_bundle, Some("/people/ann/.config/countersign/dev.pem".into()));
        assert_eq!(of_profile.token, file("the profile's token_file", "/dev.token"));

        let variables = Environment {
            url: Some("http://localhost:2".to_owned()),
            token: Some(Secret::new("t")),
            ca_bundle: Some("/env.pem".into()),
            ..environment()
        };
        let of_environment = weigh(&nothing, &variables, &config()).unwrap();
        assert_eq!(of_environment.url, "http://localhost:2");
        assert_eq!(of_environment.ca_bundle, Some("/env.pem".into()));
        assert_eq!(of_environment.token, TokenSource::Environment(Secret::new("t")));

        let options = Overrides {
            url: Some("http://localhost:3".to_owned()),
            token_file: Some("/option.token".into()),
            ca_bundle: Some("/option.pem".into()),
            ..Overrides::default()
        };
        let of_options = weigh(&options, &variables, &config()).unwrap();
        assert_eq!(of_options.url, "http://localhost:3");
        assert_eq!(of_options.ca_bundle, Some("/option.pem".into()));
        assert_eq!(of_options.token, file("--token-file", "/option.token"));
    }

    #[test]
    fn a_profile_is_named_by_option_environment_or_default() {
        let variable = Environment { profile: Some("prod".to_owned()), ..environment() };
        let name = |overrides: &Overrides, environment: &Environment| {
            weigh(overrides, environment, &config()).unwrap().profile.unwrap().0.to_string()
        };
        assert_eq!(name(&Overrides::default(), &environment()), "dev");
        assert_eq!(name(&Overrides::default(), &variable), "prod");
        assert_eq!(name(&named("empty"), &variable), "empty");
        let error = weigh(&named("nobody"), &environment(), &config()).unwrap_err();
        assert!(error.to_string().contains("known: dev, empty, prod"), "{error}");
        let odd = Environment { profile: Some("../x".to_owned()), ..environment() };
        assert!(weigh(&Overrides::default(), &odd, &config()).is_err());
    }

    #[test]
    fn a_login_is_used_where_no_file_is_named() {
        let prod = weigh(&named("prod"), &environment(), &config()).unwrap();
        assert_eq!((prod.url.as_str(), prod.token), ("https://prod.example.com", TokenSource::Login));
        let variable = Environment { token_file: Some("/env.token".into()), ..environment() };
        let prod = weigh(&named("prod"), &variable, &config()).unwrap();
        assert_eq!(prod.token, file("COUNTERSIGN_TOKEN_FILE", "/env.token"));
        let empty = weigh(&named("empty"), &environment(), &config()).unwrap();
        assert_eq!((empty.url.as_str(), empty.token), (DEFAULT_URL, TokenSource::Nowhere));
    }

    #[test]
    fn calls_are_signed_where_an_option_the_environment_or_the_profile_says_so() {
        let text = format!(
            "{FILE}[profiles.aws]\nurl = \"https://a.example.com\"\nauth = \"aws\"\naws_region = \"eu-west-1\"\n"
        );
        let config = Config::parse(Path::new("/c.toml"), &text).unwrap();
        let token = |overrides: &Overrides, environment: &Environment| {
            weigh(overrides, environment, &config).unwrap().token
        };
        let signed = |region: Option<&str>| TokenSource::Signed { region: region.map(str::to_owned) };
        let with_token = Environment { token: Some(Secret::new("t")), ..environment() };
        let with = |auth, overrides: Overrides| Overrides { auth: Some(auth), ..overrides };
        assert_eq!(token(&named("aws"), &environment()), signed(Some("eu-west-1")));
        assert_eq!(token(&with(Auth::Aws, named("dev")), &with_token), signed(None));
        assert_eq!(token(&with(Auth::Aws, named("aws")), &with_token), signed(Some("eu-west-1")));
        assert_eq!(token(&with(Auth::Token, named("aws")), &environment()), TokenSource::Nowhere);
        // The environment wins over the profile, and an option over both.
        assert_eq!(token(&named("aws"), &with_token), TokenSource::Environment(Secret::new("t")));
        let of_environment = Environment { auth: Some("aws".to_owned()), ..with_token };
        assert_eq!(token(&named("prod"), &of_environment), signed(None));
        assert_eq!(
            token(&with(Auth::Token, named("prod")), &of_environment),
            TokenSource::Environment(Secret::new("t"))
        );
        let elsewhere = Overrides { url: Some("https://other.example.com".to_owned()), ..named("aws") };
        assert_eq!(token(&elsewhere, &environment()), TokenSource::OfAnotherUrl);
        assert_eq!(
            token(&with(Auth::Aws, elsewhere), &environment()),
            signed(None),
            "another region, perhaps"
        );
        for odd in ["AWS", "sigv4"] {
            let odd = Environment { auth: Some(odd.to_owned()), ..environment() };
            assert!(weigh(&named("dev"), &odd, &config).is_err());
        }
    }

    #[test]
    fn a_profiles_token_goes_to_its_own_service_alone() {
        let at = |profile: &str, url: &str| {
            let arguments = Overrides { url: Some(url.to_owned()), ..named(profile) };
            weigh(&arguments, &environment(), &config()).unwrap().token
        };
        for profile in ["dev", "prod"] {
            assert_eq!(at(profile, "https://other.example.com"), TokenSource::OfAnotherUrl, "{profile}");
        }
        assert_eq!(at("prod", "https://prod.example.com"), TokenSource::Login);
        assert_eq!(at("empty", "https://other.example.com"), TokenSource::Nowhere);
    }
}
