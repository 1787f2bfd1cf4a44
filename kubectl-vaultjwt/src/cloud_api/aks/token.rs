//! Gets a token for Azure's management API: from the environment of the machine, then from
//! a login of az or azd.
//!
//! azure_identity 1.x has every credential, but none that tries all of them in order, so
//! the order is set here: an explicit secret, a workload's own identity, a person's login.
//! A managed identity is used only when AZURE_TOKEN_CREDENTIALS says so: elsewhere its
//! address does not answer, and the timeout is long.

use crate::cloud::aks::{AksCluster, AzureCloud};
use crate::cloud_api::aks::az::{InConfigDir, variable};
use crate::cloud_api::error::{CloudErrorKind, Refusal};
use crate::http::cause::innermost;
use azure_core::cloud::CloudConfiguration;
use azure_core::credentials::{Secret as AzureSecret, TokenCredential};
use azure_core::http::ClientOptions;
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, AzureDeveloperCliCredential, AzureDeveloperCliCredentialOptions,
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use shared::Secret;
use shared::text::one_line;
use std::sync::Arc;
use std::time::Duration;

/// Names the credentials that may be used.
const WANTED: &str = "AZURE_TOKEN_CREDENTIALS";
/// Bound on one credential: az starts slowly.
const PATIENCE: Duration = Duration::from_secs(30);

type Credential = Arc<dyn TokenCredential>;

/// The credentials that can be asked for by name, with the group of each.
const CREDENTIALS: &[(&str, &str)] = &[
    (ENVIRONMENT, "prod"),
    (WORKLOAD_IDENTITY, "prod"),
    (MANAGED_IDENTITY, "prod"),
    (AZURE_CLI, "dev"),
    (AZURE_DEVELOPER_CLI, "dev"),
];
const ENVIRONMENT: &str = "EnvironmentCredential";
const WORKLOAD_IDENTITY: &str = "WorkloadIdentityCredential";
const MANAGED_IDENTITY: &str = "ManagedIdentityCredential";
const AZURE_CLI: &str = "AzureCliCredential";
const AZURE_DEVELOPER_CLI: &str = "AzureDeveloperCliCredential";

pub async fn get(cluster: &AksCluster, endpoint: &str, subscription: Option<&str>) -> Result<Secret, Refusal> {
    let wanted = variable(WANTED);
    if let Some(unknown) = wanted.as_deref().and_then(unknown) {
        return Err(unknown);
    }
    let scope = format!("{endpoint}/.default");
    let mut tried: Vec<String> = Vec::new();
    for (name, made) in ways(cluster, subscription, wanted.as_deref()) {
        let asked = async { made?.get_token(&[&scope], None).await };
        let why = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(token)) => return Ok(Secret::new(token.token.secret())),
            Ok(Err(error)) => words(&error),
            Err(_) => format!("no answer in {} s", PATIENCE.as_secs()),
        };
        tried.push(format!("{name}: {why}"));
    }
    let words = "no token for Azure's management API could be had";
    Err(Refusal { tried, ..Refusal::new(CloudErrorKind::NoCredentials, words) })
}

/// The ways to try, in order: name and credential.
fn ways(
    cluster: &AksCluster,
    subscription: Option<&str>,
    wanted: Option<&str>,
) -> Vec<(&'static str, azure_core::Result<Credential>)> {
    let cloud = cluster.cloud.unwrap_or_default();
    let tenant = cluster.tenant.clone().or_else(|| variable("AZURE_TENANT_ID"));
    let mut all = Vec::new();
    let mut offer = |name: &'static str, there: bool, make: &dyn Fn() -> azure_core::Result<Credential>| {
        if wanted.map_or(there, |wanted| is_of(wanted, name)) {
            all.push((name, make()));
        }
    };
    let client = |name: &str| variable(name).unwrap_or_default();
    offer(ENVIRONMENT, variable("AZURE_CLIENT_SECRET").is_some(), &|| {
        let options = ClientSecretCredentialOptions { client_options: options(cloud) };
        let secret = AzureSecret::new(client("AZURE_CLIENT_SECRET"));
        let tenant = variable("AZURE_TENANT_ID").or(tenant.clone()).unwrap_or_default();
        Ok(ClientSecretCredential::new(&tenant, client("AZURE_CLIENT_ID"), secret, Some(options))?)
    });
    offer(WORKLOAD_IDENTITY, variable("AZURE_FEDERATED_TOKEN_FILE").is_some(), &|| {
        let credential_options = ClientAssertionCredentialOptions { client_options: options(cloud) };
        let options = WorkloadIdentityCredentialOptions { credential_options, ..Default::default() };
        Ok(WorkloadIdentityCredential::new(Some(options))?)
    });
    offer(MANAGED_IDENTITY, false, &|| {
        let user_assigned_id = variable("AZURE_CLIENT_ID").map(UserAssignedId::ClientId);
        let options = ManagedIdentityCredentialOptions { user_assigned_id, client_options: options(cloud) };
        Ok(ManagedIdentityCredential::new(Some(options))?)
    });
    offer(AZURE_CLI, true, &|| {
        // az takes a subscription or a tenant; the subscription says more.
        let subscription = subscription.map(str::to_owned);
        let tenant_id = tenant.clone().filter(|_| subscription.is_none());
        let executor = cluster.config_dir.as_deref().map(|folder| Arc::new(InConfigDir::new(folder)) as _);
        let options = AzureCliCredentialOptions { subscription, tenant_id, executor };
        Ok(AzureCliCredential::new(Some(options))?)
    });
    offer(AZURE_DEVELOPER_CLI, true, &|| {
        let options = AzureDeveloperCliCredentialOptions { tenant_id: tenant.clone(), ..Default::default() };
        Ok(AzureDeveloperCliCredential::new(Some(options))?)
    });
    all
}

/// Whether `wanted` asks for this credential: the values that Azure's other
/// SDKs know are `dev`, `prod`, or one name.
fn is_of(wanted: &str, name: &str) -> bool {
    let group = CREDENTIALS.iter().find(|(known, _)| *known == name).map_or("", |(_, group)| group);
    wanted.eq_ignore_ascii_case(name) || wanted.eq_ignore_ascii_case(group)
}

/// Why nothing can be tried, where `wanted` names nothing that is known.
fn unknown(wanted: &str) -> Option<Refusal> {
    if CREDENTIALS.iter().any(|(name, _)| is_of(wanted, name)) {
        return None;
    }
    let names: Vec<&str> = CREDENTIALS.iter().map(|(name, _)| *name).collect();
    let words = format!("{WANTED} is \"{}\", which is no credential that is known", one_line(wanted));
    let next = format!("set {WANTED} to dev, prod, {} or {}, or leave it out", names[..4].join(", "), names[4]);
    Some(Refusal { next: Some(next), ..Refusal::new(CloudErrorKind::Unknown, words) })
}

/// Where to log in. For the public cloud AZURE_AUTHORITY_HOST may name another place, which
/// azure_identity reads where no cloud is set.
fn options(cloud: AzureCloud) -> ClientOptions {
    let cloud = match cloud {
        AzureCloud::Public => None,
        AzureCloud::China => Some(CloudConfiguration::AzureChina),
        AzureCloud::UsGovernment => Some(CloudConfiguration::AzureGovernment),
    };
    ClientOptions { cloud: cloud.map(Arc::new), ..ClientOptions::default() }
}

/// What the library says, without the trace ids that Entra appends.
fn words(error: &azure_core::Error) -> String {
    let text = error.to_string();
    let text = if text.trim().is_empty() { innermost(error) } else { text };
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let first = first.split(" Trace ID:").next().unwrap_or_default().trim();
    one_line(first.trim_start_matches("ERROR: ").trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_that_is_not_known_is_named_with_those_that_are() {
        for known in ["dev", "PROD", "azurecliCredential", "ManagedIdentityCredential"] {
            assert_eq!(unknown(known), None, "{known}");
        }
        let refusal = unknown("AzurePowerShellCredential").unwrap();
        assert_eq!(
            refusal.words,
            "AZURE_TOKEN_CREDENTIALS is \"AzurePowerShellCredential\", which is no credential that is known"
        );
        assert_eq!(
            refusal.next.as_deref(),
            Some(
                "set AZURE_TOKEN_CREDENTIALS to dev, prod, EnvironmentCredential, WorkloadIdentityCredential, \
                 ManagedIdentityCredential, AzureCliCredential or AzureDeveloperCliCredential, or leave it out"
            )
        );
    }
}
