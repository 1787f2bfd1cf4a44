//! What each refusal of `setup` says, word for word.

use super::*;
use crate::command::capabilities::Right;
use crate::command::mount::error::Claim;
use crate::issuer::ProofError;

/// The SHA-256 of nothing.
const ID: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn mount() -> MountPath {
    MountPath::parse("jwt").unwrap()
}

#[test]
fn words_and_hints() {
    let cases: Vec<(SetupError, &str, &str)> = vec![
        (
            SetupError::MountTaken { mount: mount(), kind: "userpass".into() },
            "auth mount \"jwt/\" is of type \"userpass\", not \"jwt\"",
            "choose another path with --mount",
        ),
        (
            SetupError::MountNested { mount: MountPath::parse("jwt/a").unwrap(), other: "jwt".into() },
            "auth mount \"jwt/a/\" cannot be enabled: \"jwt/\" is mounted there already",
            "choose another path with --mount",
        ),
        (
            SetupError::Enrollment {
                mount: mount(),
                source: EnrollmentError::BoundIssuer { bound: "https://b".into() },
            },
            "auth mount \"jwt/\" cannot take this cluster's keys: its bound_issuer is \"https://b\"",
            "choose another path with --mount; or, if the mount is to serve more than that issuer, add --clear-bound-issuer (vault read auth/jwt/config)",
        ),
        (
            SetupError::OtherWay {
                mount: mount(),
                context: "kind".into(),
                source: Box::new(EnrollmentError::NoWay(Claim {
                    context: "kind".into(),
                    enrolled: "prod".into(),
                    owner: crate::keychain::Owner { issuer: "https://k".into(), cluster_uid: Some("u1".into()) },
                })),
                authority: "sha256:AA api.example.com".into(),
                namespace: Some("admin/team".into()),
                replace_keys: true,
            },
            "context \"kind\" claims to be cluster \"prod\" (UID u1), and no way to that cluster is recorded, because an earlier version enrolled it",
            "it may be another cluster; compare this way with the one that the cluster's administrator sees ('kubectl vaultjwt issuer' prints it), then: kubectl vaultjwt setup --context kind --mount jwt --vault-namespace admin/team --replace-keys --authority 'sha256:AA api.example.com'",
        ),
        (
            SetupError::SharedIdentity { mount: mount(), role: "app".into(), claim: "sub".into() },
            "on auth mount \"jwt/\", role \"app\" would take the claim \"sub\" for the identity, and another cluster's tokens can have the same value",
            "leave --user-claim out (the service account's UID is the identity then), or add --allow-shared-identity",
        ),
        (
            SetupError::Config { mount: mount(), source: ConfigConflict::Secret("oidc_client_id") },
            "auth mount \"jwt/\" cannot take this cluster's keys: it is set up for OIDC logins (oidc_client_id is set), \
             whose secret cannot be read back and would be lost",
            "choose another path with --mount, which gets static keys (vault read auth/jwt/config)",
        ),
        (
            SetupError::Role {
                mount: mount(),
                cluster: "arn:aws:eks:eu/Prod".into(),
                source: RoleConflict::OtherIssuer {
                    name: "app".into(),
                    theirs: "https://b".into(),
                    ours: "https://a".into(),
                },
            },
            "on auth mount \"jwt/\", role \"app\" is bound to issuer \"https://b\", not to \"https://a\"",
            "choose another name, for example --role arn-aws-eks-eu-prod-app",
        ),
        (
            SetupError::Role {
                mount: mount(),
                cluster: "kind".into(),
                source: RoleConflict::Lease { name: "app".into(), ttl: 172_800, max_ttl: 86_400 },
            },
            "on auth mount \"jwt/\", role \"app\" would have a lease of 48h, longer than its longest lease of 24h",
            "give a longer --max-ttl, or a shorter --ttl",
        ),
        (
            SetupError::Rights(MissingRights(vec![
                Right { path: "sys/auth/jwt".into(), capabilities: vec!["update", "sudo"] },
                Right { path: "auth/jwt/config".into(), capabilities: vec!["read", "update"] },
            ])),
            "the Vault token may not do all that this needs; nothing was changed",
            "a policy of it must have:\npath \"sys/auth/jwt\" { capabilities = [\"update\", \"sudo\"] }\n\
             path \"auth/jwt/config\" { capabilities = [\"read\", \"update\"] }",
        ),
        (
            SetupError::IssuerProof(IssuerProofError::NoToken(None)),
            "the issuer is not proven, because no token could be created",
            "name a namespace that has one with --namespace, or create a service account, or believe the issuer with --trust-issuer",
        ),
        (
            SetupError::NotMovable {
                mount: mount(),
                role: "app".into(),
                old: "https://old".into(),
                new: "https://new".into(),
            },
            "role \"app\" on auth mount \"jwt/\" is not bound to exactly issuer \"https://old\"; nothing was changed",
            "add issuer \"https://new\" to bound_claims.iss of the role by hand: vault read auth/jwt/role/app",
        ),
        (
            SetupError::IssuerUnchanged { issuer: "https://i".into() },
            "the issuer of the cluster is still \"https://i\", and --move-from names the issuer that it had before; nothing was changed",
            "change the cluster's issuer first (--service-account-issuer), then run the command again",
        ),
        (
            SetupError::ExpectedWaits { mount: mount(), keys: vec![ID.parse().unwrap()] },
            "the expected key 47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU would not be on auth mount \"jwt/\", which the warning explains; nothing was changed",
            "compare the key set at the issuer's URL with the API server's: kubectl get --raw /openid/v1/jwks",
        ),
        (
            SetupError::UnexpectedKeys {
                issuer: "https://i".into(),
                missing: vec![ID.parse().unwrap()],
                published: vec![ID.parse().unwrap()],
            },
            "issuer \"https://i\" does not publish the expected key 47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU; nothing was changed",
            "check --expect-key, and that the context is the right one; this cluster publishes 47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
        ),
        (
            SetupError::NoRole { mount: mount(), role: "app".into() },
            "role \"app\" does not exist on auth mount \"jwt/\"; nothing was changed",
            "list the roles: vault list auth/jwt/role",
        ),
        (
            SetupError::RolesOfAnother {
                other: crate::keychain::Owner { issuer: "https://old".into(), cluster_uid: Some("u2".into()) },
            },
            "https://old (cluster u2) uses issuer \"https://old\" too, and --all-roles would let this cluster log in with its roles; nothing was changed",
            "name the role of this cluster with --role, one role for each run",
        ),
        (
            SetupError::Source {
                mount: mount(),
                source: SourceConflict::SharedUrl { url: "https://i/keys".into(), keys: 2 },
            },
            "auth mount \"jwt/\" cannot take this cluster's keys by --keys: \"https://i/keys\" publishes 2 keys that this API server does not, and Vault would accept tokens signed with them",
            "another cluster may use the same issuer: leave --keys out; or, if all clusters of that issuer may log in, add --allow-same-issuer",
        ),
        (
            SetupError::Issuer(IssuerError::FileForCloud("https://oidc.eks.x".into())),
            "issuer \"https://oidc.eks.x\" is a cloud's: its keys come from its URL, or from an API server that the cloud vouches for, and not from a file",
            "leave --keys-from out",
        ),
        (
            SetupError::IssuerProof(IssuerProofError::NotPublished {
                source: ProofError::NoKey {
                    keys: 1,
                    issuer: "https://i".into(),
                    kid: "k2".into(),
                    alg: "RS256".into(),
                },
                url: "https://i/keys".into(),
            }),
            "the issuer is not proven: none of the 1 keys of issuer \"https://i\" verifies a token of this API server (kid \"k2\", RS256)",
            "nothing was changed; if the cluster has a new key, add it to the key set at \"https://i/keys\" (the API server's: kubectl get --raw /openid/v1/jwks)",
        ),
        (
            SetupError::ReadBack {
                what: "the configuration of \"jwt/\"".into(),
                fields: vec!["jwt_validation_pubkeys".into()],
            },
            "the configuration of \"jwt/\" is not what was written (differs in jwt_validation_pubkeys): somebody else writes it too",
            "find the other writer (Terraform, an operator), then run the command again",
        ),
    ];
    for (error, words, hint) in cases {
        assert_eq!(error.to_string(), words);
        assert_eq!(error.hint().as_deref(), Some(hint));
    }
}
