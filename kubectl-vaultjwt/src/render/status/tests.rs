//! The columns, word for word.

use super::*;
use crate::command::report::VaultLocation;
use crate::vault::Document;
use serde_json::{Value, json};
use shared::mount::MountPath;

const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n-----END PUBLIC KEY-----";
const ID: &str = "XNJS-wzokyQ2-vjM0QQJgbie5K1rn-niorfnGqyyfNM";

fn managed(lines: &str) -> String {
    format!("vaultjwt/v2\n{lines}\n{PEM}")
}

fn report(document: Value) -> StatusReport {
    let mount = MountPath::parse("jwt").unwrap();
    let vault = VaultLocation { address: "https://v:8200".into(), namespace: None, mount: mount.to_string() };
    let document: Document = document.as_object().cloned().unwrap();
    StatusReport::new(vault, &mount, Some(&document), "2026-11-24T12:00:00Z".parse().unwrap()).unwrap()
}

fn shown(report: &StatusReport, form: fn(&StatusReport) -> String) -> String {
    anstream::adapter::strip_str(&form(report)).to_string()
}

#[test]
fn columns_word_for_word() {
    let report = report(json!({"jwt_validation_pubkeys": [
        managed("issuer: https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF\nkid: 0123456789abcdef\nalg: ES256\ncluster: arn:aws:eks:eu-central-1:123456789012:cluster/production\nadded: 2026-11-19T12:00:00Z"),
        managed("issuer: https://kubernetes.default.svc\nkid: k2\nalg: ES256\ncluster: kind\ncluster-uid: 6c1f\nadded: 2026-11-24T11:48:00Z\nretired: 2026-11-24T11:59:00Z\nproof: token\nauthority-1: roots https://k.example.com"),
        PEM,
        format!("vaultjwt/v3\n{PEM}"),
        "no key",
    ]}));
    assert_eq!(
        shown(&report, table),
        "\
CLUSTER      ISSUER                    KID         ALG      AGE      STATE
production   oidc.eks.eu…56789ABCDEF   01234567…   ES256    5d       active
kind         kubernetes.default.svc    k2          ES256    12m      retired 60s
<none>       <none>                    <none>      <none>   <none>   foreign
<none>       <none>                    <none>      <none>   <none>   unreadable
<none>       <none>                    <none>      <none>   <none>   foreign
"
    );
    assert_eq!(
        shown(&report, wide).lines().nth(2),
        Some(
            format!(
                "kind                                                       https://kubernetes.default.svc                                    \
                 k2                 ES256    12m      retired 60s   token    6c1f          P-256    2026-11-24T11:48:00Z   \
                 2026-11-24T11:59:00Z   roots https://k.example.com   {ID}"
            )
            .as_str()
        )
    );
    assert_eq!(names(&report), format!("key/{ID}\n").repeat(4));
    assert_eq!(
        notes(&report),
        [
            "trust is per mount: whoever holds one of these 5 keys can sign for every issuer on \"jwt/\"".to_owned(),
            format!("the mark of key \"{ID}\" cannot be read: its version is neither vaultjwt/v2 nor vaultjwt/v1"),
            "no refresh of the keys of \"https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF\" is recorded since \
             they came 5d ago, and EKS replaces them every 7 days: kubectl vaultjwt sync --watch --mount jwt"
                .to_owned(),
        ]
    );
}

#[test]
fn colours_have_meaning() {
    let report = report(json!({"jwt_validation_pubkeys": [
        managed("issuer: https://a\nadded: 2026-11-24T12:00:01Z"), PEM, format!("vaultjwt/v3\n{PEM}")
    ]}));
    let lines: Vec<String> = table(&report).lines().map(str::to_owned).collect();
    let styles = ["\u{1b}[1mCLUSTER", "<none>", "\u{1b}[33m<none>", "\u{1b}[31m<none>"];
    assert!(lines.iter().zip(styles).all(|(line, begins)| line.starts_with(begins)), "{lines:?}");
    assert!(lines[1].contains("   0s    "), "{lines:?}");
}

#[test]
fn whose_keys_nothing_keeps_fresh() {
    let of = |issuer: &str, times: &[&str]| {
        let keys: Vec<String> = times.iter().map(|time| managed(&format!("issuer: {issuer}\nadded: {time}"))).collect();
        let report = report(json!({ "jwt_validation_pubkeys": keys }));
        let freshness = serde_json::to_value(&report.owners[0].freshness).unwrap();
        (freshness, notes(&report))
    };
    let (eks, aks) = ("https://oidc.eks.us-east-1.amazonaws.com/id/A", "https://eastus.oic.prod-aks.azure.com/t/u/");
    let (long_ago, lately, today) = ("2026-10-01T12:00:00Z", "2026-11-14T12:00:00Z", "2026-11-23T12:00:00Z");
    assert_eq!(of(eks, &[lately, today]), (json!({"by": "sync", "last": today}), vec![]));
    let (freshness, notes) = of(eks, &[long_ago, lately]);
    assert_eq!(freshness, json!({"by": "sync", "last": lately}));
    assert_eq!(
        notes,
        [format!(
            "no refresh of the keys of \"{eks}\" is recorded for 10d, and EKS replaces them every 7 days: kubectl vaultjwt \
             sync --watch --mount jwt"
        )]
    );
    let (freshness, notes) = of(aks, &[today]);
    assert_eq!(freshness, json!({"by": "nothing", "since": today}));
    assert_eq!(
        notes,
        [format!(
            "no refresh of the keys of \"{aks}\" is recorded since they came 24h ago, and AKS replaces them without notice: \
             kubectl vaultjwt sync --watch --mount jwt"
        )]
    );
    // It is not known when AKS does it; a run that came once comes again.
    assert_eq!(of(aks, &[long_ago, lately]).1, Vec::<String>::new());
    // An earlier version recorded no way.
    assert_eq!(
        of("https://kubernetes.default.svc", &[long_ago]).1,
        [
            "no way to https://kubernetes.default.svc is recorded, because an earlier version enrolled it: its keys stay and do \
          not change before you run: kubectl vaultjwt setup --mount jwt"
        ]
    );
}

#[test]
fn one_owner_needs_no_notes() {
    let key = managed("issuer: https://a\nadded: 2026-11-24T12:00:00Z\nauthority-1: roots https://k");
    let one = report(json!({"jwt_validation_pubkeys": [&key, &key]}));
    assert_eq!((notes(&one), nothing(&one)), (vec![], None));
    let bound = json!({"jwt_validation_pubkeys": [&key], "bound_issuer": "https://a", "oidc_client_id": "x"});
    assert_eq!(
        notes(&report(bound)),
        [
            "only tokens of issuer \"https://a\" are let in (bound_issuer)",
            "no command here changes \"jwt/\": it is set up for OIDC logins (oidc_client_id is set), whose secret cannot be read back and would be lost",
        ]
    );
}

#[test]
fn where_nothing_is_shown() {
    let cases = [
        (json!({"jwt_validation_pubkeys": []}), "no keys on auth mount \"jwt/\""),
        (
            json!({"jwt_validation_pubkeys": [], "oidc_discovery_url": "https://x"}),
            "auth mount \"jwt/\" holds no keys of its own: Vault takes them from oidc_discovery_url (https://x)",
        ),
    ];
    for (document, words) in cases {
        let report = report(document);
        assert_eq!((table(&report), nothing(&report)), (String::new(), Some(words.to_owned())));
    }
}

#[test]
fn clusters_that_are_copies() {
    let key = |issuer: &str, uid: &str, proof: &str, pem: &str| {
        format!(
            "vaultjwt/v2\nissuer: {issuer}\nkid: k1\ncluster-uid: {uid}\nadded: 2026-11-24T11:00:00Z\nproof: {proof}\nauthority-1: roots https://k.example.com\n{pem}"
        )
    };
    let said = |keys: Vec<String>| notes(&report(json!({ "jwt_validation_pubkeys": keys })));
    let copies = said(vec![key("https://a", "1", "token", PEM), key("https://b", "2", "site", PEM)]);
    let words = "key \"k1\" belongs to both https://a (cluster 1) and https://b (cluster 2): one cluster is a copy of the \
                 other, and each can act as the other";
    assert!(copies.contains(&words.to_owned()), "{copies:?}");
    // A public key that is only listed shows nothing.
    let listed = said(vec![key("https://a", "1", "token", PEM), key("https://b", "2", "listed", PEM)]);
    assert!(!listed.iter().any(|note| note.contains("copy")), "{listed:?}");
    let same_uid = said(vec![key("https://a", "1", "token", PEM), key("https://b", "1", "listed", PEM)]);
    let words = "https://a (cluster 1) and https://b (cluster 1) have the same UID: one is a restored copy of the other, or \
                 the cluster was enrolled again after its issuer changed";
    assert!(same_uid.contains(&words.to_owned()), "{same_uid:?}");
}

#[test]
fn what_clusters_say_of_their_keys() {
    use crate::command::report::{ChangeReport, VaultLocation};
    let row = |context: &str, outcome: Outcome| Row {
        context: context.into(),
        server: None,
        owner: None,
        outcome,
        keys: Vec::new(),
        error: None,
        hint: None,
        source: None,
        retry_after: None,
    };
    let checked_report = SyncReport {
        dry_run: true,
        vault: VaultLocation { address: "https://v".into(), namespace: None, mount: "jwt".into() },
        clusters: vec![
            row("production", Outcome::Unchanged),
            row("my staging", Outcome::Changed),
            row("laptop", Outcome::NotEnrolled),
            row("old", Outcome::Failed),
        ],
        config: ChangeReport { written: false, before: None, after: Default::default() },
        failure: None,
    };
    assert_eq!(
        anstream::adapter::strip_str(&checked(&checked_report)).to_string(),
        "CONTEXT      KEYS\n\
         production   up to date\n\
         my staging   out of date\n\
         laptop       not enrolled\n\
         old          failed\n"
    );
    assert_eq!(
        out_of_date(&checked_report),
        [
            "the keys of context \"my staging\" on \"jwt/\" are out of date: kubectl vaultjwt sync --context 'my staging' --mount jwt"
        ]
    );
}
