//! The help of the program: its commands in groups, examples, exit codes.

use crate::cli::commands::Command;
use crate::cli::help::HELP;
use clap::Subcommand as _;
use clap::builder::Styles;

/// What people come for, and the commands that do it. Every other command is
/// listed below them.
const GROUPS: [(&str, &[&str]); 3] =
    [("Set up", &["setup", "diff", "remove"]), ("Keep fresh", &["sync"]), ("Look", &["status", "issuer"])];

/// The help of the program: its commands in groups, as kubectl has them.
pub fn program() -> String {
    let program = Command::augment_subcommands(clap::Command::new("kubectl-vaultjwt"));
    // clap makes it later.
    let program = program.subcommand(clap::Command::new("help").about(HELP));
    let listed: Vec<_> = program.get_subcommands().filter(|command| !command.is_hide_set()).collect();
    let styles = Styles::styled();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let width = listed.iter().map(|command| command.get_name().len()).max().unwrap_or_default();
    let grouped = |name| GROUPS.iter().any(|(_, names)| names.contains(&name));
    let mut text = "{about-with-newline}\n".to_owned();
    let mut group = |title: &str, members: Vec<&clap::Command>| {
        text.push_str(&format!("{header}{title}:{header:#}\n"));
        for command in members {
            let name = command.get_name();
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            text.push_str(&format!("  {literal}{name:width$}{literal:#}  {about}\n"));
        }
        text.push('\n');
    };
    for (title, names) in GROUPS {
        group(title, names.iter().filter_map(|name| program.find_subcommand(name)).collect());
    }
    group("Other", listed.iter().copied().filter(|command| !grouped(command.get_name())).collect());
    // All arguments would be with clap's own list of commands.
    text + &format!("{{usage-heading}} {{usage}}\n\n{header}Options:{header:#}\n{{options}}{{after-help}}")
}

/// What to try first, and where to read on.
pub const PROGRAM_END: &str = "Examples:
  # Who issues this cluster's tokens? Nothing is changed, and Vault is not asked
  kubectl vaultjwt issuer

  # Let pods of service account app in namespace shop log in with role app
  kubectl vaultjwt setup --role app --service-account shop:app --policy app-read

  # Whose keys are on the mount?
  kubectl vaultjwt status

Use \"kubectl vaultjwt COMMAND --help\" for more about a command.

Exit codes: 0 done (also when there was nothing to do), 1 failed, 2 wrong call,
130 interrupted; those of diff are in its own help.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use crate::cli::help::WIDTH;
    use clap::{CommandFactory as _, Parser as _};

    #[test]
    fn every_command_of_a_group_exists_and_is_in_one_group() {
        let commands = Cli::command();
        let names: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        for (at, name) in names.iter().enumerate() {
            assert!(commands.find_subcommand(name).is_some(), "{name}");
            assert!(!names[..at].contains(name), "{name}");
        }
    }

    #[test]
    fn every_command_has_help_of_the_same_shape_that_fits() {
        let mut program = Cli::command();
        program.build();
        let commands = program.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help");
        for (page, words) in commands.map(|c| (c, vec![c.get_name()])).chain([(&program, Vec::new())]) {
            let help = |flag| match Cli::try_parse_from([&["kubectl-vaultjwt"], &words[..], &[flag]].concat()) {
                Err(help) => help.to_string(),
                Ok(_) => panic!("{flag} is no help"),
            };
            let long = help("--help");
            assert_eq!(help("-h"), long, "{words:?}");
            let wide: Vec<&str> = long.lines().filter(|line| line.chars().count() > WIDTH).collect();
            assert_eq!(wide, Vec::<&str>::new(), "{}", page.get_name());
            assert!(page.get_name() == "version" || long.contains("\nExamples:\n  # "), "{}", page.get_name());
            for argument in page.get_arguments() {
                // kubectl's own flags, and clap's, keep their words.
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.starts_with(|c: char| c.is_uppercase()), "{}: {help:?}", page.get_name());
            }
        }
    }
}
