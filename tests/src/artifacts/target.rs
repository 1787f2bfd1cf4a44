//! Chooses what the pod binary is linked with: musl if its target is installed or can be
//! added, otherwise glibc, linked statically. The glibc build is 0.9 MB larger.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use super::ArtifactError;
use crate::peers::is_executable;
use crate::workspace;

/// What the pod binary is linked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// musl: small.
    Musl,
    /// glibc with `crt-static`: where there is no musl target.
    Gnu,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Musl => "musl",
            Self::Gnu => "gnu",
        })
    }
}

impl Target {
    /// musl, if rustc has it or rustup can add it.
    pub(super) fn choose() -> Self {
        let musl = Self::Musl.triple();
        if has(&musl) || (add(&musl) && has(&musl)) { Self::Musl } else { Self::Gnu }
    }

    /// Its name for cargo.
    pub fn triple(self) -> String {
        format!("{}-unknown-linux-{self}", std::env::consts::ARCH)
    }

    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Musl => "the target is installed",
            Self::Gnu => "the musl target is not installed and rustup cannot add it",
        }
    }

    /// What the build needs in its environment.
    pub(super) fn environment(self) -> Result<Vec<(String, String)>, ArtifactError> {
        match self {
            Self::Musl => self.musl_environment(&workspace::path_folders()),
            Self::Gnu => Ok(vec![static_flags(|name| std::env::var_os(name), &self.triple())]),
        }
    }

    /// ring has C code. The cc crate would look for musl-gcc only; the host's
    /// compiler serves as well, since that code needs no libc.
    fn musl_environment(self, path: &[std::path::PathBuf]) -> Result<Vec<(String, String)>, ArtifactError> {
        let variable = format!("CC_{}", self.triple().replace('-', "_"));
        let is_there = |program: &str| path.iter().any(|folder| is_executable(&folder.join(program)));
        if std::env::var_os(&variable).is_some() || is_there("musl-gcc") {
            return Ok(Vec::new());
        }
        if is_there("cc") {
            return Ok(vec![(variable, "cc".to_owned())]);
        }
        Err(ArtifactError::NoCompiler)
    }
}

/// The variable that adds `crt-static` to the flags in use. `RUSTFLAGS` is not
/// merged with the flags of a target, it replaces them.
fn static_flags(variable: impl Fn(&str) -> Option<OsString>, triple: &str) -> (String, String) {
    const FLAG: &str = "-C target-feature=+crt-static";
    let set = |name: &str| variable(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty());
    if let Some(encoded) = set("CARGO_ENCODED_RUSTFLAGS") {
        let flag = FLAG.replace(' ', "\u{1f}");
        return ("CARGO_ENCODED_RUSTFLAGS".to_owned(), format!("{encoded}\u{1f}{flag}"));
    }
    if let Some(flags) = set("RUSTFLAGS") {
        return ("RUSTFLAGS".to_owned(), format!("{flags} {FLAG}"));
    }
    let name = format!("CARGO_TARGET_{}_RUSTFLAGS", triple.replace('-', "_").to_uppercase());
    let value = set(&name).map_or_else(|| FLAG.to_owned(), |flags| format!("{flags} {FLAG}"));
    (name, value)
}

/// Does rustc have the target's standard library?
pub(crate) fn has(triple: &str) -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", triple])
        .current_dir(workspace::root())
        .stdin(Stdio::null())
        .output();
    output.is_ok_and(|output| {
        let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success() && Path::new(&folder).is_dir()
    })
}

/// Adds the target with rustup.
pub(crate) fn add(triple: &str) -> bool {
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", triple]).current_dir(workspace::root()).stdin(Stdio::null());
    rustup.output().is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_static_flag_joins_the_flags_in_use() {
        let with = |name: &'static str, value: &'static str| {
            static_flags(move |asked| (asked == name).then(|| value.into()), "x86_64-unknown-linux-gnu")
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let own = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS";
        assert_eq!(with("OTHER", ""), pair(own, "-C target-feature=+crt-static"));
        assert_eq!(with(own, "-g"), pair(own, "-g -C target-feature=+crt-static"));
        assert_eq!(with("RUSTFLAGS", "-Dwarnings"), pair("RUSTFLAGS", "-Dwarnings -C target-feature=+crt-static"));
        let encoded = pair("CARGO_ENCODED_RUSTFLAGS", "-g\u{1f}-C\u{1f}target-feature=+crt-static");
        assert_eq!(with("CARGO_ENCODED_RUSTFLAGS", "-g"), encoded);
    }

    #[test]
    fn without_a_compiler_the_command_that_installs_one_is_named() {
        let error = Target::Musl.musl_environment(&[]).unwrap_err();
        assert_eq!(error.to_string(), "building vault-jwt-login needs a C compiler, which is not installed");
        assert_eq!(error.hint().as_deref(), Some("apt-get install gcc musl-tools"));
    }
}
