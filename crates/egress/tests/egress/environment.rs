//! Proxies that the environment names.

use crate::server::{AMPLE, Authority, NoNames, Server, opened, post};
use countersign_egress::{Address, Client};
use std::process::Stdio;

/// Set for the process that this test starts: it alone has the variables of proxies.
const INNER: &str = "COUNTERSIGN_EGRESS_TEST_INNER";
const SPELLINGS: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

#[tokio::test]
async fn proxies_of_the_environment_are_never_asked() {
    if std::env::var_os(INNER).is_some() {
        assert!(SPELLINGS.iter().all(|name| std::env::var_os(name).is_some()));
        let authority = Authority::new(&["127.0.0.1"]);
        let server = Server::answering("127.0.0.1:0", &authority, "HTTP/1.1 204 No Content\r\n\r\n").await;
        let rules = opened(server.port());
        let address = Address::parse(&format!("https://127.0.0.1:{}/", server.port()), &rules).unwrap();
        let client = Client::with_resolver(rules, NoNames, Some(authority.pem.as_bytes())).unwrap();
        assert_eq!(post(&client, &address, AMPLE).await.unwrap().status, 204);
        return;
    }
    let proxy = Server::counting("127.0.0.1:0").await;
    let mut inner = tokio::task::spawn_blocking({
        let proxy = format!("http://{}", proxy.address);
        move || {
            std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "environment::proxies_of_the_environment_are_never_asked"])
                .env(INNER, "1")
                .env_remove("NO_PROXY")
                .env_remove("no_proxy")
                .envs(SPELLINGS.map(|name| (name, proxy.clone())))
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
                .wait_with_output()
                .unwrap()
        }
    })
    .await
    .unwrap();
    let output = String::from_utf8(std::mem::take(&mut inner.stdout)).unwrap();
    assert!(inner.status.success() && output.contains("1 passed"), "{output}");
    assert_eq!(proxy.connections().await, 0);
}
