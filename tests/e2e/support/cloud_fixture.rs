//! The environment for tests of cloud providers: moto for EKS, a fake Azure, issuer sites, the
//! proxy that leads there, and the variables of a user with all of them. The programs have no
//! switch for tests: names on the internet are reached through `HTTPS_PROXY`, and
//! `SSL_CERT_FILE` names the trusted authorities.

use crate::support::fixture::{Ran, run};
use harness::artifacts;
use harness::peers::{self, Peer};
use harness::process::{Scratch, Turn};
use harness::server::{
    ArmStub, Cluster, ClusterOptions, ConnectProxy, EksCluster, Issuer, Moto, OidcSite, VaultServer,
};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where moto's and the tests' clusters have their issuers.
const SITES: [&str; 5] = [
    "oidc.eks.eu-central-1.amazonaws.com",
    "oidc.eks.us-east-1.amazonaws.com",
    "eastus.oic.prod-aks.azure.com",
    "chinaeast2.oic.prod-aks.azure.cn",
    "container.googleapis.com",
];

pub struct Clouds {
    pub moto: Moto,
    pub azure: ArmStub,
    pub site: OidcSite,
    pub proxy: ConnectProxy,
    pub folder: Scratch,
    authorities: PathBuf,
    _turn: Turn,
}

impl Clouds {
    pub fn start() -> Self {
        let turn = Turn::take();
        let moto = Moto::start().expect("moto starts");
        let azure = ArmStub::start().expect("Azure's stand-in starts");
        let site = OidcSite::start(&SITES).expect("the issuers' site starts");
        let proxy = ConnectProxy::start().expect("the proxy starts");
        for host in SITES {
            proxy.route(&format!("{host}:443"), site.port());
        }
        for host in ArmStub::hosts() {
            proxy.route(&host, azure.port());
        }
        let folder = Scratch::new("clouds").expect("a folder is made");
        let authorities =
            folder.write("authorities.pem", site.ca_pem() + &azure.ca_pem()).expect("the authorities are written");
        Self { moto, azure, site, proxy, folder, authorities, _turn: turn }
    }

    /// The environment of a user with AWS keys; az is the one in PATH.
    pub fn around(&self, command: &mut Command) {
        command
            .env("HTTPS_PROXY", self.proxy.url())
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env("SSL_CERT_FILE", &self.authorities)
            .env("AWS_ENDPOINT_URL", self.moto.url())
            .env("AWS_ACCESS_KEY_ID", "AKIDTEST")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_EC2_METADATA_DISABLED", "true");
    }

    /// `kubectl <words>` with the plugin, aws and `more` in PATH. What is for the
    /// plugin goes to it directly.
    pub fn kubectl(&self, cluster: &Cluster, kubeconfig: &Path, more: &[&Path], words: &[&str]) -> Command {
        let plugin = artifacts::plugin().expect("the plugin is built");
        let aws = peers::locate(Peer::Aws).expect("aws is there");
        let own = [plugin.parent().expect("a folder"), aws.parent().expect("a folder")];
        let folders = [more, &own[..]].concat();
        let (command, words) = match words {
            ["vaultjwt", words @ ..] => (cluster.command_of(&plugin, &folders), words),
            _ => (cluster.kubectl_command(&folders), words),
        };
        let mut command = command.expect("kubectl is there");
        self.around(&mut command);
        command.env("KUBECONFIG", kubeconfig).args(words);
        command
    }

    /// The plugin alone, without a Vault.
    pub fn vaultjwt(&self, cluster: &Cluster, kubeconfig: &Path, words: &[&str]) -> Ran {
        run(&mut self.kubectl(cluster, kubeconfig, &[], &[&["vaultjwt"], words].concat()))
    }

    /// An EKS cluster: moto knows it, a real API server stands behind its
    /// endpoint, its issuer has a site. The kubeconfig is written by the real
    /// aws; moto's CA is none and its endpoint leads nowhere, so these two are
    /// replaced.
    ///
    /// EKS is asked for it by name alone: a test that has the relay pass on
    /// again has moto's CA again.
    pub fn eks(&self, region: &str, name: &str, aws_flags: &[&str]) -> (Cluster, EksCluster, PathBuf) {
        // moto makes ids by chance. With these, tests share an API server for each region.
        let known = EksCluster {
            issuer: format!("https://oidc.eks.{region}.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"),
            endpoint: format!("https://EXAMPLED539D4633E53DE1B71EXAMPLE.gr7.{region}.eks.amazonaws.com/"),
            ..self.moto.create_cluster(region, name).expect("moto makes a cluster")
        };
        let host = host_of(&known.endpoint);
        let cluster = Cluster::rotating(ClusterOptions {
            issuer: Issuer::Url(known.issuer.clone()),
            server_names: vec![host.clone()],
            aws_tokens: true,
            ..ClusterOptions::default()
        })
        .expect("a cluster starts");
        self.proxy.route(&format!("{host}:443"), cluster.port());
        self.site.add(&known.issuer, &cluster);
        self.moto.answer(&format!("GET /clusters/{name}"), 200, "", &self.described(&cluster, &known));
        let file = self.folder.path().join(format!("{name}.kubeconfig"));
        let written = file.to_str().expect("a path");
        let mut aws = Command::new(peers::locate(Peer::Aws).expect("aws is there"));
        harness::process::clean_environment(&mut aws, self.folder.path(), &[]);
        self.around(&mut aws);
        let update = ["eks", "update-kubeconfig", "--region", region, "--name", name, "--kubeconfig", written];
        run(aws.args(update).args(aws_flags)).ok();
        self.lead_to(&file, &cluster);
        (cluster, known, file)
    }

    /// What DescribeCluster says of it: moto's words, with the issuer, the endpoint
    /// and the authority that the API server has.
    pub fn described(&self, cluster: &Cluster, known: &EksCluster) -> Value {
        use base64::Engine as _;
        let mut said = self.moto.describe(&known.region, &known.name).expect("a cluster");
        let authority = base64::engine::general_purpose::STANDARD.encode(cluster.ca_pem());
        said["cluster"]["certificateAuthority"]["data"] = Value::String(authority);
        said["cluster"]["identity"]["oidc"]["issuer"] = Value::String(known.issuer.clone());
        said["cluster"]["endpoint"] = Value::String(known.endpoint.clone());
        said
    }

    /// Puts this cluster's authority in place of the one that is there, and the
    /// way to it.
    pub fn lead_to(&self, kubeconfig: &Path, cluster: &Cluster) {
        use base64::Engine as _;
        let authority = base64::engine::general_purpose::STANDARD.encode(cluster.ca_pem());
        let text = std::fs::read_to_string(kubeconfig).expect("a kubeconfig");
        let lines: Vec<String> = text
            .lines()
            .map(|line| match line.split_once("certificate-authority-data:") {
                Some((indent, _)) => {
                    let proxy = self.proxy.url();
                    format!("{indent}certificate-authority-data: {authority}\n{indent}proxy-url: {proxy}")
                }
                None => line.to_owned(),
            })
            .collect();
        std::fs::write(kubeconfig, lines.join("\n") + "\n").expect("the kubeconfig is written");
    }
}

/// Host of an endpoint in lower case.
pub fn host_of(endpoint: &str) -> String {
    endpoint.trim_start_matches("https://").trim_end_matches('/').to_ascii_lowercase()
}

/// The same command, pointed at this Vault.
pub fn with_vault<'a>(command: &'a mut Command, vault: &VaultServer) -> &'a mut Command {
    command.envs(vault.client_environment()).env("VAULT_TOKEN", vault.root_token().expose())
}
