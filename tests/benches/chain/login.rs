//! A login on a mount with many keys: Vault tries them one after the other, so
//! where the signing key stands decides. Ours puts the newest first.

use super::Failure;
use super::fixture::{line, median, ms};
use harness::keys::{Alg, SigningKey};
use harness::server::{Product, VaultOptions, VaultServer};
use serde_json::json;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Logins of each row.
const LOGINS: usize = 60;

pub fn run() -> Result<(), Failure> {
    println!(
        "\na login (ES256; median of {LOGINS}), with the signing key first as we write it, last, and with no key at all"
    );
    let widths = [8, 6, 10, 10, 10, 12];
    line(&["product", "keys", "first ms", "last ms", "none ms", "last/first"], &widths);
    let mut keys: Vec<SigningKey> = (0..950).map(|_| SigningKey::generate(Alg::Es256)).collect::<Result<_, _>>()?;
    let signing = keys.remove(0);
    let stranger = SigningKey::generate(Alg::Es256)?;
    for product in [Product::Vault, Product::OpenBao] {
        let vault = VaultServer::start(VaultOptions { audit: false, ..VaultOptions::new(product) })?;
        vault.ok("POST", "sys/auth/jwt", Some(&json!({"type": "jwt"})))?;
        let role =
            json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_type": "batch"});
        for count in [1, 10, 100, 500, 950] {
            let mut pems: Vec<&str> =
                [&signing].into_iter().chain(&keys).take(count).map(SigningKey::public_pem).collect();
            let mut row = Vec::new();
            for order in ["first", "last", "none"] {
                if order == "last" {
                    pems.reverse();
                }
                vault.ok("POST", "auth/jwt/config", Some(&json!({"jwt_validation_pubkeys": pems})))?;
                vault.ok("POST", "auth/jwt/role/app", Some(&role))?;
                let key = if order == "none" { &stranger } else { &signing };
                row.push(median((0..LOGINS).map(|_| login(&vault, key, order != "none")).collect::<Result<_, _>>()?));
            }
            let ratio = row[1].as_secs_f64() / row[0].as_secs_f64();
            let name = product.to_string();
            line(&[&name, &count.to_string(), &ms(row[0]), &ms(row[1]), &ms(row[2]), &format!("{ratio:.1}")], &widths);
        }
    }
    Ok(())
}

fn login(vault: &VaultServer, key: &SigningKey, works: bool) -> Result<Duration, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let jwt =
        key.sign(&json!({"iss": "https://a", "sub": "s", "aud": ["vault"], "iat": now, "nbf": now, "exp": now + 600}))?;
    let started = Instant::now();
    let answer = vault.http("POST", "auth/jwt/login", Some(&json!({"role": "app", "jwt": jwt})))?;
    let took = started.elapsed();
    if answer.is_success() == works { Ok(took) } else { Err(format!("{}: {}", answer.status, answer.text).into()) }
}
