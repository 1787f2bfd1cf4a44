//! Legitimate use of real clusters: none of it needs another flag.

use super::clusters::{NAME, inhabit, victim};
use super::entries::Entry;
use super::scene::Scene;
use crate::support::fixture::{ROLE, Ran};
use harness::NEVER_FLAKY;
use harness::certificates::Authority;
use harness::each_product;
use harness::keys::Alg;
use harness::server::{Cluster, ClusterOptions, Honest, Presented, Product, Relay, RelayOptions};
use serde_json::json;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Runs its arguments on a terminal on which whatever comes on stdin is typed.
const PTY: &str = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";

/// `kubectl vaultjwt` at a terminal, where somebody types `answer`.
fn at_a_terminal(scene: &Scene, words: &[&str], entries: &[Entry], answer: &str) -> Ran {
    let plain = scene.command(words, entries);
    let mut command = Command::new("python3");
    command.args(["-c", PTY]).arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("TERM", "dumb").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("python3 runs");
    child.stdin.take().expect("a pipe").write_all(answer.as_bytes()).expect("it is typed");
    child.wait_with_output().expect("it ends").into()
}

// kind, minikube, k3d: an address that every machine has, and a port that changes when
// the cluster is started again.
each_product!(a_cluster_on_loopback_is_asked_about_once, |product| {
    let scene = Scene::empty(product);
    let near = Entry::prod().unnamed();
    let setup = [&["setup", "--context", "prod"], &ROLE[..]].concat();
    let first = at_a_terminal(&scene, &setup, std::slice::from_ref(&near), "");
    scene.expect("the first setup", first.code == 0 && !first.stdout.contains("[y/N]"), &first.stdout);
    // The API server's own certificate at another port.
    let read = |name: &str| std::fs::read_to_string(victim().scratch().path().join(name)).expect("a file");
    let certificate = harness::certificates::Certificate { certificate: read("server.crt"), key: read("server.key") };
    let options = RelayOptions { honest: Honest::Below(String::new()), ..RelayOptions::default() };
    let moved = Relay::start(victim(), &Presented::These(vec![certificate]), options).expect("it starts");
    let moved = Entry { server: moved.url(), ..near.clone() };
    let entries = std::slice::from_ref(&moved);
    for (answer, code) in [("n\n", 1), ("y\n", 0)] {
        let asked = at_a_terminal(&scene, &setup, entries, answer);
        let questions = asked.stdout.matches("Record this way to cluster \"prod\"").count();
        scene.expect("moved", asked.code == code && questions == 1, &asked.stdout);
    }
    for words in [&setup[..], &["sync", "--context", "prod"]] {
        let again = at_a_terminal(&scene, words, entries, "");
        scene.expect("once more", again.code == 0 && !again.stdout.contains("Record this way"), &again.stdout);
    }
    // The first address is still one of its ways.
    scene.run(&["sync", "--context", "prod"], &[near]).ok();
    scene.end();
});

// Of two people, or of one who reaches it by its name and by its address.
each_product!(two_kubeconfigs_of_one_cluster, |product| {
    let scene = Scene::empty(product);
    scene.fixture.write("sys/auth/jwt", json!({"type": "jwt"}));
    let again = Entry { name: "again", ..Entry::prod() };
    let near = Entry { name: "near", ..Entry::prod().unnamed() };
    let entries = [Entry::prod(), again, near];
    scene.run(&["sync", "--contexts", "prod,again", "--enroll"], &entries).ok();
    let written = scene.elements();
    for words in [
        &["setup", "--context", "again"][..],
        &["setup", "--context", "near"],
        &["sync", "--all-contexts"],
        &["sync", "--all-contexts", "--enroll", "--prune"],
    ] {
        scene.run(words, &entries).ok();
        scene.expect(&words.join(" "), scene.elements() == written, "something was changed");
    }
    scene.end_without_victim();
});

// Its keys stay and work; what changes waits for one `setup`.
each_product!(a_mount_that_an_earlier_version_wrote, |product| {
    let scene = Scene::new(product);
    let entries = [Entry::prod()];
    let earlier = |element: &String| {
        let later = |line: &&str| !line.starts_with("proof: ") && !line.starts_with("authority-");
        element.lines().filter(later).collect::<Vec<_>>().join("\n").replace("vaultjwt/v2", "vaultjwt/v1")
    };
    let written: Vec<String> = scene.elements().iter().map(earlier).collect();
    scene.put(&written);
    for words in [
        &["sync", "--context", "prod"][..],
        &["sync", "--all-contexts", "--prune"],
        &["sync", "--context", "prod", "--dry-run=client"],
    ] {
        let ran = scene.run(words, &entries).ok();
        let told = ran.stderr.contains("is recorded on the mount: its keys stay and are not changed before you run: ");
        scene.expect(&words.join(" "), told, &ran.stderr);
    }
    scene.run(&["status", "-o", "wide"], &entries).ok();
    assert_eq!(scene.elements(), written, "{NEVER_FLAKY}");
    assert!(scene.lets_in(victim()), "{NEVER_FLAKY}");
    // One of its keys comes: nobody but a person says over which way.
    let signs = victim().signing_key();
    let (signing, older): (Vec<String>, Vec<String>) =
        written.iter().cloned().partition(|element| element.contains(signs.public_pem().trim()));
    assert!(!older.is_empty() && !signing.is_empty());
    scene.put(&signing);
    for words in [&["sync", "--context", "prod"][..], &["diff", "--context", "prod"], &["setup", "--context", "prod"]] {
        let ran = scene.run(words, &entries);
        let told = "no way to that cluster is recorded, because an earlier version enrolled it";
        scene.expect(&words.join(" "), ran.code != 0 && ran.stderr.contains(told), &ran.stderr);
        assert_eq!(scene.elements(), signing, "{NEVER_FLAKY}");
    }
    let refused = scene.run(&["setup", "--context", "prod"], &entries);
    let (_, authority) = refused.stderr.split_once(" --authority ").expect("the hint names the way");
    let setup = ["setup", "--context", "prod", "--authority", authority.trim().trim_matches('\'')];
    scene.run(&setup, &entries).ok();
    assert!(
        scene.elements().len() == 2 && scene.elements().iter().all(|text| text.starts_with("vaultjwt/v2\n")),
        "{NEVER_FLAKY}"
    );
    scene.run(&["sync", "--context", "prod"], &entries).ok();
    scene.end();
});

// Evidence is taken from connections that are made anyway.
each_product!(an_unchanged_sync_asks_for_no_more_than_the_keys, |product| {
    let scene = Scene::empty(product);
    let certificate = victim().authority().serving(&[NAME, "kubernetes.default.svc"]).expect("a certificate");
    let options = RelayOptions { honest: Honest::Below(String::new()), ..RelayOptions::default() };
    let front = Relay::start(victim(), &Presented::These(vec![certificate]), options).expect("it starts");
    let prod = [Entry { server: front.url(), ..Entry::prod() }];
    scene.run(&["setup", "--context", "prod"], &prod).ok();
    let (before, seen) = (front.requests().len(), scene.fixture.seen());
    scene.run(&["sync", "--context", "prod"], &prod).ok();
    let mut requests = front.requests().split_off(before);
    requests.sort();
    assert_eq!(
        requests,
        ["GET /.well-known/openid-configuration", "GET /api/v1/namespaces/kube-system", "GET /openid/v1/jwks"]
    );
    assert_eq!(scene.fixture.requests_since(seen), ["read auth/jwt/config"]);
    scene.end_without_victim();
});

/// An API server whose certificate is replaced: first one of the old authority, then one
/// of a new one, which kubeconfigs and the cluster's ConfigMap have beside the old one
/// for a while.
#[test]
#[ignore = "takes minutes: cargo soak forgery"]
fn an_authority_that_is_renewed_with_overlap() {
    let options = ClusterOptions { server_names: vec![NAME.to_owned()], ..ClusterOptions::default() };
    let cluster = Cluster::start(options).expect("a cluster starts");
    inhabit(&cluster);
    let new = Authority::new("kubernetes").expect("an authority");
    let both = format!("{}{}", cluster.ca_pem(), new.pem());
    let front = |authority: &Authority| {
        let certificate = authority.serving(&[NAME, "kubernetes.default.svc"]).expect("a certificate");
        let options = RelayOptions { honest: Honest::Below(String::new()), ..RelayOptions::default() };
        Relay::start(&cluster, &Presented::These(vec![certificate]), options).expect("it starts")
    };
    let (old_server, new_server) = (front(cluster.authority()), front(&new));
    let at = |server: &Relay, authorities: &str| Entry {
        server: server.url(),
        ..Entry::of("prod", &cluster, NAME).trusting(authorities)
    };
    let scenes = [Product::Vault, Product::OpenBao].map(Scene::empty);
    for scene in &scenes {
        let setup = [&["setup", "--context", "prod"], &ROLE[..]].concat();
        scene.run(&setup, &[at(&old_server, &cluster.ca_pem())]).ok();
        // The new authority is nothing before the cluster itself has it.
        let early = at(&new_server, &both);
        let refused = scene.run(&["sync", "--context", "prod"], std::slice::from_ref(&early));
        scene.expect("too early", refused.code == 1 && refused.stderr.contains("by another way"), &refused.stderr);
    }
    let bundle = json!({"data": {"ca.crt": both}}).to_string();
    cluster
        .kubectl_ok(&["patch", "configmap", "kube-root-ca.crt", "-n", "kube-system", "--type", "merge", "-p", &bundle])
        .expect("the ConfigMap is patched");
    for scene in &scenes {
        let overlap = at(&old_server, &both);
        scene.run(&["sync", "--context", "prod"], std::slice::from_ref(&overlap)).ok();
        scene.run(&["sync", "--context", "prod"], &[at(&new_server, &new.pem())]).ok();
    }
    cluster.rotate(Alg::Rs256).expect("it rotates");
    for scene in scenes {
        scene.run(&["sync", "--context", "prod"], &[at(&new_server, &new.pem())]).ok();
        scene.expect("its new key", scene.lets_in(&cluster), "its tokens do not log in");
        scene.end_without_victim();
    }
}
