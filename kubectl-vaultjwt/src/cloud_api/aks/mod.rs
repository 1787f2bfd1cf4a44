//! Asks Azure about an AKS cluster. `token` gets a token as Azure's tools do (`az` runs one
//! of them), `arm` reads documents of the management API, `subscription` reads az's default
//! subscription, `search` is the order in which a cluster is looked for, `refusal` says why
//! Azure could not describe it.

mod arm;
mod az;
pub mod refusal;
mod search;
mod subscription;
mod token;

use crate::cloud::aks::AzureCloud;
use crate::cloud::login;
use crate::cloud::verdict::AksCluster;
use crate::cloud_api::ClusterDescription;
use crate::cloud_api::aks::arm::{Arm, ManagedCluster};
use crate::cloud_api::aks::az::variable;
use crate::cloud_api::aks::refusal::Refusal;
use crate::cloud_api::aks::search::ClusterSearch;
use crate::cloud_api::error::{CloudError, CloudErrorKind, command};
use shared::text::one_line;

/// Where one of Azure's clouds is managed (azure-cli-core `cloud.py`).
fn arm_endpoint(cloud: AzureCloud) -> &'static str {
    match cloud {
        AzureCloud::Public => "https://management.azure.com",
        AzureCloud::China => "https://management.chinacloudapi.cn",
        AzureCloud::UsGovernment => "https://management.usgovcloudapi.net",
    }
}

pub async fn describe(cluster: &AksCluster) -> Result<ClusterDescription, CloudError> {
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
    Ok(ClusterDescription { id: found.id.clone(), issuer, no_issuer, hosts: found.hosts(), authority: None })
}

async fn search(cluster: &AksCluster) -> Result<ManagedCluster, Refusal> {
    if cluster.names.is_empty() && cluster.fqdn.is_none() && cluster.wanted.name.is_none() {
        let next = "say which cluster it is with --cloud-cluster, an Azure resource id".to_owned();
        let unknown = Refusal::new(CloudErrorKind::Unknown, "neither its name nor its API server's is known");
        return Err(Refusal { next: Some(next), ..unknown });
    }
    let given = cluster.subscription.clone().or_else(|| variable("AZURE_SUBSCRIPTION_ID"));
    let config_dir = cluster.config_dir.as_deref();
    let default = given.clone().or_else(|| subscription::of_az(cluster.cloud, config_dir));
    let endpoint = arm_endpoint(cluster.cloud);
    let token = token::get(cluster, endpoint, given.as_deref()).await?;
    let arm = Arm::new(endpoint, token)?;
    let mut hunt = ClusterSearch::new(&arm, cluster);
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

fn error(cluster: &AksCluster, refusal: Refusal) -> CloudError {
    let subscription = cluster.subscription.as_deref();
    let by_kind = match refusal.trouble {
        CloudErrorKind::NoCredentials | CloudErrorKind::Expired => login::azure(cluster.tenant.as_deref()),
        CloudErrorKind::Denied | CloudErrorKind::Another => "az account show".to_owned(),
        CloudErrorKind::NotFound => command("az aks list --output table", &[("--subscription", subscription)]),
        CloudErrorKind::Unknown => "say which subscription it is in with --azure-subscription ID".to_owned(),
        CloudErrorKind::Busy | CloudErrorKind::Unreachable => match cluster.names.first() {
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
