//! Asking Azure about an AKS cluster. `token` gets a token as Azure's tools
//! do (`az` runs one of them), `arm` reads documents of the management API,
//! `subscription` knows az's default one, `hunt` the order in which a cluster
//! is looked for.

mod arm;
mod az;
mod hunt;
mod subscription;
mod token;

use super::Described;
use super::error::{CloudError, Trouble, command};
use crate::cloud::aks::AzureCloud;
use crate::cloud::login;
use crate::cloud::verdict::AksCluster;
use arm::{Arm, ManagedCluster};
use hunt::Hunt;
use shared::text::one_line;

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    trouble: Trouble,
    code: Option<String>,
    words: String,
    tried: Vec<String>,
    /// What helps, where its kind does not tell.
    next: Option<String>,
}

impl Refusal {
    fn new(trouble: Trouble, words: impl Into<String>) -> Self {
        Self { trouble, code: None, words: words.into(), tried: Vec::new(), next: None }
    }
}

/// Where one of Azure's clouds is managed (azure-cli-core `cloud.py`).
fn arm_endpoint(cloud: AzureCloud) -> &'static str {
    match cloud {
        AzureCloud::Public => "https://management.azure.com",
        AzureCloud::China => "https://management.chinacloudapi.cn",
        AzureCloud::UsGovernment => "https://management.usgovcloudapi.net",
    }
}

/// What Azure says about `cluster`.
pub async fn describe(cluster: &AksCluster) -> Result<Described, CloudError> {
    let found = search(cluster).await.map_err(|refusal| error(cluster, refusal))?;
    let issuer = found.issuer();
    let no_issuer = issuer.is_none().then(|| {
        let name = found.names();
        let flags = [
            ("--subscription", name.as_ref().map(|(subscription, _)| subscription.as_str())),
            ("--resource-group", name.as_ref().map(|(_, name)| name.resource_group.as_str())),
            ("--name", name.as_ref().map(|(_, name)| name.name.as_str())),
        ];
        let update = command("az aks update --enable-oidc-issuer", &flags);
        format!("its OIDC issuer is off; this turns it on, restarts the API server and cannot be undone: {update}")
    });
    // The authority is in the kubeconfigs that ARM gives out, and nowhere else:
    // to ask for one is to ask for a credential, which a reader may not.
    Ok(Described { id: found.id.clone(), issuer, no_issuer, hosts: found.hosts(), authority: None })
}

async fn search(cluster: &AksCluster) -> Result<ManagedCluster, Refusal> {
    if cluster.names.is_empty() && cluster.fqdn.is_none() && cluster.wanted.name.is_none() {
        let next = "say which cluster it is with --cloud-cluster, an Azure resource id".to_owned();
        let unknown = Refusal::new(Trouble::Unknown, "neither its name nor its API server's is known");
        return Err(Refusal { next: Some(next), ..unknown });
    }
    let given = cluster.subscription.clone().or_else(|| variable("AZURE_SUBSCRIPTION_ID"));
    let config_dir = cluster.config_dir.as_deref();
    let default = given.clone().or_else(|| subscription::of_az(cluster.cloud, config_dir));
    let endpoint = arm_endpoint(cluster.cloud);
    let token = token::get(cluster, endpoint, given.as_deref()).await?;
    let arm = Arm::new(endpoint, token)?;
    let mut hunt = Hunt::new(&arm, cluster);
    if let Some(subscription) = &default
        && let Some(found) = hunt.first(subscription).await
    {
        return Ok(found);
    }
    if given.is_none() {
        for subscription in hunt.subscriptions().await.iter().filter(|id| default.as_ref() != Some(id)) {
            if let Some(found) = hunt.further(subscription).await {
                return Ok(found);
            }
        }
    }
    hunt.over()
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn error(cluster: &AksCluster, refusal: Refusal) -> CloudError {
    let subscription = cluster.subscription.as_deref();
    let by_kind = match refusal.trouble {
        Trouble::NoCredentials | Trouble::Expired => login::azure(cluster.tenant.as_deref()),
        Trouble::Denied | Trouble::Another => "az account show".to_owned(),
        Trouble::NotFound => command("az aks list --output table", &[("--subscription", subscription)]),
        Trouble::Unknown => "say which subscription it is in with --azure-subscription ID".to_owned(),
        Trouble::Busy | Trouble::Unreachable => match cluster.names.first() {
            Some(name) => command(
                "az aks show",
                &[
                    ("--subscription", subscription),
                    ("--resource-group", Some(&name.resource_group)),
                    ("--name", Some(&name.name)),
                ],
            ),
            None => command("az aks list --output table", &[("--subscription", subscription)]),
        },
    };
    let named = match (cluster.names.as_slice(), &cluster.wanted.name, &cluster.fqdn) {
        ([only], ..) => {
            let (name, group) = (one_line(&only.name), one_line(&only.resource_group));
            format!("cluster \"{name}\" in resource group \"{group}\"")
        }
        (_, Some(name), _) => format!("cluster \"{}\"", one_line(name)),
        (_, None, Some(fqdn)) => format!("the cluster at \"{}\"", one_line(fqdn)),
        _ => "a cluster of unknown name".to_owned(),
    };
    CloudError {
        cloud: "AKS",
        cluster: named,
        trouble: refusal.trouble,
        code: refusal.code,
        words: refusal.words,
        tried: refusal.tried,
        next: refusal.next.unwrap_or(by_kind),
    }
}

#[cfg(test)]
mod tests;
