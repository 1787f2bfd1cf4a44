//! The manifests in the documents and in the output of `setup`. Every container that runs one of
//! the programs survives an outage of Vault, and its status shows why it failed.

mod outage;

use harness::{tools::typed, workspace};
use kubectl_vaultjwt::render::pod_manifest::{self, Values};
use serde_json::{Value, json};
use shared::duration;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// The programs that run in containers.
const LOGIN: &str = "vault-jwt-login";
const WATCHER: &str = "kubectl-vaultjwt";

/// A manifest, or a part of one.
struct Manifest {
    /// Where it was found.
    place: String,
    value: Value,
}

/// Reads YAML, of any number of documents.
fn read(place: &str, yaml: &str) -> Vec<Manifest> {
    let values: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap_or_else(|e| panic!("{place}: {e}"));
    values.into_iter().map(|value| Manifest { place: place.to_owned(), value }).collect()
}

/// The manifests in a document, in its order.
fn of_document(path: &str) -> Vec<Manifest> {
    let text = fs::read_to_string(workspace::root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let blocks = typed::blocks(&text).into_iter().filter(|block| ["yaml", "yml"].contains(&block.language.as_str()));
    blocks.flat_map(|block| read(&format!("{path}:{}", block.line), &block.text)).collect()
}

/// The README and everything in `docs`.
fn documents() -> Vec<String> {
    let names = fs::read_dir(workspace::root().join("docs")).expect("the folder docs").flatten();
    let names = names.map(|entry| PathBuf::from("docs").join(entry.file_name()).display().to_string());
    let mut documents: Vec<String> = names.filter(|name| name.ends_with(".md")).collect();
    documents.sort();
    documents.insert(0, "README.md".to_owned());
    documents
}

/// What `setup` prints for these values.
fn printed() -> String {
    pod_manifest::manifest(&Values {
        address: "https://vault.example.com:8200",
        mount: "k8s/prod",
        vault_namespace: Some("team/a"),
        role: "app",
        audience: "vault",
        namespace: "shop",
        name: "app",
    })
}

/// The strings of a list.
fn words(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The program of ours that a container runs, by its image or its command.
fn program(container: &Value) -> Option<&'static str> {
    let image = container["image"].as_str().unwrap_or_default();
    let command = words(&container["command"]);
    let names = [image.split(':').next(), command.first().copied()];
    let names = names.map(|path| path.unwrap_or_default().rsplit('/').next().unwrap_or_default());
    [LOGIN, WATCHER].into_iter().find(|program| names.contains(program))
}

/// The containers that run a program of ours, at any depth.
fn containers(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(_) if program(value).is_some() => vec![value],
        // A probe's command runs in a container, and is none.
        Value::Object(fields) => {
            fields.iter().filter(|(name, _)| *name != "exec").flat_map(|(_, value)| containers(value)).collect()
        }
        Value::Array(values) => values.iter().flat_map(containers).collect(),
        _ => Vec::new(),
    }
}

/// A setting of the login, by its flag or its variable, as the program reads them.
fn setting(container: &Value, flag: &str, variable: &str) -> Option<String> {
    let typed = [words(&container["command"]), words(&container["args"])].concat();
    let own: Vec<&str> = typed.into_iter().take_while(|word| *word != "--").collect();
    let beside = own.windows(2).rev().find(|pair| pair[0] == flag).map(|pair| pair[1]);
    let within = own.iter().rev().find_map(|word| word.strip_prefix(flag)?.strip_prefix('='));
    let environment = |name: &str| {
        let all = container["env"].as_array().into_iter().flatten();
        all.filter(|one| one["name"] == name).find_map(|one| one["value"].as_str())
    };
    let set = beside.or(within);
    set.or_else(|| environment(&format!("BAO_{variable}")))
        .or_else(|| environment(&format!("VAULT_{variable}")))
        .map(str::to_owned)
}

/// What is wrong with a container.
fn wrong(container: &Value) -> Option<String> {
    let policy = &container["terminationMessagePolicy"];
    if policy != "FallbackToLogsOnError" {
        return Some(format!("terminationMessagePolicy is {policy}: kubectl describe does not show why it failed"));
    }
    let probe = container.get("startupProbe").filter(|_| program(container) == Some(LOGIN))?;
    let timeout = setting(container, "--timeout", "LOGIN_TIMEOUT");
    let timeout =
        timeout.map_or(Duration::from_secs(120), |typed| duration::parse(&typed).unwrap_or_else(|e| panic!("{e}")));
    // The defaults are those of the API.
    let field = |name: &str, default| probe[name].as_u64().unwrap_or(default);
    let patience = Duration::from_secs(field("periodSeconds", 10) * field("failureThreshold", 3));
    (patience <= timeout)
        .then(|| format!("the startupProbe ends it after {patience:?}, and the login may take {timeout:?}"))
}

#[test]
fn of_documents_and_setup_outlast_an_outage() {
    let mut all: Vec<Manifest> = documents().iter().flat_map(|path| of_document(path)).collect();
    all.extend(read("setup", &printed()));
    let mut found = Vec::new();
    for Manifest { place, value } in &all {
        for container in containers(value) {
            assert_eq!(wrong(container), None, "{place}: {container:#}");
            found.push((place.split(':').next().unwrap_or_default(), program(container)));
        }
    }
    // Each place that has manifests: a pod, a command and a sidecar in the README.
    for (place, program, count) in [("README.md", LOGIN, 3), ("docs/watching.md", WATCHER, 1), ("setup", LOGIN, 1)] {
        let there = found.iter().filter(|one| **one == (place, Some(program))).count();
        assert!(there >= count, "{place}: {there} containers run {program}");
    }
}

/// What is wrong with a container that has these fields, too.
fn wrong_with(fields: Value) -> Option<String> {
    let mut container = json!({
        "image": "registry.example.com/vault-jwt-login:1.0.0",
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "startupProbe": {"exec": {"command": ["/vault-jwt-login", "check"]}, "periodSeconds": 1, "failureThreshold": 121},
    });
    for (name, value) in fields.as_object().expect("fields") {
        container[name] = value.clone();
    }
    let pod = json!({"spec": {"initContainers": [{"image": "other:1"}, container]}});
    let found = containers(&pod);
    assert_eq!(found, [&container]);
    wrong(found[0])
}

#[test]
fn a_container_that_does_not_is_found() {
    let probe = |seconds: u64, failures: u64| json!({"periodSeconds": seconds, "failureThreshold": failures});
    for fields in [
        json!({}),
        json!({"startupProbe": probe(2, 61)}),
        json!({"image": "other:1", "command": ["/vault-jwt-login", "--timeout", "20s", "--", "server", "--timeout", "1h"],
            "startupProbe": {}}),
        json!({"args": ["--timeout=20s"], "startupProbe": {}}),
        json!({"env": [{"name": "VAULT_LOGIN_TIMEOUT", "value": "5m"}], "startupProbe": probe(1, 301)}),
        json!({"env": [{"name": "VAULT_LOGIN_TIMEOUT", "value": "5m"}], "args": ["--timeout", "1m"]}),
    ] {
        assert_eq!(wrong_with(fields.clone()), None, "{fields}");
    }
    for (fields, part) in [
        (json!({"terminationMessagePolicy": null}), "terminationMessagePolicy is null"),
        (json!({"terminationMessagePolicy": "File"}), "terminationMessagePolicy is \"File\""),
        (json!({"startupProbe": {"periodSeconds": 1}}), "after 3s, and the login may take 120s"),
        (json!({"startupProbe": {}}), "after 30s, and the login may take 120s"),
        (json!({"startupProbe": probe(1, 120)}), "after 120s, and the login may take 120s"),
        (json!({"args": ["--timeout", "5m"]}), "after 121s, and the login may take 300s"),
        (json!({"args": ["--timeout=5m"]}), "after 121s, and the login may take 300s"),
        (json!({"env": [{"name": "BAO_LOGIN_TIMEOUT", "value": "3m"}]}), "after 121s, and the login may take 180s"),
    ] {
        let said = wrong_with(fields.clone()).unwrap_or_default();
        assert!(said.contains(part), "{fields}: {said:?}");
    }
}
