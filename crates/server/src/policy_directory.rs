//! The policies that have been in force, in the data directory: the files of each, in a directory that has its version as its
//! name. Evidence shows them, for as long as they are there. Refuses to know what they say.

use countersign_app::policy_texts::PolicyTexts;
use countersign_app::ports::StoreError;
use countersign_audit::evidence::document::PolicyFiles;
use countersign_core::digest::Digest;
use countersign_core::policy::people::FILE as PEOPLE_FILE;
use countersign_core::policy::rules::FILE as OPERATIONS_FILE;
use countersign_core::policy::{Policy, PolicyText};
use countersign_policy::load::ACCESS_FILE;
use countersign_system::private_file;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where they are.
#[derive(Debug, Clone)]
pub struct PolicyDirectory(Arc<Path>);

impl PolicyDirectory {
    /// In this directory, which is made when there is a policy to keep.
    pub fn new(path: PathBuf) -> Self {
        Self(path.into())
    }

    /// Keeps the texts of a policy, so that they last when this returns. They are there already after most starts.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn keep(&self, policy: &Policy) -> io::Result<()> {
        let Some(text) = policy.text() else { return Ok(()) };
        if self.read(policy.version())?.is_some() {
            return Ok(());
        }
        let directory = self.of_version(policy.version());
        private_file::make_directory(&self.0)?;
        for (name, text) in
            [(ACCESS_FILE, text.access), (OPERATIONS_FILE, text.operations), (PEOPLE_FILE, text.people)]
        {
            private_file::write(&directory.join(name), text.as_bytes())?;
        }
        fs::File::open(&self.0)?.sync_all()
    }

    /// The texts of a version, as far as they are those of it: a start may have ended before it had written all.
    fn read(&self, version: Digest) -> io::Result<Option<PolicyFiles>> {
        let directory = self.of_version(version);
        let read = |name| fs::read_to_string(directory.join(name));
        let files = read(ACCESS_FILE).and_then(|access| {
            Ok(PolicyFiles { access, operations: read(OPERATIONS_FILE)?, people: read(PEOPLE_FILE)? })
        });
        match files {
            Ok(files) => {
                let PolicyFiles { access, operations, people } = &files;
                let is_of_version = PolicyText { operations, people, access }.version() == version;
                Ok(is_of_version.then_some(files))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn of_version(&self, version: Digest) -> PathBuf {
        self.0.join(version.to_string())
    }
}

impl PolicyTexts for PolicyDirectory {
    async fn texts(&self, version: Digest) -> Result<Option<PolicyFiles>, StoreError> {
        let directory = self.clone();
        let read = tokio::task::spawn_blocking(move || directory.read(version)).await;
        let unavailable =
            |error: &dyn std::fmt::Display| StoreError::Unavailable(format!("policies: {error}"));
        read.map_err(|error| unavailable(&error))?.map_err(|error| unavailable(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_policy::load;

    #[tokio::test]
    async fn the_texts_of_a_policy_are_kept_and_read_back_only_as_they_were() {
        let home = tempfile::tempdir().unwrap();
        let directory = PolicyDirectory::new(home.path().join("policies"));
        let policy = load::bundled().unwrap();
        assert_eq!(directory.texts(policy.version()).await, Ok(None));
        directory.keep(&policy).unwrap();
        let files = directory.texts(policy.version()).await.unwrap().unwrap();
        assert_eq!(
            (files.access.as_str(), files.operations.as_str(), files.people.as_str()),
            (load::BUNDLED.access, load::BUNDLED.operations, load::BUNDLED.people)
        );
        // Another text, one that is missing, and one that is none: written anew at the next start.
        let access = home.path().join("policies").join(policy.version().to_string()).join(ACCESS_FILE);
        fs::write(&access, "permit (principal, action, resource);").unwrap();
        assert_eq!(directory.texts(policy.version()).await, Ok(None));
        directory.keep(&policy).unwrap();
        assert!(directory.texts(policy.version()).await.unwrap().is_some());
        for damage in [None, Some([0xff])] {
            fs::remove_file(&access).unwrap();
            damage.iter().for_each(|bytes| fs::write(&access, bytes).unwrap());
            assert_eq!(directory.texts(policy.version()).await, Ok(None));
            directory.keep(&policy).unwrap();
            assert!(directory.texts(policy.version()).await.unwrap().is_some());
        }
    }
}
