//! What a kubeconfig lacks or has wrong: each error names it and the next step.

use super::*;

#[test]
fn what_is_not_there_is_named() {
    let folder = Folder::new();
    let user = KubeconfigOverrides { user: Some("nobody".into()), ..KubeconfigOverrides::default() };
    let cluster = KubeconfigOverrides { cluster: Some("no\u{1b}[31mwhere".into()), ..KubeconfigOverrides::default() };
    for (flags, text, hint) in [
        (context("x"), "context \"x\" does not exist in \"DIR/config\"", "kubectl config get-contexts"),
        (
            KubeconfigOverrides { kubeconfig: Some(folder.path("config").into()), ..context("x") },
            "context \"x\" does not exist in \"DIR/config\"",
            "kubectl config get-contexts --kubeconfig DIR/config",
        ),
        (
            context("no-cluster"),
            "context \"no-cluster\" in \"DIR/config\" names no cluster",
            "kubectl config get-contexts",
        ),
        (
            context("lost-cluster"),
            "cluster \"gone\" of context \"lost-cluster\" does not exist in \"DIR/config\"",
            "kubectl config get-clusters",
        ),
        (
            context("lost-user"),
            "user \"gone\" of context \"lost-user\" does not exist in \"DIR/config\"",
            "kubectl config get-users",
        ),
        (user, "user \"nobody\" does not exist in \"DIR/config\"", "kubectl config get-users"),
        (cluster, "cluster \"no\\u{1b}[31mwhere\" does not exist in \"DIR/config\"", "kubectl config get-clusters"),
        (context("empty"), "cluster \"empty\" in \"DIR/config\" has no server", "kubectl config view"),
        (
            KubeconfigOverrides { user: Some("gcp".into()), ..KubeconfigOverrides::default() },
            "user \"gcp\" has the auth-provider \"gcp\", which kubectl has no more",
            "put gke-gcloud-auth-plugin in its place with: gcloud container clusters get-credentials",
        ),
        (context("half"), "user \"half\" has a client certificate but no client key", "kubectl config view"),
        (
            KubeconfigOverrides { server: Some("https://me:hunter/2@h:6443".into()), ..KubeconfigOverrides::default() },
            "server \"https://h:6443\" of cluster \"dev\" cannot be used: it has an '@' after a '/', '?' or '#': in a user \
             name or password these are written %2F, %3F and %23, in a path '@' is written %40",
            "kubectl config view",
        ),
        (
            // Leads to the first host, and would be taken for the second.
            KubeconfigOverrides { server: Some("https://evil.example/x@h".into()), ..KubeconfigOverrides::default() },
            "server \"https://h\" of cluster \"dev\" cannot be used: it has an '@' after a '/', '?' or '#': in a user \
             name or password these are written %2F, %3F and %23, in a path '@' is written %40",
            "kubectl config view",
        ),
        (
            KubeconfigOverrides { server: Some("ftp://me:pw@h/x".into()), ..KubeconfigOverrides::default() },
            "server \"ftp://h/x\" of cluster \"dev\" cannot be used: it is not an http or https URL",
            "kubectl config view",
        ),
        (
            KubeconfigOverrides {
                certificate_authority: Some(folder.path("none.crt").into()),
                ..KubeconfigOverrides::default()
            },
            "could not read certificate-authority \"DIR/none.crt\" of cluster \"dev\": no such file or directory",
            "kubectl config view",
        ),
        (
            KubeconfigOverrides {
                certificate_authority: Some(folder.path("jane.key").into()),
                ..KubeconfigOverrides::default()
            },
            "could not read certificate-authority \"DIR/jane.key\" of cluster \"dev\": it holds no PEM certificate",
            "kubectl config view",
        ),
        (
            KubeconfigOverrides { client_key: Some(folder.path("none.key").into()), ..KubeconfigOverrides::default() },
            "could not read client-key \"DIR/none.key\" of user \"jane\": no such file or directory",
            "kubectl config view",
        ),
    ] {
        assert_eq!(folder.refusal(flags), (text.to_owned(), hint.to_owned()));
    }
}

#[test]
fn inline_data_may_be_folded_and_must_be_base64() {
    use base64::Engine;
    let folder = Folder::new();
    let data = base64::engine::general_purpose::STANDARD.encode(VALID);
    let (start, end) = data.split_at(76);
    let with_data = |data: &str| {
        folder.write("data", &format!(
            "current-context: c\nclusters:\n- name: c\n  cluster:\n    server: https://c\n    certificate-authority-data: |\n{data}\n\
             contexts: [{{name: c, context: {{cluster: c, user: ''}}}}]\n"));
        folder.resolve_env(KubeconfigOverrides::default(), &[("KUBECONFIG", &folder.path("data"))])
    };
    let found = with_data(&format!("      {start}\n      {end}")).unwrap();
    assert!(found.config.root_cert.is_some());
    assert_eq!(found.user, None);
    assert_eq!(
        with_data("      c2VjcmV0!").unwrap_err().to_string(),
        "could not read certificate-authority-data of cluster \"c\": it is not base64"
    );
}

#[test]
fn a_current_context_that_is_gone_or_not_set() {
    let folder = Folder::new();
    folder.write("config", "current-context: gone\n");
    assert_eq!(
        folder.refusal(KubeconfigOverrides::default()),
        ("current-context \"gone\" does not exist in \"DIR/config\"".into(), "kubectl config get-contexts".into())
    );
    folder.write("config", "contexts: [{name: a, context: {cluster: b}}]\n");
    assert_eq!(
        folder.refusal(KubeconfigOverrides::default()),
        (
            "no context is chosen: \"DIR/config\" has no current-context".into(),
            "choose one of these with --context: kubectl config get-contexts".into()
        )
    );
}

#[test]
fn nothing_at_all_says_what_was_looked_at() {
    let folder = Folder::new();
    for flags in [
        KubeconfigOverrides::default(),
        context("dev"),
        KubeconfigOverrides { user: Some("u".into()), ..KubeconfigOverrides::default() },
    ] {
        let error = folder.resolve_env(flags, &[("HOME", "/nowhere")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no kubeconfig: \"/nowhere/.kube/config\" does not exist, and this is not a pod of a cluster"
        );
        assert_eq!(
            error.hint().as_deref(),
            Some("name a file with --kubeconfig; see what kubectl finds with: kubectl config view")
        );
    }
}
