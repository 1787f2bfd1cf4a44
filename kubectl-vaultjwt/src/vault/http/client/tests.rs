//! Tests of `client`: what each operation sends, and what each answer means.
//! The answers are those of OpenBao 2.7.2 and Vault 1.21.

use super::*;
use crate::vault::http::transport::tests::{Peer, answer, settings};
use std::sync::Arc;

fn client(url: &str) -> Client {
    Client::new(settings(url), Arc::new(|_: &str| {})).unwrap()
}

fn jwt() -> MountPath {
    MountPath::parse("jwt").unwrap()
}

fn said(status: &str, body: &str) -> Peer {
    Peer::start([answer(status, "", body)])
}

#[tokio::test]
async fn mounts_lose_their_slash() {
    let body =
        r#"{"request_id":"r","token/":{"type":"x"},"data":{"token/":{"type":"ns_token"},"k8s/a/":{"type":"jwt"}}}"#;
    let peer = said("200 OK", body);
    let mounts = client(&peer.url).auth_mounts().await.unwrap();
    let expected = [("k8s/a".to_owned(), "jwt".to_owned()), ("token".to_owned(), "ns_token".to_owned())];
    assert_eq!(mounts.into_iter().collect::<Vec<_>>(), expected);
    assert!(peer.seen()[0].starts_with("GET /v1/sys/auth HTTP/1.1"));
}

#[tokio::test]
async fn a_namespace_that_vault_passes_over_stops_everything() {
    let body = r#"{"request_id":"r","data":{"token/":{"type":"token"}}}"#;
    let peer = said("200 OK", body);
    let error = client(&peer.url).auth_mounts().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("Vault at \"{}\" has no namespaces and passes over \"admin/team\"", peer.url)
    );
    for namespace in [None, Some("root".to_owned())] {
        let peer = said("200 OK", body);
        let client = Client::new(Settings { namespace, ..settings(&peer.url) }, Arc::new(|_: &str| {})).unwrap();
        assert_eq!(client.auth_mounts().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn nothing_there_is_not_nothing_mounted() {
    let peer = said("404 Not Found", r#"{"errors":[]}"#);
    assert_eq!(client(&peer.url).read_config(&jwt()).await.unwrap(), Config::default());
    let peer = said("404 Not Found", r#"{"errors":[]}"#);
    assert_eq!(client(&peer.url).read_role(&jwt(), "app").await.unwrap(), None);
    for words in ["no handler for route \"auth/jwt/config\". route entry not found.", "unsupported path"] {
        let peer = said("404 Not Found", &json!({"errors": [words]}).to_string());
        let error = client(&peer.url).read_config(&jwt()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("Vault refused GET auth/jwt/config in namespace \"admin/team\" (404): {words}")
        );
    }
}

#[tokio::test]
async fn documents_pass_through_whole() {
    let peer = said("200 OK", r#"{"request_id":"r","data":{"bound_issuer":"i","unknown":[1,{"a":null}]}}"#);
    let config = client(&peer.url).read_config(&jwt()).await.unwrap().document.unwrap();
    assert_eq!(Value::Object(config.clone()), json!({"bound_issuer": "i", "unknown": [1, {"a": null}]}));
    for (path, peer) in [("config", said("204 No Content", "")), ("role/app", said("204 No Content", ""))] {
        let client = client(&peer.url);
        match path {
            "config" => client.write_config(&jwt(), &config).await.unwrap(),
            _ => client.write_role(&jwt(), "app", &config).await.unwrap(),
        }
        let seen = peer.seen().remove(0);
        assert!(seen.starts_with(&format!("POST /v1/auth/jwt/{path} HTTP/1.1")), "{seen}");
        assert!(seen.ends_with(r#"{"bound_issuer":"i","unknown":[1,{"a":null}]}"#), "{seen}");
        assert!(seen.contains("x-vault-token: hvs.operator\r\n"), "{seen}");
    }
}

#[tokio::test]
async fn enabling_a_nested_mount() {
    let peer = said("204 No Content", "");
    client(&peer.url).enable_jwt(&MountPath::parse("k8s/a").unwrap()).await.unwrap();
    let seen = peer.seen().remove(0);
    assert!(seen.starts_with("POST /v1/sys/auth/k8s/a ") && seen.ends_with(r#"{"type":"jwt"}"#), "{seen}");
}

#[tokio::test]
async fn a_login_goes_without_the_operators_token() {
    let body = r#"{"request_id":"r","auth":{"client_token":"hvs.new","accessor":"acc","policies":["default","p"],
        "token_policies":["p"],"lease_duration":3600},"warnings":["w"]}"#;
    let peer = said("200 OK", body);
    let login = client(&peer.url).login(&jwt(), "app", &Secret::new("e.y.J")).await.unwrap();
    assert_eq!(login.token.expose(), "hvs.new");
    assert_eq!((login.accessor.as_str(), login.lease_seconds), ("acc", 3600));
    assert_eq!(login.policies, ["default", "p"]);
    let seen = peer.seen().remove(0);
    assert!(seen.starts_with("POST /v1/auth/jwt/login "), "{seen}");
    assert!(!seen.contains("x-vault-token") && seen.contains("x-vault-namespace: admin/team"), "{seen}");
    assert!(seen.ends_with(r#"{"jwt":"e.y.J","role":"app"}"#), "{seen}");

    let peer = said("200 OK", r#"{"request_id":"r","auth":null,"wrap_info":{"token":"w"}}"#);
    let error = client(&peer.url).login(&jwt(), "app", &Secret::new("e.y.J")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the answer of \"{}\" to POST auth/jwt/login is not Vault's: it has no \"auth\"", peer.url)
    );
}

#[tokio::test]
async fn revoking_uses_the_token_itself() {
    let peer = said("204 No Content", "");
    client(&peer.url).revoke(&Secret::new("hvs.new")).await.unwrap();
    let seen = peer.seen().remove(0);
    assert!(seen.starts_with("POST /v1/auth/token/revoke-self "), "{seen}");
    assert!(seen.contains("x-vault-token: hvs.new\r\n") && !seen.contains("hvs.operator"), "{seen}");
}

#[tokio::test]
async fn a_refusal_keeps_vaults_words_for_those_who_know_them() {
    let peer = said("400 Bad Request", r#"{"errors":["role \"app\" could not be found"]}"#);
    let error = client(&peer.url).login(&jwt(), "app", &Secret::new("e.y.J")).await.unwrap_err();
    let refused = error.refusal().unwrap();
    assert_eq!((refused.status, refused.errors.as_slice()), (400, &["role \"app\" could not be found".to_owned()][..]));
}

#[tokio::test]
async fn sealed_and_tls_are_told_apart_from_refusals() {
    let peer = said("503 Service Unavailable", r#"{"errors":["Vault is sealed"]}"#);
    let error = client(&peer.url).auth_mounts().await.unwrap_err();
    assert_eq!(error.to_string(), format!("Vault at \"{}\" is sealed", peer.url));
    let peer = said("400 Bad Request", "Client sent an HTTP request to an HTTPS server.\n");
    let error = client(&peer.url).auth_mounts().await.unwrap_err();
    assert_eq!(error.to_string(), format!("Vault at \"{}\" speaks https, not plain http", peer.url));
}

#[tokio::test]
async fn what_is_not_vaults_is_not_believed() {
    let long = "y".repeat(100);
    for (status, body, why) in [
        ("200 OK", "<html>\n\u{1b}[31mhi", "status 200, \"<html>\"".to_owned()),
        ("200 OK", "{\"data\":{}}", "status 200, \"{\"data\":{}}\"".to_owned()),
        ("200 OK", "[]", "status 200, \"[]\"".to_owned()),
        ("200 OK", "{\"request_id\":\"r\"}", "it has no \"data\"".to_owned()),
        ("404 Not Found", "{\"kind\":\"Status\"}", "status 404, \"{\"kind\":\"Status\"}\"".to_owned()),
        ("403 Forbidden", long.as_str(), format!("status 403, \"{}…\"", &long[..80])),
    ] {
        let peer = said(status, body);
        let error = client(&peer.url).read_config(&jwt()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the answer of \"{}\" to GET auth/jwt/config is not Vault's: {why}", peer.url)
        );
    }
    // A write is not taken for done because something said 200.
    let peer = said("200 OK", "<html>");
    let error = client(&peer.url).write_config(&jwt(), &Document::new()).await.unwrap_err();
    assert!(matches!(error, VaultError::NotVault { .. }), "{error}");
}

#[tokio::test]
async fn role_names_that_a_url_would_bend() {
    let peer = Peer::start([""; 0]);
    for name in ["", ".", "..", "a/b"] {
        let error = client(&peer.url).write_role(&jwt(), name, &Document::new()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("\"{name}\" is not a name for a role"));
    }
    let peer = said("404 Not Found", r#"{"errors":[]}"#);
    client(&peer.url).read_role(&jwt(), "a b?c").await.unwrap();
    assert!(peer.seen()[0].starts_with("GET /v1/auth/jwt/role/a%20b%3Fc "), "{}", peer.seen()[0]);
}
