//! Runs every example of every help text on real servers. The examples are read from the help
//! itself, so a new one is run too.

use crate::support::documented_setup::{DocumentedSetup, Story, ended_well};
use harness::artifacts;
use harness::process::{Scratch, clean_environment};
use harness::server::Product;
use harness::{each_product, tools::typed};
use std::fs;
use std::process::Command;

/// What `kubectl-vaultjwt <words> --help` says.
fn help(words: &[&str]) -> String {
    let home = Scratch::new("help").expect("a folder is made");
    let mut command = Command::new(artifacts::plugin().expect("the plugin is built"));
    clean_environment(&mut command, home.path(), &[]);
    let output = command.args(words).arg("--help").output().expect("the plugin runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The commands that the plugin's help lists.
pub fn commands() -> Vec<String> {
    let help = help(&[]);
    let listed = help.lines().take_while(|line| !line.starts_with("Usage:")).filter_map(|line| line.strip_prefix("  "));
    let names: Vec<String> = listed.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    names.into_iter().filter(|name| name != "help").collect()
}

/// The examples of all helps, those that set something up first.
fn all() -> Vec<String> {
    let commands = commands();
    assert!(commands.len() >= 7, "{commands:?}");
    let mut all = typed::examples(&help(&[]));
    for command in &commands {
        let examples = typed::examples(&help(&[command]));
        assert!(!examples.is_empty() || command == "version", "{command} has no examples");
        all.extend(examples);
    }
    all.sort_by_key(|example| !example.starts_with("kubectl vaultjwt setup"));
    all
}

each_product!(of_every_help_run, |product| {
    let world = DocumentedSetup::start(product, Story::Examples);
    // As Krew leaves it.
    fs::create_dir_all(world.folder.path().join(".krew/bin")).expect("a folder");
    let mut enrolled = false;
    for example in all() {
        assert!(example.contains("kubectl vaultjwt "), "{example}");
        // HashiCorp Vault has namespaces in its enterprise edition.
        if product == Product::Vault && example.contains("--vault-namespace") {
            continue;
        }
        if !example.starts_with("kubectl vaultjwt setup") {
            // What an example has removed is there for the next one.
            if !enrolled || example.contains(" remove ") {
                world.enrol();
            }
            enrolled = !example.contains(" remove ");
        }
        ended_well(&example, &world.run(&example));
    }
});
