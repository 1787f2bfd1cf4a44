//! Keys from a file or from the API server, and keys that a change ticket names.

use super::scene::{ISSUER, SharedMount, Web, cluster, entry, owners};
use crate::support::fixture::ROLE;
use harness::each_product;
use harness::keys::{Alg, SigningKey};
use harness::process::Scratch;
use harness::server::Cluster;
use serde_json::json;

/// The key set that a cluster publishes, and its keys as PEM, in files.
fn files(folder: &Scratch, a: &Cluster) -> [String; 2] {
    let jwks = a.kubectl_ok(&["get", "--raw", "/openid/v1/jwks"]).expect("a key set");
    let pem: String = a.signing_keys().iter().map(|key| key.public_pem().to_owned()).collect();
    let write = |name: &str, content: String| {
        let path = folder.write(name, content).expect("a file is written");
        format!("--keys-from=file:{}", path.display())
    };
    [write("jwks.json", jwks), write("sa.pub", pem)]
}

each_product!(keys_from_a_file, |product| {
    let folder = Scratch::new("keys").expect("a folder is made");
    for at in 0..2 {
        let a = cluster("https://place.svc");
        let (place, entries) = (SharedMount::new(product, None), [entry("a", &a)]);
        let file = &files(&folder, &a)[at];
        place.begins();
        place.enroll("a", &[file], &entries);
        place.lets_in(&a);
        place.unchanged(&["sync", "--context", "a"], &entries);
        // A file without the key that signs is refused.
        a.rotate(Alg::Rs256).expect("it rotates");
        let unverified = "none of the 1 keys of issuer \"https://place.svc\" verifies a token of this API server";
        place.refused(1, &["setup", "--context", "a", file], &entries, &[unverified]);
        let file = &files(&folder, &a)[at];
        place.types(&["setup", "--context", "a", file], &entries).ok();
        place.lets_in(&a);
        place.end(4);
    }
});

each_product!(what_a_file_must_not_be, |product| {
    let folder = Scratch::new("keys").expect("a folder is made");
    let a = cluster("https://place.svc");
    let (place, entries) = (SharedMount::new(product, None), [entry("a", &a)]);
    let key = a.signing_key();
    for (content, why) in [
        (key.private_pem(), "it has a private key (PEM block \""),
        ("", "it is neither a JWKS nor PEM"),
        ("{}", "it is not a JWKS: missing field `keys`"),
        ("{\"keys\":[]}", "it holds no key that Vault can verify with"),
    ] {
        let path = folder.write("keys", content).expect("a file is written");
        let file = format!("--keys-from=file:{}", path.display());
        let error = format!("error: could not read keys from file \"{}\": {why}", path.display());
        place.refused(1, &["setup", "--context", "a", &file], &entries, &[&error]);
    }
    let missing = folder.path().join("missing");
    for (path, why) in [(missing.as_path(), "No such file"), ("/dev/zero".as_ref(), "it is longer than 1048576 bytes")]
    {
        let file = format!("--keys-from=file:{}", path.display());
        place.refused(1, &["setup", "--context", "a", &file], &entries, &[why]);
    }
    let fetching = ["setup", "--context", "a", "--keys=jwks-url", "--keys-from=api-server"];
    place.refused(2, &fetching, &entries, &["use --keys=static"]);
    place.end(7);
});

each_product!(keys_from_the_api_server_though_the_url_answers, |product| {
    let (web, a) = (Web::start(), cluster(ISSUER));
    let (place, entries) = (SharedMount::new(product, Some(&web)), [entry("a", &a)]);
    web.site.add(ISSUER, &a);
    place.begins();
    place.enroll("a", &["--keys-from=api-server"], &entries);
    let by_uid = json!({"issuer": ISSUER, "uid": a.uid().expect("a UID")});
    assert!(owners(&place.scene.elements()).contains(&by_uid));
    assert_eq!(web.site.requests(), Vec::<String>::new());
    place.unchanged(&["sync", "--context", "a"], &entries);
    place.lets_in(&a);
    place.end(2);
});

each_product!(a_key_that_a_ticket_names, |product| {
    let a = cluster("https://place.svc");
    let (place, entries) = (SharedMount::new(product, None), [entry("a", &a)]);
    let other = SigningKey::generate(Alg::Rs256).expect("a key").kid();
    let key = a.signing_key().kid();
    let setup = [&["setup", "--context", "a", "--same-trust-domain"], &ROLE[..]].concat();
    let missing =
        format!("error: issuer \"https://place.svc\" does not publish the expected key {other}; nothing was changed");
    place.begins();
    for expected in [vec![&other], vec![&key, &other]] {
        let flags: Vec<String> = expected.into_iter().map(|key| format!("--expect-key={key}")).collect();
        let words: Vec<&str> = setup.iter().copied().chain(flags.iter().map(String::as_str)).collect();
        place.refused(1, &words, &entries, &[&missing, &format!("this cluster publishes {key}\n")]);
    }
    place.types(&[&setup[..], &["--expect-key", &key]].concat(), &entries).ok();
    place.lets_in(&a);
    // In hexadecimal, as sha256sum prints it; for a cluster that is enrolled too.
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&key).expect("base64url");
    let hexadecimal: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    place.unchanged(&["setup", "--context", "a", "--expect-key", &hexadecimal], &entries);
    place.refused(3, &["diff", "--context", "a", "--expect-key", &other], &entries, &[&missing]);
    place.end(5);
});
