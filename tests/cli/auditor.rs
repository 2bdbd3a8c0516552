//! An auditor at a terminal, with what a service publishes.

use crate::Person;
use countersign_e2e::service::Service;
use std::fs;
use tempfile::TempDir;

/// An auditor with the keys of a service.
pub(crate) struct Auditor {
    pub(crate) home: TempDir,
    pub(crate) person: Person,
}

impl Auditor {
    pub(crate) fn of(service: &Service) -> Self {
        let home = tempfile::tempdir().unwrap();
        let keys = service.anonymous().get("/.well-known/jwks.json").expect(200);
        fs::write(home.path().join("jwks.json"), keys.to_string()).unwrap();
        let token = service.token("aud@example.com", &["auditor"]);
        Self { home, person: Person::at(service.base(), Some(token)) }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_str().unwrap().to_owned()
    }
}
