//! Output on a terminal: colors and symbols where the terminal supports them, and table lines that
//! fit its width.

use crate::support::documented_setup::{DocumentedSetup, Story};
use harness::server::Product;

/// Runs its arguments on a terminal, and passes on what is written there.
const PTY: &str = "python3 -c 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)'";

/// What a command writes, with these variables set.
#[track_caller]
fn said(world: &DocumentedSetup, line: &str, variables: &[(&str, &str)]) -> String {
    let output = world.shell(line).envs(variables.iter().copied()).output().expect("it runs");
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8([output.stderr, output.stdout].concat()).expect("UTF-8")
}

#[test]
fn colours_and_signs_are_those_of_the_terminal() {
    let world = DocumentedSetup::start(Product::OpenBao, Story::Documents);
    let setup = "kubectl vaultjwt setup";
    let status = "kubectl vaultjwt status";
    let on_a_terminal = |line: &str| format!("{PTY} {line}");
    let first = said(&world, &on_a_terminal(setup), &[("TERM", "xterm-256color")]);
    assert!(first.contains("\u{1b}[32m✓\u{1b}[0m keys written: 1 added, 0 kept"), "{first:?}");
    said(&world, &format!("{setup} --context staging --same-trust-domain"), &[]);

    for (line, variables, colours) in [
        (on_a_terminal(status), &[("TERM", "xterm-256color")][..], true),
        (on_a_terminal(status), &[("TERM", "dumb")], false),
        (on_a_terminal(status), &[("TERM", "xterm-256color"), ("NO_COLOR", "1")], false),
        (on_a_terminal(&format!("{status} --color never")), &[("TERM", "xterm-256color")], false),
        (on_a_terminal(&format!("{status} --color always")), &[("TERM", "xterm-256color"), ("NO_COLOR", "1")], true),
        (status.to_owned(), &[("TERM", "xterm-256color")], false),
        (format!("{status} --color always"), &[], true),
        // What a program reads has none, whatever is asked for.
        (format!("{status} --color always -o json"), &[], false),
    ] {
        let said = said(&world, &line, variables);
        assert_eq!(said.contains('\u{1b}'), colours, "{line} with {variables:?}: {said:?}");
        assert!(said.contains("kubernetes"), "{said}");
    }

    let table = said(&world, status, &[("LC_ALL", ""), ("LANG", "C.UTF-8")]);
    let ascii = said(&world, status, &[("LC_ALL", "C")]);
    assert!(table.contains("defa…vc") && ascii.contains("defa~vc") && ascii.is_ascii(), "{table}\n{ascii}");
    assert!(said(&world, setup, &[("LC_ALL", "POSIX")]).is_ascii());

    for line in ["status", "sync --all-contexts 2>/dev/null", "sync --all-contexts --dry-run=client 2>/dev/null"] {
        let said = said(&world, &format!("kubectl vaultjwt {line}"), &[]);
        let wide: Vec<&str> = said.lines().filter(|l| l.chars().count() > 80 && !l.starts_with("note: ")).collect();
        assert_eq!(wide, Vec::<&str>::new(), "{line}");
    }
}
