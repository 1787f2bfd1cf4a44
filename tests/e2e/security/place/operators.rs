//! Users and programs that reach one cluster by different ways, see different parts of the
//! network, or have few permissions in the cluster.

use super::scene::{ISSUER, SharedMount, Web, cluster, entry, hinted};
use crate::security::forgery::entries::Entry;
use crate::support::watching::Watching;
use harness::certificates::Authority;
use harness::each_product;
use harness::keys::Alg;
use harness::server::{Cluster, Credentials, Honest, Presented, Product, Relay, RelayOptions};
use shared::Secret;

/// The name of the host that ends TLS for many clusters.
const HOST: &str = "rancher.place.example";
/// Where a cluster is below it.
const PATH: &str = "/k8s/clusters/c-1";

/// A host with TLS of its own in front of the cluster, and a context that leads there.
fn front(cluster: &Cluster, name: &'static str) -> (Relay, Entry) {
    let provider = Authority::new("provider").expect("an authority");
    let certificate = provider.serving(&[HOST]).expect("a certificate");
    let options = RelayOptions { honest: Honest::Below(PATH.to_owned()), ..RelayOptions::default() };
    let relay = Relay::start(cluster, &Presented::These(vec![certificate]), options).expect("it starts");
    let entry = Entry {
        server: format!("{}{PATH}", relay.url()),
        authorities: provider.pem(),
        tls_server_name: Some(HOST.to_owned()),
        credentials: Credentials::Token(Secret::new("rancher")),
        ..entry(name, cluster)
    };
    (relay, entry)
}

/// Follows the hint of a refusal, which names the way of this run.
fn confirms(place: &SharedMount, context: &str, entries: &[Entry]) {
    let refused = place.refused(1, &["setup", "--context", context], entries, &["but is reached by another way"]);
    let command = hinted(&refused.stderr);
    assert!(command.contains(&"--authority".to_owned()), "{command:?}");
    place.follows(&refused, &[], entries).ok();
}

// People use Rancher; the watcher reaches the API server directly.
each_product!(a_proxy_for_people_and_the_direct_way_for_the_watcher, |product| {
    let a = cluster("https://place.svc");
    let (_relay, people) = front(&a, "a");
    let entries = [people, entry("direct", &a)];
    let place = SharedMount::new(product, None);
    place.enroll("a", &[], &entries);
    place.begins();
    confirms(&place, "direct", &entries);
    a.rotate(Alg::Rs256).expect("it rotates");
    let watching = Watching::start(place.scene.command(&[], &entries), &["--contexts", "direct", "--interval", "1s"]);
    watching.wait_for("added");
    watching.stop();
    place.lets_in(&a);
    // Over the proxy no token can show a key that signs for the first time.
    place.unchanged(&["sync", "--context", "a"], &entries);
    a.rotate(Alg::Rs256).expect("it rotates");
    place.refused(1, &["sync", "--context", "a"], &entries, &["and no token verified that it is that cluster"]);
    place.types(&["sync", "--context", "direct"], &entries).ok();
    place.lets_in(&a);
    place.unchanged(&["sync", "--context", "a"], &entries);
    place.end(6);
});

// One operator reads the issuer's URL and reaches the API server directly; the other one is
// behind a proxy that ends TLS, with an authority of its own, and does not reach the URL.
each_product!(two_operators_with_different_networks, |product| {
    let (web, a) = (Web::start(), cluster(ISSUER));
    web.site.add(ISSUER, &a);
    let (_relay, behind) = front(&a, "behind");
    let (mut place, entries) = (SharedMount::new(product, Some(&web)), [entry("a", &a), behind]);
    place.enroll("a", &[], &entries);
    let first = std::mem::take(&mut place.scene.environment);
    place.begins();
    confirms(&place, "behind", &entries);
    place.unchanged(&["sync", "--context", "behind"], &entries);
    // What changes comes by the one who reads the URL, and the other one is told so.
    a.rotate(Alg::Rs256).expect("it rotates");
    let told = "are read at its issuer URL only, which could not be read: ";
    place.refused(1, &["sync", "--context", "behind"], &entries, &[told, "run this where the issuer URL can be read"]);
    place.scene.environment = first;
    place.types(&["sync", "--context", "a"], &entries).ok();
    place.lets_in(&a);
    place.scene.environment.clear();
    place.unchanged(&["sync", "--context", "behind"], &entries);
    place.end(6);
});

/// A user who reads the key set and creates tokens in `shop`, and may do nothing in
/// `kube-system`.
fn without_kube_system(a: &Cluster, name: &'static str) -> Entry {
    let user = format!("ci-{}", a.context());
    let bind = |words: &[&str]| a.kubectl_ok(words).expect("a binding");
    let discovery = format!("discovery-{user}");
    let role = "system:service-account-issuer-discovery";
    bind(&["create", "clusterrolebinding", &discovery, "--clusterrole", role, "--user", &user]);
    bind(&["create", "role", &user, "-n", "shop", "--verb=create", "--resource=serviceaccounts/token"]);
    bind(&["create", "rolebinding", &user, "-n", "shop", "--role", &user, "--user", &user]);
    let certificate = a.authority().client(&user, None).expect("a certificate");
    Entry { namespace: "shop", credentials: Credentials::Certificate(certificate), ..entry(name, a) }
}

each_product!(a_pipeline_without_rights_in_kube_system, |product| {
    let a = cluster("https://place.svc");
    let entries = [entry("a", &a), without_kube_system(&a, "ci")];
    let place = SharedMount::new(product, None);
    place.enroll("a", &[], &entries);
    let uid = a.uid().expect("a UID");
    place.begins();
    let unreadable = "the cluster's UID (of namespace kube-system) could not be read";
    place.refused(1, &["sync", "--context", "ci"], &entries, &[unreadable, "give it with --cluster-uid"]);
    a.rotate(Alg::Rs256).expect("it rotates");
    place.types(&["sync", "--context", "ci", "--cluster-uid", &uid], &entries).ok();
    place.lets_in(&a);
    place.end(2);
});

/// GKE Autopilot: nobody creates tokens in `kube-system`, and the issuer is Google's.
#[test]
fn an_issuer_of_a_provider_without_rights_in_kube_system() {
    const GKE: &str = "https://container.googleapis.com/v1/projects/p/locations/europe-west1/clusters/autopilot";
    let a = cluster(GKE);
    let web = Web::of(&["container.googleapis.com"]);
    web.site.add(GKE, &a);
    let (_relay, gateway) = front(&a, "gateway");
    let entries = [without_kube_system(&a, "a"), gateway];
    for product in [Product::Vault, Product::OpenBao] {
        let place = SharedMount::new(product, Some(&web));
        place.begins();
        place.enroll("a", &[], &entries);
        place.lets_in(&a);
        a.rotate(Alg::Rs256).expect("it rotates");
        // By any way: the keys are Google's to publish.
        place.types(&["sync", "--context", "gateway"], &entries).ok();
        place.lets_in(&a);
        place.unchanged(&["sync", "--context", "a"], &entries);
        place.end(3);
    }
}
