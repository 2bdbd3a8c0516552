//! Names whose addresses change between one resolution and the next.

use crate::server::{AMPLE, Answers, Authority, Server, post};
use aws_smithy_runtime_api::client::dns::{ResolveDns as _, SharedDnsResolver};
use countersign_delivery::outcome::FailureClass;
use countersign_egress::resolver::ResolutionError;
use countersign_egress::{Address, CheckedResolver, Client, EgressRules};
use std::sync::Arc;

const NAME: &str = "rebind.example.com";
const OK: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[tokio::test]
async fn a_public_answer_passes_and_the_next_which_is_loopback_does_not() {
    let inner = SharedDnsResolver::new(Answers::new(&[&["93.184.216.34"], &["127.0.0.1"]]));
    let resolver = CheckedResolver::new(inner, Arc::new(EgressRules::default()));
    assert_eq!(
        resolver.resolve_dns(NAME).await.unwrap(),
        ["93.184.216.34".parse::<std::net::IpAddr>().unwrap()]
    );
    assert!(matches!(resolver.resolve(NAME).await, Err(ResolutionError::Forbidden(_))));
    assert!(resolver.resolve_dns(NAME).await.is_err());
}

#[tokio::test]
async fn an_answer_with_both_does_not_pass_and_neither_does_one_without_addresses() {
    for answer in [["93.184.216.34", "127.0.0.1"], ["127.0.0.1", "93.184.216.34"]] {
        let resolver = CheckedResolver::new(SharedDnsResolver::new(Answers::new(&[&answer])), Arc::default());
        assert!(matches!(resolver.resolve(NAME).await, Err(ResolutionError::Forbidden(_))));
    }
    let resolver = CheckedResolver::new(SharedDnsResolver::new(Answers::new(&[&[]])), Arc::default());
    assert!(matches!(resolver.resolve(NAME).await, Err(ResolutionError::NoAddress)));
}

/// 127.0.0.2 stands for a public address, so that the test can listen on it: it alone is opened.
#[tokio::test]
async fn a_call_connects_to_the_addresses_that_were_checked_and_resolves_once() {
    let authority = Authority::new(&[NAME]);
    let good = Server::answering("127.0.0.2:0", &authority, OK).await;
    let port = good.port();
    let forbidden = Server::counting(&format!("127.0.0.1:{port}")).await;
    let rules = EgressRules::parse([port.to_string()], ["127.0.0.2"]).unwrap();
    let address = Address::parse(&format!("https://{NAME}:{port}/hook"), &rules).unwrap();

    // Without roots of the operator there is one connector, which resolves once; the certificate is then not trusted.
    let answers = Answers::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let client = Client::with_resolver(rules.clone(), answers.clone(), None).unwrap();
    assert_eq!(post(&client, &address, AMPLE).await.unwrap_err().class, FailureClass::Tls);
    assert_eq!((answers.asked(), good.connections().await), (1, 1));
    assert_eq!(post(&client, &address, AMPLE).await.unwrap_err().class, FailureClass::ForbiddenAddress);
    assert_eq!((answers.asked(), good.connections().await), (2, 1));

    // With them there are two, and each connects to what it has resolved itself.
    let bundle = Some(authority.pem.as_bytes());
    let answers = Answers::new(&[&["127.0.0.2"], &["127.0.0.2"], &["127.0.0.2"], &["127.0.0.1"]]);
    let client = Client::with_resolver(rules.clone(), answers.clone(), bundle).unwrap();
    assert_eq!(post(&client, &address, AMPLE).await.unwrap().status, 204);
    assert_eq!(post(&client, &address, AMPLE).await.unwrap_err().class, FailureClass::ForbiddenAddress);
    assert_eq!((answers.asked(), good.connections().await), (4, 2));

    // A name that is internal at first and public then is not called with roots of the operator.
    let answers = Answers::new(&[&["127.0.0.2"], &["93.184.216.34"]]);
    let client = Client::with_resolver(rules, answers, bundle).unwrap();
    assert_eq!(post(&client, &address, AMPLE).await.unwrap_err().class, FailureClass::Name);
    assert_eq!((good.connections().await, forbidden.connections().await), (2, 0));
}
