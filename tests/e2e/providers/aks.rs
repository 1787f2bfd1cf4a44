//! AKS: kubeconfigs as az writes them, and a fake Azure that serves Microsoft's example documents.

use crate::support::cloud_fixture::{Clouds, with_vault};
use crate::support::fixture::{ROLE, Ran, run};
use harness::each_product;
use harness::server::{ArmCluster, Cluster, ClusterOptions, Credentials, FakeAz, Issuer, PooledVault, VaultOptions};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub const ISSUER: &str = "https://eastus.oic.prod-aks.azure.com/72f988bf-86f1-41af-91ab-2d7cd011db47/0328c7fa/";
pub const FQDN: &str = "myaks-rg-19da35-4839be06.hcp.eastus.azmk8s.io";
pub const SUBSCRIPTION: &str = "26fe00f8-9173-4872-9134-bb1d2e00343a";

/// One cluster of AKS, and somebody logged in with az.
pub struct Aks {
    pub clouds: Clouds,
    pub cluster: &'static Cluster,
    pub az: FakeAz,
}

impl Aks {
    pub fn start(issuer: Issuer) -> Self {
        let clouds = Clouds::start();
        let cluster =
            Cluster::shared(ClusterOptions { issuer, server_names: vec![FQDN.into()], ..ClusterOptions::default() })
                .expect("a cluster starts");
        clouds.proxy.route(&format!("{FQDN}:443"), cluster.port());
        clouds.site.add(ISSUER, cluster);
        let az = FakeAz::logged_in(&clouds.folder.path().join("az")).expect("az is written");
        // The subscription that az has for its default.
        std::fs::create_dir(clouds.folder.path().join("azure")).expect("a folder");
        clouds
            .folder
            .write(
                "azure/azureProfile.json",
                format!(
                    "\u{feff}{{\"subscriptions\": [{{\"id\": \"{SUBSCRIPTION}\", \"isDefault\": true, \
                     \"environmentName\": \"AzureCloud\"}}]}}"
                ),
            )
            .expect("a profile");
        Self { clouds, cluster, az }
    }

    pub fn known(&self, group: &str, name: &str, issuer: Option<&str>) {
        self.clouds.azure.add_cluster(ArmCluster {
            subscription: SUBSCRIPTION.into(),
            resource_group: group.into(),
            name: name.into(),
            location: "eastus".into(),
            fqdn: FQDN.into(),
            issuer: issuer.map(str::to_owned),
            ..ArmCluster::default()
        });
    }

    /// As `az aks get-credentials` writes it for a cluster without Entra: the
    /// names, the host, and a client certificate.
    pub fn kubeconfig(&self, group: &str, name: &str) -> PathBuf {
        self.of_user("admin", self.cluster.kubeconfig(), group, name)
    }

    /// The same for somebody whom the API server tells nothing: Azure alone can
    /// name the issuer.
    pub fn unreadable(&self, group: &str, name: &str) -> PathBuf {
        let jane = self.cluster.authority().client("jane", None).expect("a certificate");
        let file = self.cluster.kubeconfig_with("jane", &Credentials::Certificate(jane)).expect("a kubeconfig");
        self.of_user("jane", &file, group, name)
    }

    fn of_user(&self, user: &str, file: &Path, group: &str, name: &str) -> PathBuf {
        let admin = std::fs::read_to_string(file).expect("a kubeconfig");
        let server = format!("https://{FQDN}:443");
        let text = admin
            .replace(&self.cluster.way(), &server)
            .replace(self.cluster.context(), name)
            .replace(&format!("name: {user}"), &format!("name: clusterUser_{group}_{name}"))
            .replace(&format!("user: {user}"), &format!("user: clusterUser_{group}_{name}"));
        assert!(text.contains(&format!("user: clusterUser_{group}_{name}")), "{text}");
        let file = self.clouds.folder.write(&format!("{name}.kubeconfig"), text).expect("a kubeconfig");
        self.clouds.lead_to(&file, self.cluster);
        file
    }

    /// Puts kubelogin into the kubeconfig, as `kubelogin convert-kubeconfig`
    /// writes it, and into the folder that is returned. It gives the certificate
    /// of the cluster's administrator.
    fn kubelogin(&self, kubeconfig: &Path, env: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = self.clouds.folder.path().join("kubelogin-bin");
        std::fs::create_dir(&folder).expect("a folder");
        let admin = self.cluster.admin();
        let credential = json!({"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential",
            "status": {"clientCertificateData": admin.certificate, "clientKeyData": admin.key}});
        self.clouds.folder.write("kubelogin-bin/credential.json", credential.to_string()).expect("a credential");
        self.clouds
            .folder
            .write("kubelogin-bin/kubelogin", "#!/bin/sh\ncat \"$(dirname \"$0\")/credential.json\"\n")
            .expect("kubelogin is written");
        std::fs::set_permissions(folder.join("kubelogin"), std::fs::Permissions::from_mode(0o755)).expect("a mode");
        let text = std::fs::read_to_string(kubeconfig).expect("a kubeconfig");
        let plugin = format!(
            "    exec:\n      apiVersion: client.authentication.k8s.io/v1beta1\n      command: kubelogin\n      args: [get-token, \
             --login, spn, --server-id, 6dae42f8-4368-4678-94ff-3960e28e3630, --environment, AzurePublicCloud, \
             --tenant-id, t1]\n      interactiveMode: Never{env}"
        );
        let lines = text.lines().filter(|line| !line.contains("client-key-data:"));
        let lines: Vec<&str> =
            lines.map(|line| if line.contains("client-certificate-data:") { plugin.as_str() } else { line }).collect();
        std::fs::write(kubeconfig, lines.join("\n") + "\n").expect("a kubeconfig");
        folder
    }

    pub fn command(&self, kubeconfig: &Path, words: &[&str]) -> std::process::Command {
        let mut command = self.clouds.kubectl(self.cluster, kubeconfig, &[self.az.folder()], words);
        command.env("AZURE_CONFIG_DIR", self.clouds.folder.path().join("azure"));
        command
    }

    pub fn issuer(&self, kubeconfig: &Path, words: &[&str]) -> Ran {
        run(&mut self.command(kubeconfig, &[&["vaultjwt", "issuer"], words].concat()))
    }

    pub fn managed(&self, group: &str, name: &str) -> String {
        format!(
            "GET /subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters/{name}"
        )
    }
}

each_product!(setup_after_get_credentials, |product| {
    let aks = Aks::start(Issuer::Url(ISSUER.into()));
    aks.known("rg", "prod", Some(ISSUER));
    aks.cluster.create_service_account("shop", "app").expect("a service account is made");
    let vault = PooledVault::take(VaultOptions::new(product)).expect("Vault starts");
    let kubeconfig = aks.kubeconfig("rg", "prod");
    let setup = [&["vaultjwt", "setup"], &ROLE[..], &["-o", "json"]].concat();
    let ran = run(with_vault(&mut aks.command(&kubeconfig, &setup), &vault)).ok();
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    // The slash at its end is part of it.
    assert_eq!(report["owner"], json!({"issuer": ISSUER}));
    assert_eq!((&report["keySource"], &report["namedBy"]), (&json!("issuerSite"), &json!("cloud")));
    assert_eq!(report["cloud"]["confirmed"], true);
    assert_eq!(report["login"]["result"], "proven");
    assert_eq!(report["role"]["after"]["bound_claims"]["iss"], ISSUER);
    // Who is known by name is asked for by name: one request, one token.
    assert_eq!(aks.clouds.azure.requests(), [aks.managed("rg", "prod")]);
    let calls = aks.az.calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(calls[0].starts_with("account get-access-token -o json --scope https://management.azure.com/.default"));

    // The issuer's site is out of reach. Azure does not tell the authority of
    // the API server, and so cannot vouch for it: neither command takes its keys.
    aks.clouds.proxy.block("eastus.oic.prod-aks.azure.com:443");
    let why = format!("the keys of issuer \"{ISSUER}\" can only be taken from its own site, which could not be read: ");
    let hint = "run this where the issuer's URL can be reached (a proxy is taken from HTTPS_PROXY)";
    let ran = run(with_vault(&mut aks.command(&kubeconfig, &setup), &vault));
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains(&format!("error: {why}")), "{}", ran.stderr);
    assert!(ran.stderr.ends_with(&format!("\nhint: {hint}\n")), "{}", ran.stderr);
    let before = aks.clouds.azure.requests().len();
    let sync = ["vaultjwt", "sync", "-o", "json"];
    let ran = run(with_vault(&mut aks.command(&kubeconfig, &sync), &vault));
    assert_eq!(ran.code, 1);
    let row = serde_json::from_str::<Value>(&ran.stdout).expect("JSON")["clusters"][0].clone();
    assert!(row["error"].as_str().is_some_and(|error| error.starts_with(&why)), "{row}");
    assert_eq!((&row["outcome"], &row["hint"]), (&json!("failed"), &json!(hint)));
    assert_eq!(aks.clouds.azure.requests().len(), before);
});

#[test]
fn nobody_is_logged_in_to_azure() {
    let aks = Aks::start(Issuer::Url(ISSUER.into()));
    aks.known("rg", "prod", Some(ISSUER));
    let kubeconfig = aks.unreadable("rg", "prod");
    let out = FakeAz::logged_out(&aks.clouds.folder.path().join("out")).expect("az is written");
    let ran = run(&mut aks.clouds.kubectl(aks.cluster, &kubeconfig, &[out.folder()], &["vaultjwt", "issuer"]));
    assert_eq!(ran.code, 1);
    let start = "error: AKS could not be asked about cluster \"prod\" in resource group \"rg\": no token for Azure's \
                 management API could be had (tried: AzureCliCredential: ";
    assert!(ran.stderr.contains(start), "{}", ran.stderr);
    assert!(ran.stderr.contains("Please run 'az login' to setup account"), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("\nhint: log in: az login\n"), "{}", ran.stderr);
}

#[test]
fn with_entra_and_a_client_secret() {
    let aks = Aks::start(Issuer::Url(ISSUER.into()));
    aks.known("my_rg", "a_b", Some(ISSUER));
    let kubeconfig = aks.kubeconfig("my_rg", "a_b");
    let kubelogin = aks.kubelogin(&kubeconfig, "");
    let mut command =
        aks.clouds.kubectl(aks.cluster, &kubeconfig, &[&kubelogin], &["vaultjwt", "issuer", "-o", "json"]);
    command
        .env("AZURE_TENANT_ID", "t1")
        .env("AZURE_CLIENT_ID", "c1")
        .env("AZURE_CLIENT_SECRET", "s3cret")
        .env("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION);
    let ran = run(&mut command).ok();
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((&report["issuer"], &report["namedBy"]), (&json!(ISSUER), &json!("cloud")));
    // The cluster entry says where the user entry is to be split.
    assert_eq!(aks.clouds.azure.requests(), ["POST /t1/oauth2/v2.0/token".to_owned(), aks.managed("my_rg", "a_b")]);
    assert!(!ran.stdout.contains("s3cret") && !ran.stderr.contains("s3cret"));
}

#[test]
fn az_is_asked_with_the_configuration_that_the_kubeconfig_names() {
    let aks = Aks::start(Issuer::Url(ISSUER.into()));
    aks.known("rg", "prod", Some(ISSUER));
    let kubeconfig = aks.kubeconfig("rg", "prod");
    let folder = aks.clouds.folder.path().join("azure");
    let env = format!("\n      env: [{{name: AZURE_CONFIG_DIR, value: {}}}]", folder.display());
    let kubelogin = aks.kubelogin(&kubeconfig, &env);
    // Somebody else is logged in in the shell, whose subscription is another one.
    let shell = aks.clouds.folder.path().join("shell");
    std::fs::create_dir(&shell).expect("a folder");
    let other = "{\"subscriptions\": [{\"id\": \"s9\", \"isDefault\": true, \"environmentName\": \"AzureCloud\"}]}";
    std::fs::write(shell.join("azureProfile.json"), other).expect("a profile");
    let words = ["vaultjwt", "issuer", "-o", "json"];
    let mut command = aks.clouds.kubectl(aks.cluster, &kubeconfig, &[&kubelogin, aks.az.folder()], &words);
    let ran = run(command.env("AZURE_CONFIG_DIR", &shell)).ok();
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((&report["issuer"], &report["cloud"]["confirmed"]), (&json!(ISSUER), &json!(true)));
    assert_eq!(aks.clouds.azure.requests(), [aks.managed("rg", "prod")]);
    assert_eq!(aks.az.config_folders(), [folder.display().to_string()]);
}

#[test]
fn an_issuer_that_is_off() {
    let aks = Aks::start(Issuer::Default);
    aks.known("rg", "prod", None);
    let kubeconfig = aks.kubeconfig("rg", "prod");
    let ran = aks.issuer(&kubeconfig, &[]).ok();
    let line = format!(
        "Cloud:    knows /subscriptions/{SUBSCRIPTION}/resourcegroups/rg/providers/Microsoft.ContainerService/managedClusters/prod; \
         its OIDC issuer is off; this turns it on, restarts the API server and cannot be undone: az aks update \
         --enable-oidc-issuer --subscription {SUBSCRIPTION} --resource-group rg --name prod"
    );
    assert!(ran.stdout.lines().any(|said| said == line), "{}\nwanted: {line}", ran.stdout);
    // The API server's own issuer serves meanwhile.
    assert!(ran.stdout.contains("Issuer:   https://kubernetes.default.svc.cluster.local\n"), "{}", ran.stdout);
}

#[test]
fn what_goes_wrong_at_azure() {
    let aks = Aks::start(Issuer::Url(ISSUER.into()));
    aks.known("rg", "prod", Some(ISSUER));
    // Azure alone can name the issuer.
    let kubeconfig = aks.unreadable("rg", "prod");
    let of = "error: AKS could not be asked about cluster \"prod\" in resource group \"rg\": ";
    let one = aks.managed("rg", "prod");
    let told = |wanted: &str| {
        let ran = aks.issuer(&kubeconfig, &[]);
        assert!(ran.code == 1 && ran.stderr.contains(wanted), "{}\nwanted: {wanted}", ran.stderr);
    };
    let denied = "The client 'jane' does not have authorization to perform action 'Microsoft.ContainerService/managedClusters/read'";
    aks.clouds.azure.fail("GET /subscriptions", 403, "AuthorizationFailed", denied);
    told(&format!("{of}AuthorizationFailed: {denied} (tried: "));
    told("hint: see who is asking, and let it read the cluster: az account show\n");
    aks.clouds.azure.recover();

    // Throttled: it waits as long as it is asked to, not longer than a person would.
    aks.clouds.azure.answer(
        &one,
        429,
        &[("Retry-After", "600")],
        "{\"error\":{\"code\":\"TooManyRequests\",\"message\":\"slow down\"}}",
    );
    aks.clouds.azure.fail(&format!("GET /subscriptions/{SUBSCRIPTION}/providers"), 500, "InternalServerError", "oops");
    let before = aks.clouds.azure.requests().len();
    told("TooManyRequests: slow down");
    let asked = aks.clouds.azure.requests()[before..].to_vec();
    assert_eq!(asked.iter().filter(|request| **request == one).count(), 1, "{asked:?}");
    aks.clouds.azure.recover();

    aks.clouds.azure.answer(&one, 200, &[], "<html>");
    aks.clouds.azure.answer(&format!("GET /subscriptions/{SUBSCRIPTION}/providers"), 200, &[], "[]");
    told(&format!("{of}its answer is not what its API describes"));
    aks.clouds.azure.recover();

    // Gone, and nothing else there has this API server.
    let nothing = Aks::start(Issuer::Url(ISSUER.into()));
    nothing.clouds.azure.add_subscription(SUBSCRIPTION, "Mine");
    let kubeconfig = nothing.unreadable("rg", "prod");
    let ran = nothing.issuer(&kubeconfig, &[]);
    let wanted = format!(
        "{of}ResourceNotFound: The Resource 'Microsoft.ContainerService/managedClusters/prod' under resource group 'rg' was \
         not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix (tried: \"prod\" in resource group \
         \"rg\": ResourceNotFound; all clusters of subscription {SUBSCRIPTION}: none of 0 has this API server)\nhint: see \
         which clusters there are: az aks list --output table\n"
    );
    assert!(ran.code == 1 && ran.stderr.ends_with(&wanted), "{}\nwanted: {wanted}", ran.stderr);
}
