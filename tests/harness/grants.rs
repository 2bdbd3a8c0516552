//! A transport that lets through what a function is granted and nothing else, as its role on AWS
//! does. The grants are read from the function's own manifest.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use countersign_dynamodb::table::TableNames;
use countersign_embedded::{operation, response};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// For each table, index or topic, the actions on it.
pub type Grants = BTreeMap<String, BTreeSet<String>>;

/// The folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The names of all functions: the folders of `functions/`.
pub fn functions() -> Vec<String> {
    let folders = std::fs::read_dir(root().join("functions")).unwrap();
    let mut names: Vec<_> =
        folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What the manifest of a function grants it.
pub fn granted(function: &str) -> Grants {
    let manifest = root().join("functions").join(function).join("Cargo.toml");
    let manifest: toml::Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
    let grants = manifest["package"]["metadata"]["grants"].as_table().unwrap();
    let actions = |value: &toml::Value| {
        value.as_array().unwrap().iter().map(|action| action.as_str().unwrap().to_owned()).collect()
    };
    grants.iter().map(|(resource, value)| (resource.clone(), actions(value))).collect()
}

/// A transport behind grants.
#[derive(Debug, Clone)]
pub struct Granted<T> {
    inner: T,
    tables: TableNames,
    grants: Grants,
    used: Arc<Mutex<Grants>>,
    denied: Arc<Mutex<Vec<String>>>,
}

impl<T> Granted<T> {
    /// Lets through `grants` on `tables`.
    pub fn new(inner: T, tables: TableNames, grants: Grants) -> Self {
        Self { inner, tables, grants, used: Arc::default(), denied: Arc::default() }
    }

    /// What was used of the grants so far.
    pub fn used(&self) -> Grants {
        self.used.lock().unwrap().clone()
    }

    /// What was asked for and not granted.
    pub fn denied(&self) -> Vec<String> {
        self.denied.lock().unwrap().clone()
    }

    /// The resources and actions of a call, as IAM sees it.
    fn needs(&self, name: &str, body: &Value) -> Vec<(String, String)> {
        let table = |name: Option<&str>| match name {
            Some(table) if table == self.tables.approvals => "approvals".to_owned(),
            Some(table) if table == self.tables.audit => "audit".to_owned(),
            Some(table) if table == self.tables.outbox => "outbox".to_owned(),
            Some(table) if Some(table) == self.tables.deliveries.as_deref() => "deliveries".to_owned(),
            other => panic!("no such table: {other:?}"),
        };
        let resource = |body: &Value| match body["IndexName"].as_str() {
            Some(index) => index.to_owned(),
            None => table(body["TableName"].as_str()),
        };
        if let Some(requested) = body["RequestItems"].as_object() {
            return requested
                .keys()
                .map(|name_of_table| (table(Some(name_of_table)), name.to_owned()))
                .collect();
        }
        if name != "TransactWriteItems" {
            return vec![(resource(body), name.to_owned())];
        }
        let actions = body["TransactItems"].as_array().unwrap().iter();
        actions
            .flat_map(|action| action.as_object().unwrap())
            .map(|(kind, body)| (resource(body), format!("{kind}Item")))
            .collect()
    }
}

impl<T: HttpClient + Clone + 'static> HttpClient for Granted<T> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(GrantedConnector { inner, behind: self.clone() })
    }
}

#[derive(Debug)]
struct GrantedConnector<T> {
    inner: SharedHttpConnector,
    behind: Granted<T>,
}

impl<T: HttpClient + 'static> HttpConnector for GrantedConnector<T> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let behind = &self.behind;
        let name = operation(&request).expect("every call names its operation").to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        for (resource, action) in behind.needs(&name, &body) {
            if !behind.grants.get(&resource).is_some_and(|actions| actions.contains(&action)) {
                behind.denied.lock().unwrap().push(format!("{action} on {resource}"));
                let error = json!({ "__type": "com.amazonaws.dynamodb.v20120810#AccessDeniedException" });
                return HttpConnectorFuture::ready(response(400, error.to_string()));
            }
            behind.used.lock().unwrap().entry(resource).or_default().insert(action);
        }
        self.inner.call(request)
    }
}
