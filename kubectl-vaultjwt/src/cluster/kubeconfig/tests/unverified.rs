//! A connection that does not verify the server is refused, whatever the rest of the entry
//! says. No flag allows it.

use super::*;

/// How the file is got, after what has to change.
const FILE: &str = "--certificate-authority FILE; to get FILE, run this where the connection to the cluster is \
                    verified, or ask the cluster's administrator: kubectl get configmap kube-root-ca.crt \
                    -n kube-system -o jsonpath='{.data.ca\\.crt}'";

fn server(url: &str) -> KubeconfigOverrides {
    KubeconfigOverrides { server: Some(url.into()), ..KubeconfigOverrides::default() }
}

fn insecure(flags: KubeconfigOverrides) -> KubeconfigOverrides {
    KubeconfigOverrides { insecure_skip_tls_verify: Some(true), ..flags }
}

#[test]
fn a_server_that_is_not_verified_is_refused() {
    let folder = Folder::new();
    let with_ca = |flags| KubeconfigOverrides { certificate_authority: Some(folder.path("ca.crt").into()), ..flags };
    let unset = KubeconfigOverrides { insecure_skip_tls_verify: Some(false), ..context("open") };
    let by_entry = "cluster \"open\" of context \"open\" is reached at \"https://open.example\" without verifying its \
                    TLS certificate (insecure-skip-tls-verify)";
    let by_flag = "cluster \"dev\" of context \"dev\" is reached at \"https://dev.example:6443\" without verifying its \
                   TLS certificate (--insecure-skip-tls-verify)";
    let at = |url: &str| format!("cluster \"dev\" of context \"dev\" is reached at \"{url}\" without TLS");
    for (flags, words, change) in [
        (context("open"), by_entry.to_owned(), "add"),
        // As in kubectl, the flag cannot take the entry's setting back.
        (unset, by_entry.to_owned(), "add"),
        (insecure(KubeconfigOverrides::default()), by_flag.to_owned(), "replace --insecure-skip-tls-verify with"),
        (
            insecure(with_ca(KubeconfigOverrides::default())),
            by_flag.to_owned(),
            "replace --insecure-skip-tls-verify with",
        ),
        (server("http://dev.example"), at("http://dev.example"), "use the https URL of the API server, with"),
        (with_ca(server("http://me:pw@h")), at("http://h"), "use the https URL of the API server, with"),
        // Loopback is no exception: a tunnel ends there.
        (server("127.0.0.1:8080"), at("http://127.0.0.1:8080"), "use the https URL of the API server, with"),
        (server("HTTP://[::1]:1"), at("HTTP://[::1]:1"), "use the https URL of the API server, with"),
    ] {
        assert_eq!(
            folder.refusal(flags),
            (format!("{words}; another server could answer in its place"), format!("{change} {FILE}"))
        );
    }
}

#[test]
fn without_a_kubeconfig_the_server_is_named_alone() {
    let folder = Folder::new();
    for (flags, words) in [
        (server("localhost:8080"), "API server \"http://localhost:8080\" is reached without TLS"),
        (
            insecure(server("https://127.0.0.1:1")),
            "API server \"https://127.0.0.1:1\" is reached without verifying its TLS certificate \
             (--insecure-skip-tls-verify)",
        ),
    ] {
        let error = folder.resolve_env(flags, &[]).unwrap_err();
        assert_eq!(error.to_string(), format!("{words}; another server could answer in its place"));
    }
}

/// Nothing that an entry refers to is opened for such a server, and no
/// credential plugin is run for it.
#[test]
fn it_is_refused_before_anything_else_is_read() {
    let folder = Folder::new();
    let none = Some(folder.path("none.crt").into());
    let flags =
        KubeconfigOverrides { client_certificate: none.clone(), certificate_authority: none, ..server("http://h") };
    assert!(matches!(folder.resolve(flags), Err(KubeconfigError::Unverified { .. })));
}
