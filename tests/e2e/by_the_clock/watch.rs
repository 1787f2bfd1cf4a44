//! `sync --watch`: what it changes, logs and shows as metrics, and its exit codes.

use crate::support::fleet::{Fleet, elements, soak};
use crate::support::watching::Watching;
use harness::each_product;
use harness::server::{FakeApiServers, FakeApiServersOptions, PooledVault, Product, VaultOptions, VaultServer};
use serde_json::Value;
use std::time::{Duration, Instant};

fn start_vault(product: Product) -> PooledVault {
    PooledVault::take_to_wait(VaultOptions::new(product)).expect("Vault starts")
}

fn clusters(count: usize) -> FakeApiServers {
    FakeApiServers::start(count, FakeApiServersOptions::default()).expect("the clusters start")
}

/// Writes of a mount's configuration in the audit log.
pub fn writes(vault: &VaultServer, mount: &str) -> usize {
    let path = format!("auth/{mount}/config");
    vault.audit_requests().iter().filter(|request| request.path == path && request.operation == "update").count()
}

fn kid(clusters: &FakeApiServers, number: usize) -> String {
    clusters.keys(number).last().expect("it has a key").kid().to_owned()
}

each_product!(a_rotation_is_noticed_logged_and_counted, |product| {
    let (vault, clusters) = (start_vault(product), clusters(3));
    let fleet = Fleet::new(&clusters, &vault);
    fleet.enable("jwt");
    fleet.enroll_all("jwt");
    let before = writes(&vault, "jwt");
    let run = Watching::start(fleet.command(&[]), &["--all-contexts", "--interval", "1s", "--grace", "4s"]);
    run.wait_ready();
    assert_eq!(run.log(), ["info  watching 3 clusters on auth mount \"jwt/\", every 1s"]);
    assert_eq!(run.get("/healthz"), Some((200, "ok\n".to_owned())));
    let old = kid(&clusters, 1);
    clusters.rotate(1).expect("it rotates");
    let new = kid(&clusters, 1);
    run.wait_for(&format!("info  context \"c1\": key \"{new}\" added"));
    clusters.retire(1);
    run.wait_for(&format!("info  context \"c1\": key \"{old}\" retired"));
    assert_eq!(run.figure("vaultjwt_unmarked_keys{mount=\"jwt\"}"), 0.0);
    let keys = |state: &str| {
        let (issuer, uid) = (clusters.issuer(1), clusters.uid(1));
        run.figure(&format!(
            "vaultjwt_keys{{mount=\"jwt\",issuer=\"{issuer}\",cluster_uid=\"{uid}\",state=\"{state}\"}}"
        ))
    };
    assert_eq!((keys("active"), keys("retired")), (1.0, 1.0));
    run.wait_for(&format!("info  context \"c1\": key \"{old}\" removed"));
    assert_eq!(run.figure("vaultjwt_changes_total{mount=\"jwt\"}"), 3.0);
    assert_eq!(elements(&fleet.config("jwt")).len(), 3);
    let (took, ended) = run.stop();
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!((ended.code, ended.stderr.lines().count()), (0, 5), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("info  stopped\n"));
    // Each change is written once more for the logins.
    assert_eq!(writes(&vault, "jwt") - before, 6);
    // Its token is as it was: whoever starts it again goes on with it.
    assert_eq!(vault.audit_requests().iter().filter(|request| request.path.contains("revoke")).count(), 0);
});

each_product!(the_log_can_be_json_and_a_broken_cluster_leaves_the_others_alone, |product| {
    let (vault, clusters) = (start_vault(product), clusters(2));
    let fleet = Fleet::new(&clusters, &vault);
    fleet.enable("jwt");
    fleet.enroll_all("jwt");
    clusters.break_down(0);
    let words = ["--contexts", "c0,c1", "--interval", "1s", "--log-format", "json"];
    let run = Watching::start(fleet.command(&[]), &words);
    run.wait_for("\"event\":\"trouble\"");
    run.wait_ready();
    clusters.rotate(1).expect("it rotates");
    let kid = kid(&clusters, 1);
    run.wait_for("\"event\":\"key\"");
    clusters.recover(0);
    run.wait_for("\"event\":\"recovered\"");
    assert!(run.figure("vaultjwt_read_failures_total{context=\"c0\"}") >= 1.0);
    let (_, ended) = run.stop();
    let lines: Vec<Value> = ended.stderr.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap_or_default()).collect();
    assert_eq!(events, ["started", "trouble", "key", "recovered", "stopped"]);
    assert_eq!((&lines[1]["about"]["name"], &lines[1]["level"]), (&"c0".into(), &"warn".into()));
    assert_eq!((&lines[2]["kid"], &lines[2]["action"]), (&kid.into(), &"add".into()));
});

#[test]
fn without_a_context_there_is_nothing_to_watch() {
    let (vault, clusters) = (start_vault(Product::OpenBao), clusters(1));
    let fleet = Fleet::new(&clusters, &vault);
    let empty = clusters.scratch().write("empty.kubeconfig", "apiVersion: v1\nkind: Config\n").expect("a file");
    let ran =
        crate::support::fixture::run(fleet.command(&["sync", "--watch", "--all-contexts"]).env("KUBECONFIG", empty));
    ran.failed(2, "error: the kubeconfig has no context to watch\nhint: see: kubectl vaultjwt sync --help\n");
}

#[test]
fn an_exec_plugin_that_hangs_does_not_keep_the_end_waiting() {
    let (vault, clusters) = (start_vault(Product::OpenBao), clusters(1));
    let fleet = Fleet::new(&clusters, &vault);
    let config = std::fs::read_to_string(clusters.kubeconfig()).expect("a kubeconfig");
    let (head, rest) = config.split_once("    token: ").expect("a token");
    let (_, tail) = rest.split_once('\n').expect("more lines");
    let exec = "    exec: {apiVersion: client.authentication.k8s.io/v1, command: sleep, args: ['300'], interactiveMode: Never}";
    let file = clusters.scratch().write("hanging.kubeconfig", format!("{head}{exec}\n{tail}")).expect("a file");
    fleet.enable("jwt");
    let mut command = fleet.command(&[]);
    command.env("KUBECONFIG", file).env("PATH", "/usr/bin:/bin");
    let run = Watching::start(command, &["--contexts", "c0", "--interval", "1s"]);
    run.wait_for("watching 1 cluster");
    // Its first request was answered, and now it waits for the plugin.
    let start = Instant::now();
    while run.figure("vaultjwt_requests_total{to=\"vault\"}") < 2.0 {
        assert!(start.elapsed() < Duration::from_secs(30), "{:#?}", run.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(200));
    let (took, ended) = run.stop();
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!((ended.code, ended.stderr.lines().count()), (0, 2), "{}", ended.stderr);
}

#[test]
fn a_port_that_is_taken_ends_it_at_once() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let (vault, clusters) = (start_vault(Product::OpenBao), clusters(1));
    let fleet = Fleet::new(&clusters, &vault);
    let ran = fleet.run(&["sync", "--watch", "--metrics-addr", &address]);
    let said = format!(
        "error: could not listen on {address} for metrics: address already in use\nhint: give another address with --metrics-addr\n"
    );
    ran.failed(1, &said);
}

each_product!(
    #[ignore = "takes an hour: cargo soak"]
    soak_of_watching,
    |product| {
        let seconds = soak("SOAK_WATCH_SECONDS", 3_600);
        let count = soak("SOAK_WATCH_CLUSTERS", 50);
        let (vault, clusters) = (start_vault(product), clusters(count));
        let mut fleet = Fleet::new(&clusters, &vault);
        // What it costs is asked of the program that users have.
        fleet.plugin = harness::artifacts::released_plugin().expect("the plugin is built");
        fleet.enable("jwt");
        fleet.enroll_all("jwt");
        let before = writes(&vault, "jwt");
        let run = Watching::start(fleet.command(&[]), &["--all-contexts"]);
        run.wait_ready();
        let requests = |to: &str| run.figure(&format!("vaultjwt_requests_total{{to=\"{to}\"}}"));
        println!("{product}: {count} clusters, default interval");
        println!("minute  RSS KiB  most KiB  CPU s  to Vault  to clusters  writes");
        let (start, parts) = (Instant::now(), 12);
        for part in 0..=parts {
            let due = Duration::from_secs_f64(seconds as f64 * f64::from(part) / f64::from(parts));
            std::thread::sleep(due.saturating_sub(start.elapsed()));
            let (now, most, cpu) = run.costs();
            println!(
                "{:6.1}  {now:7}  {most:8}  {cpu:5.2}  {:8}  {:11}  {:6}",
                start.elapsed().as_secs_f64() / 60.0,
                requests("vault"),
                requests("api-server"),
                writes(&vault, "jwt") - before,
            );
        }
        let (took, ended) = run.stop();
        println!("stopped in {} ms; its log:\n{}", took.as_millis(), ended.stderr);
        assert_eq!(writes(&vault, "jwt"), before);
        assert_eq!(ended.stderr.lines().count(), 2, "{}", ended.stderr);
    }
);
