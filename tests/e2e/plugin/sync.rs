//! `sync` and `diff`: how they update keys, how many requests they send, and what they print.

use crate::support::fixture::{Fixture, Owned, ROLE, Ran, run};
use crate::support::two_clusters::{alpha, beta, of};
use harness::each_product;
use harness::keys::Alg;
use harness::server::{
    Cluster, ClusterOptions, Credentials, FakeApiServers, FakeApiServersOptions, Issuer, Product, VaultOptions,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn own(issuer: &str) -> Owned {
    let options = ClusterOptions { issuer: Issuer::Url(issuer.to_owned()), ..ClusterOptions::default() };
    Owned::Own(Box::new(Cluster::rotating(options).expect("a cluster starts")))
}

fn vaultjwt(fixture: &Fixture, words: &[&str]) -> Ran {
    run(&mut fixture.kubectl(&[&["vaultjwt"], words].concat()))
}

/// With several kubeconfigs at once, as people merge them.
fn with_all(fixture: &Fixture, words: &[&str], kubeconfigs: &[&Path]) -> Ran {
    let list = std::env::join_paths(kubeconfigs).expect("paths");
    run(fixture.kubectl(&[&["vaultjwt"], words].concat()).env("KUBECONFIG", list))
}

fn keys(fixture: &Fixture) -> Vec<String> {
    let config = fixture.data("auth/jwt/config");
    let keys = config["jwt_validation_pubkeys"].as_array().cloned().unwrap_or_default();
    keys.iter().map(|k| k.as_str().unwrap_or_default().to_owned()).collect()
}

/// Whether a fresh token of shop:app logs in.
fn logs_in(fixture: &Fixture, cluster: &Cluster, role: &str) -> bool {
    let jwt = cluster.token("shop", "app", &["vault"]).expect("the cluster issues a token");
    let body = json!({"role": role, "jwt": jwt.expose()});
    fixture.vault.http("POST", "auth/jwt/login", Some(&body)).expect("Vault answers").is_success()
}

const HEAD: &str = "CONTEXT   KEPT   ADDED   RETIRED   REMOVED   RESULT";

/// A row of the table, whatever the width of its first column.
fn row(context: &str, numbers: [&str; 4], result: &str) -> Vec<String> {
    [&[context], &numbers[..], &[result]].concat().iter().map(|cell| (*cell).to_owned()).collect()
}

fn rows(table: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| {
        let cells = line.split("   ").map(str::trim).filter(|cell| !cell.is_empty());
        cells.map(str::to_owned).collect::<Vec<String>>()
    };
    let mut lines = table.lines();
    let head = cells(lines.next().unwrap_or_default());
    assert_eq!(head, HEAD.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    lines.map(cells).collect()
}

each_product!(a_rotated_key_is_added_retired_and_removed, |product| {
    let fixture = Fixture::with(own("https://gamma.svc"), VaultOptions::new(product));
    let name = fixture.cluster.context().to_owned();
    fixture.setup(&ROLE).ok();
    fixture.cluster.rotate(Alg::Rs256).expect("the cluster rotates");
    assert!(!logs_in(&fixture, &fixture.cluster, "app"), "void: the new key is on the mount already");

    // What diff shows is what sync does; both say so before anything is written.
    let before = fixture.mount_state();
    let diff = vaultjwt(&fixture, &["diff"]);
    assert_eq!((diff.code, diff.stderr.contains("error")), (1, false), "{}", diff.stderr);
    let added = diff.stdout.lines().filter(|line| line.starts_with("+  -----BEGIN PUBLIC KEY-----")).count();
    assert_eq!(added, 1, "{}", diff.stdout);
    assert!(
        diff.stdout.starts_with("--- auth/jwt/config (in Vault)\n+++ auth/jwt/config (planned)\n@@ -"),
        "{}",
        diff.stdout
    );
    assert!(diff.stdout.contains("+  issuer: https://gamma.svc\n"), "{}", diff.stdout);
    // Only the record of the ways leaves the older key, for the newest one.
    let gone = diff.stdout.lines().filter(|line| line.starts_with('-') && !line.starts_with("---"));
    assert!(gone.clone().all(|line| line.starts_with("-  authority-")), "{}", diff.stdout);
    let plan = vaultjwt(&fixture, &["sync", "--dry-run=client"]).ok();
    assert_eq!(rows(&plan.stdout), [row(&name, ["1", "1", "0", "0"], "refreshed (dry run)")]);
    assert_eq!(fixture.mount_state(), before);

    let done = vaultjwt(&fixture, &["sync"]).ok();
    assert_eq!((rows(&done.stdout), done.stderr.as_str()), (vec![row(&name, ["1", "1", "0", "0"], "refreshed")], ""));
    assert!(logs_in(&fixture, &fixture.cluster, "app"));
    assert_eq!(vaultjwt(&fixture, &["diff"]).ok().stdout, "");

    fixture.cluster.drop_old_keys().expect("the cluster drops the old key");
    let retired = vaultjwt(&fixture, &["diff"]);
    assert!(retired.stdout.contains("\n+  retired: 20"), "{}", retired.stdout);
    let done = vaultjwt(&fixture, &["sync"]).ok();
    assert_eq!(rows(&done.stdout), [row(&name, ["1", "0", "1", "0"], "refreshed")]);

    // Within the grace nothing changes, and so nothing is written.
    let seen = fixture.seen();
    let done = vaultjwt(&fixture, &["sync"]).ok();
    assert_eq!(rows(&done.stdout), [row(&name, ["2", "0", "0", "0"], "unchanged")]);
    assert_eq!(fixture.requests_since(seen), ["read auth/jwt/config"]);

    let done = vaultjwt(&fixture, &["sync", "--grace", "0s"]).ok();
    assert_eq!(rows(&done.stdout), [row(&name, ["1", "0", "0", "1"], "refreshed")]);
    assert_eq!(keys(&fixture).len(), 1);
});

each_product!(what_is_pruned_goes_at_once_but_not_unseen, |product| {
    let fixture = Fixture::with(own("https://gamma.svc"), VaultOptions::new(product));
    fixture.setup(&ROLE).ok();
    fixture.cluster.rotate(Alg::Es256).expect("the cluster rotates");
    fixture.cluster.drop_old_keys().expect("the cluster drops the old key");
    // Who may not create tokens does not know which key signs them.
    let reader = fixture.cluster.kubeconfig_for_user("reader", Some("readers")).expect("a kubeconfig");
    let discovery = "system:service-account-issuer-discovery";
    let name = format!("discovery-{}", fixture.cluster.context());
    let words = ["create", "clusterrolebinding", &name, "--clusterrole", discovery, "--group", "readers"];
    fixture.cluster.kubectl_ok(&words).expect("a binding");
    let uid = fixture.cluster.uid().expect("a UID");
    // Nothing that it publishes is on the mount: it could be another cluster with the same UID.
    let ran = vaultjwt(&fixture, &["sync"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.ends_with(&format!(
            "none of the keys that it has of https://gamma.svc (cluster {uid}) is published any more: all keys of the cluster were replaced at once, or this is another cluster with the same UID\n\
             hint: if all keys of the cluster were replaced, compare and replace them: kubectl vaultjwt setup --context {} --mount jwt --replace-keys; if it is a copy of the cluster, give the copy its own issuer and keys first\n",
            fixture.cluster.context()
        )),
        "{}",
        ran.stderr
    );
    let blind =
        ["sync", "--prune", "--replace-keys", "--cluster-uid", &uid, "--kubeconfig", reader.to_str().expect("a path")];
    let before = fixture.mount_state();
    let ran = vaultjwt(&fixture, &blind);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("\": which key signs is not known, because no token could be created: ")
            && ran.stderr.ends_with("\nhint: leave --prune out: keys leave after the grace then\n"),
        "{}",
        ran.stderr
    );
    assert_eq!(fixture.mount_state(), before);
    // Over a recorded direct way it is the cluster, and its roles are its own.
    let done = vaultjwt(&fixture, &["sync", "--prune", "--replace-keys"]).ok();
    assert_eq!(rows(&done.stdout)[0][1..], row("", ["0", "1", "0", "1"], "refreshed")[1..]);
    assert_eq!(fixture.data("auth/jwt/config")["jwt_supported_algs"], json!(["ES256"]));
    assert!(logs_in(&fixture, &fixture.cluster, "app"));
});

each_product!(one_broken_cluster_does_not_stop_the_others, |product| {
    let fixture = Fixture::with(own("https://gamma.svc"), VaultOptions::new(product));
    let broken = own("https://delta.svc");
    broken.create_service_account("shop", "app").expect("a service account is made");
    fixture.setup(&ROLE).ok();
    fixture.setup(&[&["--same-trust-domain"][..], &of(&broken)].concat()).ok();
    fixture.cluster.rotate(Alg::Rs256).expect("the cluster rotates");
    broken.stop_api_server();
    let (good, bad, stranger) = (fixture.cluster.context(), broken.context(), beta().context());
    // Merged, their users must have different names.
    let own_user = |cluster: &Cluster| {
        let admin = Credentials::Certificate(cluster.admin().clone());
        cluster.kubeconfig_with(&format!("admin-{}", cluster.context()), &admin).expect("a kubeconfig")
    };
    let all = [own_user(&fixture.cluster), own_user(&broken), own_user(beta())];
    let all: Vec<&Path> = all.iter().map(PathBuf::as_path).collect();
    let both = format!("{good},{bad}");
    let ran = with_all(&fixture, &["sync", "--contexts", &both], &all);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(
        rows(&ran.stdout),
        [row(good, ["1", "1", "0", "0"], "refreshed"), row(bad, ["-", "-", "-", "-"], "failed")]
    );
    assert!(ran.stderr.starts_with(&format!("error: context \"{bad}\": ")), "{}", ran.stderr);
    assert!(ran.stderr.contains("\nhint: "), "{}", ran.stderr);
    assert_eq!(keys(&fixture).len(), 3);

    // Who is not on the mount is listed, and never added by itself.
    broken.restart_api_server().expect("it comes back");
    let ran = with_all(&fixture, &["sync", "--all-contexts"], &all).ok();
    assert_eq!(
        rows(&ran.stdout),
        [
            row(good, ["2", "0", "0", "0"], "unchanged"),
            row(bad, ["1", "0", "0", "0"], "unchanged"),
            row(stranger, ["-", "-", "-", "-"], "not enrolled"),
        ]
    );
    assert_eq!(
        ran.stderr,
        format!(
            "- context \"{stranger}\" is not on auth mount \"jwt/\"; to put it there: kubectl vaultjwt setup --context {stranger} --mount jwt\n"
        )
    );
    // Named, it is an error.
    let ran = with_all(&fixture, &["sync", "--context", stranger], &all);
    let uid = beta().uid().expect("a UID");
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (
            1,
            format!(
                "error: context \"{stranger}\": auth mount \"jwt/\" cannot take its keys: it holds no key of https://beta.svc (cluster {uid})\n\
                 hint: put the cluster on the mount with 'kubectl vaultjwt setup', or with --enroll\n"
            )
            .as_str()
        )
    );
    // Enrolling it is checked as in setup.
    let ran = with_all(&fixture, &["sync", "--all-contexts", "--enroll"], &all);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("it serves others already: keys of https://"), "{}", ran.stderr);
    assert_eq!(keys(&fixture).len(), 3);
    let ran = with_all(&fixture, &["sync", "--all-contexts", "--enroll", "--same-trust-domain"], &all).ok();
    assert_eq!(rows(&ran.stdout)[2], row(stranger, ["0", "1", "0", "0"], "enrolled"));
    assert_eq!(keys(&fixture).len(), 4);
});

each_product!(one_change_however_many_clusters, |product| {
    let many = FakeApiServers::start(20, FakeApiServersOptions::default()).expect("clusters start");
    let fixture = Fixture::with(Owned::Shared(alpha()), VaultOptions::new(product));
    fixture.write("sys/auth/jwt", json!({"type": "jwt"}));
    let sync = |words: &[&str]| {
        let words = [&["vaultjwt", "sync", "--all-contexts"], words].concat();
        run(fixture.kubectl(&words).env("KUBECONFIG", many.kubeconfig())).ok()
    };
    sync(&["--enroll", "--same-trust-domain"]);
    for number in 0..20 {
        many.rotate(number).expect("a cluster rotates");
    }
    let seen = fixture.seen();
    let done = sync(&["-o", "json"]);
    // A first look, then the protocol: read, write, look again, write for the logins.
    let (read, write) = ("read auth/jwt/config", "update auth/jwt/config");
    assert_eq!(fixture.requests_since(seen), [read, read, write, read, write]);
    assert_eq!(keys(&fixture).len(), 40);
    assert!(many.most_at_once() <= 16, "{}", many.most_at_once());
    let report: Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!(report["clusters"].as_array().map(Vec::len), Some(20));
    assert_eq!(report["clusters"][3]["context"], json!("c3"));
    assert_eq!(report["clusters"][3]["owner"]["issuer"], json!(many.issuer(3)));
    assert_eq!(report["clusters"][3]["outcome"], json!("changed"));
    assert_eq!(report["config"]["before"]["jwt_validation_pubkeys"].as_array().map(Vec::len), Some(20));
    assert_eq!(report["config"]["after"]["jwt_validation_pubkeys"], json!(keys(&fixture)));
    let yaml = sync(&["-o", "yaml"]).stdout;
    assert!(yaml.contains("outcome: unchanged\n"), "{yaml}");
});

each_product!(a_mount_that_is_not_there, |product| {
    let fixture = Fixture::with(Owned::Shared(alpha()), VaultOptions::new(product));
    let told = "error: there is no auth mount \"k8s/\"\nhint: see what is mounted: vault auth list\n";
    for flags in [&["--mount", "k8s"][..], &["--mount", "k8s", "--dry-run=client"], &["--mount", "k8s", "--rewrite"]] {
        vaultjwt(&fixture, &[&["sync"], flags].concat()).failed(1, told);
    }
});

each_product!(diff_has_the_exit_codes_of_kubectl, |product| {
    let fixture = Fixture::with(Owned::Shared(alpha()), VaultOptions::new(product));
    // Nothing is there: everything would be new.
    let ran = vaultjwt(&fixture, &[&["diff"][..], &ROLE].concat());
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for part in [
        "--- sys/auth/jwt (in Vault)\n+++ sys/auth/jwt (planned)\n@@ -0,0 +1 @@\n+type: jwt\n",
        "+++ auth/jwt/role/app (planned)\n",
        "+token_policies: [\"app-read\"]\n",
    ] {
        assert!(ran.stdout.contains(part), "{part}\n{}", ran.stdout);
    }
    fixture.setup(&ROLE).ok();
    assert_eq!(vaultjwt(&fixture, &[&["diff"][..], &ROLE].concat()).ok().stdout, "");
    let before = fixture.mount_state();
    let ran = vaultjwt(&fixture, &[&["diff"][..], &ROLE, &["--ttl", "10m"]].concat());
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.starts_with("--- auth/jwt/role/app (in Vault)\n"), "{}", ran.stdout);
    let changed: Vec<&str> = ran
        .stdout
        .lines()
        .filter(|l| !l.starts_with("---") && !l.starts_with("+++"))
        .filter(|l| l.starts_with(['-', '+']))
        .collect();
    assert_eq!(changed, ["-token_ttl: 3600", "+token_ttl: 600"]);
    assert_eq!(fixture.mount_state(), before);
    let ran = vaultjwt(&fixture, &[&["diff"], &of(beta())[..]].concat());
    assert_eq!((ran.code, ran.stdout.as_str()), (3, ""));
    assert!(ran.stderr.contains("it serves others already"), "{}", ran.stderr);
});

/// Wrong calls that clap cannot tell.
#[test]
fn several_contexts_are_not_one_cluster() {
    let fixture = Fixture::with(Owned::Shared(alpha()), VaultOptions::new(Product::OpenBao));
    for (flags, error) in [
        (
            ["--all-contexts", "--server", "https://one"],
            "flags that choose one server, its certificate or one user would hold for every context",
        ),
        (
            ["--all-contexts", "--cluster-uid", "u"],
            "--issuer and --cluster-uid are about one cluster, not about several contexts",
        ),
    ] {
        let ran = vaultjwt(&fixture, &[&["sync"][..], &flags].concat());
        ran.failed(2, &format!("error: {error}\nhint: see: kubectl vaultjwt sync --help\n"));
    }
}
