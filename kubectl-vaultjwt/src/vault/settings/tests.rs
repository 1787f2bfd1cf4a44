//! Tests of `settings`, with an environment that exists only in memory.

use super::*;
use crate::vault::settings::host::RealHost;
use crate::vault::settings::token_helper::HelperError;
use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;

/// `HostEnvironment` for tests: home is `/h`, and empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeHost {
    vars: BTreeMap<String, String>,
    home: Option<PathBuf>,
    files: BTreeMap<PathBuf, Option<Vec<u8>>>,
    helpers: BTreeMap<PathBuf, Vec<u8>>,
    asked: Asked,
}

/// A copy has its own.
#[derive(Debug, Default)]
struct Asked(Mutex<Vec<String>>);

impl Clone for Asked {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.0.lock().unwrap().clone()))
    }
}

impl FakeHost {
    pub(crate) fn new() -> Self {
        Self { home: Some("/h".into()), ..Self::default() }
    }

    pub(in crate::vault) fn homeless() -> Self {
        Self::default()
    }

    pub(crate) fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(in crate::vault) fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.into(), Some(text.into()));
        self
    }

    pub(in crate::vault) fn locked(mut self, path: &str) -> Self {
        self.files.insert(path.into(), None);
        self
    }

    pub(in crate::vault) fn helper(mut self, path: &str, output: &[u8]) -> Self {
        self.helpers.insert(path.into(), output.into());
        self
    }

    /// Which token helpers were run, each with the address it was told.
    pub(in crate::vault) fn asked(&self) -> Vec<String> {
        self.asked.0.lock().unwrap().clone()
    }
}

impl HostEnvironment for FakeHost {
    fn var(&self, name: &str) -> Option<String> {
        self.vars.get(name).cloned()
    }

    fn home(&self) -> Option<PathBuf> {
        self.home.clone()
    }

    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        match self.files.get(file) {
            Some(Some(text)) => Ok(text.clone()),
            Some(None) => Err(io::Error::from_raw_os_error(13)),
            None => Err(io::Error::from_raw_os_error(2)),
        }
    }

    fn files(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.files.keys().filter(|f| f.starts_with(directory)).cloned().collect())
    }

    fn token_helper(&self, helper: &Path, address: &str) -> Result<Vec<u8>, HelperError> {
        self.asked.0.lock().unwrap().push(format!("{} {address}", helper.display()));
        let missing = || HelperError::NotRun {
            helper: helper.display().to_string(),
            why: shared::text::os_cause(&io::Error::from_raw_os_error(2)),
        };
        self.helpers.get(helper).cloned().ok_or_else(missing)
    }
}

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";

fn outside() -> FakeHost {
    FakeHost::new().var("VAULT_ADDR", "https://env:8200").var("VAULT_TOKEN", "hvs.t")
}

fn resolve(flags: &VaultOverrides, outside: &FakeHost) -> Settings {
    Settings::resolve(flags, outside).unwrap()
}

fn refuse(outside: &FakeHost) -> (String, Option<String>) {
    let error = Settings::resolve(&VaultOverrides::default(), outside).unwrap_err();
    (error.to_string(), error.hint())
}

#[test]
fn the_least_there_is() {
    let settings = resolve(&VaultOverrides::default(), &outside());
    assert_eq!(settings.address.shown, "https://env:8200");
    assert_eq!(settings.namespace, None);
    assert_eq!(settings.trust, Trust::System);
    assert!(!settings.skip_verify);
    assert_eq!(settings.server_name, None);
    assert_eq!(settings.timeout, Some(Duration::from_secs(60)));
    assert_eq!(settings.identity, None);
    assert_eq!(settings.token, Some(Secret::new("hvs.t")));
    assert!(!format!("{settings:?}").contains("hvs.t"));
}

#[test]
fn flags_beat_the_environment() {
    let outside = outside()
        .var("VAULT_NAMESPACE", "env")
        .var("VAULT_CACERT", "/env.pem")
        .var("VAULT_SKIP_VERIFY", "true")
        .var("VAULT_TLS_SERVER_NAME", "env.example.com")
        .var("VAULT_CLIENT_TIMEOUT", "5s")
        .file("/env.pem", CERTIFICATE)
        .file("/flag.pem", CERTIFICATE);
    let from_env = resolve(&VaultOverrides::default(), &outside);
    assert_eq!(from_env.namespace.as_deref(), Some("env"));
    assert!(from_env.skip_verify);
    assert_eq!(from_env.server_name.as_deref(), Some("env.example.com"));
    assert_eq!(from_env.timeout, Some(Duration::from_secs(5)));
    let Trust::Only(pems) = &from_env.trust else { panic!("{:?}", from_env.trust) };
    assert_eq!(pems[0].source, "the CA certificate file \"/env.pem\"");

    let flags = VaultOverrides {
        addr: Some("http://flag:1/".into()),
        namespace: Some("/a/b/".into()),
        ca_cert: Some("/flag.pem".into()),
        ca_path: None,
        skip_verify: Some(false),
        tls_server_name: Some("flag.example.com".into()),
        timeout: Some(Duration::ZERO),
    };
    let settings = resolve(&flags, &outside);
    assert_eq!(settings.address.shown, "http://flag:1");
    assert_eq!(settings.namespace.as_deref(), Some("a/b"));
    assert!(!settings.skip_verify);
    assert_eq!(settings.server_name.as_deref(), Some("flag.example.com"));
    assert_eq!(settings.timeout, None);
    let Trust::Only(pems) = &settings.trust else { panic!("{:?}", settings.trust) };
    assert_eq!(pems[0].source, "the CA certificate file \"/flag.pem\"");
}

#[test]
fn an_empty_namespace_flag_means_the_root_namespace() {
    let flags = VaultOverrides { namespace: Some(String::new()), ..VaultOverrides::default() };
    assert_eq!(resolve(&flags, &outside().var("VAULT_NAMESPACE", "env")).namespace, None);
}

#[test]
fn a_directory_of_authorities_is_read_whole() {
    let good = outside().var("VAULT_CAPATH", "/ca").file("/ca/a.pem", CERTIFICATE).file("/ca/d/b.pem", CERTIFICATE);
    let Trust::Only(pems) = resolve(&VaultOverrides::default(), &good).trust else { panic!() };
    assert_eq!(pems.len(), 2);
    assert_eq!(
        refuse(&good.file("/ca/README", "hello")).0,
        "the CA certificate file \"/ca/README\" holds no certificate in PEM form"
    );
    assert_eq!(
        refuse(&outside().var("VAULT_CAPATH", "/ca")).0,
        "the CA certificate directory \"/ca\" holds no certificate in PEM form"
    );
}

#[test]
fn a_missing_or_wrong_authority_is_named() {
    assert_eq!(
        refuse(&outside().var("VAULT_CACERT", "/none.pem")).0,
        "could not read the CA certificate file \"/none.pem\": no such file or directory"
    );
    assert_eq!(
        refuse(&outside().var("VAULT_CACERT", "/key.pem").file("/key.pem", KEY)).0,
        "the CA certificate file \"/key.pem\" holds no certificate in PEM form"
    );
    assert_eq!(
        refuse(&outside().var("VAULT_CACERT_BYTES", "x")).0,
        "VAULT_CACERT_BYTES holds no certificate in PEM form"
    );
}

#[test]
fn a_client_certificate_needs_both_halves() {
    let half = outside().var("VAULT_CLIENT_CERT", "/c.pem").file("/c.pem", CERTIFICATE);
    assert_eq!(
        refuse(&half),
        (
            "VAULT_CLIENT_CERT is set, but VAULT_CLIENT_KEY is not".into(),
            Some("set VAULT_CLIENT_KEY too, or unset the other: unset VAULT_CLIENT_CERT".into())
        )
    );
    assert_eq!(
        refuse(&outside().var("BAO_CLIENT_KEY", "/k.pem")),
        (
            "BAO_CLIENT_KEY is set, but BAO_CLIENT_CERT is not".into(),
            Some("set BAO_CLIENT_CERT too, or unset the other: unset BAO_CLIENT_KEY".into())
        )
    );
    let whole = half.var("VAULT_CLIENT_KEY", "/k.pem");
    assert_eq!(
        refuse(&whole.clone().file("/k.pem", CERTIFICATE)).0,
        "the client key file \"/k.pem\" holds no private key in PEM form"
    );
    let settings = resolve(&VaultOverrides::default(), &whole.file("/k.pem", KEY));
    assert_eq!(settings.identity.as_ref().map(|i| i.key.1.expose()), Some(KEY));
    assert!(!format!("{settings:?}").contains("PRIVATE"));
}

#[test]
fn other_values_that_mean_nothing() {
    assert_eq!(
        refuse(&outside().var("VAULT_SKIP_VERIFY", "maybe")),
        (
            "could not read VAULT_SKIP_VERIFY: \"maybe\" is neither true nor false".into(),
            Some("correct VAULT_SKIP_VERIFY, or unset it: unset VAULT_SKIP_VERIFY".into())
        )
    );
    assert_eq!(
        refuse(&outside().var("VAULT_NAMESPACE", "a b")),
        (
            "the Vault namespace \"a b\" has blanks or control characters".into(),
            Some("give it as 'vault namespace list' shows it, to --vault-namespace".into())
        )
    );
    assert_eq!(
        refuse(&outside().var("VAULT_TLS_SERVER_NAME", "10.0.0.1")),
        (
            "the TLS server name \"10.0.0.1\" is not a host name".into(),
            Some("give a DNS name that Vault's certificate bears to --vault-tls-server-name".into())
        )
    );
}

#[test]
fn the_address_is_looked_at_before_the_token() {
    assert_eq!(refuse(&FakeHost::new()).0, "no Vault address is given");
    assert_eq!(refuse(&FakeHost::new().var("VAULT_ADDR", "https://v")).0, "no Vault token");
}

#[test]
fn a_token_helper_is_told_the_address_in_use() {
    let outside = FakeHost::new().file("/h/.vault", "token_helper = \"/bin/x\"").helper("/bin/x", b"hvs.x\n");
    let outside = outside.var("VAULT_ADDR", "https://env:8200/");
    assert_eq!(resolve(&VaultOverrides::default(), &outside).token, Some(Secret::new("hvs.x")));
    resolve(&VaultOverrides { addr: Some("https://flag".into()), ..VaultOverrides::default() }, &outside);
    let outside = outside.var("BAO_ADDR", "https://bao");
    resolve(&VaultOverrides::default(), &outside);
    assert_eq!(outside.asked(), ["/bin/x https://env:8200/", "/bin/x https://flag", "/bin/x https://bao"]);
}

#[cfg(unix)]
#[test]
fn a_mounted_config_map_is_walked_once() {
    // The shape the kubelet gives a volume: files behind a link to a folder.
    let root = std::env::temp_dir().join(format!("vaultjwt-capath-{}", std::process::id()));
    let dated = root.join("..2026_10_01");
    std::fs::create_dir_all(&dated).unwrap();
    std::fs::write(dated.join("ca.crt"), CERTIFICATE).unwrap();
    std::os::unix::fs::symlink("..2026_10_01", root.join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/ca.crt", root.join("ca.crt")).unwrap();
    let found = RealHost.files(&root);
    std::fs::remove_dir_all(&root).unwrap();
    assert_eq!(found.unwrap(), [dated.join("ca.crt"), root.join("ca.crt")]);
}
