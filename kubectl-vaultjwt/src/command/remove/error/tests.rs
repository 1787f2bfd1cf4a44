//! What each refusal of `remove` says, word for word.

use super::*;

fn mount() -> MountPath {
    MountPath::parse("k8s").unwrap()
}

fn owner(uid: Option<&str>) -> Owner {
    Owner { issuer: "https://a".into(), cluster_uid: uid.map(str::to_owned) }
}

#[test]
fn words_and_hints() {
    let ambiguous = |owners: Vec<Owner>| RemoveError::Ambiguous { mount: mount(), issuer: "https://a".into(), owners };
    let not_there =
        |alike: Vec<Owner>| RemoveError::NotThere { mount: mount(), owner: owner(Some("1")), alike, kept: vec![] };
    let last = |namespace: Option<&str>| RemoveError::LastKeys {
        mount: mount(),
        owner: owner(None),
        namespace: namespace.map(str::to_owned),
    };
    let cases: Vec<(RemoveError, &str, &str)> = vec![
        (
            RemoveError::NoMount { mount: mount(), namespace: Some("a/b".into()) },
            "there is no auth mount \"k8s/\"",
            "see what is mounted: vault auth list -namespace=a/b",
        ),
        (
            RemoveError::MountTaken { mount: mount(), kind: "userpass".into() },
            "auth mount \"k8s/\" is of type \"userpass\", not \"jwt\"",
            "choose another path with --mount",
        ),
        (
            RemoveError::Config { mount: mount(), source: ConfigConflict::Secret("oidc_client_id") },
            "the keys of auth mount \"k8s/\" cannot be changed: it is set up for OIDC logins (oidc_client_id is set), whose secret cannot be read back and would be lost",
            "look at it: vault read auth/k8s/config",
        ),
        (
            not_there(vec![]),
            "auth mount \"k8s/\" holds no key of https://a (cluster 1)",
            "see whose keys are there: kubectl vaultjwt status --mount k8s",
        ),
        (
            not_there(vec![owner(None)]),
            "auth mount \"k8s/\" holds no key of https://a (cluster 1); it holds keys of https://a",
            "if that is the one, name it with --issuer https://a --cluster-uid none",
        ),
        (
            not_there(vec![owner(Some("2")), owner(Some("3"))]),
            "auth mount \"k8s/\" holds no key of https://a (cluster 1); it holds keys of https://a (cluster 2), https://a (cluster 3)",
            "name the one that is meant, for example with --issuer https://a --cluster-uid 2",
        ),
        (
            ambiguous(vec![owner(Some("1")), owner(Some("2"))]),
            "auth mount \"k8s/\" holds keys of several owners with issuer \"https://a\": https://a (cluster 1), https://a (cluster 2)",
            "say which with --cluster-uid",
        ),
        (
            ambiguous(vec![owner(None), owner(Some("2"))]),
            "auth mount \"k8s/\" holds keys of several owners with issuer \"https://a\": https://a, https://a (cluster 2)",
            "say which with --cluster-uid; 'none' means the one without",
        ),
        (
            RemoveError::NotTheOwner {
                mount: mount(),
                claim: Claim { context: "revil".into(), enrolled: "prod".into(), owner: owner(Some("1")) },
                why: "forbidden".into(),
            },
            "context \"revil\" claims to be cluster \"prod\" (UID 1), which was not verified: forbidden",
            "to remove that cluster's keys whatever this context is, name it: kubectl vaultjwt remove --mount k8s --issuer https://a --cluster-uid 1",
        ),
        (
            RemoveError::NoSuchAuthority { mount: mount(), authority: "roots https://a".into() },
            "auth mount \"k8s/\" has no recorded way \"roots https://a\"",
            "list the recorded ways: kubectl vaultjwt status --mount k8s -o json",
        ),
        (
            RemoveError::AuthorityOfSeveral {
                mount: mount(),
                authority: "roots https://a".into(),
                owners: vec![owner(Some("1")), owner(None)],
            },
            "\"roots https://a\" on auth mount \"k8s/\" is a recorded way to several clusters: https://a (cluster 1), https://a",
            "name the cluster, for example with --issuer https://a --cluster-uid 1",
        ),
        (
            last(None),
            "auth mount \"k8s/\" holds no keys but those of https://a, and Vault refuses a list without keys",
            "disable the mount, which deletes its roles and revokes every Vault token it issued: vault auth disable k8s",
        ),
        (
            last(Some("admin")),
            "auth mount \"k8s/\" holds no keys but those of https://a, and Vault refuses a list without keys",
            "disable the mount, which deletes its roles and revokes every Vault token it issued: vault auth disable -namespace=admin k8s",
        ),
        (
            RemoveError::Declined,
            "not confirmed; nothing was changed",
            "see what would be removed with --dry-run=client; --yes removes it without asking",
        ),
        (
            RemoveError::RoleIsBack { mount: mount(), role: "app".into() },
            "on auth mount \"k8s/\", role \"app\" is there again: somebody else writes it too",
            "find the other writer (Terraform, an operator), then run the command again",
        ),
    ];
    for (error, words, hint) in cases {
        assert_eq!((error.to_string().as_str(), error.hint().as_deref()), (words, Some(hint)));
    }
}
