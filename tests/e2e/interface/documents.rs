//! Runs the commands of the documents on real servers and compares the output with what the
//! documents show. `UPDATE_TEXTS=1` rewrites the outputs and the README's picture.

use crate::support::documented_setup::{DocumentedSetup, Story};
use harness::server::Product;
use harness::tools::typed::{self, Typed};
use harness::{each_product, tools::svg, workspace};
use std::fs;
use std::path::{Path, PathBuf};

/// Tested elsewhere: `cargo` by its aliases (`tests/tests/documents.rs`) and CI,
/// Krew by its own tests.
const ELSEWHERE: [&str; 2] = ["cargo ", "kubectl krew "];

/// Documents, in the order in which they are read.
const DOCUMENTS: [&str; 4] = ["README.md", "docs/watching.md", "docs/clouds.md", "docs/releasing.md"];

fn update() -> bool {
    std::env::var_os("UPDATE_TEXTS").is_some()
}

/// Times and ages, which are others each time, at their own width.
fn same_times(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let line = match line.split_once(' ') {
            Some((time, rest)) if time.len() == 20 && time.ends_with('Z') => format!("2026-11-25T08:00:00Z {rest}"),
            _ => line.to_owned(),
        };
        let mut words = Vec::new();
        for word in line.split(' ') {
            let seconds = word.strip_suffix('s').is_some_and(|n| n.len() <= 3 && n.parse::<u16>().is_ok());
            words.push(if seconds { format!("{:<1$}", "5s", word.len()) } else { word.to_owned() });
        }
        lines.push(words.join(" ").trim_end().to_owned());
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Types one command, and gives what the document should show of it.
fn now(world: &DocumentedSetup, typed: &Typed) -> String {
    let shown = same_times(&world.shown(&typed.command, false));
    if typed.command.contains("--watch") {
        // What changes while it runs is tested with rotations (`watch_rotation`).
        let rest: String = typed.output.lines().skip(1).map(|line| format!("{line}\n")).collect();
        return shown.lines().next().unwrap_or_default().to_owned() + "\n" + &rest;
    }
    shown
}

/// Types a document's commands, and compares what it shows.
fn try_out(world: &DocumentedSetup, path: &Path) -> usize {
    let document = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut new = document.clone();
    let mut count = 0;
    for block in typed::blocks(&document).into_iter().filter(|block| block.language == "console") {
        let commands = typed::console(&block.text);
        assert!(!commands.is_empty(), "{}:{}: no line begins with \"$ \"", path.display(), block.line);
        let mut text = String::new();
        for typed in commands {
            text.push_str(&format!("$ {}\n", typed.command));
            if ELSEWHERE.iter().any(|begin| typed.command.starts_with(begin)) {
                text.push_str(&typed.output);
                continue;
            }
            count += 1;
            let shown = now(world, &typed);
            // A cloud is not at hand; a unit test has what is printed there.
            let of_a_cloud = path.ends_with("docs/clouds.md");
            text.push_str(if typed.output.is_empty() || of_a_cloud { &typed.output } else { &shown });
        }
        new = new.replacen(&block.text, &text, 1);
    }
    match (update(), world.vault.product()) {
        (false, _) => assert_eq!(document, new, "{}", path.display()),
        (true, Product::OpenBao) => fs::write(path, &new).expect("the document is written"),
        // One of the two writes.
        (true, Product::Vault) => {}
    }
    count
}

/// The README's table has every command that the help has.
#[test]
fn the_readme_names_every_command() {
    let readme = fs::read_to_string(workspace::root().join("README.md")).expect("the README is read");
    for command in crate::interface::examples::commands() {
        assert!(readme.contains(&format!("\n| `{command}` |")), "{command}");
    }
}

each_product!(show_what_happens, |product| {
    let world = DocumentedSetup::start(product, Story::Documents);
    let root = workspace::root();
    let counts = DOCUMENTS.map(|name| try_out(&world, &root.join(name)));
    assert!(counts[0] >= 8, "{counts:?}");
});

/// The terminal that the README begins with.
const SESSION: [&str; 4] = [
    "kubectl vaultjwt setup --role app --service-account shop:app \\\n    --policy app-read > pod.yaml",
    "kubectl vaultjwt status",
    "kubectl vaultjwt sync   # the cluster has a new signing key",
    "kubectl vaultjwt status",
];

#[test]
fn the_picture_is_what_a_terminal_shows() {
    let world = DocumentedSetup::start(Product::OpenBao, Story::Rotation);
    let mut session = String::new();
    for command in SESSION {
        if !session.is_empty() {
            session.push('\n');
        }
        if command.contains("new signing key") {
            world.rotate();
        }
        session.push_str(&format!("$ {command}\n"));
        session.push_str(&same_times(&world.shown(command, true)));
    }
    let wide: Vec<&str> = session.lines().filter(|line| plain(line).chars().count() > 80).collect();
    assert_eq!(wide, Vec::<&str>::new(), "wider than a terminal");
    let picture = svg::terminal(&session);
    let path: PathBuf = workspace::root().join("docs/first-setup.svg");
    if update() {
        fs::write(&path, &picture).expect("the picture is written");
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), picture);
}

/// A line without its colours.
fn plain(line: &str) -> String {
    line.split("\u{1b}[")
        .enumerate()
        .map(|(n, piece)| if n == 0 { piece } else { piece.split_once('m').map_or(piece, |(_, words)| words) })
        .collect()
}
