//! Keys in KMS: signatures that verify, rotations, how often KMS is called, and what it refuses.

use crate::binary;
use aws_sdk_kms::Client;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::{Response, StatusCode};
use countersign_app::signing::{SigningError, SigningKeys as _};
use countersign_aws::Access;
use countersign_e2e::deployment::Deployment;
use countersign_e2e::manual_host::ManualHost;
use countersign_e2e::moto::{Moto, REGION};
use countersign_kms::alias::{Aliases, KmsError};
use countersign_kms::rotation::Rotation;
use countersign_kms::signing_keys::KmsSigningKeys;
use countersign_permit::{KeySet, KeyStatus, MAX_SIGNED_BYTES, Purpose};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The way to moto, on which KMS refuses what it refuses at AWS and moto does not, and calls are counted.
#[derive(Debug, Clone)]
struct Strict {
    inner: SharedHttpClient,
    calls: Arc<Mutex<Vec<String>>>,
    /// The operation that is refused from now on, and with which code.
    refused: Arc<Mutex<Option<(&'static str, &'static str)>>>,
}

#[derive(Debug)]
struct StrictConnector {
    inner: SharedHttpConnector,
    client: Strict,
}

impl HttpClient for Strict {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(StrictConnector { inner, client: self.clone() })
    }
}

impl HttpConnector for StrictConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap().to_owned();
        let operation = target.rsplit('.').next().unwrap().to_owned();
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        self.client.calls.lock().unwrap().push(operation.clone());
        if let Some((refused, code)) = *self.client.refused.lock().unwrap()
            && refused == operation
        {
            return refusal(code);
        }
        if operation == "Sign" {
            assert_eq!(
                (&body["MessageType"], &body["SigningAlgorithm"]),
                (&json!("RAW"), &json!("ECDSA_SHA_256"))
            );
            assert!(
                !body["KeyId"].as_str().unwrap().starts_with("alias/"),
                "an alias may move meanwhile: {body}"
            );
            // <https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html>: a message has up to 4,096 bytes.
            let letters = body["Message"].as_str().unwrap();
            if letters.trim_end_matches('=').len() * 3 / 4 > 4096 {
                return refusal("ValidationException");
            }
        }
        self.inner.call(request)
    }
}

fn refusal(code: &str) -> HttpConnectorFuture {
    let body = json!({ "__type": code, "message": "no" }).to_string();
    HttpConnectorFuture::ready(Ok(Response::new(StatusCode::try_from(400).unwrap(), body.into())))
}

struct World {
    _moto: Moto,
    client: Client,
    transport: Strict,
    aliases: Aliases<Purpose>,
    host: ManualHost,
}

impl World {
    /// A deployment as the template makes it: two keys with an alias each.
    async fn start() -> Self {
        let moto = Moto::start();
        let access = Access {
            region: REGION.to_owned(),
            credentials: countersign_aws::credentials("test".to_owned(), "test".to_owned(), None),
            endpoint_url: Some(moto.url()),
        };
        let inner = countersign_aws::transport(None).unwrap();
        let transport = Strict { inner, calls: Arc::default(), refused: Arc::default() };
        let client =
            Client::new(&countersign_aws::configuration(access, SharedHttpClient::new(transport.clone())));
        let aliases = Aliases::of_environment("test", Purpose::Permit);
        moto.make_permit_keys("alias/countersign-test-permit");
        Self { _moto: moto, client, transport, aliases, host: ManualHost::default() }
    }

    fn keys(&self) -> KmsSigningKeys<Purpose> {
        KmsSigningKeys::new(self.client.clone(), self.aliases.clone(), Arc::new(self.host.clone()))
    }

    fn rotation(&self) -> Rotation<Purpose> {
        Rotation::new(self.client.clone(), self.aliases.clone())
    }

    fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.transport.calls.lock().unwrap())
    }

    fn refuse(&self, operation: &'static str, code: &'static str) {
        *self.transport.refused.lock().unwrap() = Some((operation, code));
    }

    fn refuse_nothing(&self) {
        *self.transport.refused.lock().unwrap() = None;
    }
}

fn ids(keys: &KeySet) -> Vec<(KeyStatus, String)> {
    let mut ids: Vec<_> = keys.iter().map(|key| (key.status, key.key_id().to_owned())).collect();
    ids.sort_by_key(|(status, _)| *status as u8);
    ids
}

fn id(keys: &KeySet, status: KeyStatus) -> Option<String> {
    keys.iter().find(|key| key.status == status).map(|key| key.key_id().to_owned())
}

#[tokio::test]
async fn what_kms_signs_verifies_by_what_is_published() {
    let world = World::start().await;
    let keys = world.keys();
    let current = keys.current().await.unwrap();
    for message in [&b"x"[..], &[7; MAX_SIGNED_BYTES]] {
        let signature = keys.sign(current.key_id(), message).await.unwrap();
        assert!(current.verifies(message, &signature));
        assert!(!current.verifies(b"y", &signature));
    }
    let published = keys.published().await.unwrap();
    assert_eq!(
        ids(&published).iter().map(|key| key.0).collect::<Vec<_>>(),
        [KeyStatus::Next, KeyStatus::Current]
    );
    assert_eq!(id(&published, KeyStatus::Current).as_deref(), Some(current.key_id()));
}

#[tokio::test]
async fn more_than_kms_takes_is_not_sent_to_it() {
    let world = World::start().await;
    let keys = world.keys();
    let current = keys.current().await.unwrap();
    world.take_calls();
    let long = [7; MAX_SIGNED_BYTES + 1];
    assert_eq!(keys.sign(current.key_id(), &long).await, Err(SigningError::TooLong));
    assert_eq!(world.take_calls(), Vec::<String>::new());
    // The stub refuses it as KMS does.
    let sent = world.client.sign().key_id("arn:x").message_type(aws_sdk_kms::types::MessageType::Raw);
    let sent = sent.signing_algorithm(aws_sdk_kms::types::SigningAlgorithmSpec::EcdsaSha256);
    let sent = sent.message(aws_sdk_kms::primitives::Blob::new(long)).send().await.unwrap_err();
    assert!(format!("{sent:?}").contains("ValidationException"));
}

#[tokio::test]
async fn a_start_costs_one_call_and_keys_are_kept_for_five_minutes() {
    let world = World::start().await;
    let keys = world.keys();
    let start = async || {
        let current = keys.current().await.unwrap();
        keys.sign(current.key_id(), b"x").await.unwrap();
        world.take_calls()
    };
    assert_eq!(start().await, ["GetPublicKey", "Sign"]);
    assert_eq!(start().await, ["Sign"]);
    world.host.advance_elapsed(Duration::from_secs(299));
    assert_eq!(start().await, ["Sign"]);
    world.host.advance_elapsed(Duration::from_secs(1));
    assert_eq!(start().await, ["GetPublicKey", "Sign"]);

    keys.published().await.unwrap();
    assert_eq!(world.take_calls(), ["GetPublicKey"; 3]);
    keys.published().await.unwrap();
    keys.published_again().await.unwrap();
    assert_eq!(world.take_calls(), Vec::<String>::new(), "they were read just before");
    world.host.advance_elapsed(Duration::from_secs(10));
    keys.published().await.unwrap();
    assert_eq!(world.take_calls(), Vec::<String>::new());
    keys.published_again().await.unwrap();
    assert_eq!(world.take_calls(), ["GetPublicKey"; 3]);
    world.host.advance_elapsed(Duration::from_secs(300));
    keys.published().await.unwrap();
    assert_eq!(world.take_calls(), ["GetPublicKey"; 3]);
}

#[tokio::test]
async fn a_rotation_moves_each_key_one_place_and_what_was_signed_verifies() {
    let world = World::start().await;
    let (keys, rotation) = (world.keys(), world.rotation());
    let before = KeySet::new(rotation.list().await.unwrap());
    let old = keys.current().await.unwrap();
    let after = KeySet::new(rotation.rotate().await.unwrap());
    assert_eq!(id(&after, KeyStatus::Current), id(&before, KeyStatus::Next));
    assert_eq!(id(&after, KeyStatus::Past), id(&before, KeyStatus::Current));
    assert_eq!(after.iter().count(), 3);
    // A function that does not know of it yet signs with the key that is past now, and that verifies.
    let signature = keys.sign(old.key_id(), b"x").await.unwrap();
    let published = world.keys().published().await.unwrap();
    let past = published.iter().find(|key| key.key_id() == old.key_id()).unwrap();
    assert!(past.status == KeyStatus::Past && past.verifies(b"x", &signature));
    // Between asking for the key and signing it learns of it.
    world.host.advance_elapsed(Duration::from_secs(300));
    let new = keys.current().await.unwrap();
    assert_ne!(new.key_id(), old.key_id());
    assert!(past.verifies(b"y", &keys.sign(old.key_id(), b"y").await.unwrap()));
    assert!(new.verifies(b"y", &keys.sign(new.key_id(), b"y").await.unwrap()));
    let next = id(&after, KeyStatus::Next).unwrap();
    assert_eq!(keys.sign(&next, b"y").await, Err(SigningError::UnknownKey));

    let again = KeySet::new(rotation.rotate().await.unwrap());
    assert_eq!(id(&again, KeyStatus::Past), id(&after, KeyStatus::Current));
    assert_eq!(id(&again, KeyStatus::Current), id(&after, KeyStatus::Next));
}

#[tokio::test]
async fn a_rotation_that_was_interrupted_is_finished_by_the_next() {
    let world = World::start().await;
    let rotation = world.rotation();
    for operation in ["CreateAlias", "UpdateAlias", "CreateKey"] {
        let before = KeySet::new(rotation.list().await.unwrap());
        world.refuse(operation, "AccessDeniedException");
        let refused = rotation.rotate().await;
        world.refuse_nothing();
        // Once there is a past key, its alias is moved, not made.
        let Err(refused) = refused else { panic!("{operation} was not called") };
        assert_eq!(refused, KmsError::Refused("AccessDeniedException".to_owned()));
        let between = KeySet::new(rotation.list().await.unwrap());
        for (_, id) in ids(&before).iter().filter(|(status, _)| *status != KeyStatus::Past) {
            assert!(between.iter().any(|key| key.key_id() == id), "{operation}: {before:?} {between:?}");
        }
        let after = KeySet::new(rotation.rotate().await.unwrap());
        assert_eq!(id(&after, KeyStatus::Current), id(&before, KeyStatus::Next), "{operation}");
        assert_eq!(id(&after, KeyStatus::Past), id(&before, KeyStatus::Current), "{operation}");
        assert_eq!(after.iter().count(), 3, "{operation}");
    }
}

#[tokio::test]
async fn what_kms_does_not_do_is_named_by_its_code_alone() {
    let world = World::start().await;
    world.refuse("GetPublicKey", "AccessDeniedException");
    let unavailable = SigningError::Unavailable("KMS answered AccessDeniedException".to_owned());
    assert_eq!(world.keys().current().await, Err(unavailable.clone()));
    assert_eq!(world.keys().published().await, Err(unavailable));
    world.refuse_nothing();
    let nowhere = Aliases::of_environment("nowhere", Purpose::Permit);
    let keys = KmsSigningKeys::new(world.client.clone(), nowhere.clone(), Arc::new(world.host.clone()));
    let said = "there is no key behind alias/countersign-nowhere-permit-current".to_owned();
    assert_eq!(keys.current().await, Err(SigningError::Unavailable(said)));
    assert_eq!(keys.published().await, Ok(KeySet::default()));
    let refused = Rotation::new(world.client.clone(), nowhere).rotate().await.unwrap_err();
    assert!(matches!(refused, KmsError::NoKey(_)), "{refused}");
    // Nor is a key that an operator has disabled.
    for code in ["DisabledException", "KMSInvalidStateException", "NotFoundException"] {
        world.refuse("GetPublicKey", code);
        let said = world.keys().current().await.unwrap_err().to_string();
        assert!(said.contains("there is no key behind"), "{said}");
        assert_eq!(world.keys().published().await, Ok(KeySet::default()), "{code}");
    }
    world.refuse_nothing();
    // Another kind of key signs no permits.
    let other = world.client.create_key().key_spec(aws_sdk_kms::types::KeySpec::EccNistP384);
    let other = other.key_usage(aws_sdk_kms::types::KeyUsageType::SignVerify).send().await.unwrap();
    let arn = other.key_metadata.unwrap().arn.unwrap();
    let alias = world.aliases.name(KeyStatus::Current);
    world.client.update_alias().alias_name(alias).target_key_id(arn).send().await.unwrap();
    let said = world.keys().current().await.unwrap_err().to_string();
    assert!(said.contains("not an ECC_NIST_P256 key"), "{said}");
}

#[test]
fn the_function_gives_out_what_kms_has() {
    let deployment = Deployment::start(binary);
    let direct = deployment.invoke("keys", &json!({})).unwrap();
    assert_eq!(direct["keys"].as_array().unwrap().len(), 6, "those of the log and of evidence too");
    let keys = KeySet::parse(&direct.to_string()).unwrap();
    assert_eq!(ids(&keys).iter().map(|key| key.0).collect::<Vec<_>>(), [KeyStatus::Next, KeyStatus::Current]);
    assert_eq!(
        deployment.send("ann", &["guest"], "GET", "/.well-known/jwks.json", &Value::Null),
        (200, direct)
    );
    let elsewhere = deployment.again().with("PERMIT_KEY_ALIAS", "alias/nowhere");
    let elsewhere = elsewhere.with("AUDIT_KEY_ALIAS", "alias/nowhere");
    assert_eq!(elsewhere.invoke("keys", &json!({})).unwrap(), json!({ "keys": [] }));
}
