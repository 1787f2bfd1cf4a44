//! Imports run only downward: which module of a program may import which, and that no two
//! files import each other, checked from the sources. docs/architecture.md has the drawing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use harness::workspace::root;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree, Visibility};

/// Each module with the modules that it may import; a module that is not listed here fails.
type Table = &'static [(&'static str, &'static [&'static str])];

const PLUGIN: Table = &[
    ("main", &["run", "completion", "render", "cli"]),
    (
        "run",
        &[
            "completion",
            "render",
            "error",
            "cli",
            "command",
            "issuer",
            "cluster",
            "cloud_api",
            "vault",
            "cloud",
            "keychain",
            "shell",
        ],
    ),
    ("completion", &["cli", "cluster", "vault"]),
    ("render", &["error", "cli", "command", "issuer", "vault", "keychain", "shell"]),
    ("error", &["command", "issuer", "cluster", "vault"]),
    ("cli", &["command", "cluster", "cloud_api", "vault", "cloud", "keychain"]),
    ("command", &["issuer", "cluster", "vault", "cloud", "keychain", "shell"]),
    ("issuer", &["cluster", "cloud_api", "cloud", "http", "keychain", "shell"]),
    ("cluster", &["cloud", "http", "keychain", "shell"]),
    ("cloud_api", &["cloud", "http", "shell"]),
    ("vault", &["http", "keychain", "shell"]),
    ("cloud", &["shell"]),
    ("http", &[]),
    ("keychain", &[]),
    ("shell", &[]),
];

/// Modules of the plugin that may use clap: nothing below the command line knows it.
const CLAP: [&str; 4] = ["main", "run", "completion", "cli"];

const POD: Table = &[
    ("main", &["command", "cli", "process", "log"]),
    ("command", &["cli", "vault", "connection", "process", "log", "files", "lease"]),
    ("cli", &["vault", "connection", "process", "log", "files"]),
    ("vault", &["connection", "files", "lease"]),
    ("connection", &[]),
    ("process", &["log", "files", "lease"]),
    ("log", &["files"]),
    ("files", &[]),
    ("lease", &[]),
];

/// A module's path inside its crate; `main.rs` is `["main"]`, `lib.rs` is empty.
type Module = Vec<String>;

/// The source of each module of a crate, without those that are only compiled for tests.
struct Sources {
    name: &'static str,
    modules: BTreeMap<Module, syn::File>,
}

impl Sources {
    fn read(folder: &str, name: &'static str) -> Self {
        let mut found = BTreeMap::new();
        read_folder(&root().join(folder).join("src"), &[], &mut found);
        assert!(found.len() > 20, "{folder}: {} files", found.len());
        Self::parse(name, found)
    }

    fn parse(name: &'static str, texts: BTreeMap<Module, String>) -> Self {
        let parsed = texts.into_iter().map(|(module, text)| {
            let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{module:?}: {error}"));
            (module, file)
        });
        let mut modules: BTreeMap<Module, syn::File> = parsed.collect();
        let mut tests: Vec<Module> = Vec::new();
        for (module, file) in &modules {
            for item in &file.items {
                if let Item::Mod(child) = item
                    && is_for_tests(&child.attrs)
                {
                    tests.push(joined(module, &child.ident.to_string()));
                }
            }
        }
        modules.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        Self { name, modules }
    }

    /// Which files each file imports, with one name as an example.
    fn imports(&self) -> BTreeMap<Module, BTreeMap<Module, String>> {
        let exports = self.exports();
        let mut imports = BTreeMap::new();
        for (module, file) in &self.modules {
            let mut paths = Paths { facade: is_facade(file), found: Vec::new() };
            paths.visit_file(file);
            let mut targets = BTreeMap::new();
            for path in paths.found {
                let Some((target, rest)) = self.resolve(module, &path) else { continue };
                // What a module root exports again is an import of the file that has it.
                let origin = rest.first().and_then(|name| exports.get(&(target.clone(), name.clone())));
                let target = origin.cloned().unwrap_or(target);
                if target != *module {
                    targets.entry(target).or_insert_with(|| path.join("::"));
                }
            }
            imports.insert(module.clone(), targets);
        }
        imports
    }

    /// The modules that define what others export again with `pub use`.
    fn exports(&self) -> BTreeMap<(Module, String), Module> {
        let mut exports = BTreeMap::new();
        for (module, file) in &self.modules {
            for item in &file.items {
                let Item::Use(used) = item else { continue };
                if matches!(used.vis, Visibility::Inherited) {
                    continue;
                }
                let mut paths = Vec::new();
                flatten(&used.tree, &mut Vec::new(), &mut paths);
                for path in paths {
                    if let Some((target, rest)) = self.resolve(module, &path)
                        && let [name] = &rest[..]
                        && target != *module
                    {
                        exports.insert((module.clone(), name.clone()), target);
                    }
                }
            }
        }
        exports
    }

    /// The module that a path leads to, and what is left of the path.
    fn resolve(&self, module: &[String], path: &[String]) -> Option<(Module, Vec<String>)> {
        let mut absolute: Module = match path.first()?.as_str() {
            "crate" => Vec::new(),
            first if first == self.name => Vec::new(),
            "self" | "super" => module.to_vec(),
            // A child module, without `self::`.
            first if self.modules.contains_key(&joined(module, first)) => joined(module, first),
            _ => return None,
        };
        for segment in &path[1..] {
            if segment == "super" {
                absolute.pop();
            } else {
                absolute.push(segment.clone());
            }
        }
        if path[0] == "super" {
            // The first one was not popped yet.
            let supers = path.iter().take_while(|segment| *segment == "super").count();
            absolute = module[..module.len().checked_sub(supers)?].to_vec();
            absolute.extend(path[supers..].iter().cloned());
        }
        let known = (0..=absolute.len()).rev().find(|end| self.modules.contains_key(&absolute[..*end]))?;
        (known > 0).then(|| (absolute[..known].to_vec(), absolute[known..].to_vec()))
    }

    /// Modules that use clap, as a path or in a `use`.
    fn clap(&self) -> BTreeSet<String> {
        let mut using = BTreeSet::new();
        for (module, file) in &self.modules {
            let mut paths = Paths { facade: false, found: Vec::new() };
            paths.visit_file(file);
            if paths.found.iter().any(|path| path[0] == "clap") {
                using.insert(top(module));
            }
        }
        using
    }
}

/// Every path of a file that may lead to another module.
struct Paths {
    /// `pub use` of a module root is no import of its own.
    facade: bool,
    found: Vec<Vec<String>>,
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if self.facade && !matches!(item.vis, Visibility::Inherited) {
            return;
        }
        flatten(&item.tree, &mut Vec::new(), &mut self.found);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.found.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        self.visit_path(attribute.path());
    }
}

/// A file that declares modules: what it exports again belongs to them.
fn is_facade(file: &syn::File) -> bool {
    file.items.iter().any(|item| matches!(item, Item::Mod(child) if child.content.is_none()))
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}

/// The paths of a `use`, each alone.
fn flatten(tree: &UseTree, before: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, found);
            before.pop();
        }
        UseTree::Name(name) if name.ident == "self" => found.push(before.clone()),
        UseTree::Name(name) => found.push(joined(before, &name.ident.to_string())),
        UseTree::Rename(name) => found.push(joined(before, &name.ident.to_string())),
        UseTree::Glob(_) => found.push(before.clone()),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, found)),
    }
}

fn joined(module: &[String], name: &str) -> Module {
    [module, &[name.to_owned()]].concat()
}

fn read_folder(folder: &Path, module: &[String], found: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            read_folder(&path, &joined(module, &stem), found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let is_root = stem == "mod" || (stem == "lib" && module.is_empty());
            let name = if is_root { module.to_vec() } else { joined(module, &stem) };
            found.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

/// The folder, or file at the top, that a module is in.
fn top(module: &[String]) -> String {
    module.first().cloned().unwrap_or_else(|| "lib".to_owned())
}

/// Imports that the table does not allow.
fn forbidden(sources: &Sources, table: Table) -> Vec<String> {
    let mut wrong = Vec::new();
    for (module, targets) in sources.imports() {
        let from = top(&module);
        let Some((_, allowed)) = table.iter().find(|(name, _)| *name == from) else {
            if from != "lib" {
                wrong.push(format!("{} is in no row of the table", module.join("/")));
            }
            continue;
        };
        for (target, example) in targets {
            let to = top(&target);
            if to != from && !allowed.contains(&to.as_str()) {
                wrong.push(format!("{} imports {} ({example})", module.join("/"), target.join("/")));
            }
        }
    }
    wrong
}

/// Groups of files that import each other, directly or through others.
fn loops(sources: &Sources) -> Vec<Vec<String>> {
    let imports = sources.imports();
    let reach = |from: &Module| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(module) = open.pop() {
            for target in imports.get(&module).into_iter().flat_map(BTreeMap::keys) {
                if seen.insert(target.clone()) {
                    open.push(target.clone());
                }
            }
        }
        seen
    };
    let reachable: BTreeMap<&Module, BTreeSet<Module>> = imports.keys().map(|module| (module, reach(module))).collect();
    let mut groups = BTreeSet::new();
    for (module, reached) in &reachable {
        let mutual = reached.iter().filter(|other| reachable.get(other).is_some_and(|back| back.contains(*module)));
        let group: Vec<String> = mutual.map(|other| other.join("/")).collect();
        if !group.is_empty() {
            groups.insert(group);
        }
    }
    groups.into_iter().collect()
}

#[test]
fn imports_run_only_downward() {
    assert_eq!(forbidden(&Sources::read("kubectl-vaultjwt", "kubectl_vaultjwt"), PLUGIN), Vec::<String>::new());
    assert_eq!(forbidden(&Sources::read("vault-jwt-login", "vault_jwt_login"), POD), Vec::<String>::new());
}

#[test]
fn no_two_files_import_each_other() {
    for (folder, name) in [("kubectl-vaultjwt", "kubectl_vaultjwt"), ("vault-jwt-login", "vault_jwt_login")] {
        assert_eq!(loops(&Sources::read(folder, name)), Vec::<Vec<String>>::new(), "{folder}");
    }
}

#[test]
fn nothing_below_the_command_line_knows_clap() {
    let using = Sources::read("kubectl-vaultjwt", "kubectl_vaultjwt").clap();
    assert!(using.contains("cli"), "{using:?}");
    assert_eq!(
        using.iter().filter(|module| !CLAP.contains(&module.as_str())).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}

#[test]
fn the_tables_have_an_order() {
    for table in [PLUGIN, POD] {
        for (at, (module, allowed)) in table.iter().enumerate() {
            let below: Vec<&str> = table[at + 1..].iter().map(|(name, _)| *name).collect();
            let up: Vec<_> = allowed.iter().filter(|name| !below.contains(name)).collect();
            assert!(up.is_empty(), "{module} may import {up:?}, which are not below it");
        }
    }
}

/// What the checks say of a crate with one more line in one file.
fn with(file: &[&str], line: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let files = [
        (vec!["cli"], "pub struct Flags;"),
        (vec!["vault"], "pub mod client;\nmod error;\npub use error::VaultError;\npub struct Document;"),
        (vec!["vault", "client"], "use crate::vault::{Document, VaultError};\npub struct Client;"),
        (vec!["vault", "error"], "pub struct VaultError;\n#[cfg(test)]\nmod tests {\n    use crate::cli::Flags;\n}"),
        (vec!["keychain"], "pub struct Key;"),
    ];
    let texts = files.into_iter().map(|(module, text)| {
        let more = if module == file { line } else { "" };
        (module.into_iter().map(str::to_owned).collect(), format!("{more}\n{text}"))
    });
    let sources = Sources::parse("kubectl_vaultjwt", texts.collect());
    (forbidden(&sources, PLUGIN), loops(&sources))
}

#[test]
fn a_wrong_import_is_found() {
    let none: (Vec<String>, Vec<Vec<String>>) = (Vec::new(), Vec::new());
    assert_eq!(with(&["vault"], ""), none);
    assert_eq!(with(&["vault"], "use crate::keychain::Key;"), none);
    for line in
        ["use crate::cli::Flags;", "use crate::{cli::Flags as F};", "fn f(_: crate::cli::Flags) {}", "use super::cli;"]
    {
        let path = line.trim_start_matches(['u', 's', 'e', ' ']);
        assert_eq!(with(&["vault", "error"], &line.replace("super", "super::super")).0.len(), 1, "{path}");
    }
    assert_eq!(
        with(&["keychain"], "use crate::vault::Document;").0,
        ["keychain imports vault (crate::vault::Document)"]
    );
    // Through the name that the module root exports again.
    assert_eq!(with(&["vault", "error"], "use super::client::Client;").1, [["vault/client", "vault/error"]]);
    // A module root that calls its children and defines what they use.
    assert_eq!(with(&["vault"], "use client::Client;").1, [["vault", "vault/client"]]);
    assert_eq!(with(&["vault"], "pub use client::Client;"), none);
}
