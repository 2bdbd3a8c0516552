//! The map of the rooms: which crate may depend on which, and what no crate inside may know.

use crate::{root, shown};
use countersign_e2e::grants::functions;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// The workspace crates that each crate and each function depends on, tests not included.
fn edges() -> BTreeMap<String, BTreeSet<String>> {
    let mut edges = BTreeMap::new();
    for folder in ["crates", "functions"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let package = entry.unwrap().path();
            let manifest: toml::Table =
                fs::read_to_string(package.join("Cargo.toml")).unwrap().parse().unwrap();
            let name = manifest["package"]["name"].as_str().unwrap().to_owned();
            if folder == "functions" {
                assert!(package.ends_with(&name), "{} is called {name}", shown(&package));
            }
            let dependencies = manifest["dependencies"].as_table().unwrap().keys();
            let own = dependencies.filter(|name| name.starts_with("countersign"));
            edges.insert(name, own.cloned().collect());
        }
    }
    edges
}

#[test]
fn dependencies_point_inward_only() {
    let mut allowed: BTreeMap<String, &[&str]> = [
        ("core", [].as_slice()),
        // Verifiers in other programs use it alone.
        ("permit", &[]),
        // The events of a log, and no more of the rules.
        ("audit", &["core"]),
        ("figures", &["core"]),
        ("anomalies", &["core"]),
        (
            "app",
            &[
                "anomalies",
                "audit",
                "core",
                "delivery",
                "executor",
                "figures",
                "notifications",
                "permit",
                "webhook",
            ],
        ),
        ("delivery", &["core"]),
        ("webhook", &["core", "delivery"]),
        ("chat", &["core", "delivery", "figures"]),
        ("mail", &["chat", "core", "delivery"]),
        ("channels", &["app", "chat", "core", "delivery", "egress", "mail", "notifications"]),
        ("notifications", &["core", "delivery"]),
        ("egress", &["app", "core", "delivery", "notifications", "policy"]),
        ("cloud", &["app", "channels", "core", "delivery", "mail", "sns"]),
        ("identity", &["core"]),
        ("access", &["core"]),
        ("cedar", &["access", "core"]),
        ("policy", &["access", "cedar", "core", "notifications"]),
        ("system", &["app", "core"]),
        ("endpoint", &["core"]),
        ("issuer", &["api", "app", "core", "endpoint", "identity"]),
        (
            "client",
            &["api", "app", "core", "endpoint", "executor", "identity", "permit", "system", "webhook"],
        ),
        (
            "server",
            &[
                "api",
                "app",
                "audit",
                "channels",
                "core",
                "dashboard",
                "delivery",
                "dynamodb",
                "egress",
                "embedded",
                "endpoint",
                "identity",
                "issuer",
                "mcp",
                "notifications",
                "permit",
                "policy",
                "system",
            ],
        ),
        ("agents", &["api", "core"]),
        ("tool-calls", &["agents", "api", "app", "client", "core", "system"]),
        ("mcp", &["agents", "api", "app", "core"]),
        ("gate", &["agents", "api", "app", "client", "core", "system", "tool-calls"]),
        ("hook", &["agents", "api", "client", "core", "system", "tool-calls"]),
        ("embedded", &[]),
        ("run", &[]),
        ("aws", &[]),
        ("dynamodb", &["anomalies", "app", "core", "delivery", "figures", "webhook"]),
        ("sns", &["app", "core"]),
        ("s3", &["app", "audit", "core"]),
        ("continuations", &["app", "core"]),
        ("kms", &["app", "audit", "permit"]),
        ("executor", &["core"]),
        ("rds", &["core", "executor"]),
        ("ssm", &["core", "executor"]),
        ("api", &["app", "core", "delivery", "figures", "notifications", "webhook"]),
        // A client of the API, which a shell makes the calls for.
        ("dashboard", &["api", "core", "issuer"]),
        (
            "lambda",
            &[
                "api",
                "app",
                "audit",
                "aws",
                "channels",
                "core",
                "dashboard",
                "delivery",
                "egress",
                "endpoint",
                "executor",
                "identity",
                "issuer",
                "mcp",
                "notifications",
                "policy",
                "system",
            ],
        ),
        // Nothing depends on it.
        (
            "bench",
            &[
                "api",
                "app",
                "audit",
                "core",
                "dashboard",
                "dynamodb",
                "embedded",
                "permit",
                "policy",
                "server",
                "system",
            ],
        ),
    ]
    .map(|(name, dependencies)| (format!("countersign-{name}"), dependencies))
    .into();
    let commands = [
        "agents",
        "api",
        "app",
        "audit",
        "aws",
        "client",
        "core",
        "delivery",
        "dynamodb",
        "egress",
        "endpoint",
        "executor",
        "figures",
        "gate",
        "hook",
        "identity",
        "kms",
        "mcp",
        "permit",
        "policy",
        "rds",
        "run",
        "server",
        "ssm",
        "system",
        "tool-calls",
        "webhook",
    ];
    allowed.insert("countersign".to_owned(), &commands);
    for function in functions() {
        let of_the_service: &[&str] =
            &["api", "cloud", "continuations", "dynamodb", "kms", "lambda", "s3", "sns"];
        // A caller of the API, without a store.
        let of_an_executor: &[&str] = &["app", "aws", "client", "core", "executor", "lambda", "rds"];
        let allowed_of_function = match function.as_str() {
            "dashboard" | "mcp" => &["lambda"],
            slug if slug.ends_with("-executor") => of_an_executor,
            _ => of_the_service,
        };
        allowed.insert(function, allowed_of_function);
    }
    for (name, dependencies) in edges() {
        let allowed = allowed.get(&name).unwrap_or_else(|| panic!("{name} is not on the map"));
        for dependency in dependencies {
            let short = dependency.strip_prefix("countersign-").unwrap_or(&dependency);
            assert!(allowed.contains(&short), "{name} must not depend on {dependency}");
        }
    }
}

/// What is counted is reported by way of ports; how it is read is known in one place.
#[test]
fn only_the_server_knows_prometheus() {
    let knows = |name: &String| {
        let manifest = root().join("crates").join(name).join("Cargo.toml");
        fs::read_to_string(manifest).is_ok_and(|manifest| manifest.contains("prometheus"))
    };
    let crates = fs::read_dir(root().join("crates")).unwrap();
    let names = crates.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(knows).collect::<Vec<_>>(), ["server"]);
}

#[test]
fn inner_crates_know_no_technology_of_the_outer_ones() {
    for (name, forbidden) in [
        ("core", ["tokio", "aws-", "axum", "http", "tracing"].as_slice()),
        ("app", &["tokio", "aws-", "axum", "http", "serde"]),
        ("audit", &["tokio", "aws-", "axum", "http", "tracing", "getrandom", "jiff", "ureq"]),
        ("figures", &["tokio", "aws-", "axum", "http", "tracing", "getrandom", "jiff"]),
        ("anomalies", &["tokio", "aws-", "axum", "http", "tracing", "getrandom", "jiff"]),
        ("permit", &["tokio", "futures", "aws-", "axum", "http", "tracing", "getrandom", "jiff"]),
        ("api", &["tokio", "aws-", "axum", "lambda_runtime", "jsonwebtoken"]),
        (
            "dashboard",
            &["tokio", "aws-", "axum", "getrandom", "lambda_runtime", "jsonwebtoken", "tracing", "ureq"],
        ),
        ("identity", &["tokio", "aws-", "axum", "lambda_runtime"]),
        ("dynamodb", &["axum", "lambda_runtime", "dynoxide-rs", "tokio"]),
        ("sns", &["axum", "lambda_runtime", "tokio"]),
        ("s3", &["aws-sdk-dynamodb", "aws-sdk-kms", "axum", "lambda_runtime", "tokio"]),
        ("continuations", &["aws-sdk-dynamodb", "aws-sdk-sns", "axum", "lambda_runtime", "tokio"]),
        ("kms", &["axum", "lambda_runtime", "tokio"]),
        ("executor", &["aws-", "axum", "http", "lambda_runtime", "tokio", "ureq"]),
        ("ssm", &["aws-sdk-dynamodb", "aws-sdk-sns", "axum", "lambda_runtime", "tokio"]),
        ("rds", &["aws-sdk-dynamodb", "aws-sdk-sns", "axum", "lambda_runtime"]),
        ("aws", &["aws-sdk-dynamodb", "aws-sdk-sns", "axum", "lambda_runtime"]),
        ("cedar", &["tokio", "aws-", "axum", "http", "lambda_runtime"]),
        ("policy", &["aws-", "axum", "clap", "http", "lambda_runtime", "tokio"]),
        ("endpoint", &["aws-", "axum", "lambda_runtime", "tokio"]),
        ("issuer", &["aws-", "axum", "http", "hyper", "lambda_runtime", "ureq"]),
        ("system", &["aws-", "axum", "lambda_runtime", "ureq"]),
        ("client", &["aws-", "axum", "clap", "ratatui", "tokio"]),
        ("run", &["tokio", "aws-", "axum", "clap", "http", "ureq"]),
        ("agents", &["tokio", "aws-", "axum", "clap", "http", "rmcp", "ureq"]),
        ("tool-calls", &["tokio", "aws-", "axum", "clap", "http", "rmcp", "ureq"]),
        ("hook", &["aws-", "axum", "clap", "http", "rmcp", "ureq"]),
        ("mcp", &["aws-", "axum", "clap", "jsonwebtoken", "lambda_runtime", "tracing", "ureq"]),
        ("gate", &["aws-", "clap", "lambda_runtime", "rmcp", "ureq"]),
        ("server", &["clap", "ratatui", "lambda_runtime"]),
        ("cli", &["axum", "hyper", "lambda_runtime", "ureq"]),
        ("lambda", &["axum", "aws-sdk-", "ureq"]),
    ] {
        let manifest = fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        for dependency in manifest["dependencies"].as_table().unwrap().keys() {
            let breach = forbidden.iter().any(|prefix| {
                dependency == prefix || (prefix.ends_with('-') && dependency.starts_with(prefix))
            });
            assert!(!breach, "{name} must not know {dependency}");
        }
    }
}
