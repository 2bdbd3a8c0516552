//! What a command line is bound to: all that is read here decides what the command does.

use crate::environment::{self, Environment};
use crate::error::BindError;
use crate::executable;
use crate::file::{self, BoundFile, Watched};
use crate::parameters::{FORMAT, FileDigest, Parameters, Stdin};
use rustix::fs::Mode;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// What the command reads from its stdin, as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StdinChoice {
    /// Nothing.
    #[default]
    Null,
    /// What this process would read.
    Inherit,
    /// A file.
    File(PathBuf),
}

/// What is to be run.
#[derive(Debug, Clone, Default)]
pub struct CommandLine {
    /// The command and its arguments.
    pub words: Vec<OsString>,
    /// Further files that decide what the command does.
    pub bind: Vec<PathBuf>,
    /// Files that are not bound, though an argument names them.
    pub no_bind: Vec<PathBuf>,
    /// What is read from stdin.
    pub stdin: StdinChoice,
    /// Variables that approvers are shown: names, or `NAME=VALUE`.
    pub environment: Vec<String>,
    /// Variables that approvers are shown the names of.
    pub secret_environment: Vec<String>,
}

/// What a command gets from the process that starts it.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The working directory.
    pub directory: PathBuf,
    /// The environment, before it is reset.
    pub environment: BTreeMap<OsString, OsString>,
    /// The permissions that new files do not get.
    pub umask: u32,
}

impl Surroundings {
    /// Those of this process. To be called before there are threads: a umask is read by setting it.
    ///
    /// # Errors
    /// When there is no working directory any more.
    pub fn of_process() -> Result<Self, BindError> {
        let directory = std::env::current_dir().map_err(|error| BindError::Surroundings {
            what: "the working directory",
            reason: error.to_string(),
        })?;
        let umask = rustix::process::umask(Mode::from_raw_mode(0o077));
        rustix::process::umask(umask);
        Ok(Self { directory, environment: std::env::vars_os().collect(), umask: umask.as_raw_mode() })
    }
}

/// A command as it can be approved, and started.
#[derive(Debug)]
pub struct Bound {
    /// What approvers are shown.
    pub parameters: Parameters,
    /// The executable, as it was read.
    pub(crate) executable: File,
    /// The file that stdin is, if it is one.
    pub(crate) stdin: Option<File>,
    /// All variables.
    pub(crate) environment: BTreeMap<OsString, OsString>,
    /// The files, to see later whether they were changed.
    pub(crate) watched: Vec<Watched>,
}

/// Reads all that a command line is bound to. Called again, it finds what has changed.
///
/// # Errors
/// When the command cannot be run, or not be shown as a whole.
pub fn bind(line: &CommandLine, surroundings: &Surroundings) -> Result<Bound, BindError> {
    let directory = &surroundings.directory;
    let shown_directory = text(directory.as_os_str(), || "the working directory".to_owned())?;
    let command = line.words.iter().enumerate();
    let command = command
        .map(|(index, word)| text(word, || format!("argument {index} ({})", word.to_string_lossy())))
        .collect::<Result<Vec<_>, _>>()?;
    let environment =
        environment::reset(&surroundings.environment, &line.environment, &line.secret_environment)?;
    let name = command.first().map(String::as_str).unwrap_or_default();
    let executable = executable(name, directory, &environment)?;
    let mut watched = vec![executable.watched];
    let not_bound = line.no_bind.iter().map(|path| shown(path)).collect::<Result<BTreeSet<_>, _>>()?;
    let is_left_out = |path: &str| not_bound.iter().any(|left_out| is_same(directory, left_out, path));
    let mut files = BTreeMap::new();
    let of_arguments = command.iter().skip(1).flat_map(|argument| named_by(argument));
    let of_arguments =
        of_arguments.filter(|path| is_regular(&directory.join(path))).map(str::to_owned).collect::<Vec<_>>();
    let of_requester = line.bind.iter().map(|path| shown(path)).collect::<Result<Vec<_>, _>>()?;
    for path in of_arguments.into_iter().filter(|path| !is_left_out(path)).chain(of_requester) {
        if let Entry::Vacant(place) = files.entry(path) {
            let bound = file::open(&directory.join(place.key()), place.key(), Some(file::MAX_BYTES))?;
            watched.push(bound.watched);
            place.insert(bound.digest);
        }
    }
    let (stdin, stdin_file) = match &line.stdin {
        StdinChoice::Null => (Stdin::Null, None),
        StdinChoice::Inherit => (Stdin::Inherit, None),
        StdinChoice::File(path) => {
            let BoundFile { file, digest, watched: stdin } =
                file::open(&directory.join(path), &shown(path)?, Some(file::MAX_BYTES))?;
            watched.push(stdin);
            (Stdin::File(digest), Some(file))
        }
    };
    Ok(Bound {
        parameters: Parameters {
            format: FORMAT,
            command,
            directory: shown_directory,
            executable: executable.digest,
            files: files.into_values().collect::<Vec<FileDigest>>(),
            not_bound: not_bound.into_iter().collect(),
            stdin,
            secret_environment: environment.secret.keys().cloned().collect(),
            environment: environment.shown.clone(),
            umask: format!("{:04o}", surroundings.umask),
        },
        executable: executable.file,
        stdin: stdin_file,
        environment: all(environment),
        watched,
    })
}

fn executable(name: &str, directory: &Path, environment: &Environment) -> Result<BoundFile, BindError> {
    let secret = environment.secret.get("PATH").map(|path| path.to_string_lossy().into_owned());
    let path = environment.shown.get("PATH").cloned().or(secret);
    let file = executable::find(name, directory, path.as_deref())?;
    let shown = shown(&file)?;
    file::open(&file, &shown, None).map_err(|error| match error {
        BindError::File { path, reason } => BindError::Unreadable { path, reason },
        other => other,
    })
}

fn all(environment: Environment) -> BTreeMap<OsString, OsString> {
    let shown = environment.shown.into_iter().map(|(name, value)| (name.into(), value.into()));
    let secret = environment.secret.into_iter().map(|(name, value)| (name.into(), value));
    shown.chain(secret).collect()
}

/// The paths that an argument may name: all of it, and what follows a `=` or a leading `@`, as in
/// `-var-file=prod.tfvars` and `--data @body.json`.
fn named_by(argument: &str) -> impl Iterator<Item = &str> {
    let value = argument.split_once('=').map(|(_, value)| value);
    let after_at = |text: &'_ str| text.strip_prefix('@').is_some();
    let indirect = [Some(argument), value].into_iter().flatten();
    let indirect = indirect.filter(move |text| after_at(text)).filter_map(|text| text.strip_prefix('@'));
    [Some(argument), value].into_iter().flatten().chain(indirect).filter(|path| !path.is_empty())
}

fn is_regular(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// Whether two names mean one file.
fn is_same(directory: &Path, left: &str, right: &str) -> bool {
    let real = |path: &str| -> io::Result<PathBuf> { fs::canonicalize(directory.join(path)) };
    left == right || matches!((real(left), real(right)), (Ok(left), Ok(right)) if left == right)
}

fn shown(path: &Path) -> Result<String, BindError> {
    text(path.as_os_str(), || format!("the path {}", path.display()))
}

fn text(text: &OsStr, what: impl FnOnce() -> String) -> Result<String, BindError> {
    text.to_str().map(str::to_owned).ok_or_else(|| BindError::NotUtf8 { what: what() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::PermissionsExt as _;

    struct Place {
        directory: tempfile::TempDir,
        surroundings: Surroundings,
    }

    impl Place {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let environment = [("PATH", "/usr/bin:/bin"), ("KEY", "secret")];
            let surroundings = Surroundings {
                directory: directory.path().to_owned(),
                environment: environment.map(|(name, value)| (name.into(), value.into())).into(),
                umask: 0o22,
            };
            let place = Self { directory, surroundings };
            place.write("deploy.sh", "#!/bin/sh\n");
            place
        }

        fn write(&self, name: &str, text: &str) {
            let file = self.directory.path().join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }

        fn bind(&self, line: &CommandLine) -> Result<Parameters, BindError> {
            bind(line, &self.surroundings).map(|bound| bound.parameters)
        }
    }

    fn line(words: &[&str]) -> CommandLine {
        CommandLine { words: words.iter().map(OsString::from).collect(), ..CommandLine::default() }
    }

    fn paths(parameters: &Parameters) -> Vec<&str> {
        parameters.files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn every_argument_that_names_a_file_is_bound() {
        let place = Place::new();
        for file in ["plan", "vars", "body", "more", "other"] {
            place.write(file, file);
        }
        let words =
            ["./deploy.sh", "plan", "plan", "-f=vars", "@body", "-d=@more", "-", ".", "none", "", "="];
        let bound = place.bind(&line(&words)).unwrap();
        assert_eq!(bound.command, words);
        assert_eq!(paths(&bound), ["body", "more", "plan", "vars"]);
        // `printf plan | sha256sum`
        let plan = &bound.files.iter().find(|file| file.path == "plan").unwrap().sha256;
        assert_eq!(plan, &hex::encode(<sha2::Sha256 as sha2::Digest>::digest("plan")));
        assert!(!bound.executable.path.contains("/./"), "{bound:?}");
        let with = CommandLine {
            bind: vec!["other".into()],
            no_bind: vec!["./plan".into()],
            stdin: StdinChoice::File("body".into()),
            secret_environment: vec!["KEY".to_owned()],
            ..line(&["./deploy.sh", "plan"])
        };
        let bound = place.bind(&with).unwrap();
        assert_eq!(paths(&bound), ["other"], "{bound:?}");
        assert_eq!(bound.not_bound, ["./plan"]);
        assert!(matches!(&bound.stdin, Stdin::File(file) if file.path == "body"));
        assert_eq!(bound.secret_environment, ["KEY"]);
        assert!(!serde_json::to_string(&bound).unwrap().contains("secret\""), "{bound:?}");
    }

    #[test]
    fn what_is_edited_replaced_or_appears_is_found() {
        let place = Place::new();
        place.write("plan", "one");
        let asked = line(&["./deploy.sh", "plan", "later"]);
        let before = place.bind(&asked).unwrap();
        assert_eq!(before.differences(&place.bind(&asked).unwrap()), Vec::<String>::new());
        place.write("deploy.sh", "#!/bin/sh\nrm -rf data\n");
        place.write("plan", "two");
        place.write("later", "");
        let after = place.bind(&asked).unwrap();
        let differences = before.differences(&after);
        assert_eq!(differences.len(), 3, "{differences:?}");
        fs::remove_file(place.directory.path().join("deploy.sh")).unwrap();
        assert!(matches!(place.bind(&asked), Err(BindError::NotFound { .. })));
    }

    #[test]
    fn what_cannot_be_shown_whole_is_refused() {
        let place = Place::new();
        let not_utf8 = OsString::from(OsStr::from_bytes(b"\xff"));
        let mut asked = line(&["./deploy.sh"]);
        asked.words.push(not_utf8.clone());
        assert!(matches!(place.bind(&asked), Err(BindError::NotUtf8 { .. })));
        let asked = CommandLine { bind: vec![not_utf8.into()], ..line(&["./deploy.sh"]) };
        assert!(matches!(place.bind(&asked), Err(BindError::NotUtf8 { .. })));
        let large = File::create(place.directory.path().join("large")).unwrap();
        large.set_len(file::MAX_BYTES + 1).unwrap();
        let asked = line(&["./deploy.sh", "large"]);
        assert_eq!(
            place.bind(&asked),
            Err(BindError::TooLarge { path: "large".to_owned(), max_bytes: file::MAX_BYTES })
        );
        let left_out = CommandLine { no_bind: vec!["large".into()], ..asked };
        assert_eq!(place.bind(&left_out).unwrap().not_bound, ["large"]);
        for (bind, is_regular) in [(".", false), ("nothing", true)] {
            let asked = CommandLine { bind: vec![bind.into()], ..line(&["./deploy.sh"]) };
            let refused = place.bind(&asked).unwrap_err();
            assert_eq!(matches!(refused, BindError::File { .. }), is_regular, "{refused}");
        }
        assert!(matches!(place.bind(&line(&[])), Err(BindError::NotFound { .. })));
    }

    #[test]
    fn a_file_that_is_written_to_is_another_though_its_bytes_are_the_same() {
        let place = Place::new();
        let bound = bind(&line(&["./deploy.sh"]), &place.surroundings).unwrap();
        assert!(bound.watched.iter().all(|file| file.changed().is_none()));
        let file = place.directory.path().join("deploy.sh");
        let copy = place.directory.path().join("copy");
        fs::copy(&file, &copy).unwrap();
        fs::rename(&copy, &file).unwrap();
        let changed: Vec<_> = bound.watched.iter().filter_map(Watched::changed).collect();
        assert_eq!(changed.len(), 1, "{changed:?}");
    }
}
