//! Tests of `token_helper`, with real programs.

use super::*;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::TempDir;

/// Long enough for a script on a busy machine.
const AMPLE: Duration = Duration::from_secs(20);
/// As long as a helper gets that is meant to be late.
const SHORT: Duration = Duration::from_millis(300);
const CONFIG: &str = "/h/.vault";

/// A folder with one helper, a script with this body.
fn script(body: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("helper");
    std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    (folder, path)
}

/// `get`, again where another test's process, about to start, still has the
/// script open for writing.
fn ask(helper: &Path, limit: Duration) -> Result<Vec<u8>, HelperError> {
    loop {
        match get(helper, "https://v:8200", limit) {
            Err(HelperError::NotRun { why, .. }) if why == "text file busy" => thread::yield_now(),
            result => return result,
        }
    }
}

/// What running a script with this body says: error and hint, its path shown
/// as HELPER.
fn refuse(body: &str, limit: Duration) -> (String, String) {
    let (_folder, path) = script(body);
    let error = ask(&path, limit).unwrap_err();
    (error.to_string().replace(path.to_str().unwrap(), "HELPER"), error.hint(CONFIG))
}

#[test]
fn the_output_of_get_is_the_token() {
    let (_folder, path) = script("[ $# = 1 ] && [ \"$1\" = get ] && echo hvs.x");
    assert_eq!(ask(&path, AMPLE).unwrap(), b"hvs.x\n");
    let (_folder, path) = script("exit 0");
    assert_eq!(ask(&path, AMPLE).unwrap(), b"");
}

#[test]
fn the_environment_is_passed_on_with_the_address_in_use() {
    let (_folder, path) = script("echo \"$VAULT_ADDR $BAO_ADDR $PATH\"");
    let expected = format!("https://v:8200 https://v:8200 {}\n", std::env::var("PATH").unwrap());
    assert_eq!(String::from_utf8(ask(&path, AMPLE).unwrap()).unwrap(), expected);
}

#[test]
fn there_is_nothing_to_read_for_it() {
    let (_folder, path) = script("cat; echo end");
    assert_eq!(ask(&path, AMPLE).unwrap(), b"end\n");
}

#[test]
fn no_shell_sees_the_path() {
    let (folder, path) = script("echo hvs.x");
    let odd = folder.path().join("a $(exit 3) ;b");
    std::fs::rename(path, &odd).unwrap();
    assert_eq!(ask(&odd, AMPLE).unwrap(), b"hvs.x\n");
}

#[test]
fn a_path_that_depends_on_the_working_directory_is_refused() {
    for path in ["helper", "./helper", "bin/helper", "~/helper"] {
        let error = get(Path::new(path), "https://v", AMPLE).unwrap_err();
        assert_eq!(error.to_string(), format!("the token helper \"{path}\" is not an absolute path"));
        assert_eq!(error.hint(CONFIG), "give its absolute path in \"/h/.vault\", or set VAULT_TOKEN");
    }
}

#[test]
fn what_cannot_be_run_says_why() {
    let (folder, path) = script("echo hvs.x");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    for (path, why) in [
        (folder.path().join("none"), "no such file or directory"),
        (folder.path().to_owned(), "it is a directory"),
        (path, "permission denied"),
    ] {
        let error = get(&path, "https://v", AMPLE).unwrap_err();
        assert_eq!(error.to_string(), format!("could not run the token helper \"{}\": {why}", path.display()));
        assert_eq!(
            error.hint(CONFIG),
            "name a program that can be run as token_helper in \"/h/.vault\", or set VAULT_TOKEN"
        );
    }
}

#[test]
fn a_slow_one_is_killed() {
    let (folder, path) = script("echo hvs.x; echo $$ >\"${0%/*}/pid\"; exec sleep 60");
    // Long enough for it to write its number.
    let limit = Duration::from_secs(2);
    let error = ask(&path, limit).unwrap_err();
    assert_eq!(error.to_string(), format!("the token helper \"{}\" did not finish within 2s", path.display()));
    assert_eq!(error.hint(CONFIG), "run it by hand with the argument get to see what it waits for, or set VAULT_TOKEN");
    let pid = std::fs::read_to_string(folder.path().join("pid")).unwrap();
    let alive =
        || Command::new("/bin/sh").args(["-c", &format!("kill -0 {} 2>/dev/null", pid.trim())]).status().unwrap();
    let until = Instant::now() + AMPLE;
    while alive().success() {
        assert!(Instant::now() < until, "it lives on");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn one_that_closes_its_output_and_stays_is_killed_too() {
    let (said, _) = refuse("echo hvs.x; exec >&- 2>&- sleep 60", SHORT);
    assert_eq!(said, "the token helper \"HELPER\" did not finish within 300ms");
}

#[test]
fn what_it_leaves_behind_does_not_hold_us_up() {
    // What stays goes when the script's folder does.
    let stay = "while [ -e \"$0\" ]; do sleep 0.1; done";
    assert_eq!(
        refuse(&format!("echo hvs.x; ({stay}) & exit 0"), Duration::from_secs(1)),
        (
            "the token helper \"HELPER\" left a program behind that kept its output open for 1s".into(),
            "let the helper start it with its output sent elsewhere (>/dev/null), or set VAULT_TOKEN".into()
        )
    );
    // Where only the error output is held open, the token is whole, and a
    // failure is reported.
    let (_folder, path) = script(&format!("echo hvs.x; ({stay}) >/dev/null & exit 0"));
    assert_eq!(ask(&path, AMPLE).unwrap(), b"hvs.x\n");
    let (said, _) = refuse(&format!("({stay}) >/dev/null & exit 3"), AMPLE);
    assert_eq!(said, "the token helper \"HELPER\" failed with exit code 3");
}

#[test]
fn endless_output_is_cut() {
    assert_eq!(
        refuse("exec head -c 1048576 /dev/zero", AMPLE),
        (
            "the token helper \"HELPER\" wrote more than 64 KiB".into(),
            "let the helper write the token alone, or set VAULT_TOKEN".into()
        )
    );
    let (_folder, path) = script("exec head -c 65536 /dev/zero");
    assert_eq!(ask(&path, AMPLE).unwrap().len(), 65_536);
}

#[test]
fn much_on_both_outputs_does_not_block() {
    let (_folder, path) = script("head -c 1048576 /dev/zero >&2; echo hvs.x");
    assert_eq!(ask(&path, AMPLE).unwrap(), b"hvs.x\n");
}

#[test]
fn a_failed_one_is_quoted_with_its_first_line() {
    let hint = "run 'vault login', or set VAULT_TOKEN";
    for (body, said) in [
        (
            "echo hvs.secret; printf '\\n\\033[31mlocked\\033[0m\\nmore\\n' >&2; exit 3",
            "failed with exit code 3: \\u{1b}[31mlocked\\u{1b}[0m",
        ),
        ("echo hvs.secret; exit 1", "failed with exit code 1"),
        ("printf 'no newline' >&2; exit 2", "failed with exit code 2: no newline"),
        ("kill -9 $$", "failed with signal 9 (SIGKILL)"),
    ] {
        assert_eq!(refuse(body, AMPLE), (format!("the token helper \"HELPER\" {said}"), hint.into()), "{body}");
    }
}
