//! A real cluster's signing key rotates under load, on Vault and on `OpenBao` at once, with the
//! same cluster and the same load.

use crate::by_the_clock::watch::writes;
use crate::support::fixture::{data, run};
use crate::support::fleet::elements;
use crate::support::load::{Load, log_in};
use crate::support::watching::Watching;
use harness::NEVER_FLAKY;
use harness::artifacts;
use harness::keys::{Alg, SigningKey};
use harness::process::clean_environment;
use harness::server::{
    AddressSwitch, ApiServerKeys, Cluster, ClusterOptions, Credentials, Issuer, PooledVault, Product, SecondApiServer,
    VaultOptions, VaultServer,
};
use std::path::PathBuf;
use std::process::Command;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(15);
/// Longest span of refusals where a key signs before anybody could read it.
const SPAN: Duration = Duration::from_secs(INTERVAL.as_secs() + 2);
const SOON: Duration = Duration::from_secs(60);

/// A cluster whose API servers are behind one address, and both products.
struct WatchFixture {
    cluster: &'static Cluster,
    proxy: AddressSwitch,
    kubeconfig: PathBuf,
    vaults: [PooledVault; 2],
}

impl WatchFixture {
    fn new() -> Self {
        let issuer = Issuer::Url("https://alpha.svc".to_owned());
        let cluster =
            Cluster::shared(ClusterOptions { issuer, ..ClusterOptions::default() }).expect("the cluster starts");
        cluster.create_service_account("shop", "app").expect("a service account is made");
        let port = cluster.url().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let proxy = AddressSwitch::start(&[port]).expect("the proxy starts");
        let admin = Credentials::Certificate(cluster.admin().clone());
        let kubeconfig = cluster.kubeconfig_at(&proxy.url(), "admin", &admin).expect("a kubeconfig");
        let start = |product| {
            let vault = PooledVault::take_to_wait(VaultOptions::new(product)).expect("Vault starts");
            vault.write_policy("app-read", "path \"secret/app\" { capabilities = [\"read\"] }").expect("a policy");
            vault
        };
        Self { cluster, proxy, kubeconfig, vaults: [start(Product::Vault), start(Product::OpenBao)] }
    }

    fn plugin(&self, vault: &VaultServer) -> Command {
        let mut command = Command::new(artifacts::plugin().expect("the plugin is built"));
        clean_environment(&mut command, self.cluster.scratch().path(), &[]);
        command.env("KUBECONFIG", &self.kubeconfig).envs(vault.client_environment());
        command.env("VAULT_TOKEN", vault.root_token().expose());
        command
    }

    fn setup(&self) {
        for vault in &self.vaults {
            let role = ["setup", "--role", "app", "--service-account", "shop:app", "--policy", "app-read"];
            run(self.plugin(vault).args(role)).ok();
        }
    }

    fn watch(&self, words: &[&str]) -> [Watching; 2] {
        let runs = self.vaults.each_ref().map(|vault| Watching::start(self.plugin(vault), words));
        runs.iter().for_each(Watching::wait_ready);
        runs
    }

    /// Another API server of the cluster is the only one behind the address.
    fn switch(&self, server: SecondApiServer) -> SecondApiServer {
        self.proxy.point_at(&[server.port()]);
        server
    }

    /// Further API servers, each by what it publishes and what it signs with,
    /// started side by side.
    fn servers(&self, of: &[(&[&SigningKey], &SigningKey)]) -> impl Iterator<Item = SecondApiServer> + use<> {
        let started: Vec<SecondApiServer> = thread::scope(|scope| {
            let starting: Vec<_> = of.iter().map(|(known, signs)| scope.spawn(|| self.server(known, signs))).collect();
            starting.into_iter().map(|server| server.join().expect("an API server starts")).collect()
        });
        started.into_iter()
    }

    fn server(&self, published: &[&SigningKey], signs: &SigningKey) -> SecondApiServer {
        let published = published.iter().map(|key| (*key).clone()).collect();
        let keys = ApiServerKeys { published, signs: signs.clone() };
        self.cluster.another_api_server(&keys).expect("an API server starts")
    }

    /// The keys on a mount, as the harness's numbers of `keys`.
    fn on(&self, vault: &VaultServer, keys: &[&SigningKey]) -> Vec<usize> {
        let config = data(&vault.http("GET", "auth/jwt/config", None).expect("Vault answers"));
        let elements = elements(&config);
        let holds = |key: &SigningKey| elements.iter().any(|element| element.contains(key.public_pem().trim()));
        (0..keys.len()).filter(|number| holds(keys[*number])).collect()
    }
}

fn key(alg: Alg) -> SigningKey {
    SigningKey::generate(alg).expect("a key")
}

#[test]
fn under_load_nobody_is_refused_where_keys_are_published_before_they_sign() {
    let place = WatchFixture::new();
    place.setup();
    let first = place.cluster.signing_key();
    let [second, third, fourth, fifth, sixth] = [Alg::Rs256, Alg::Rs256, Alg::Es256, Alg::Rs256, Alg::Es256].map(key);
    let all = [&first, &second, &third, &fourth, &fifth, &sixth];
    // In the order of the steps below.
    let mut servers = place.servers(&[
        (&all[..2], &second),
        (&all[..3], &second),
        (&all[..4], &third),
        (&all[..4], &fourth),
        (&all[..5], &fifth),
        (&all[..6], &sixth),
        (&all[5..], &sixth),
    ]);
    let mut started = || servers.next().expect("one for each step");
    let loads = [Load::default(), Load::default()];
    thread::scope(|scope| {
        for (load, vault) in loads.iter().zip(&place.vaults) {
            scope.spawn(|| load.run(place.cluster, &place.proxy, vault));
        }
        // A panic must not leave the threads running.
        let _end = End(&loads);

        // Without sync --watch there are refusals, or the test is void.
        loads.iter().for_each(|load| load.wait_granted(5, SOON));
        let sync_off = Instant::now();
        let server = place.switch(started());
        sleep(SPAN + INTERVAL);
        for load in &loads {
            assert!(load.refused(sync_off).len() > 20, "void: {:?}", load.refused(sync_off));
            assert!(load.refused(sync_off)[0].contains("no known key"), "{:?}", load.refused(sync_off));
        }

        let runs = place.watch(&["--interval", "1s", "--grace", "15s"]);
        loads.iter().for_each(|load| load.wait_granted(5, SOON));

        // RSA to RSA, then to ES256, each published before it signs.
        let published_first = Instant::now();
        let wait_added = |key: &SigningKey| {
            for run in &runs {
                run.wait_for(&format!("key \"{}\" added", key.kid()));
            }
        };
        let next = place.switch(started());
        drop(server);
        wait_added(&third);
        let server = place.switch(started());
        drop(next);
        wait_added(&fourth);
        let next = place.switch(started());
        drop(server);
        let http = place.cluster.http_at(&next.url()).expect("a client");
        let old = place.cluster.token_by(&http, "shop", "app", &["vault"]).expect("a token");
        while loads.iter().any(|load| load.count(published_first) < 600) {
            sleep(INTERVAL);
        }
        for load in &loads {
            assert_eq!(load.refused(published_first), Vec::<String>::new(), "{NEVER_FLAKY}");
        }
        let counts = loads.each_ref().map(|load| load.count(published_first));
        println!("published before it signs: {counts:?} logins, none refused");

        // Signs at once: first RSA, then ES256.
        let mut server = next;
        for signs in [&fifth, &sixth] {
            let next = started();
            let at_once = Instant::now();
            place.proxy.point_at(&[next.port()]);
            server = next;
            wait_added(signs);
            loads.iter().for_each(|load| load.wait_granted(5, SOON));
            // The change is seen to stay before the next one.
            sleep(SPAN);
            let spans = loads.each_ref().map(|load| load.span(at_once));
            println!("{} signs at once: refused for {spans:?}", signs.alg().name());
            assert!(spans.iter().all(|span| *span <= SPAN), "{spans:?}");
        }

        // Old tokens work through the grace, then the old keys are gone.
        let next = place.switch(started());
        drop(server);
        let switched = Instant::now();
        for run in &runs {
            run.wait_for(&format!("key \"{}\" retired", fourth.kid()));
        }
        while switched.elapsed() < GRACE {
            for vault in &place.vaults {
                assert_eq!(log_in(vault, old.expose()), Ok(()), "{NEVER_FLAKY}");
            }
            sleep(INTERVAL);
        }
        for (run, vault) in runs.iter().zip(&place.vaults) {
            run.wait_for(&format!("key \"{}\" removed", fourth.kid()));
            assert!(log_in(vault, old.expose()).is_err_and(|why| why.contains("no known key")));
            let start = Instant::now();
            while place.on(vault, &all) != [5] {
                assert!(start.elapsed() < SOON, "{:?} {:#?}", place.on(vault, &all), run.log());
                sleep(INTERVAL);
            }
        }
        for load in &loads {
            assert_eq!(load.refused(switched), Vec::<String>::new(), "{NEVER_FLAKY}");
        }
        drop(next);
    });
}

struct End<'a>(&'a [Load; 2]);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(Load::end);
    }
}

#[test]
fn two_servers_that_publish_different_sets_cause_no_flapping() {
    let place = WatchFixture::new();
    place.setup();
    let first = place.cluster.signing_key();
    let (second, third) = (key(Alg::Es256), key(Alg::Es256));
    let all = [&first, &second, &third];
    // The one was upgraded, the other was not yet.
    let servers: Vec<_> = place.servers(&[(&[&first, &second], &first), (&[&first, &third], &first)]).collect();
    let ports: Vec<u16> = servers.iter().map(SecondApiServer::port).collect();
    let before = place.vaults.each_ref().map(|vault| writes(vault, "jwt"));
    place.proxy.point_at(&ports);
    let runs = place.watch(&["--interval", "1s", "--grace", "1s"]);
    for run in &runs {
        run.wait_for(&format!("key \"{}\" added", second.kid()));
        run.wait_for(&format!("key \"{}\" added", third.kid()));
    }
    // By chance: the same one can answer several times in a row.
    place.proxy.point_at_any(&ports);
    sleep(Duration::from_secs(30));
    for ((run, vault), before) in runs.iter().zip(&place.vaults).zip(before) {
        // Two changes, each written once more for the logins.
        assert_eq!(writes(vault, "jwt") - before, 4, "{:#?}", run.log());
        assert_eq!(place.on(vault, &all), [0, 1, 2], "{NEVER_FLAKY}");
        let about_keys = run.log().iter().filter(|line| line.contains(": key \"")).count();
        assert_eq!(about_keys, 2, "{:#?}", run.log());
    }
    // The upgrade is over: what the last server does not publish goes.
    place.proxy.point_at(&[servers[1].port()]);
    for (run, vault) in runs.iter().zip(&place.vaults) {
        run.wait_for(&format!("key \"{}\" removed", second.kid()));
        assert_eq!(place.on(vault, &all), [0, 2], "{NEVER_FLAKY}");
    }
}
