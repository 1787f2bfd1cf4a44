//! Tests of `error`: every text and hint, word for word.

use super::*;

fn refused(status: u16, errors: &[&str], namespace: Option<&str>) -> Refused {
    Refused {
        method: "GET".into(),
        path: "sys/auth".into(),
        status,
        errors: errors.iter().map(|e| (*e).to_owned()).collect(),
        address: "https://v:8200".into(),
        namespace: namespace.map(str::to_owned),
        retry_after: None,
    }
}

#[test]
fn texts_and_hints() {
    let a = || "https://v:8200".to_owned();
    let r = || "GET sys/auth".to_owned();
    let own = "check that the address is Vault's own, not that of a login page or another service";
    for (error, text, hint) in [
        (
            VaultError::Client { address: a(), cause: "bad".into() },
            "could not prepare the connection to Vault at \"https://v:8200\": bad",
            None,
        ),
        (
            VaultError::Unreachable { address: a(), cause: "connection refused".into() },
            "could not reach Vault at \"https://v:8200\": connection refused",
            Some("try: vault status -address=https://v:8200"),
        ),
        (
            VaultError::UnknownAuthority { address: a() },
            "the certificate of Vault at \"https://v:8200\" is from an authority that is not trusted",
            Some("give the authority that signed it with --vault-ca-cert FILE or VAULT_CACERT"),
        ),
        (
            VaultError::WrongName { address: a(), host: "v".into(), names: vec!["*.b".into(), "a.b".into()] },
            "the certificate of Vault at \"https://v:8200\" is not for \"v\" but for *.b, a.b",
            Some("use an address with that name, or pass --vault-tls-server-name a.b"),
        ),
        (
            VaultError::WrongName { address: a(), host: "v".into(), names: vec![] },
            "the certificate of Vault at \"https://v:8200\" is not for \"v\" but for no name at all",
            Some("use an address with that name, or pass --vault-tls-server-name NAME"),
        ),
        (
            VaultError::Tls { address: a(), cause: "invalid peer certificate: Expired".into() },
            "no TLS connection with Vault at \"https://v:8200\": invalid peer certificate: Expired",
            Some("try: vault status -address=https://v:8200"),
        ),
        (
            VaultError::SpeaksHttp { address: a() },
            "Vault at \"https://v:8200\" speaks plain http, not https",
            Some("if TLS is really off there, write http://v:8200"),
        ),
        (
            VaultError::SpeaksHttps { address: "http://v:8200".into() },
            "Vault at \"http://v:8200\" speaks https, not plain http",
            Some("write https://v:8200"),
        ),
        (
            VaultError::NoAnswer { address: a(), request: r(), cause: "connection reset by peer".into() },
            "no answer from Vault at \"https://v:8200\" to GET sys/auth: connection reset by peer",
            Some("run the same command again: it goes on from what is there"),
        ),
        (
            VaultError::Timeout { address: a(), request: r(), limit: "1m".into() },
            "no answer from Vault at \"https://v:8200\" to GET sys/auth within 1m",
            Some("allow more time with --vault-timeout, for example --vault-timeout 2m"),
        ),
        (
            VaultError::Sealed { address: a() },
            "Vault at \"https://v:8200\" is sealed",
            Some("unseal it: vault operator unseal -address=https://v:8200"),
        ),
        (
            VaultError::NoNamespaces { address: a(), namespace: "admin".into() },
            "Vault at \"https://v:8200\" has no namespaces and passes over \"admin\"",
            Some("leave out --vault-namespace, and: unset VAULT_NAMESPACE BAO_NAMESPACE"),
        ),
        (
            VaultError::NotVault { address: a(), request: r(), why: "status 200, \"<html>\"".into() },
            "the answer of \"https://v:8200\" to GET sys/auth is not Vault's: status 200, \"<html>\"",
            Some(own),
        ),
        (
            VaultError::TooLarge { address: a(), request: r() },
            "the answer of \"https://v:8200\" to GET sys/auth is larger than 8 MiB",
            Some(own),
        ),
        (
            VaultError::Redirect { address: a(), request: r(), location: Some("http://b".into()), why: "it is bad" },
            "the redirect of \"https://v:8200\" for GET sys/auth to \"http://b\" is not followed: it is bad",
            Some("give the address of Vault's active node with --vault-addr"),
        ),
        (
            VaultError::RoleName("..".into()),
            "\"..\" is not a name for a role",
            Some("use letters, digits, '-', '_' and '.'"),
        ),
    ] {
        assert_eq!(error.to_string(), text);
        assert_eq!(error.hint().as_deref(), hint, "{text}");
        assert!(error.refusal().is_none());
    }
}

#[test]
fn a_refusal_speaks_in_vaults_words() {
    for (refused, text) in [
        (refused(403, &["permission denied"], None), "Vault refused GET sys/auth (403): permission denied"),
        (
            refused(403, &["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"], Some("a/b")),
            "Vault refused GET sys/auth in namespace \"a/b\" (403): permission denied; invalid token",
        ),
        (refused(404, &[], None), "Vault refused GET sys/auth (404) without saying why"),
        (refused(400, &["a\u{1b}[31mb", "c"], None), "Vault refused GET sys/auth (400): a\\u{1b}[31mb; c"),
    ] {
        assert_eq!(refused.to_string(), text);
        let error = VaultError::Refused(Box::new(refused.clone()));
        assert_eq!(error.to_string(), text);
        assert_eq!(error.refusal(), Some(&refused));
    }
}

#[test]
fn long_lists_of_names_are_cut() {
    let names: Vec<String> = (0..7).map(|n| format!("n{n}")).collect();
    assert_eq!(listed(&names), "n0, n1, n2, n3, n4 and 2 more");
}
