//! Logins that race with a write of the configuration. Such a login makes Vault and `OpenBao` cache
//! the previous keys and use them for all logins until the next write. Each test shows that first
//! with a plain write.

use crate::support::fleet::{Fleet, elements};
use crate::support::load::log_in;
use harness::NEVER_FLAKY;
use harness::each_product;
use harness::keys::{Alg, SigningKey};
use harness::server::{FakeApiServers, FakeApiServersOptions, PooledVault, Product, VaultOptions};
use serde_json::{Value, json};
use shared::Secret;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

/// Logins at the same time, all the time.
const LOGINS: usize = 4;
/// Plain writes, of which one must leave the keys of before in use.
const WRITES: usize = 60;
/// Changes by the plugin, none of which may.
const CHANGES: usize = 4;
/// Longer than a login takes that was under way.
const PASSED: Duration = Duration::from_millis(500);

struct LoadedMount {
    clusters: FakeApiServers,
    vault: PooledVault,
    stop: AtomicBool,
}

impl LoadedMount {
    fn new(product: Product) -> Self {
        let clusters = FakeApiServers::start(1, FakeApiServersOptions::default()).expect("a cluster starts");
        let vault = PooledVault::take(VaultOptions { audit: false, ..VaultOptions::new(product) });
        let place = Self { clusters, vault: vault.expect("Vault starts"), stop: AtomicBool::new(false) };
        let fleet = place.fleet();
        fleet.enable("jwt");
        fleet.enroll_all("jwt");
        let role =
            json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_type": "batch"});
        fleet.write("auth/jwt/role/app", &role);
        // A login reads the role between the configuration and the keys' check:
        // a large one makes that take long enough to be met.
        let names: Vec<String> = (0..500).map(|number| format!("{number:01000}")).collect();
        let mut large = role;
        large["bound_claims"] = json!({"shop": names});
        fleet.write("auth/jwt/role/large", &large);
        place
    }

    fn fleet(&self) -> Fleet<'_> {
        Fleet::new(&self.clusters, &self.vault)
    }

    fn token(&self) -> Secret {
        self.clusters.token(0, "shop", "app", &["vault"]).expect("a token")
    }

    /// Logs in without end. What becomes of it does not matter here.
    fn log_in_on_and_on(&self) {
        let jwt = self.token();
        let body = json!({"role": "large", "jwt": jwt.expose()});
        while !self.stop.load(Ordering::SeqCst) {
            let _ = self.vault.http_as(&Secret::new(""), "", "POST", "auth/jwt/login", Some(&body));
        }
    }

    /// A plain write with one more key, until a token of that key is refused for
    /// good; gives that token.
    fn plain_write_that_logins_miss(&self) -> Secret {
        let standing = elements(&self.fleet().config("jwt"));
        for number in 1..=WRITES {
            let key = SigningKey::generate(Alg::Es256).expect("a key");
            let keys = [standing.as_slice(), &[key.public_pem().trim().to_owned()]].concat();
            self.fleet().write("auth/jwt/config", &json!({"jwt_validation_pubkeys": keys}));
            sleep(PASSED / 10);
            let jwt = Secret::new(key.sign(&claims(self.clusters.issuer(0))).expect("a token"));
            if log_in(&self.vault, jwt.expose()).is_err() {
                sleep(PASSED);
                let refused = log_in(&self.vault, jwt.expose()).expect_err("refused for good");
                assert!(refused.contains("no known key"), "{refused}");
                println!("logins missed plain write {number}");
                return jwt;
            }
        }
        panic!("void: {WRITES} plain writes, and logins saw each of them");
    }
}

fn claims(issuer: &str) -> Value {
    let now = jiff::Timestamp::now().as_second();
    json!({"iss": issuer, "sub": "system:serviceaccount:shop:app", "aud": ["vault"],
           "iat": now - 5, "nbf": now - 5, "exp": now + 3_600})
}

fn under_load(product: Product, body: impl FnOnce(&LoadedMount)) {
    let place = LoadedMount::new(product);
    thread::scope(|scope| {
        // A panic must not leave the threads running.
        let _end = End(&place.stop);
        (0..LOGINS).for_each(|_| drop(scope.spawn(|| place.log_in_on_and_on())));
        body(&place);
    });
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

each_product!(logins_use_the_keys_that_sync_leaves, |product| {
    under_load(product, |place| {
        place.plain_write_that_logins_miss();
        for _ in 0..CHANGES {
            let old = place.token();
            place.clusters.rotate(0).expect("it rotates");
            place.clusters.retire(0);
            place
                .fleet()
                .run(&[
                    "sync",
                    "--prune",
                    "--replace-keys",
                    "--same-trust-domain",
                    "--allow-existing-roles",
                    "--allow-unbound-roles",
                ])
                .ok();
            assert_eq!(log_in(&place.vault, place.token().expose()), Ok(()), "{NEVER_FLAKY}");
            assert!(log_in(&place.vault, old.expose()).is_err_and(|why| why.contains("no known key")), "{NEVER_FLAKY}");
        }
    });
});

/// The login that proves a role meets what others left behind.
#[test]
fn setup_mends_what_its_own_login_meets() {
    under_load(Product::Vault, |place| {
        let fleet = place.fleet();
        let config = |keys: &[String]| json!({"jwt_validation_pubkeys": keys});
        let before = elements(&fleet.config("jwt"));
        place.clusters.rotate(0).expect("it rotates");
        fleet.run(&["sync"]).ok();
        let after = elements(&fleet.config("jwt"));
        let jwt = place.token();
        let missed = (0..WRITES).any(|_| {
            for keys in [&before, &after] {
                fleet.write("auth/jwt/config", &config(keys));
                sleep(PASSED / 10);
            }
            log_in(&place.vault, jwt.expose()).is_err()
        });
        assert!(missed, "void: logins saw each of {WRITES} plain writes");
        let setup = ["setup", "--role", "shop", "--service-account", "shop:app", "--policy", "default"];
        let ran = fleet.run(&setup).ok();
        let again =
            "✓ keys written again: Vault had them, and did not use them for logins\n✓ logged in as \"shop:app\" ";
        assert!(ran.stderr.contains(again), "{}", ran.stderr);
        assert_eq!(log_in(&place.vault, jwt.expose()), Ok(()), "{NEVER_FLAKY}");
    });
}

/// `OpenBao` shows such a configuration as it was before, and so cannot be helped.
#[test]
fn what_others_wrote_is_mended_by_writing_it_again() {
    under_load(Product::Vault, |place| {
        let jwt = place.plain_write_that_logins_miss();
        let before = place.fleet().config("jwt");
        place.fleet().run(&["sync"]).ok();
        assert!(log_in(&place.vault, jwt.expose()).is_err());
        let ran = place.fleet().run(&["sync", "--rewrite"]).ok();
        assert!(ran.stderr.contains("configuration written again, with nothing changed\n"), "{}", ran.stderr);
        assert_eq!(log_in(&place.vault, jwt.expose()), Ok(()), "{NEVER_FLAKY}");
        assert_eq!(place.fleet().config("jwt"), before);
    });
}
