//! Tokens that Vault granted and that cannot be stored, passed on or revoked: how many stay valid,
//! and which messages say so.

use crate::support::fixture::{Fixture, Owned, Ran, run};
use crate::support::live_tokens::Pod;
use harness::NEVER_FLAKY;
use harness::each_product;
use harness::process::say;
use harness::server::{DelayingProxy, InterceptingProxy, Point, VaultOptions, shared_cluster};
use serde_json::{Value, json};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// The only accessor of a living token, which is the one of the info file.
#[track_caller]
fn only_accessor(pod: &Pod) -> String {
    let living = pod.living();
    let info: Value = serde_json::from_slice(&fs::read(&pod.info).expect("the info file")).expect("JSON");
    assert_eq!(living, [info["accessor"].as_str().expect("an accessor")], "{NEVER_FLAKY}");
    living.into_iter().next().unwrap_or_default()
}

/// `--watch --revoke-on-exit` until it has said this, then SIGTERM; how long the end took.
fn watched(pod: &Pod, words: &[&str], address: Option<&str>, until: &str) -> (Duration, Ran) {
    let log = pod.fixture.folder.path().join("log");
    let mut command = pod.command(&[&["--watch", "--revoke-on-exit"], words].concat());
    command.envs(address.map(|address| ("VAULT_ADDR", address)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).expect("a log"));
    let mut child = command.spawn().expect("it starts");
    let (start, said) = (Instant::now(), || fs::read_to_string(&log).expect("its log"));
    while !said().contains(until) {
        assert!(start.elapsed() < Duration::from_secs(60), "not {until:?}: {}", said());
        std::thread::sleep(Duration::from_millis(20));
    }
    let start = Instant::now();
    signal(&child, "TERM");
    let status = child.wait().expect("it ends");
    (start.elapsed(), Ran { code: status.code().unwrap_or(-1), stdout: String::new(), stderr: said() })
}

each_product!(a_token_that_may_not_revoke_itself_is_named_and_kept, |product| {
    let pod = Pod::new(product, json!({"token_no_default_policy": true}));
    let (info, address) = (pod.info_flag(), pod.fixture.vault.address().to_owned());
    run(&mut pod.command(&["-q", &info])).ok();
    let accessor = only_accessor(&pod);
    let hint = |accessor: &str| {
        format!(
            "hint: run: vault token revoke -accessor {accessor}; to allow it from the pod, grant \"update\" on \
             auth/token/revoke-self with a policy of the role\n"
        )
    };
    let denied = format!(
        "Vault at \"{address}\" did not revoke the token (status 403): 1 error occurred: * permission denied; the token"
    );
    let unknown = format!("error: {denied} may still be valid (accessor \"{accessor}\")\n{}", hint(&accessor));
    run(&mut pod.command(&["revoke", &info])).failed(77, &unknown);
    assert_eq!((pod.living(), pod.files()), (vec![accessor], vec!["info".into(), "token".into()]), "{NEVER_FLAKY}");

    // As a sidecar: its files are kept, and the next start reuses nothing it may not look at.
    let (_, ran) = watched(&pod, &[&info], None, "logged in to ");
    let second = serde_json::from_slice::<Value>(&fs::read(&pod.info).expect("info")).expect("JSON");
    let second = second["accessor"].as_str().expect("an accessor");
    let told = format!("error: {denied} may still be valid (accessor \"{second}\")\n{}", hint(second));
    assert!(ran.code == 77 && ran.stderr.ends_with(&told), "{}", ran.stderr);
    assert_eq!(pod.living().len(), 2, "{NEVER_FLAKY}");
    pod.fixture.write("auth/token/revoke-accessor", json!({"accessor": second}));

    // It may look itself up: Vault says how long it lives, and what its accessor is.
    let policy = "path \"auth/token/lookup-self\" { capabilities = [\"read\"] }";
    pod.fixture.vault.write_policy("look", policy).expect("a policy");
    pod.change_role(json!({"token_policies": ["look"], "token_ttl": 3600}));
    run(&mut pod.command(&["-q"])).ok();
    let accessor = pod.looked_up(&pod.content())["accessor"].as_str().expect("an accessor").to_owned();
    let ran = run(&mut pod.command(&["revoke"]));
    assert_eq!(ran.code, 77);
    let told = ran.stderr.strip_prefix(&format!("error: {denied} is still valid for ")).expect(&ran.stderr);
    let (left, told) = told.split_once(" (").expect("a TTL");
    assert!(left == "1h" || left.starts_with("59m") || left.starts_with("58m"), "{left}");
    assert_eq!(told, format!("accessor \"{accessor}\")\n{}", hint(&accessor)));
    assert!(!pod.looked_up(&pod.content()).is_null(), "{NEVER_FLAKY}");
});

each_product!(a_token_without_anything_to_revoke, |product| {
    let pod = Pod::new(product, json!({"token_type": "batch"}));
    let (info, place) = (pod.info_flag(), pod.token.display().to_string());
    run(&mut pod.command(&["-q", &info])).ok();
    let said = run(&mut pod.command(&["revoke", &info])).ok().stderr;
    assert_eq!(
        said,
        format!("the Vault token is a batch token, which expires and cannot be revoked; removed \"{place}\"\n")
    );
    assert_eq!(pod.files(), Vec::<String>::new());
    let (_, ran) = watched(&pod, &[&info], None, "logged in to ");
    assert_eq!((ran.code, pod.files().len()), (0, 0), "{}", ran.stderr);

    // One that was revoked before. OpenBao does not tell it from one that is used from a foreign
    // address, so what the info file says of its TTL would count.
    pod.change_role(json!({"token_type": "default"}));
    run(&mut pod.command(&["-q"])).ok();
    pod.fixture.write("auth/token/revoke", json!({"token": pod.content()}));
    let said = run(&mut pod.command(&["revoke"])).ok().stderr;
    assert_eq!(said, format!("the Vault token had expired or been revoked; removed \"{place}\"\n"));
    assert_eq!((pod.files().len(), pod.living().len()), (0, 0), "{NEVER_FLAKY}");
});

each_product!(revoke_on_exit_over_a_slow_network, |product| {
    let pod = Pod::new(product, json!({}));
    let port = pod.fixture.vault.address().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    // Each response is 450 ms late: that of the handshake, and that of the request.
    let proxy = DelayingProxy::start(port, 450..=450).expect("a proxy");
    let address = format!("https://127.0.0.1:{}", proxy.port());
    let (took, ran) = watched(&pod, &[], Some(&address), "logged in to ");
    assert!(ran.code == 0 && ran.stderr.ends_with("ended by SIGTERM: the Vault token is revoked\n"), "{}", ran.stderr);
    assert!(took < Duration::from_secs(9), "{took:?}");
    assert_eq!((pod.living().len(), pod.files().len()), (0, 0), "{NEVER_FLAKY}");
});

/// Whether this machine lets a test mount something: CI does.
fn can_mount() -> bool {
    let can = Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|status| status.success());
    assert!(can || std::env::var("CI").as_deref() != Ok("true"), "nothing can be mounted here");
    if !can {
        say("SKIPPED: nothing can be mounted here");
    }
    can
}

/// Runs the login in a mount namespace of its own, after `script`.
fn mounted(pod: &Pod, script: &str, words: &[&str]) -> Ran {
    let login = pod.command(words);
    let mut command = Command::new("unshare");
    let script = format!("set -e; {script}; exec \"$@\"");
    command.args(["--mount", "sh", "-c", &script, "sh"]).arg(login.get_program()).args(login.get_args());
    command.env_clear().envs(login.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(pod.token.parent().expect("a folder"));
    run(&mut command)
}

each_product!(a_file_that_cannot_be_replaced_is_found_before_the_login, |product| {
    if !can_mount() {
        return;
    }
    let pod = Pod::new(product, json!({}));
    let (before, place) = (pod.logins(), pod.token.display().to_string());
    // As the kubelet mounts a file of a volume with subPath.
    fs::write(&pod.token, "").expect("a file");
    let other = pod.fixture.folder.write("volume", "").expect("a file");
    let ran = mounted(&pod, &format!("mount --bind '{}' token", other.display()), &[]);
    ran.failed(
        73,
        &format!(
            "error: could not write the token file \"{place}\": it is a mount point, which cannot be replaced\n\
             hint: mount the volume at \"{}\", without subPath, or name another file with \
             --token-file or VAULT_TOKEN_FILE\n",
            pod.token.parent().expect("a folder").display()
        ),
    );

    // Another user's file in an emptyDir with fsGroup, which is sticky.
    let folder = pod.token.parent().expect("a folder");
    fs::set_permissions(pod.fixture.folder.path(), Permissions::from_mode(0o755)).expect("its mode");
    fs::set_permissions(&pod.jwt, Permissions::from_mode(0o644)).expect("its mode");
    fs::set_permissions(folder, Permissions::from_mode(0o1777)).expect("its mode");
    chown(&pod.token, Some(1_234), None).expect("its owner");
    let ran = run(pod.command(&[]).uid(65_532).gid(65_532));
    ran.failed(
        73,
        &format!(
            "error: could not write the token file \"{place}\": it belongs to user 1234, and its directory has \
             the sticky bit: only that user, the directory's owner, and root can replace it\n\
             hint: run all containers that write \"{place}\" as one user (securityContext.runAsUser: 1234), or name \
             another file with --token-file or VAULT_TOKEN_FILE\n"
        ),
    );
    assert_eq!((pod.logins() - before, pod.living().len()), (0, 0), "{NEVER_FLAKY}");
});

each_product!(a_full_volume_leaves_no_token, |product| {
    if !can_mount() {
        return;
    }
    // The info file lists the policies: here they need more than a page.
    let policies: Vec<String> = (0..200).map(|number| format!("policy-of-the-application-{number}")).collect();
    let pod = Pod::new(product, json!({"token_policies": policies}));
    let before = pod.logins();
    // One page is free, and one page is what the check writes.
    let tmpfs = "mkdir v; mount -t tmpfs -o size=4k tmpfs v";
    let ran = mounted(&pod, tmpfs, &["--info-file=v/info"]);
    let told = "\nrevoked the Vault token that could not be used\n\
                error: could not write the info file \"v/info\": no space left on device\n\
                hint: raise sizeLimit of the volume that the info file is on\n";
    assert!(ran.code == 73 && format!("\n{}", ran.stderr).ends_with(told), "{}", ran.stderr);
    assert_eq!((pod.logins() - before, pod.living().len()), (1, 0), "{NEVER_FLAKY}");
    assert_eq!(pod.content(), "", "{NEVER_FLAKY}: no token that was revoked");
    // Both files on one volume that has room for one.
    let before = pod.logins();
    let ran = mounted(&pod, "mount -t tmpfs -o size=4k tmpfs v", &["--info-file=v/info", "--token-file=v/token"]);
    assert_eq!(ran.code, 73, "{}", ran.stderr);
    assert_eq!((pod.logins() - before, pod.living().len()), (0, 0), "{NEVER_FLAKY}");
});

each_product!(a_command_that_does_not_run_leaves_no_token, |product| {
    let pod = Pod::new(product, json!({}));
    let script = pod.fixture.folder.write("script", "echo no interpreter is named\n").expect("a script");
    fs::set_permissions(&script, Permissions::from_mode(0o755)).expect("its mode");
    let script = script.to_str().expect("a path");
    let file = format!("--token-file={}", pod.token.display());
    for words in [&[&file, "--", script][..], &[&file, "--renew", "--", script], &["--renew", "--", script]] {
        let ran = run(pod.command(words).env_remove("VAULT_TOKEN_FILE"));
        let told = format!("error: could not run \"{script}\": exec format error\n");
        assert!(ran.code == 126 && ran.stderr.contains(&told), "{words:?}: {}", ran.stderr);
        assert_eq!((pod.living().len(), pod.files().len()), (0, 0), "{NEVER_FLAKY}: {words:?}");
    }
});

/// Puts the token of a new login where a killed run would have left it, an hour ago.
fn leave_behind(pod: &Pod, name: &str, mode: u32) -> String {
    run(&mut pod.command(&["-q"])).ok();
    let (token, left) = (pod.content(), pod.token.with_file_name(name));
    fs::rename(&pod.token, &left).expect("it is renamed");
    fs::set_permissions(&left, Permissions::from_mode(mode)).expect("its mode");
    let hour_ago = SystemTime::now() - Duration::from_secs(3_600);
    File::open(&left).expect("it opens").set_modified(hour_ago).expect("its time");
    token
}

each_product!(a_token_in_a_temporary_file_is_revoked_before_the_file_is_removed, |product| {
    let pod = Pod::new(product, json!({"token_no_default_policy": true}));
    let name = ".token.0123456789abcdef.tmp";
    let path = Path::new(&pod.token).with_file_name(name);
    // It may not revoke itself: the file stays, and says where the token is.
    let kept = leave_behind(&pod, name, 0o600);
    let said = run(&mut pod.command(&[])).ok().stderr;
    assert!(said.contains(&format!("; the file \"{}\" of an interrupted run is kept\n", path.display())), "{said}");
    assert_eq!(pod.files(), [name, "token"], "{NEVER_FLAKY}");
    assert!(!pod.looked_up(&kept).is_null());
    fs::remove_file(&path).expect("it was there");

    pod.change_role(json!({"token_no_default_policy": false}));
    let left = leave_behind(&pod, name, 0o600);
    let said = run(&mut pod.command(&[])).ok().stderr;
    let told = format!("\nrevoked the Vault token in \"{}\", which an interrupted run left behind\n", path.display());
    assert!(said.ends_with(&told), "{said}");
    assert!(pod.looked_up(&left).is_null(), "{NEVER_FLAKY}");
    assert!(!pod.looked_up(&pod.content()).is_null(), "{NEVER_FLAKY}");
    assert_eq!(pod.files(), ["token"]);

    // A second old: the kubelet restarts a container at once.
    let left = leave_behind(&pod, name, 0o600);
    File::open(&path).expect("it opens").set_modified(SystemTime::now()).expect("its time");
    run(&mut pod.command(&["-q"])).ok();
    assert!(pod.looked_up(&left).is_null(), "{NEVER_FLAKY}");
    assert_eq!(pod.files(), ["token"]);

    // Another process is still writing this one.
    let writing = leave_behind(&pod, name, 0o600);
    let held = File::open(&path).expect("it opens");
    held.set_modified(SystemTime::now()).expect("its time");
    held.lock().expect("a lock");
    run(&mut pod.command(&["-q"])).ok();
    assert!(!pod.looked_up(&writing).is_null(), "{NEVER_FLAKY}");
    assert_eq!(pod.files(), [name, "token"]);
    drop(held);
    fs::remove_file(&path).expect("it was there");

    // Others may have put these there: they are not ours to revoke.
    let planted = leave_behind(&pod, name, 0o622);
    run(&mut pod.command(&["-q"])).ok();
    assert!(!pod.looked_up(&planted).is_null(), "{NEVER_FLAKY}");
    assert_eq!(pod.files(), ["token"]);
    let linked = leave_behind(&pod, name, 0o600);
    fs::hard_link(&path, pod.fixture.folder.path().join("link")).expect("a link");
    run(&mut pod.command(&["-q"])).ok();
    assert!(!pod.looked_up(&linked).is_null(), "{NEVER_FLAKY}");
});

/// Sends a signal to a process of this test.
fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

each_product!(a_signal_while_a_login_is_on_its_way, |product| {
    let cluster = Owned::Shared(shared_cluster().expect("the shared cluster starts"));
    let pod = Pod::of(Fixture::with(cluster, VaultOptions { tls: false, ..VaultOptions::new(product) }), json!({}));
    let port = pod.fixture.vault.address().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let proxy = InterceptingProxy::start(port).expect("a proxy");
    for words in [&["-q"][..], &["--watch"], &["--renew", "--", "sleep", "100"]] {
        let gate = proxy.hold(Point::BeforeAnswer, "POST", "auth/jwt/login", 1);
        let mut command = pod.command(words);
        command.env("VAULT_ADDR", proxy.address()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().expect("it starts");
        assert!(gate.wait(Duration::from_secs(30)), "no login");
        assert_eq!(pod.living().len(), 1, "Vault has granted it");
        signal(&child, "TERM");
        std::thread::sleep(Duration::from_millis(300));
        gate.release();
        let ran = Ran::from(child.wait_with_output().expect("it ends"));
        let told = "error: ended by SIGTERM before the Vault token was stored\n";
        assert_eq!((ran.code, ran.stderr.as_str()), (143, told), "{words:?}");
        assert_eq!((pod.living().len(), pod.files().len()), (0, 0), "{NEVER_FLAKY}: {words:?}");
    }
});

each_product!(a_signal_at_the_start_of_a_command_leaves_none_behind, |product| {
    let pod = Pod::new(product, json!({}));
    let seen = pod.fixture.folder.path().join("seen");
    for milliseconds in 0..40 {
        let script = format!("echo $$ >'{}'; exec sleep 100", seen.display());
        let mut command = pod.command(&["-q", "--renew", "--revoke-on-exit", "--", "sh", "-c", &script]);
        command.env_remove("VAULT_TOKEN_FILE").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(milliseconds));
        signal(&child, "TERM");
        let ran = Ran::from(child.wait_with_output().expect("it ends"));
        assert_eq!(ran.code, 143, "{}", ran.stderr);
        let left = fs::read_to_string(&seen).unwrap_or_default();
        let left = Path::new("/proc").join(left.trim());
        assert!(left == Path::new("/proc") || !left.exists(), "{NEVER_FLAKY}: a command without a parent");
        let _ = fs::remove_file(&seen);
    }
    assert_eq!(pod.living().len(), 0, "{NEVER_FLAKY}");
});
