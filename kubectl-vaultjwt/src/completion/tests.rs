//! What is answered without a cluster and without Vault.

use super::candidate;
use super::*;
use clap::Parser as _;
use proptest::prelude::*;

fn answered(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let (candidates, directive) = complete(&words);
    candidate::text(&candidates, true, directive)
}

/// The candidates alone, and the directive.
fn values(words: &[&str]) -> Vec<String> {
    answered(words).lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn commands_with_what_they_do() {
    let all = answered(&[""]);
    assert!(all.contains("\nsync\tRefresh the keys of enrolled clusters on a JWT auth mount\n"), "{all}");
    assert!(all.ends_with("\n:4\n") && !all.contains("__complete"), "{all}");
    assert_eq!(values(&["se"]), ["setup", ":4"]);
    assert_eq!(values(&["-v=6", "se"]), ["setup", ":4"]);
    assert_eq!(values(&["-v", "6", "se"]), ["setup", ":4"]);
    assert_eq!(values(&["help", "se"]), ["setup", ":4"]);
    assert_eq!(values(&["nonsense", ""]), [":4"]);
    assert_eq!(values(&[]), values(&[""]));
}

#[test]
fn flags_with_what_they_do() {
    assert_eq!(answered(&["status", "--mou"]), "--mount\tPath of the auth mount\n:4\n");
    assert_eq!(values(&["setup", "--contex"]), ["--context", ":4"]);
    // Once only, unless it is repeatable.
    assert_eq!(values(&["setup", "--context", "a", "--contex"]), [":4"]);
    assert_eq!(values(&["setup", "--policy", "a", "--polic"]), ["--policy", ":4"]);
    let short = values(&["status", "-"]);
    assert!(
        ["-o", "--output", "-v", "--v", "-h", "--help"].iter().all(|flag| short.iter().any(|one| one == flag)),
        "{short:?}"
    );
    assert!(!values(&["status", "--"]).iter().any(|one| one == "-o"));
    assert_eq!(values(&["status", "--", "--mou"]), [":4"]);
    // A flag of another command.
    assert_eq!(values(&["status", "--grac"]), [":4"]);
}

#[test]
fn fixed_values_and_files() {
    for (words, expected) in [
        (&["status", "-o", ""][..], &["table", "wide", "json", "yaml", "name", ":4"][..]),
        (&["status", "--output", "j"], &["json", ":4"]),
        (&["status", "--output=j"], &["json", ":4"]),
        (&["status", "-o=j"], &["json", ":4"]),
        (&["setup", "-o", ""], &["json", "commands", ":4"]),
        (&["setup", "--dry-run="], &["none", "client", ":4"]),
        (&["setup", "--dry-run", "c"], &["client", ":4"]),
        (&["setup", "--dry-run", "--verif"], &["--verify", ":4"]),
        (&["setup", "--verify", ""], &["login", "none", ":4"]),
        (&["setup", "--keys="], &["static", "jwks-url", "oidc-discovery", "jwks-pairs", ":4"]),
        (&["setup", "--cloud", ""], &["eks", "aks", "gke", "generic", ":4"]),
        (&["sync", "--log-format", ""], &["text", "json", ":4"]),
        (&["setup", "--vault-skip-verify="], &["true", "false", ":4"]),
        // Its value comes after an equals sign alone.
        (&["setup", "--vault-skip-verify", "t"], &[":4"]),
        // Refused by every command, so it is not offered.
        (&["setup", "--insecure"], &[":4"]),
        (&["completion", ""], &["kubectl", "bash", "zsh", "fish", "powershell", ":4"]),
        (&["completion", "bash", ""], &[":4"]),
        (&["setup", "--kubeconfig", ""], &[":0"]),
        (&["setup", "--kubeconfig=/et"], &[":0"]),
        (&["setup", "--vault-ca-path", ""], &[":16"]),
        (&["setup", "--ttl", ""], &[":4"]),
        (&["setup", "--nonsense", "--kubeconfig", ""], &[":0"]),
        (&["setup", "--nonsense="], &[":4"]),
        (&["setup", "--replace-role="], &[":4"]),
    ] {
        assert_eq!(values(words), expected, "{words:?}");
    }
}

/// What help says a flag takes is what is offered.
#[test]
fn every_list_in_a_help_is_offered() {
    let mut root = Cli::command();
    root.build();
    let mut checked = 0;
    for command in root.get_subcommands() {
        for arg in command.get_arguments() {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let Some((_, list)) = help.split_once("One of: (") else { continue };
            let list: Vec<_> = list.split(')').next().unwrap_or_default().split(", ").collect();
            let flag = arg.get_long().map(|long| format!("--{long}=")).unwrap_or_default();
            let mut offered = values(&[command.get_name(), &flag]);
            assert_eq!(offered.pop().as_deref(), Some(":4"));
            assert_eq!(offered, list, "{} {flag}", command.get_name());
            checked += 1;
        }
    }
    assert!(checked >= 8, "{checked}");
}

#[test]
fn only_the_hidden_commands_are_taken_for_a_question() {
    let asked = |words: &[&str]| asked(words.iter().map(OsString::from));
    assert!(asked(&["kubectl-vaultjwt"]).is_none());
    assert!(asked(&["kubectl-vaultjwt", "setup", "__complete"]).is_none());
    let request = asked(&["kubectl-vaultjwt", "__complete", "--help", ""]).unwrap();
    assert_eq!((request.words, request.with_descriptions), (vec!["--help".to_owned(), String::new()], true));
    assert!(!asked(&["kubectl-vaultjwt", "__completeNoDesc"]).unwrap().with_descriptions);
    // clap does not know it: it is in no help, and no typing error is taken for it.
    assert!(Cli::try_parse_from(["kubectl-vaultjwt", "__complete"]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is typed, the answer has the protocol's form and ends with a directive.
    #[test]
    fn every_answer_is_well_formed(words in proptest::collection::vec(word(), 0..6)) {
        let (candidates, directive) = complete(&words);
        let text = candidate::text(&candidates, true, directive);
        let mut lines: Vec<_> = text.lines().collect();
        let last = lines.pop().unwrap();
        prop_assert!([":0", ":4", ":6", ":16"].contains(&last), "{text}");
        for line in lines {
            prop_assert!(!line.starts_with(':') && line.matches('\t').count() <= 1, "{line}");
            prop_assert!(!line.chars().any(|c| c.is_control() && c != '\t'), "{line}");
        }
    }
}

/// Words close to the command line's, without those that need a request.
fn word() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "setup",
        "sync",
        "status",
        "help",
        "completion",
        "--",
        "-",
        "-v",
        "-o",
        "-o=",
        "--output",
        "--output=",
        "--dry-run",
        "--verify",
        "-vo",
        "-hv",
        "--insecure-skip-tls-verify",
        "--grace",
        "--kubeconfig",
        "=",
        "--=",
        "-=",
        "é",
        "-é",
    ];
    prop_oneof![
        proptest::sample::select(KNOWN).prop_map(str::to_owned),
        "-{0,3}[a-z=:,\\PC]{0,6}".prop_map(|word| word.replace("role", "x")),
    ]
}
