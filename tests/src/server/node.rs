//! A node of a [`Cluster`]: a real kubelet, containerd and runc, which run real pods. They run
//! in their own namespaces (`node.sh`), so none of them outlives the harness.
//!
//! No network plug-in is installed: pods must have `hostNetwork: true`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use super::cluster::Cluster;
use super::kubeconfig::{Credentials, kubeconfig};
use super::{ServerError, ready, text, with_free_ports};
use crate::image::Image;
use crate::peers::{self, Peer, is_executable};
use crate::process::{self, Scratch, Supervised, clean_environment};
use crate::workspace;

/// The node's name. A node of this name gets the address 127.0.0.1, which the
/// kubelet refuses as an address.
const NAME: &str = "127.0.0.1";

/// What makes the namespaces; `--kill-child` ends them with it.
const UNSHARE: [&str; 6] = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"];

/// A running node. Dropped, it is gone.
#[derive(Debug)]
pub struct Node {
    // It stops before its folder goes: fields drop in this order.
    _programs: Supervised,
    scratch: Scratch,
    cgroups: Vec<PathBuf>,
}

/// The programs of a node.
struct Programs {
    containerd: PathBuf,
    shim: PathBuf,
    ctr: PathBuf,
    kubelet: PathBuf,
}

/// A program of the machine, and the Debian package that has it.
const TOOLS: [(&str, &str); 3] = [("runc", "runc"), ("busybox", "busybox-static"), ("unshare", "util-linux")];

/// The first of that name in `PATH`.
fn tool(name: &str) -> Option<PathBuf> {
    workspace::path_folders().into_iter().map(|folder| folder.join(name)).find(|path| is_executable(path))
}

impl Node {
    /// Why this machine cannot have one, if it cannot.
    pub fn impossible() -> Option<String> {
        let missing = |(name, package): (&str, &str)| {
            tool(name).is_none().then(|| format!("\"{name}\" is not installed (apt-get install {package})"))
        };
        if fs::metadata("/proc/self").is_ok_and(|own| own.uid() != 0) {
            return Some("only root may run containers".to_owned());
        }
        if let Some(missing) = TOOLS.into_iter().find_map(missing) {
            return Some(missing);
        }
        let mut may = Command::new("unshare");
        may.args(UNSHARE).args(["mount", "-t", "tmpfs", "none", "/run"]).stdin(Stdio::null());
        if !may.output().is_ok_and(|ran| ran.status.success()) {
            return Some("this root may make no namespaces and mounts".to_owned());
        }
        cgroup_roots().is_empty().then(|| "there are no cgroups below /sys/fs/cgroup".to_owned())
    }

    /// Adds one to a cluster, and waits until it is ready. Pods can use these
    /// images.
    ///
    /// # Errors
    /// A peer is missing, or it does not become ready.
    pub fn start(cluster: &Cluster, images: &[Image]) -> Result<Self, ServerError> {
        let programs = Programs {
            kubelet: peers::locate(Peer::Kubelet)?,
            containerd: peers::locate(Peer::Containerd)?,
            shim: peers::locate(Peer::ContainerdShim)?,
            ctr: peers::locate(Peer::Ctr)?,
        };
        with_free_ports(|| Self::start_once(cluster, images, &programs))
    }

    fn start_once(cluster: &Cluster, images: &[Image], programs: &Programs) -> Result<Self, ServerError> {
        let scratch = Scratch::new("node").map_err(ServerError::io("making a folder"))?;
        let port = process::port().map_err(ServerError::io("choosing a port"))?;
        let cgroup = format!("vaultjwt-{}-{port}", std::process::id());
        let cgroups = make_cgroups(&cgroup, &scratch).map_err(ServerError::io("making cgroups"))?;
        let write = |name: &str, content: &[u8]| {
            scratch.write(name, content).map_err(ServerError::io(format!("writing {name}")))
        };
        let certificate = cluster.authority().client(&format!("system:node:{NAME}"), Some("system:nodes"))?;
        let credentials = Credentials::Certificate(certificate);
        let config = kubeconfig("node", &cluster.way(), &cluster.ca_pem(), "node", &credentials);
        write("kubeconfig", config.as_bytes())?;
        write("ca.crt", cluster.ca_pem().as_bytes())?;
        write("resolv.conf", b"")?;
        write("kubelet.json", kubelet_config(scratch.path(), port, &cgroup).to_string().as_bytes())?;
        write("config.toml", containerd_config(scratch.path()).as_bytes())?;
        scratch.folder("cni").map_err(ServerError::io("making a folder"))?;
        // Names a plug-in that does not exist: enough for the node to be ready.
        let network = json!({"cniVersion": "1.0.0", "name": "none", "plugins": [{"type": "none"}]});
        write("cni/none.conflist", network.to_string().as_bytes())?;

        let mut arguments: Vec<String> = UNSHARE.map(String::from).into();
        arguments.extend(["sh", "-c", include_str!("node.sh"), "node"].map(String::from));
        arguments.push(text(scratch.path()));
        arguments.extend([&programs.containerd, &programs.ctr, &programs.kubelet].map(|path| text(path)));
        let pause = pause().map_err(ServerError::io("reading busybox"))?;
        for (number, image) in [&pause].into_iter().chain(images).enumerate() {
            let archive = image.archive().map_err(ServerError::io("making an image"))?;
            arguments.push(text(&write(&format!("image-{number}.tar"), &archive)?));
        }
        let (home, shim) = (scratch.path(), programs.shim.parent().unwrap_or(Path::new("/")));
        let programs = Supervised::start(&scratch, "node", Path::new("unshare"), arguments, |command| {
            clean_environment(command, home, &[shim]);
            command.current_dir(home);
        });
        let programs = programs.map_err(ServerError::io("starting a node"))?;
        ready::wait(&programs, || {
            let answer = cluster.http("GET", &format!("/api/v1/nodes/{NAME}"), None).map_err(|e| e.to_string())?;
            let node = answer.json();
            let conditions = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
            match conditions.iter().find(|condition| condition["type"] == "Ready") {
                Some(condition) if condition["status"] == "True" => Ok(()),
                Some(condition) => Err(condition["message"].to_string()),
                None => Err(format!("HTTP {}", answer.status)),
            }
        })?;
        Ok(Self { _programs: programs, scratch, cgroups })
    }

    /// What `nodeName` in a pod has to be: there is no scheduler.
    pub fn name(&self) -> &str {
        NAME
    }

    /// A folder that lives as long as the node; the logs are in it.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// The highest memory use of a running container, in bytes, as the kernel
    /// counted it. The id is the one in the pod's status, without `containerd://`.
    pub fn memory_peak(&self, container: &str) -> Option<u64> {
        let files = ["memory.peak", "memory.max_usage_in_bytes"];
        let folder = self.cgroups.iter().find_map(|root| find_folder(root, container))?;
        let text = files.iter().find_map(|file| fs::read_to_string(folder.join(file)).ok())?;
        text.trim().parse().ok()
    }
}

/// The image that holds a pod's namespaces.
fn pause() -> std::io::Result<Image> {
    Image::of_busybox("localhost/pause", &["/bin/busybox", "sleep", "2147483647"], Vec::new())
}

/// A folder of that name, at any depth, that counts memory.
fn find_folder(root: &Path, name: &str) -> Option<PathBuf> {
    let folders: Vec<_> = fs::read_dir(root).ok()?.flatten().filter(|e| e.path().is_dir()).collect();
    let here = folders.iter().find(|entry| entry.file_name() == name).map(fs::DirEntry::path);
    let counts = |folder: &PathBuf| folder.join("memory.stat").exists();
    here.filter(counts).or_else(|| folders.iter().find_map(|entry| find_folder(&entry.path(), name)))
}

/// Where cgroups are made: one folder of version 2, or one for each controller.
fn cgroup_roots() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let of = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (place, kind) = (words.next()?, words.next()?);
        (place.starts_with("/sys/fs/cgroup") && kind.starts_with("cgroup")).then(|| PathBuf::from(place))
    };
    mounts.lines().filter_map(of).collect()
}

/// Makes the node's cgroup for every controller. The folder's janitor removes
/// what `.cgroups` names.
fn make_cgroups(name: &str, scratch: &Scratch) -> std::io::Result<Vec<PathBuf>> {
    let roots = cgroup_roots();
    let folders: Vec<PathBuf> = roots.iter().map(|root| root.join(name)).collect();
    let lines: String = folders.iter().map(|folder| format!("{}\n", folder.display())).collect();
    scratch.write(".cgroups", lines)?;
    for (root, folder) in roots.iter().zip(&folders) {
        // Version 2: controllers are handed down. What a machine does not
        // have, or has handed down already, does not matter.
        let hand_down = |folder: &Path| {
            for controller in ["+cpu", "+cpuset", "+memory", "+pids", "+io"] {
                let _ = fs::write(folder.join("cgroup.subtree_control"), controller);
            }
        };
        hand_down(root);
        fs::create_dir_all(folder)?;
        hand_down(folder);
        // Version 1: a new cpuset is empty, and nothing can run in it.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let Ok(set) = fs::read(root.join(file)) {
                fs::write(folder.join(file), set)?;
            }
        }
    }
    Ok(folders)
}

fn kubelet_config(folder: &Path, port: u16, cgroup: &str) -> serde_json::Value {
    let path = |name: &str| text(&folder.join(name));
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "127.0.0.1",
        "port": port,
        "healthzPort": 0,
        "authentication": {"anonymous": {"enabled": false}, "webhook": {"enabled": false},
            "x509": {"clientCAFile": path("ca.crt")}},
        // The API server alone has a certificate.
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{cgroup}"),
        "failCgroupV1": false,
        "failSwapOn": false,
        "enforceNodeAllocatable": [],
        "oomScoreAdj": 0,
        "makeIPTablesUtilChains": false,
        "enableControllerAttachDetach": false,
        // The machine is the developer's: a full disk is not the node's affair.
        "localStorageCapacityIsolation": false,
        "evictionHard": {"imagefs.available": "0%", "nodefs.available": "0%", "memory.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "podLogsDir": path("pods"),
        "volumePluginDir": path("node/plugins"),
        "resolvConf": path("resolv.conf"),
        "kubeAPIQPS": 100,
        "kubeAPIBurst": 100,
    })
}

fn containerd_config(folder: &Path) -> String {
    let path = |name: &str| text(&folder.join(name));
    let (root, cni, opt) = (path("node/containerd"), path("cni"), path("node/opt"));
    // Machines differ in whether they let a negative oom_score_adj be set, and
    // in AppArmor.
    format!(
        r#"version = 3
root = "{root}"
state = "/run/containerd"
[grpc]
address = "/run/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
path = "{opt}"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "localhost/pause:1"
[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
disable_apparmor = true
[plugins."io.containerd.cri.v1.runtime".cni]
conf_dir = "{cni}"
bin_dirs = ["{cni}/bin"]
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = false
Root = "/run/runc"
"#
    )
}

impl Image {
    /// An image with the machine's own busybox, as `busybox` and a few of its
    /// names, and further entries.
    ///
    /// # Errors
    /// busybox is not installed.
    pub fn of_busybox(name: &str, entrypoint: &[&str], more: Vec<crate::image::Entry>) -> std::io::Result<Self> {
        use crate::image::{Entry, Machine};
        let program = tool("busybox").ok_or(std::io::ErrorKind::NotFound)?;
        let mut entries = vec![Entry::program("bin/busybox", fs::read(program)?)];
        entries.extend(
            ["cat", "grep", "id", "sh", "sleep", "stat", "test"].map(|n| Entry::link(format!("bin/{n}"), "busybox")),
        );
        entries.extend(more);
        Ok(Self {
            name: name.to_owned(),
            tag: "1".to_owned(),
            user: crate::image::USER.to_owned(),
            entrypoint: entrypoint.iter().copied().map(String::from).collect(),
            labels: std::collections::BTreeMap::new(),
            machines: vec![Machine { architecture: crate::artifacts::architecture(), entries }],
        })
    }
}
