//! What approvers are shown of a command, and what differs between two readings of it. Pure.

use serde::Serialize;
use std::collections::BTreeMap;

/// The format of [`Parameters`].
pub const FORMAT: &str = "countersign.run.v1";

/// A file by what is in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FileDigest {
    /// As the command line names it; of the executable the absolute path.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// What the command reads from its stdin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stdin {
    /// Nothing.
    Null,
    /// What this process would read: it is bound by nothing.
    Inherit,
    /// A file.
    File(FileDigest),
}

/// The parameters of a request to run a command. Members that are empty are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parameters {
    /// [`FORMAT`].
    pub format: &'static str,
    /// The argument vector, the name of the command first.
    pub command: Vec<String>,
    /// The working directory.
    pub directory: String,
    /// What is started.
    pub executable: FileDigest,
    /// The files that arguments or the requester name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileDigest>,
    /// The files that the requester has left out: they may be others by the time that the command reads them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_bound: Vec<String>,
    /// What is read from stdin.
    pub stdin: Stdin,
    /// The environment, all of it but the secrets.
    pub environment: BTreeMap<String, String>,
    /// The variables whose values are not shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secret_environment: Vec<String>,
    /// The permissions that new files do not get, in octal.
    pub umask: String,
}

impl Parameters {
    /// What a later reading of the same command line shows otherwise, for people. Nothing if both are the same.
    pub fn differences(&self, later: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        let mut differs = |is_other: bool, what: String| {
            if is_other {
                differences.push(what);
            }
        };
        differs(self.command != later.command, "the command line".to_owned());
        differs(self.directory != later.directory, format!("the working directory, now {}", later.directory));
        differs(
            self.executable.path != later.executable.path,
            format!("the executable, now {}", later.executable.path),
        );
        differs(
            self.executable.path == later.executable.path && self.executable != later.executable,
            format!("the executable {}", self.executable.path),
        );
        let (before, after) = (by_path(&self.files), by_path(&later.files));
        for (path, digest) in &before {
            match after.get(path) {
                None => differs(true, format!("the file {path}, which is gone")),
                Some(now) => differs(now != digest, format!("the file {path}")),
            }
        }
        for path in after.keys().filter(|path| !before.contains_key(*path)) {
            differs(true, format!("the file {path}, which was not there"));
        }
        differs(self.not_bound != later.not_bound, "the files that are not bound".to_owned());
        differs(self.stdin != later.stdin, "stdin".to_owned());
        differs(self.environment != later.environment, "the environment".to_owned());
        differs(self.secret_environment != later.secret_environment, "the names of secrets".to_owned());
        differs(self.umask != later.umask, "the umask".to_owned());
        differences
    }
}

fn by_path(files: &[FileDigest]) -> BTreeMap<&str, &str> {
    files.iter().map(|file| (file.path.as_str(), file.sha256.as_str())).collect()
}

/// A command line as a shell would be given it, on one line: words with other characters than these are quoted.
pub fn line(words: &[String]) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    let quoted = words.iter().map(|word| {
        if !word.is_empty() && word.chars().all(is_plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Parameters {
        let file = |path: &str| FileDigest { path: path.to_owned(), sha256: "00".to_owned() };
        Parameters {
            format: FORMAT,
            command: vec!["./deploy.sh".to_owned(), "plan.json".to_owned()],
            directory: "/srv/app".to_owned(),
            executable: file("/srv/app/deploy.sh"),
            files: vec![file("plan.json")],
            not_bound: Vec::new(),
            stdin: Stdin::Null,
            environment: BTreeMap::from([("PATH".to_owned(), "/bin".to_owned())]),
            secret_environment: Vec::new(),
            umask: "0022".to_owned(),
        }
    }

    #[test]
    fn every_member_is_compared() {
        let before = parameters();
        assert_eq!(before.differences(&before), Vec::<String>::new());
        let file = |path: &str| FileDigest { path: path.to_owned(), sha256: "11".to_owned() };
        type Change = fn(&mut Parameters);
        let changes: [(&str, Change); 8] = [
            ("the command line", |it| it.command.push("--force".to_owned())),
            ("the working directory, now /", |it| it.directory = "/".to_owned()),
            ("the executable /srv/app/deploy.sh", |it| it.executable.sha256 = "11".to_owned()),
            ("the executable, now /bin/deploy.sh", |it| it.executable.path = "/bin/deploy.sh".to_owned()),
            ("stdin", |it| it.stdin = Stdin::Inherit),
            ("the environment", |it| it.environment.clear()),
            ("the names of secrets", |it| it.secret_environment.push("KEY".to_owned())),
            ("the umask", |it| it.umask = "0000".to_owned()),
        ];
        for (expected, change) in changes {
            let mut after = before.clone();
            change(&mut after);
            assert_eq!(before.differences(&after), [expected]);
        }
        let after = Parameters { files: vec![file("plan.json"), file("new")], ..before.clone() };
        assert_eq!(
            before.differences(&after),
            ["the file plan.json", "the file new, which was not there"].map(str::to_owned)
        );
        let after =
            Parameters { files: Vec::new(), not_bound: vec!["plan.json".to_owned()], ..before.clone() };
        assert_eq!(
            before.differences(&after),
            ["the file plan.json, which is gone", "the files that are not bound"].map(str::to_owned)
        );
    }

    #[test]
    fn a_line_can_be_given_to_a_shell() {
        let line = |words: &[&str]| line(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(line(&["psql", "-f", "fix.sql", "--set=a=b"]), "psql -f fix.sql --set=a=b");
        assert_eq!(line(&["echo", "", "it's", "$HOME; rm *"]), r"echo '' 'it'\''s' '$HOME; rm *'");
    }

    #[test]
    fn what_is_empty_is_not_shown() {
        let shown = serde_json::to_value(parameters()).unwrap();
        assert_eq!(shown["stdin"], "null");
        assert!(shown.get("not_bound").is_none() && shown.get("secret_environment").is_none(), "{shown}");
        let file = Parameters { stdin: Stdin::File(parameters().executable), ..parameters() };
        let shown = serde_json::to_value(file).unwrap();
        assert_eq!(shown["stdin"]["file"]["path"], "/srv/app/deploy.sh");
    }
}
