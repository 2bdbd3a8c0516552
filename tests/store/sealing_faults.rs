//! Sealing where something fails at each step, and where several sealers are at work: one tree comes of it, with each event
//! exactly once.

use crate::sealing::{check, write};
use aws_sdk_dynamodb::Client;
use countersign_app::log::{LogStorage, LogStorageError, StoredCheckpoint};
use countersign_app::seal::{SealError, SealReport, Sealer};
use countersign_audit::tile::Tile;
use countersign_dynamodb::outbox::DynamoOutbox;
use countersign_dynamodb::store::DynamoStore;
use countersign_e2e::inspection::{deployment_key, tables};
use countersign_e2e::random::Random;
use countersign_e2e::service::Service;
use countersign_e2e::signing::log_key;
use countersign_e2e::transport::Fault;
use countersign_server::log_directory::LogDirectory;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const BUDGET: Duration = Duration::from_secs(60);

/// What goes wrong with the files.
#[derive(Debug, Clone, Copy, PartialEq)]
enum FileFault {
    /// Nothing is done.
    Before,
    /// It is done, and the answer is lost.
    After,
}

type Plan = Box<dyn FnMut() -> Option<FileFault> + Send>;

/// The files of a log behind a plan of faults, with pauses between calls.
#[derive(Clone)]
struct Files {
    inner: LogDirectory,
    plan: Arc<Mutex<Plan>>,
    random: Option<Arc<Mutex<Random>>>,
}

impl Files {
    fn of(service: &Service) -> Self {
        Self { inner: service.log(), plan: Arc::new(Mutex::new(Box::new(|| None))), random: None }
    }

    async fn pass<T>(
        &self,
        call: impl Future<Output = Result<T, LogStorageError>>,
    ) -> Result<T, LogStorageError> {
        if let Some(random) = &self.random {
            let pauses = random.lock().unwrap().below(4);
            for _ in 0..pauses {
                tokio::task::yield_now().await;
            }
        }
        let failed = || Err(LogStorageError::Unavailable("injected".to_owned()));
        let fault = (self.plan.lock().unwrap())();
        match fault {
            None => call.await,
            Some(FileFault::Before) => failed(),
            Some(FileFault::After) => {
                call.await?;
                failed()
            }
        }
    }
}

impl LogStorage for Files {
    async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LogStorageError> {
        self.pass(self.inner.get(path)).await
    }

    async fn put_new(&self, path: &str, bytes: &[u8]) -> Result<(), LogStorageError> {
        self.pass(self.inner.put_new(path, bytes)).await
    }

    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, LogStorageError> {
        self.pass(self.inner.checkpoint()).await
    }

    async fn replace_checkpoint(&self, tag: Option<&str>, note: &str) -> Result<bool, LogStorageError> {
        self.pass(self.inner.replace_checkpoint(tag, note)).await
    }

    async fn tile_is_full(&self, tile: Tile) -> Result<(), LogStorageError> {
        self.pass(self.inner.tile_is_full(tile)).await
    }
}

async fn seal_with(service: &Service, client: &Client, files: &Files) -> Result<SealReport, SealError> {
    let store = DynamoStore::new(client.clone(), tables());
    let outbox = DynamoOutbox::new(client.clone(), tables().outbox);
    let (keys, key) = (log_key(), deployment_key());
    let host = service.host.clone();
    let sealer =
        Sealer { store: &store, outbox: &outbox, storage: files, keys: &keys, key: &key, host: &host };
    sealer.seal(BUDGET).await
}

/// A sealer that stops at any step leaves what the next one finishes: one tree, each event once.
#[test]
fn a_sealer_may_stop_at_any_step() {
    let service = Service::start();
    let faulty = countersign_embedded::client(service.transport.clone());
    let files = Files::of(&service);
    write(&service, 40);
    service.seal().unwrap();
    // Calls of the database.
    for fault in [Fault::Refused, Fault::TimeoutAfter, Fault::Conflict] {
        for step in 0.. {
            write(&service, 1);
            let mut calls = 0;
            service.transport.set_plan(move |_| {
                calls += 1;
                (calls > step).then_some(fault)
            });
            let sealed = service.block_on(seal_with(&service, &faulty, &files));
            service.transport.heal();
            if matches!(&sealed, Ok(report) if !report.cut_short) {
                break;
            }
            assert!(step < 200, "{fault:?}: {sealed:?}");
            service.block_on(seal_with(&service, &faulty, &files)).unwrap();
            check(&service);
        }
    }
    // Calls of the files.
    for fault in [FileFault::Before, FileFault::After] {
        for step in 0.. {
            write(&service, 1);
            let mut calls = 0;
            *files.plan.lock().unwrap() = Box::new(move || {
                calls += 1;
                (calls > step).then_some(fault)
            });
            let sealed = service.block_on(seal_with(&service, &service.database, &files));
            *files.plan.lock().unwrap() = Box::new(|| None);
            if sealed.is_ok() {
                break;
            }
            assert!(step < 200, "{fault:?}: {sealed:?}");
            service.block_on(seal_with(&service, &service.database, &files)).unwrap();
            check(&service);
        }
    }
    assert!(check(&service) > 256);
}

/// Sealers that race, and fail now and then, make one tree with each event once.
#[test]
fn sealers_that_race_make_one_tree() {
    let service = Service::start();
    let random = Arc::new(Mutex::new(Random(7)));
    for round in 0..40 {
        write(&service, 2);
        let mut sealers = Vec::new();
        for _ in 0..3 {
            let mut files = Files { random: Some(random.clone()), ..Files::of(&service) };
            let chance = random.clone();
            files.plan = Arc::new(Mutex::new(Box::new(move || {
                (chance.lock().unwrap().below(50) == 0).then_some(FileFault::After)
            })));
            sealers.push(files);
        }
        let service = &service;
        service.block_on(async {
            let seal = async |files: &Files| {
                loop {
                    match seal_with(service, &service.database, files).await {
                        Ok(report) if !report.cut_short => return,
                        Ok(_) | Err(SealError::Storage(LogStorageError::Unavailable(_))) => {}
                        Err(error) => panic!("round {round}: {error}"),
                    }
                }
            };
            tokio::join!(seal(&sealers[0]), seal(&sealers[1]), seal(&sealers[2]));
        });
        check(service);
    }
    assert!(check(&service) > 256);
}
