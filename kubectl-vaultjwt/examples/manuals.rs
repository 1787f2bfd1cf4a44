//! Writes the man pages of the plugin into a folder, one for each command: `cargo manuals
//! FOLDER`. It is an example, so that the plugin does not depend on the crate that makes
//! them.

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use kubectl_vaultjwt::cli::Cli;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> ExitCode {
    let [folder] = env::args_os().skip(1).map(PathBuf::from).collect::<Vec<_>>().try_into().unwrap_or_default();
    if folder.as_os_str().is_empty() {
        eprintln!("usage: cargo manuals FOLDER");
        return ExitCode::from(2);
    }
    match write(&folder) {
        Ok(pages) => {
            println!("{pages} man pages in \"{}\"", folder.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: the man pages cannot be written to \"{}\": {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

/// Writes all pages, and says how many.
fn write(folder: &Path) -> io::Result<usize> {
    fs::create_dir_all(folder)?;
    // Of help itself there is nothing to say.
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let name = program.get_name().to_owned();
    let commands: Vec<Command> = program.get_subcommands().filter(|c| !c.is_hide_set()).cloned().collect();
    page(program, &name, folder)?;
    for command in &commands {
        let name = format!("{name}-{}", command.get_name());
        page(command.clone(), &name, folder)?;
    }
    Ok(commands.len() + 1)
}

/// One page. What a command's help says first is the description.
fn page(mut command: Command, name: &str, folder: &Path) -> io::Result<()> {
    let usage = command.render_usage().to_string();
    let about = command.get_before_help().or_else(|| command.get_about()).cloned().unwrap_or_default();
    let end = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let command = command.display_name(name).long_about(about);
    let has_commands = command.has_subcommands();
    let man =
        Man::new(command).title(name).section("1").source(concat!("kubectl-vaultjwt ", env!("CARGO_PKG_VERSION")));

    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    section(&mut text, "SYNOPSIS", usage.trim_start_matches("Usage: "))?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if has_commands {
        man.render_subcommands_section(&mut text)?;
    }
    for (title, words) in parts(&end) {
        section(&mut text, title, words)?;
    }
    fs::write(folder.join(format!("{name}.1")), text)
}

/// A section whose lines stay as they are, for examples are to be pasted.
fn section(text: &mut Vec<u8>, title: &str, words: &str) -> io::Result<()> {
    writeln!(text, ".SH {title}\n.nf")?;
    for line in words.lines() {
        // A control line begins with a dot or an apostrophe.
        let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
        writeln!(text, "{guard}{}", line.replace('\\', "\\e").replace('-', "\\-"))?;
    }
    writeln!(text, ".fi")
}

/// The end of a help: examples, exit codes, and what else is said.
fn parts(end: &str) -> Vec<(&'static str, &str)> {
    let mut parts = Vec::new();
    let (examples, rest) = match end.strip_prefix("Examples:\n") {
        Some(end) => end.split_at(indented(end)),
        None => ("", end),
    };
    let (notes, codes) = rest.split_at(rest.find("Exit codes").unwrap_or(rest.len()));
    for (title, words) in [("EXAMPLES", examples), ("NOTES", notes), ("EXIT STATUS", codes)] {
        if !words.trim().is_empty() {
            parts.push((title, words.trim_matches('\n')));
        }
    }
    parts
}

/// How much of a text is indented lines and empty ones.
fn indented(text: &str) -> usize {
    text.split_inclusive('\n').take_while(|line| line.trim().is_empty() || line.starts_with("  ")).map(str::len).sum()
}
