//! Finds the kubeconfig files and merges them: client-go `tools/clientcmd/loader.go`. kube
//! reads each file, and turns its relative paths into absolute ones. The list is walked
//! here, because kube makes a missing file of `$KUBECONFIG` an error.

use crate::cluster::kubeconfig::connection::{Env, named};
use crate::cluster::kubeconfig::error::{KubeconfigError, KubeconfigFiles, quoted};
use kube::config::{Kubeconfig, KubeconfigError as KubeError};
use shared::text::os_cause;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// What the files say, merged, or the places that were checked without result.
#[derive(Clone)]
pub struct Loaded {
    /// The merged document; empty where there is no file.
    pub merged: Kubeconfig,
    pub files: KubeconfigFiles,
    /// One clause for the error where there is none.
    pub looked_at: String,
}

/// Reads the file of `--kubeconfig`, else those of `$KUBECONFIG`, else
/// `~/.kube/config`.
pub fn load(flag: Option<&Path>, env: Env<'_>) -> Result<Loaded, KubeconfigError> {
    let by_flag = flag.filter(|path| !path.as_os_str().is_empty());
    if let Some(path) = by_flag {
        let merged = read(path)?;
        let files = KubeconfigFiles { by_flag: true, paths: vec![path.to_owned()] };
        return Ok(Loaded { merged, files, looked_at: String::new() });
    }
    let (candidates, looked_at) = match named(env, "KUBECONFIG") {
        Some(list) => {
            let mut seen = HashSet::new();
            let new = |path: &PathBuf| !path.as_os_str().is_empty() && seen.insert(path.clone());
            let paths: Vec<PathBuf> = std::env::split_paths(&list).filter(new).collect();
            let shown: Vec<String> = paths.iter().map(|path| quoted(path)).collect();
            let looked_at = match shown.as_slice() {
                [] => "KUBECONFIG names no file".to_owned(),
                [one] => format!("{one} (from KUBECONFIG) does not exist"),
                many => format!("none of the files in KUBECONFIG exists: {}", many.join(", ")),
            };
            (paths, looked_at)
        }
        None => match home(env) {
            Some(home) => {
                let path = home.join(".kube").join("config");
                let looked_at = format!("{} does not exist", quoted(&path));
                (vec![path], looked_at)
            }
            None => (Vec::new(), "neither KUBECONFIG nor HOME is set".to_owned()),
        },
    };
    let mut merged = Kubeconfig::default();
    let mut files = KubeconfigFiles::default();
    for path in candidates {
        // Only "not found" counts as missing; a file that may not be read is an error.
        if matches!(path.try_exists(), Ok(false)) {
            continue;
        }
        let next = read(&path)?;
        merged = merged
            .merge(next)
            .map_err(|error| KubeconfigError::Malformed { path: path.clone(), cause: error.to_string() })?;
        files.paths.push(path);
    }
    Ok(Loaded { merged, files, looked_at })
}

/// client-go `util/homedir`: on Windows other names count too.
fn home(env: Env<'_>) -> Option<PathBuf> {
    named(env, "HOME").or_else(|| named(env, "USERPROFILE").filter(|_| cfg!(windows))).map(PathBuf::from)
}

fn read(path: &Path) -> Result<Kubeconfig, KubeconfigError> {
    let mut config = Kubeconfig::read_from(path).map_err(|error| match error {
        KubeError::ReadConfig(error, _) => {
            KubeconfigError::Unreadable { path: path.to_owned(), cause: os_cause(&error) }
        }
        KubeError::Parse(error) => {
            // The rendered error quotes the lines around the fault, which may hold a token.
            let cause = without_values(&error.without_snippet().to_string());
            KubeconfigError::Malformed { path: path.to_owned(), cause }
        }
        other => KubeconfigError::Malformed { path: path.to_owned(), cause: other.to_string() },
    })?;
    // An empty one, as `kubectl config unset` leaves it, counts as unset, so that a later file
    // may set it.
    config.current_context.take_if(|name| name.is_empty());
    Ok(config)
}

/// A parser's message without the values it quotes: a kubeconfig holds tokens
/// and keys, and serde's `invalid type: string "…"` shows them.
fn without_values(message: &str) -> String {
    let mut kept = String::with_capacity(message.len());
    let mut chars = message.lines().next().unwrap_or_default().chars();
    while let Some(c) = chars.next() {
        kept.push(c);
        if c != '"' {
            continue;
        }
        kept.push('…');
        while let Some(inner) = chars.next() {
            match inner {
                '\\' => drop(chars.next()),
                '"' => break,
                _ => {}
            }
        }
        kept.push('"');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn file(dir: &Path, name: &str, text: &str) -> String {
        let path = dir.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn load_env(pairs: &[(&str, &str)]) -> Result<Loaded, KubeconfigError> {
        load(None, &|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    fn context(name: &str, cluster: &str) -> String {
        format!("contexts:\n- name: {name}\n  context: {{cluster: {cluster}, user: u}}\n")
    }

    #[test]
    fn the_flag_names_the_one_file_and_it_must_exist() {
        let dir = tempfile::tempdir().unwrap();
        let other = file(dir.path(), "other", &context("other", "o"));
        let missing = dir.path().join("missing");
        let error = load(Some(&missing), &|_| Some(other.clone())).map(|l| l.files).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("could not read kubeconfig \"{}\": no such file or directory", missing.display())
        );
        assert_eq!(error.hint(), Some(format!("ls -l {}", missing.display())));
        let path = PathBuf::from(file(dir.path(), "one", &context("one", "a")));
        let loaded = load(Some(&path), &|_| Some(other.clone())).unwrap();
        assert_eq!(loaded.merged.contexts.len(), 1);
        assert_eq!(loaded.files, KubeconfigFiles { by_flag: true, paths: vec![path] });
    }

    #[test]
    fn the_list_skips_empty_names_missing_files_and_repetitions() {
        let dir = tempfile::tempdir().unwrap();
        let a = file(dir.path(), "a", &context("a", "first"));
        let b = file(dir.path(), "b", &context("b", "second"));
        let list = format!(":{a}::{}/missing:{a}:{b}:", dir.path().display());
        let loaded = load_env(&[("KUBECONFIG", &list), ("HOME", "/nowhere")]).unwrap();
        assert_eq!(loaded.files.paths, [PathBuf::from(a), PathBuf::from(b)]);
        assert_eq!(loaded.merged.contexts.len(), 2);
    }

    #[test]
    fn the_first_file_wins_per_key_and_per_value() {
        let dir = tempfile::tempdir().unwrap();
        let a = file(dir.path(), "a", &format!("current-context: ''\n{}", context("same", "first")));
        let b = file(dir.path(), "b", &format!("current-context: b\n{}", context("same", "second")));
        let c = file(dir.path(), "c", &format!("current-context: c\n{}", context("c", "third")));
        let merged = load_env(&[("KUBECONFIG", &format!("{a}:{b}:{c}"))]).unwrap().merged;
        assert_eq!(merged.current_context.as_deref(), Some("b"));
        let clusters: Vec<_> = merged.contexts.into_iter().map(|c| (c.name, c.context.unwrap().cluster)).collect();
        assert_eq!(clusters, [("same".to_owned(), "first".to_owned()), ("c".to_owned(), "third".to_owned())]);
    }

    #[test]
    fn relative_paths_belong_to_the_files_folder() {
        let dir = tempfile::tempdir().unwrap();
        let text = "clusters:\n- name: c\n  cluster: {certificate-authority: ca.crt}\n\
                    users:\n- name: u\n  user: {client-certificate: pki/u.crt, client-key: /abs/u.key, tokenFile: t, exec: {command: ./plugin}}\n";
        let path = file(dir.path(), "a", text);
        let merged = load_env(&[("KUBECONFIG", &path)]).unwrap().merged;
        let in_dir = |name: &str| Some(dir.path().join(name).to_str().unwrap().to_owned());
        assert_eq!(merged.clusters[0].cluster.as_ref().unwrap().certificate_authority, in_dir("ca.crt"));
        let user = merged.auth_infos[0].auth_info.as_ref().unwrap();
        assert_eq!(user.client_certificate, in_dir("pki/u.crt"));
        assert_eq!(user.client_key.as_deref(), Some("/abs/u.key"));
        assert_eq!(user.token_file, in_dir("t"));
        assert_eq!(user.exec.as_ref().unwrap().command, in_dir("./plugin"));
    }

    #[test]
    fn the_home_folder_is_the_default_and_never_a_fallback() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".kube")).unwrap();
        let path = file(&dir.path().join(".kube"), "config", &context("home", "h"));
        let home = dir.path().to_str().unwrap();
        for environment in [&[("HOME", home)][..], &[("HOME", home), ("KUBECONFIG", "")]] {
            assert_eq!(load_env(environment).unwrap().files.paths, [PathBuf::from(&path)]);
        }
        for list in [":", "/nowhere/a"] {
            assert!(load_env(&[("HOME", home), ("KUBECONFIG", list)]).unwrap().files.paths.is_empty(), "{list}");
        }
    }

    #[test]
    fn what_was_looked_at_in_vain() {
        for (environment, text) in [
            (&[][..], "neither KUBECONFIG nor HOME is set"),
            (&[("HOME", "/nowhere")], "\"/nowhere/.kube/config\" does not exist"),
            (&[("KUBECONFIG", ":")], "KUBECONFIG names no file"),
            (&[("KUBECONFIG", "/nowhere/a")], "\"/nowhere/a\" (from KUBECONFIG) does not exist"),
            (
                &[("KUBECONFIG", "/nowhere/a:/nowhere/b\u{1b}")],
                "none of the files in KUBECONFIG exists: \"/nowhere/a\", \"/nowhere/b\\u{1b}\"",
            ),
        ] {
            assert_eq!(load_env(environment).unwrap().looked_at, text);
        }
    }

    #[test]
    fn unreadable_is_not_missing() {
        let dir = tempfile::tempdir().unwrap();
        let error = load_env(&[("KUBECONFIG", dir.path().to_str().unwrap())]).map(|l| l.files).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("could not read kubeconfig \"{}\": is a directory", dir.path().display())
        );
    }

    #[test]
    fn malformed_files_say_where_but_show_no_value() {
        let dir = tempfile::tempdir().unwrap();
        let secret = "eyJhbGciOi";
        for (name, text, cause) in [
            (
                "type",
                format!("users:\n- name: u\n  user: \"{secret}\\\" x\"\n"),
                "expected mapping start at line 3, column 9",
            ),
            ("syntax", format!("users:\n- name: u\n  user: {{token: {secret}\n"), "line"),
            ("list", format!("users: {secret}\n"), "line 1"),
            ("kind", format!("users:\n- user: {{token: {secret}}}\n"), "name"),
            ("number", "users: 12\n".to_owned(), "line 1"),
        ] {
            let path = file(dir.path(), name, &text);
            let error = load_env(&[("KUBECONFIG", &path)]).map(|l| l.files).unwrap_err().to_string();
            assert!(error.starts_with(&format!("kubeconfig \"{path}\" is malformed: ")), "{error}");
            assert!(error.contains(cause), "{error}");
            assert!(!error.contains(secret), "{error}");
        }
    }

    #[test]
    fn quoted_values_are_left_out_of_a_parsers_message() {
        for (message, kept) in [
            (
                r#"invalid type: string "eyJ\" x", expected a map at line 3"#,
                r#"invalid type: string "…", expected a map at line 3"#,
            ),
            ("unclosed \"eyJ", "unclosed \"…\""),
            ("missing field `name`\n 1 | token: eyJ", "missing field `name`"),
        ] {
            assert_eq!(without_values(message), kept);
        }
    }

    #[test]
    fn files_of_different_kinds_do_not_merge() {
        let dir = tempfile::tempdir().unwrap();
        let a = file(dir.path(), "a", "kind: Config\n");
        let b = file(dir.path(), "b", "kind: Other\n");
        let error = load_env(&[("KUBECONFIG", &format!("{a}:{b}"))]).map(|l| l.files).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("kubeconfig \"{b}\" is malformed: kubeconfigs with mismatching kind cannot be merged")
        );
        assert_eq!(error.hint(), Some(format!("kubectl config view --kubeconfig {b}")));
    }
}
