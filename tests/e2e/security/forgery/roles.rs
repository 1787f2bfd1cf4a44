//! Row 7: roles that already accept a cluster before it is enrolled. A removed kubeadm cluster
//! leaves such roles behind, because the next one has the same issuer; or an attacker creates them.

use super::clusters::victim;
use super::entries::Entry;
use super::scene::{Attack, Refusal, Scene};
use harness::each_product;
use serde_json::{Value, json};

/// A role that gives something to shop:app of whoever has a fitting issuer.
fn role(bound_claims: Value, kind: &str) -> Value {
    json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"],
           "bound_subject": "system:serviceaccount:shop:app", "bound_claims_type": kind,
           "bound_claims": bound_claims, "token_policies": ["app-read"]})
}

each_product!(
    #[ignore = "takes minutes: cargo soak forgery"]
    roles_that_fit_a_newcomer,
    |product| {
        let scene = Scene::empty(product);
        scene.fixture.write("sys/auth/jwt", json!({"type": "jwt"}));
        let issuer = victim().issuer();
        let token = victim().token("shop", "app", &["vault"]).expect("a token");
        for (name, bound_claims, kind) in [
            ("the same issuer", json!({"iss": issuer}), "string"),
            ("a list with it", json!({"iss": ["https://gone.example.com", issuer]}), "string"),
            ("a list of one", json!({"iss": [issuer]}), "string"),
            ("a glob", json!({"iss": "https://kubernetes.default*"}), "glob"),
            ("a glob for everything", json!({"iss": "*"}), "glob"),
            ("a list of globs", json!({"iss": ["https://gone*", "*.cluster.local"]}), "glob"),
        ] {
            scene.fixture.write("auth/jwt/role/pay", role(bound_claims, kind));
            for words in [
                &["setup", "--context", "prod"][..],
                &[
                    "setup",
                    "--context",
                    "prod",
                    "--role",
                    "dev",
                    "--service-account",
                    "shop:app",
                    "--policy",
                    "app-read",
                ],
                &["sync", "--context", "prod", "--enroll"],
                &["setup", "--context", "prod", "--allow-unbound-roles", "--same-trust-domain"],
            ] {
                scene.attack(&Attack {
                    name,
                    words,
                    entries: vec![Entry::prod()],
                    token: Some(token.clone()),
                    refusal: Refusal::ExistingRoles,
                });
            }
        }
        scene.end_without_victim();
    }
);

each_product!(
    #[ignore = "takes minutes: cargo soak forgery"]
    roles_that_others_left_behind,
    |product| {
        let scene = Scene::empty(product);
        scene.fixture.write("sys/auth/jwt", json!({"type": "jwt"}));
        // Somebody else is still there.
        scene.fixture.write(
            "auth/jwt/config",
            json!({"jwt_validation_pubkeys": [crate::support::provenance_fixture::unmanaged()]}),
        );
        scene.fixture.write("auth/jwt/role/pay", role(json!({"iss": victim().issuer()}), "string"));
        let token = victim().token("shop", "app", &["vault"]).expect("a token");
        for words in [
            &["setup", "--context", "prod", "--same-trust-domain"][..],
            &["sync", "--context", "prod", "--enroll", "--same-trust-domain"],
        ] {
            scene.attack(&Attack {
                name: "left by a cluster that is gone",
                words,
                entries: vec![Entry::prod()],
                token: Some(token.clone()),
                refusal: Refusal::ExistingRoles,
            });
        }
        scene.end_without_victim();
    }
);
