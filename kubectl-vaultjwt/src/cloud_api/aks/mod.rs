//! Asks Azure about an AKS cluster. `token` gets a token as Azure's tools do, `az` runs one
//! of them and reads its default subscription, `arm` reads documents of the management API,
//! `search` is the order in which a cluster is looked for.

mod arm;
mod az;
mod search;
mod token;

use crate::cloud::aks::{AksCluster, AksName, AzureCloud};
use crate::cloud::login::{self, command};
use crate::cloud_api::ClusterDescription;
use crate::cloud_api::aks::arm::{Arm, ManagedCluster};
use crate::cloud_api::aks::az::variable;
use crate::cloud_api::aks::search::ClusterSearch;
use crate::cloud_api::error::{CloudError, CloudErrorKind, Refusal};
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
        let (subscription, name) = found.names().unzip();
        let update = command_about("az aks update --enable-oidc-issuer", subscription.as_deref(), name.as_ref());
        format!("its OIDC issuer is off; this turns it on, restarts the API server and cannot be undone: {update}")
    });
    // The authority is in the kubeconfigs that ARM gives out, and nowhere else:
    // to ask for one is to ask for a credential, which a reader may not.
    Ok(ClusterDescription { id: found.id.clone(), issuer, no_issuer, hosts: found.hosts(), authority: None })
}

fn command_about(base: &str, subscription: Option<&str>, name: Option<&AksName>) -> String {
    let group = name.map(|name| name.resource_group.as_str());
    let name = name.map(|name| name.name.as_str());
    command(base, &[("--subscription", subscription), ("--resource-group", group), ("--name", name)])
}

async fn search(cluster: &AksCluster) -> Result<ManagedCluster, Refusal> {
    if cluster.names.is_empty() && cluster.fqdn.is_none() && cluster.wanted.name.is_none() {
        let next = "say which cluster it is with --cloud-cluster, an Azure resource id".to_owned();
        let unknown = Refusal::new(CloudErrorKind::Unknown, "neither its name nor its API server's is known");
        return Err(Refusal { next: Some(next), ..unknown });
    }
    let given = cluster.subscription.clone().or_else(|| variable("AZURE_SUBSCRIPTION_ID"));
    let cloud = cluster.cloud.unwrap_or_default();
    let default = given.clone().or_else(|| az::default_subscription(cloud, cluster.config_dir.as_deref()));
    let endpoint = arm_endpoint(cloud);
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
            if let Some(found) = hunt.among_all(subscription).await {
                return Ok(found);
            }
        }
    }
    hunt.over()
}

fn error(cluster: &AksCluster, refusal: Refusal) -> CloudError {
    let subscription = cluster.subscription.as_deref();
    let list = || command("az aks list --output table", &[("--subscription", subscription)]);
    let by_kind = match refusal.trouble {
        CloudErrorKind::NoCredentials | CloudErrorKind::Expired => login::azure(cluster.tenant.as_deref()),
        CloudErrorKind::Denied | CloudErrorKind::Another => "az account show".to_owned(),
        CloudErrorKind::NotFound => list(),
        CloudErrorKind::Unknown => "say which subscription it is in with --azure-subscription ID".to_owned(),
        CloudErrorKind::Busy | CloudErrorKind::Unreachable => match cluster.names.first() {
            Some(name) => command_about("az aks show", subscription, Some(name)),
            None => list(),
        },
    };
    let named = match (cluster.names.as_slice(), &cluster.wanted.name, &cluster.fqdn) {
        ([only], ..) => format!("cluster {only}"),
        (_, Some(name), _) => format!("cluster \"{}\"", one_line(name)),
        (_, None, Some(fqdn)) => format!("the cluster at \"{}\"", one_line(fqdn)),
        _ => "a cluster of unknown name".to_owned(),
    };
    refusal.into_error("AKS", named, by_kind)
}

#[cfg(test)]
mod tests;
