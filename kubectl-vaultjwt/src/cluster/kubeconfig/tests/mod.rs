//! Resolution as a whole: flags over files over environment.

use super::*;
use crate::cluster::certificate_expiry::tests::{EXPIRED, VALID};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

mod refused;
mod unverified;

/// Two clusters, two users, contexts that are whole and contexts that are not.
const KUBECONFIG: &str = r#"
apiVersion: v1
kind: Config
current-context: dev
clusters:
- name: dev
  cluster:
    server: https://dev.example:6443
    certificate-authority: ca.crt
    tls-server-name: kubernetes
- name: prod
  cluster: {server: "https://prod.example/k8s/"}
- name: empty
  cluster: {server: ""}
- name: open
  cluster: {server: "https://open.example", insecure-skip-tls-verify: true, certificate-authority: ca.crt}
users:
- name: jane
  user: {client-certificate: jane.crt, client-key: jane.key}
- name: robot
  user: {token: "secret-token", as: root, as-groups: [admins]}
- name: half
  user: {client-certificate: jane.crt}
- name: gcp
  user: {auth-provider: {name: gcp, config: {access-token: secret-token}}}
- name: keyed
  user: {client-key: jane.key, token: ""}
contexts:
- name: dev
  context: {cluster: dev, user: jane, namespace: team}
- name: prod
  context: {cluster: prod, user: robot}
- name: no-cluster
  context: {cluster: "", user: jane}
- name: lost-cluster
  context: {cluster: gone, user: jane}
- name: lost-user
  context: {cluster: prod, user: gone}
- name: empty
  context: {cluster: empty, user: jane}
- name: open
  context: {cluster: open, user: jane}
- name: half
  context: {cluster: prod, user: half}
- name: keyed
  context: {cluster: prod, user: keyed, namespace: ""}
"#;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("config", KUBECONFIG);
        folder.write("ca.crt", VALID);
        folder.write("jane.crt", EXPIRED);
        folder.write("jane.key", "key");
        folder
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// With `KUBECONFIG` naming the folder's file.
    fn resolve(&self, flags: KubeconfigOverrides) -> Result<Connection, KubeconfigError> {
        self.resolve_env(flags, &[("KUBECONFIG", &self.path("config"))])
    }

    fn resolve_env(&self, flags: KubeconfigOverrides, pairs: &[(&str, &str)]) -> Result<Connection, KubeconfigError> {
        let env = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let flags = entries::given(&flags);
        let loaded = files::load(flags.kubeconfig.as_deref(), &env)?;
        resolve_loaded(flags, loaded, &env, &self.0.path().join("pod"))
    }

    /// The error and its hint, with the folder's path as `DIR`.
    fn refusal(&self, flags: KubeconfigOverrides) -> (String, String) {
        let error = self.resolve(flags).unwrap_err();
        let plain = |text: String| text.replace(self.0.path().to_str().unwrap(), "DIR");
        (plain(error.to_string()), plain(error.hint().unwrap()))
    }
}

fn context(name: &str) -> KubeconfigOverrides {
    KubeconfigOverrides { context: Some(name.into()), ..KubeconfigOverrides::default() }
}

#[test]
fn current_context_decides_and_brings_everything_with_it() {
    let folder = Folder::new();
    let found = folder.resolve(KubeconfigOverrides::default()).unwrap();
    assert_eq!(
        found.target,
        ClusterTarget {
            context: Some("dev".into()),
            cluster: "dev".into(),
            server: "https://dev.example:6443".into(),
            namespace: "team".into()
        }
    );
    assert_eq!(found.user.as_deref(), Some("jane"));
    assert_eq!(found.kubectl_flags, " --context dev");
    let config = found.config;
    assert_eq!(config.cluster_url, "https://dev.example:6443");
    assert_eq!(config.default_namespace, "team");
    assert_eq!(config.root_cert, Some(vec![pem::parse(VALID).unwrap().into_contents()]));
    assert_eq!(config.tls_server_name.as_deref(), Some("kubernetes"));
    assert!(!config.accept_invalid_certs);
    assert!(!config.default_retry);
    assert_eq!(config.auth_info.client_key, Some(folder.path("jane.key")));
}

#[test]
fn the_context_flag_wins_and_the_namespace_defaults() {
    let folder = Folder::new();
    let found = folder.resolve(context("prod")).unwrap();
    assert_eq!(
        (found.target.server.as_str(), found.target.namespace.as_str()),
        ("https://prod.example/k8s/", "default")
    );
    assert_eq!(found.config.root_cert, None);
    let flags = KubeconfigOverrides { namespace: Some("other".into()), ..context("dev") };
    assert_eq!(folder.resolve(flags).unwrap().target.namespace, "other");
}

#[test]
fn empty_flags_are_not_given() {
    let folder = Folder::new();
    let flags = KubeconfigOverrides {
        kubeconfig: Some("".into()),
        context: Some("".into()),
        cluster: Some("".into()),
        user: Some("".into()),
        namespace: Some("".into()),
        server: Some("".into()),
        client_certificate: Some("".into()),
        ..KubeconfigOverrides::default()
    };
    assert_eq!(folder.resolve(flags).unwrap().target, folder.resolve(KubeconfigOverrides::default()).unwrap().target);
}

#[test]
fn cluster_and_user_flags_replace_those_of_the_context() {
    let folder = Folder::new();
    let flags = KubeconfigOverrides {
        cluster: Some("prod".into()),
        user: Some("robot".into()),
        ..KubeconfigOverrides::default()
    };
    let found = folder.resolve(flags).unwrap();
    assert_eq!((found.target.cluster.as_str(), found.user.as_deref()), ("prod", Some("robot")));
    assert_eq!(found.target.namespace, "team");
    assert_eq!(found.kubectl_flags, " --context dev --cluster prod --user robot");
    assert!(found.config.auth_info.token.is_some());
}

#[test]
fn the_server_flag_drops_the_server_name_of_the_file() {
    let folder = Folder::new();
    let flags = KubeconfigOverrides { server: Some("https://127.0.0.1:1".into()), ..KubeconfigOverrides::default() };
    let found = folder.resolve(flags.clone()).unwrap().config;
    assert_eq!((found.cluster_url.to_string().as_str(), found.tls_server_name), ("https://127.0.0.1:1/", None));
    let named = KubeconfigOverrides { tls_server_name: Some("api".into()), ..flags };
    assert_eq!(folder.resolve(named).unwrap().config.tls_server_name.as_deref(), Some("api"));
}

#[test]
fn the_server_flag_needs_no_kubeconfig() {
    let folder = Folder::new();
    let flags = |server: &str| KubeconfigOverrides { server: Some(server.into()), ..KubeconfigOverrides::default() };
    let found = folder.resolve_env(flags("https://127.0.0.1:1"), &[]).unwrap();
    assert_eq!((found.target.context, found.user), (None, None));
    assert_eq!(
        (found.target.cluster.as_str(), found.kubectl_flags.as_str()),
        ("https://127.0.0.1:1", " --server https://127.0.0.1:1")
    );
}

#[test]
fn flags_replace_the_authority() {
    let folder = Folder::new();
    // `--certificate-authority` also takes back the entry's insecure setting.
    let other = folder.write("other.crt", EXPIRED);
    let flags = KubeconfigOverrides { certificate_authority: Some(other), ..context("open") };
    let found = folder.resolve(flags).unwrap();
    let other = vec![pem::parse(EXPIRED).unwrap().into_contents()];
    assert_eq!((found.config.root_cert, found.entry.authorities), (Some(other.clone()), other));
    assert!(!found.config.accept_invalid_certs);
}

#[test]
fn client_certificate_flags_replace_the_entrys() {
    let folder = Folder::new();
    let (certificate, key) = (folder.write("own.crt", VALID), folder.write("own.key", "own key"));
    let flags = KubeconfigOverrides {
        client_certificate: Some(certificate),
        client_key: Some(key.clone()),
        ..context("lost-user")
    };
    let user = folder.resolve(flags).unwrap().config.auth_info;
    assert_eq!(user.client_key.map(PathBuf::from), Some(key));
    assert!(user.client_certificate_data.is_some());
}

#[test]
fn impersonation_is_laid_over_the_entrys_field_by_field() {
    let folder = Folder::new();
    let flags = KubeconfigOverrides {
        impersonate: Some("jane".into()),
        impersonate_uid: Some("7".into()),
        impersonate_user_extra: vec![("scopes".into(), "a".into()), ("scopes".into(), "b".into())],
        ..context("prod")
    };
    let user = folder.resolve(flags).unwrap().config.auth_info;
    assert_eq!(user.impersonate.as_deref(), Some("jane"));
    assert_eq!(user.impersonate_uid.as_deref(), Some("7"));
    assert_eq!(user.impersonate_groups, Some(vec!["admins".to_owned()]));
    let extra = user.impersonate_user_extra.unwrap();
    assert_eq!(extra.get("scopes"), Some(&vec!["a".to_owned(), "b".to_owned()]));

    let alone = KubeconfigOverrides { impersonate_groups: vec!["g".into()], ..KubeconfigOverrides::default() };
    assert_eq!(
        folder.refusal(alone),
        ("impersonating a group, UID or extra needs a user to impersonate".into(), "name the user with --as".into())
    );
}

#[test]
fn a_key_or_an_empty_token_alone_are_nothing() {
    let folder = Folder::new();
    let found = folder.resolve(context("keyed")).unwrap();
    let user = found.config.auth_info;
    assert!(user.client_key.is_none() && user.token.is_none());
    assert_eq!(found.target.namespace, "default");
}

#[test]
fn a_token_file_wins_over_a_token_and_may_end_in_a_line_break() {
    use kube::config::AuthInfo;
    let folder = Folder::new();
    let with_file = |text: &str| {
        let path = folder.write("token", text);
        folder.write(
            "token-config",
            &format!(
                "current-context: c\nclusters: [{{name: c, cluster: {{server: 'https://c'}}}}]\n\
             users: [{{name: u, user: {{token: inline, tokenFile: {}}}}}]\n\
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n",
                path.display()
            ),
        );
        folder
            .resolve_env(KubeconfigOverrides::default(), &[("KUBECONFIG", &folder.path("token-config"))])
            .map(|found| found.config.auth_info)
            .map_err(|error| error.to_string())
    };
    let shown = |user: &AuthInfo| serde_json::to_value(user).unwrap()["token"].clone();
    let clean = with_file("from-file").unwrap();
    assert_eq!((shown(&clean), clean.token_file.is_some()), (serde_json::Value::Null, true));
    let broken = with_file("from-file\n").unwrap();
    assert_eq!((shown(&broken), broken.token_file.is_some()), ("from-file".into(), false));
    assert_eq!(
        with_file("\n").map(|_| ()),
        Err(format!("could not read tokenFile \"{}\" of user \"u\": it is empty", folder.path("token")))
    );
}

#[test]
fn a_pod_is_its_own_cluster_only_where_nothing_else_is_said() {
    let folder = Folder::new();
    folder.write("pod/token", "t");
    folder.write("pod/ca.crt", VALID);
    folder.write("pod/namespace", "team\n");
    let pod = [("KUBERNETES_SERVICE_HOST", "fd00::1"), ("KUBERNETES_SERVICE_PORT", "443"), ("HOME", "/nowhere")];
    let found = folder.resolve_env(KubeconfigOverrides::default(), &pod).unwrap();
    assert_eq!(
        found.target,
        ClusterTarget {
            context: None,
            cluster: "in-cluster".into(),
            server: "https://[fd00::1]:443".into(),
            namespace: "team".into()
        }
    );
    assert_eq!(found.config.auth_info.token_file, Some(folder.path("pod/token")));
    assert_eq!(found.config.root_cert.map(|list| list.len()), Some(1));
    // What the kubelet says about the cluster can be held against its cloud's word.
    let authorities = vec![pem::parse(VALID).unwrap().into_contents()];
    let server = "https://[fd00::1]:443".to_owned();
    assert_eq!(found.entry, Entry { server, authorities, in_pod: true, ..Entry::default() });
    // POD_NAMESPACE is asked before the file, the flag before both.
    let named = [&pod[..], &[("POD_NAMESPACE", "env")]].concat();
    assert_eq!(folder.resolve_env(KubeconfigOverrides::default(), &named).unwrap().target.namespace, "env");
    let flags = KubeconfigOverrides {
        namespace: Some("flag".into()),
        impersonate: Some("jane".into()),
        ..KubeconfigOverrides::default()
    };
    let found = folder.resolve_env(flags, &named).unwrap();
    assert_eq!(found.target.namespace, "flag");
    assert_eq!(found.config.auth_info.impersonate.as_deref(), Some("jane"));
    // Nothing makes it trust another authority.
    let insecure = KubeconfigOverrides { insecure_skip_tls_verify: Some(true), ..KubeconfigOverrides::default() };
    let refused = folder.resolve_env(insecure, &pod).unwrap_err().to_string();
    assert!(refused.starts_with("cluster \"in-cluster\" is reached at \"https://[fd00::1]:443\" without verifying"));
    // A context or a file wins.
    assert!(folder.resolve_env(context("dev"), &pod).is_err());
    let config = folder.path("config");
    let with_file = [&pod[..2], &[("KUBECONFIG", config.as_str())]].concat();
    assert_eq!(folder.resolve_env(KubeconfigOverrides::default(), &with_file).unwrap().target.cluster, "dev");
    // A folder without a token is no pod.
    fs::remove_file(folder.path("pod/token")).unwrap();
    assert!(matches!(folder.resolve_env(KubeconfigOverrides::default(), &pod), Err(KubeconfigError::Missing { .. })));
}

#[test]
fn request_timeout() {
    let folder = Folder::new();
    let timeout = |given: Option<u64>| {
        let request_timeout = given.map(Duration::from_secs);
        let found = folder.resolve(KubeconfigOverrides { request_timeout, ..KubeconfigOverrides::default() }).unwrap();
        (found.timeout.map(|t| t.as_secs()), found.config.connect_timeout.map(|t| t.as_secs()))
    };
    assert_eq!(timeout(None), (Some(30), None));
    assert_eq!(timeout(Some(2)), (Some(2), None));
    assert_eq!(timeout(Some(0)), (None, Some(30)));
}

#[test]
fn debug_shows_no_credential() {
    let folder = Folder::new();
    assert!(!format!("{:?}", folder.resolve(context("prod")).unwrap()).contains("secret-token"));
}

#[test]
fn kubectls_flags_are_quoted_for_a_shell() {
    let folder = Folder::new();
    let flags = KubeconfigOverrides {
        kubeconfig: Some(folder.path("config").into()),
        impersonate: Some("o'neil".into()),
        impersonate_groups: vec!["a b".into()],
        ..context("dev")
    };
    assert_eq!(
        folder.resolve(flags).unwrap().kubectl_flags,
        format!(" --kubeconfig {} --context dev --as 'o'\\''neil' --as-group 'a b'", folder.path("config"))
    );
}
