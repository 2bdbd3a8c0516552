//! `moto_server` (<https://docs.getmoto.org/>): an implementation of DynamoDB, KMS, RDS, S3, SNS, SQS and Secrets Manager
//! that is not ours and not the embedded engine's. The Ed25519 keys of KMS are added to it by `tests/aws/moto`.
//!
//! It is a Python program. If `MOTO_SERVER` does not name one, it is installed from `PyPI` into a
//! virtual environment under `target/`, once for each list of releases.

use crate::grants::root;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// The region of everything in it.
pub const REGION: &str = "eu-central-1";

/// The releases that are installed, from the root of the repository.
const REQUIREMENTS: &str = "tests/aws/requirements.txt";
/// A copy of them, once they are installed.
const INSTALLED: &str = "installed.txt";

/// A running server, gone when dropped.
#[derive(Debug)]
pub struct Moto {
    child: Child,
    /// Where its recorder writes.
    _recording: TempDir,
    scheme: &'static str,
    port: u16,
    agent: ureq::Agent,
}

impl Moto {
    /// Starts one on a free port.
    pub fn start() -> Self {
        Self::start_with("http", &[])
    }

    /// The same, behind TLS, with a certificate and its key in PEM.
    pub fn start_tls(certificate: &Path, key: &Path) -> Self {
        let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
        Self::start_with("https", &["--ssl", "--ssl-cert", certificate, "--ssl-key", key])
    }

    fn start_with(scheme: &'static str, arguments: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .into();
        let recording = tempfile::tempdir().unwrap();
        let child = spawn(port, arguments, &recording.path().join("calls"));
        let mut moto = Self { child, _recording: recording, scheme, port, agent };
        moto.await_start();
        moto
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    fn await_start(&mut self) {
        let mut reached = false;
        for _ in 0..600 {
            assert!(self.child.try_wait().unwrap().is_none(), "moto_server ended at once");
            reached = TcpStream::connect(("127.0.0.1", self.port)).is_ok();
            if reached {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(reached, "moto_server does not start");
    }

    /// A call of the query protocol, as SNS has it; gives the answer's JSON.
    ///
    /// # Panics
    /// When the answer is an error.
    pub fn query(&self, service: &str, action: &str, parameters: &[(&str, &str)]) -> Value {
        let mut form = vec![("Action", action), ("ContentType", "JSON")];
        form.extend(parameters);
        let request = self.agent.post(format!("{}/", self.url()));
        json_of(request.header("authorization", authorization(service)).send_form(form).unwrap())
    }

    /// Makes two keys that sign permits, behind the aliases that begin like this: what the template makes.
    pub fn make_permit_keys(&self, prefix: &str) {
        self.make_keys(prefix, "ECC_NIST_P256");
    }

    /// The same of the audit log and of evidence; the purpose follows the beginning.
    pub fn make_audit_keys(&self, prefix: &str) {
        for purpose in ["log", "evidence"] {
            self.make_keys(&format!("{prefix}-{purpose}"), "ECC_NIST_EDWARDS25519");
        }
    }

    /// Makes a bucket in which each version of an object is kept for 400 days, as the template makes it.
    pub fn make_log_bucket(&self, name: &str) {
        let url = format!("{}/{name}", self.url());
        let put = |url: &str| self.agent.put(url).header("authorization", authorization("s3"));
        let place = format!(
            "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
        );
        let made = put(&url).header("x-amz-bucket-object-lock-enabled", "true").send(place).unwrap();
        assert_eq!(made.status(), 200);
        let lock = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
                    <Mode>COMPLIANCE</Mode><Days>400</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
        assert_eq!(put(&format!("{url}?object-lock")).send(lock).unwrap().status(), 200);
    }

    fn make_keys(&self, prefix: &str, spec: &str) {
        for status in ["current", "next"] {
            let key = json!({ "KeySpec": spec, "KeyUsage": "SIGN_VERIFY" });
            let key = self.json("kms", "TrentService.CreateKey", &key);
            let key = &key["KeyMetadata"]["KeyId"];
            let alias = json!({ "AliasName": format!("{prefix}-{status}"), "TargetKeyId": key });
            self.json("kms", "TrentService.CreateAlias", &alias);
        }
    }

    /// From now on it records every call that arrives, and forgets those before.
    pub fn record(&self) {
        for command in ["reset-recording", "start-recording"] {
            let url = format!("{}/moto-api/recorder/{command}", self.url());
            assert_eq!(self.agent.post(url).send_empty().unwrap().status(), 200);
        }
    }

    /// The parameters of each recorded call of the query protocol.
    pub fn recorded(&self) -> Vec<BTreeMap<String, String>> {
        let url = format!("{}/moto-api/recorder/download-recording", self.url());
        let text = self.agent.get(url).call().unwrap().body_mut().read_to_string().unwrap();
        let form = |line: &str| {
            let call: Value = serde_json::from_str(line).unwrap();
            let body = STANDARD.decode(call["body"].as_str().unwrap()).unwrap();
            form_urlencoded::parse(&body).into_owned().collect()
        };
        text.lines().map(form).collect()
    }

    /// What it has of each service, by the names of its own models.
    pub fn models(&self) -> Value {
        let url = format!("{}/moto-api/data.json", self.url());
        let text = self.agent.get(url).call().unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Changes how it works.
    ///
    /// # Panics
    /// When it does not.
    pub fn configure(&self, settings: &Value) {
        let request = self.agent.post(format!("{}/moto-api/config", self.url()));
        let answer = request.header("content-type", "application/json").send(settings.to_string()).unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// A call of the JSON protocol, as SQS and Secrets Manager have it.
    ///
    /// # Panics
    /// When the answer is an error.
    pub fn json(&self, service: &str, target: &str, body: &Value) -> Value {
        let request = self
            .agent
            .post(format!("{}/", self.url()))
            .header("authorization", authorization(service))
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.0");
        json_of(request.send(body.to_string()).unwrap())
    }
}

/// The service is found by the scope of a signature that moto does not check.
fn authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

fn json_of(mut answer: ureq::http::Response<ureq::Body>) -> Value {
    let text = answer.body_mut().read_to_string().unwrap();
    assert_eq!(answer.status(), 200, "{text}");
    if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, arguments: &[&str], recording: &Path) -> Child {
    Command::new(program())
        .args(["-H", "127.0.0.1", "-p", &port.to_string()])
        .args(arguments)
        .env("AWS_DEFAULT_REGION", REGION)
        .env("PYTHONPATH", root().join("tests/aws/moto"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("MOTO_RECORDER_FILEPATH", recording)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("moto_server starts")
}

/// The interpreter beside it, which has botocore.
pub fn python() -> PathBuf {
    program().with_file_name("python3")
}

fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(path) = std::env::var_os("MOTO_SERVER") {
            return path.into();
        }
        let environment = root().join("target/moto");
        let installed = std::fs::read(environment.join(INSTALLED)).unwrap_or_default();
        if installed != std::fs::read(root().join(REQUIREMENTS)).unwrap() {
            install(&environment);
        }
        environment.join("bin/moto_server")
    })
}

fn install(environment: &Path) {
    let run = |program: &Path, arguments: &[&str]| {
        let status = Command::new(program).args(arguments).status();
        assert!(
            status.as_ref().is_ok_and(std::process::ExitStatus::success),
            "{} {arguments:?}: {status:?}; these tests need Python 3 with venv, and PyPI once",
            program.display()
        );
    };
    run(Path::new("python3"), &["-m", "venv", environment.to_str().unwrap()]);
    let requirements = root().join(REQUIREMENTS);
    let requirements = requirements.to_str().unwrap();
    let quietly =
        ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement", requirements];
    run(&environment.join("bin/pip"), &quietly);
    std::fs::copy(requirements, environment.join(INSTALLED)).unwrap();
}
