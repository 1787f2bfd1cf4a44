//! The manual procedure beside `sync`: for each cluster fetch the key set with
//! kubectl, turn it into PEM with python, read the mount's keys, write them all
//! back with the vault CLI. It is the best case of it: nobody makes a mistake,
//! nobody writes at the same time, and old keys are never taken off.

use super::Failure;
use super::fixture::{line, ok, plugin, vaultjwt};
use harness::peers::{self, Peer};
use harness::process::clean_environment;
use harness::server::{FakeApiServers, FakeApiServersOptions, Product, VaultOptions, VaultServer};
use serde_json::json;
use std::process::Command;
use std::time::Duration;

/// P-256 keys as SPKI: a fixed head, then the point.
const SCRIPT: &str = r#"
import base64, json, subprocess, sys
context = sys.argv[1]
keys = json.loads(subprocess.check_output(["kubectl", "--context", context, "get", "--raw", "/openid/v1/jwks"]))["keys"]
def number(text): return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
head = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
def pem(key):
    body = base64.b64encode(head + b"\x04" + number(key["x"]) + number(key["y"])).decode()
    lines = [body[i:i + 64] for i in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN PUBLIC KEY-----"] + lines + ["-----END PUBLIC KEY-----"])
vault = sys.argv[2]
config = json.loads(subprocess.check_output([vault, "read", "-format=json", "auth/jwt/config"]))["data"]
known = config["jwt_validation_pubkeys"] or []
new = [pem(key) for key in keys if pem(key) not in known]
if new:
    config["jwt_validation_pubkeys"] = new + known
    config.pop("status", None)
    subprocess.run([vault, "write", "auth/jwt/config", "-"], input=json.dumps(config).encode(), check=True, stdout=subprocess.DEVNULL)
"#;

pub fn run() -> Result<(), Failure> {
    let plugin = plugin()?;
    println!("\nafter every cluster has rotated: the manual procedure (kubectl, python, vault CLI), then sync");
    let widths = [8, 8, 14, 16, 14, 14, 12];
    line(&["product", "clusters", "manual s", "manual requests", "sync s", "sync requests", "manual/sync"], &widths);
    for product in [Product::Vault, Product::OpenBao] {
        for count in [1usize, 10, 100] {
            let clusters = FakeApiServers::start(
                count,
                FakeApiServersOptions { latency: Duration::from_millis(5), ..FakeApiServersOptions::default() },
            )?;
            let vault = VaultServer::start(VaultOptions::new(product))?;
            vault.ok("POST", "sys/auth/jwt", Some(&json!({"type": "jwt"})))?;
            ok(&mut vaultjwt(
                &plugin,
                &clusters,
                &vault,
                &["sync", "--all-contexts", "--enroll", "--same-trust-domain"],
            ))?;
            let before = vault.ok("GET", "auth/jwt/config", None)?["data"].clone();
            for number in 0..count {
                clusters.rotate(number)?;
            }
            let seen = vault.audit_requests().len();
            let mut manual = Duration::ZERO;
            for context in clusters.contexts() {
                manual += ok(&mut by_hand(&clusters, &vault, product, &context)?)?.1;
            }
            let by_hand = vault.audit_requests().len() - seen;
            let mut before = before;
            if let Some(fields) = before.as_object_mut() {
                fields.remove("status");
            }
            vault.ok("POST", "auth/jwt/config", Some(&before))?;
            let seen = vault.audit_requests().len();
            let (_, ours) = ok(&mut vaultjwt(&plugin, &clusters, &vault, &["sync", "--all-contexts"]))?;
            let synced = vault.audit_requests().len() - seen;
            let seconds = |time: Duration| format!("{:.2}", time.as_secs_f64());
            let ratio = format!("{:.1}", manual.as_secs_f64() / ours.as_secs_f64());
            let (name, count) = (product.to_string(), count.to_string());
            line(
                &[&name, &count, &seconds(manual), &by_hand.to_string(), &seconds(ours), &synced.to_string(), &ratio],
                &widths,
            );
        }
    }
    println!("sync waits 1.0 to 1.6 s to see its keys stay, and takes old keys off; the manual procedure does neither");
    Ok(())
}

fn by_hand(
    clusters: &FakeApiServers,
    vault: &VaultServer,
    product: Product,
    context: &str,
) -> Result<Command, Failure> {
    let kubectl = peers::locate(Peer::Kubectl)?;
    let cli = peers::locate(product.peer())?;
    let mut command = Command::new("python3");
    clean_environment(&mut command, clusters.scratch().path(), &kubectl.parent().into_iter().collect::<Vec<_>>());
    command.args(["-c", SCRIPT, context]).arg(&cli).env("KUBECONFIG", clusters.kubeconfig());
    let prefix = if product == Product::Vault { "VAULT" } else { "BAO" };
    command.env(format!("{prefix}_TOKEN"), vault.root_token().expose());
    for (name, value) in vault.client_environment() {
        command.env(name.replace("VAULT", prefix), value);
    }
    Ok(command)
}
