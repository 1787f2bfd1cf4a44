//! `sync --all-contexts` over many clusters whose API servers take 5 ms for an
//! answer: requests to Vault, and the time against what reading them 16 at a
//! time and the two waits of a write must take.

use super::Failure;
use super::fixture::{line, ok, plugin, vaultjwt};
use harness::server::{FakeApiServers, FakeApiServersOptions, Product, VaultOptions, VaultServer};
use serde_json::json;
use std::time::Duration;

/// Clusters that the plugin reads at a time (`command/sync/observe.rs`).
const AT_ONCE: f64 = 16.0;
/// The longest wait between a write and the look at it (`vault/mount/rewrite.rs`).
const SETTLE: Duration = Duration::from_millis(1_600);
/// One answer of an API server.
const LATENCY: Duration = Duration::from_millis(5);

pub fn run() -> Result<(), Failure> {
    let plugin = plugin()?;
    println!(
        "\nsync --all-contexts after every cluster has rotated its key ({} ms for an answer of an API server)",
        LATENCY.as_millis()
    );
    let widths = [8, 8, 15, 10, 15, 11, 10, 7];
    line(
        &["product", "clusters", "Vault requests", "wall s", "unchanged req.", "unch. s", "bound s", "holds"],
        &widths,
    );
    for product in [Product::Vault, Product::OpenBao] {
        for count in [1usize, 10, 100, 475] {
            // Every key stays for its grace: two for each cluster, 950 at most.
            let clusters = FakeApiServers::start(
                count,
                FakeApiServersOptions { latency: LATENCY, ..FakeApiServersOptions::default() },
            )?;
            row(&plugin, product, &clusters, count, &widths, true)?;
        }
        let clusters =
            FakeApiServers::start(500, FakeApiServersOptions { latency: LATENCY, ..FakeApiServersOptions::default() })?;
        row(&plugin, product, &clusters, 500, &widths, false)?;
    }
    println!(
        "bound: 1.5 x clusters / 16 x one fetch + 2 x 1.6 s, one fetch being a whole run over one cluster that changes nothing;"
    );
    println!("of 500 clusters 100 rotate, because a mount holds at most 950 keys");
    Ok(())
}

fn row(
    plugin: &std::path::Path,
    product: Product,
    clusters: &FakeApiServers,
    count: usize,
    widths: &[usize],
    all_rotate: bool,
) -> Result<(), Failure> {
    let vault = VaultServer::start(VaultOptions::new(product))?;
    vault.ok("POST", "sys/auth/jwt", Some(&json!({"type": "jwt"})))?;
    let sync = |words: &[&str]| {
        let seen = vault.audit_requests().len();
        let (_, took) = ok(&mut vaultjwt(plugin, clusters, &vault, words))?;
        Ok::<_, Failure>((vault.audit_requests().len() - seen, took))
    };
    sync(&["sync", "--all-contexts", "--enroll", "--same-trust-domain"])?;
    let (_, fetch) = sync(&["sync", "--contexts", "c0"])?;
    for number in 0..if all_rotate { count } else { 100 } {
        clusters.rotate(number)?;
    }
    let (requests, took) = sync(&["sync", "--all-contexts"])?;
    let (idle_requests, idle) = sync(&["sync", "--all-contexts"])?;
    let bound = fetch.mul_f64(1.5 * (count as f64 / AT_ONCE).max(1.0)) + 2 * SETTLE;
    let seconds = |time: Duration| format!("{:.2}", time.as_secs_f64());
    let holds = if took <= bound { "yes" } else { "NO" };
    let (name, count) = (product.to_string(), count.to_string());
    let cells = [
        &name,
        &count,
        &requests.to_string(),
        &seconds(took),
        &idle_requests.to_string(),
        &seconds(idle),
        &seconds(bound),
    ];
    line(&cells.iter().map(|cell| cell.as_str()).chain([holds]).collect::<Vec<_>>(), widths);
    Ok(())
}
