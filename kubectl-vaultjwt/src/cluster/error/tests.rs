//! Texts and hints, word for word.

use super::*;

fn at() -> Arc<ServerContext> {
    Arc::new(ServerContext {
        server: "https://h:6443".into(),
        context: Some("dev".into()),
        user: Some("jane".into()),
        proxy: None,
        kubectl_flags: " --context dev".into(),
    })
}

fn account() -> ServiceAccount {
    ServiceAccount { namespace: "team".into(), name: "app".into() }
}

#[test]
fn every_error_says_what_why_and_what_next() {
    let request = || "GET /x".to_owned();
    let table = [
        (
            ClusterError::Setup { at: at(), cause: "the key is bad".into() },
            "could not set up the connection to API server \"https://h:6443\" of context \"dev\": the key is bad",
            "kubectl config view --minify --context dev",
        ),
        (
            ClusterError::Unreachable { at: at(), cause: "connection refused".into() },
            "could not reach API server \"https://h:6443\" of context \"dev\": connection refused",
            "kubectl cluster-info --context dev",
        ),
        (
            ClusterError::Timeout { at: at(), request: request(), after: Duration::from_secs(30) },
            "API server \"https://h:6443\" of context \"dev\" did not answer \"GET /x\" within 30s",
            "give it longer with --request-timeout, or look with: kubectl cluster-info --context dev",
        ),
        (
            ClusterError::Timeout { at: at(), request: request(), after: Duration::from_millis(1_500) },
            "API server \"https://h:6443\" of context \"dev\" did not answer \"GET /x\" within 1.5s",
            "give it longer with --request-timeout, or look with: kubectl cluster-info --context dev",
        ),
        (
            ClusterError::SlowPlugin { context: Some("a b".into()), after: Duration::from_secs(60) },
            "the credential plugin of context \"a b\" is not done within 1m",
            "see what it waits for: kubectl auth whoami --context 'a b'",
        ),
        (
            ClusterError::SlowPlugin { context: None, after: Duration::from_secs(60) },
            "the credential plugin of the current context is not done within 1m",
            "see what it waits for: kubectl auth whoami",
        ),
        (
            ClusterError::Untrusted { at: at(), cause: "it has expired".into(), name: false },
            "the certificate of API server \"https://h:6443\" of context \"dev\" is not trusted: it has expired",
            "if the server is the right one, give its authority with --certificate-authority; look with: kubectl config view --minify --context dev",
        ),
        (
            ClusterError::Untrusted { at: at(), cause: "it is for another host name".into(), name: true },
            "the certificate of API server \"https://h:6443\" of context \"dev\" is not trusted: it is for another host name",
            "if the server is the right one, give its name with --tls-server-name; look with: kubectl config view --minify --context dev",
        ),
        (
            ClusterError::ClientCertificateExpired { at: at(), expired: Some("2021-02-03T04:05:06Z".into()) },
            "API server \"https://h:6443\" of context \"dev\" refused the credentials of user \"jane\": the client certificate expired on 2021-02-03T04:05:06Z",
            "renew the certificate; see where it is kept with: kubectl config view --minify --context dev",
        ),
        (
            ClusterError::Unauthorized { at: at(), words: "Unauthorized".into() },
            "API server \"https://h:6443\" of context \"dev\" refused the credentials of user \"jane\": Unauthorized",
            "kubectl auth whoami --context dev",
        ),
        (
            ClusterError::TokenForbidden { at: at(), account: account(), words: "no".into() },
            "no right to create serviceaccounts/token for \"team:app\" at API server \"https://h:6443\" of context \"dev\": no",
            "kubectl auth can-i create serviceaccounts --subresource=token -n team --context dev",
        ),
        (
            ClusterError::UidForbidden { at: at(), words: "no".into() },
            "no right to get namespace \"kube-system\" from API server \"https://h:6443\" of context \"dev\": no",
            "let who may run this, and give its answer with --cluster-uid: kubectl get namespace kube-system -o jsonpath={.metadata.uid}",
        ),
        (
            ClusterError::ServiceAccountMissing { at: at(), account: account() },
            "service account \"team:app\" does not exist at API server \"https://h:6443\" of context \"dev\"",
            "kubectl create serviceaccount app -n team --context dev",
        ),
        (
            ClusterError::NamespaceMissing { at: at(), namespace: "team".into() },
            "namespace \"team\" does not exist at API server \"https://h:6443\" of context \"dev\"",
            "kubectl get namespaces --context dev",
        ),
        (
            ClusterError::DiscoveryMissing { at: at(), path: "/openid/v1/jwks", words: "not found".into() },
            "API server \"https://h:6443\" of context \"dev\" does not serve \"/openid/v1/jwks\": not found",
            "the cluster needs an https --service-account-issuer; name the issuer with --issuer",
        ),
        (
            ClusterError::Refused {
                at: at(),
                request: request(),
                status: 503,
                words: "starting".into(),
                retry_after: None,
            },
            "API server \"https://h:6443\" of context \"dev\" answered \"GET /x\" with 503: starting",
            "kubectl get --raw '/readyz?verbose' --context dev",
        ),
        (
            ClusterError::Refused {
                at: at(),
                request: request(),
                status: 400,
                words: "a\u{1b}b".into(),
                retry_after: None,
            },
            "API server \"https://h:6443\" of context \"dev\" answered \"GET /x\" with 400: a\\u{1b}b",
            "kubectl cluster-info --context dev",
        ),
        (
            ClusterError::TooLarge { at: at(), request: request(), limit: 1024 * 1024 },
            "API server \"https://h:6443\" of context \"dev\" answered \"GET /x\" with more than 1024 KiB",
            "kubectl cluster-info --context dev",
        ),
        (
            ClusterError::BadAnswer { at: at(), request: request(), cause: "it is not JSON".into() },
            "API server \"https://h:6443\" of context \"dev\" answered \"GET /x\" with something else than expected: it is not JSON",
            "kubectl cluster-info --context dev",
        ),
        (
            ClusterError::NotAName { kind: "namespace", name: "../x".into() },
            "\"../x\" is not the name of a namespace",
            "",
        ),
    ];
    for (error, text, hint) in table {
        assert_eq!(error.to_string(), text);
        assert_eq!(error.hint().unwrap_or_default(), hint);
    }
}

#[test]
fn forbidden_discovery_names_the_role_and_whom_to_bind() {
    let create = "let a cluster administrator run: kubectl create clusterrolebinding vaultjwt-issuer-discovery --clusterrole=system:service-account-issuer-discovery ";
    for (user, subject) in [
        ("User \"jane@example.com\" cannot", "--user=jane@example.com"),
        ("User \"system:serviceaccount:ci:runner\" cannot", "--serviceaccount=ci:runner"),
        // Text from a server is not put into a command unless it is plain.
        ("User \"a'; rm -rf ~;'\" cannot", "--user=<you>"),
        ("User \"system:serviceaccount:ci:$(x)\" cannot", "--user=<you>"),
        ("you cannot", "--user=<you>"),
    ] {
        let words = format!("forbidden: {user} get path \"/openid/v1/jwks\"");
        let error = ClusterError::DiscoveryForbidden { at: at(), path: "/openid/v1/jwks", words: words.clone() };
        assert_eq!(
            error.to_string(),
            format!(
                "no right to read \"/openid/v1/jwks\" from API server \"https://h:6443\" of context \"dev\": {words}"
            )
        );
        assert_eq!(error.hint(), Some(format!("{create}{subject}")));
    }
    // The issuer can be given by hand, the keys cannot.
    let words = "forbidden: User \"jane\" cannot get path".to_owned();
    let error = ClusterError::DiscoveryForbidden { at: at(), path: "/.well-known/openid-configuration", words };
    assert_eq!(error.hint(), Some(format!("name the issuer with --issuer, or {create}--user=jane")));
    let words = "forbidden: User \"system:anonymous\" cannot get path".to_owned();
    let error = ClusterError::DiscoveryForbidden { at: at(), path: "/openid/v1/jwks", words };
    assert_eq!(
        error.hint().as_deref(),
        Some("the request carried no credentials; look with: kubectl config view --minify --context dev")
    );
}

#[test]
fn a_proxy_on_the_way_is_named() {
    let place = ServerContext {
        server: "https://h".into(),
        proxy: Some("http://proxy:3128/".into()),
        ..ServerContext::default()
    };
    let at = Arc::new(place);
    let error = ClusterError::Unreachable { at: at.clone(), cause: "connection refused".into() };
    assert_eq!(
        error.to_string(),
        "could not reach API server \"https://h\" through proxy \"http://proxy:3128/\": connection refused"
    );
    let error = ClusterError::Timeout { at, request: "GET /x".into(), after: Duration::from_secs(30) };
    assert_eq!(
        error.to_string(),
        "API server \"https://h\" did not answer \"GET /x\" through proxy \"http://proxy:3128/\" within 30s"
    );
}

#[test]
fn names_from_a_kubeconfig_are_escaped() {
    let place =
        ServerContext { server: "https://h".into(), context: Some("a\u{1b}[2J".into()), ..ServerContext::default() };
    let error = ClusterError::Unreachable { at: Arc::new(place), cause: "x".into() };
    assert_eq!(error.to_string(), "could not reach API server \"https://h\" of context \"a\\u{1b}[2J\": x");
}
