//! Queries EKS: `DescribeCluster`, and `ListClusters` where the name is not known.
//! Credentials and region are found as the aws command finds them.

use crate::cloud::eks::EksCluster;
use crate::cloud::kubeconfig_entry::host;
use crate::cloud::login::{self, command};
use crate::cloud_api::ClusterDescription;
use crate::cloud_api::error::{CloudError, CloudErrorKind, Refusal};
use crate::http::cause::{innermost, layers};
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_eks::Client;
use aws_sdk_eks::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_eks::types::Cluster;
use futures_util::stream::{self, StreamExt as _};
use shared::text::one_line;
use std::error::Error;
use std::time::Duration;

/// Bounds on one attempt and on all of them.
const ATTEMPT: Duration = Duration::from_secs(10);
const ALL_ATTEMPTS: Duration = Duration::from_secs(30);
/// Clusters that are described at a time while one is looked for.
const AT_ONCE: usize = 8;

/// As whom EKS is asked.
struct Asker {
    client: Client,
    who: String,
}

pub async fn describe(cluster: &EksCluster, flag: Option<&str>) -> Result<ClusterDescription, CloudError> {
    let profile = flag.or(cluster.profile.as_deref());
    let failed = |refusal: Refusal| error(cluster, profile, refusal);
    let config = config(cluster, flag).await;
    if config.region().is_none() {
        return Err(failed(Refusal::new(CloudErrorKind::Unknown, "no region is known")));
    }
    let who = profile.map_or_else(|| "your AWS credentials".to_owned(), |profile| format!("profile \"{profile}\""));
    let base = Asker { client: Client::new(&config), who };
    let first = look(&base.client, cluster).await;
    // The role of the kubeconfig is for tokens; credentials that may not read the cluster
    // without it may with it (a cluster of another account, where one's own can have one of the
    // same name).
    let again = match &first {
        Ok(found) => !is_there(cluster, found),
        Err(refusal) => {
            matches!(refusal.trouble, CloudErrorKind::Denied | CloudErrorKind::NotFound | CloudErrorKind::Another)
        }
    };
    let Some(role) = cluster.role.as_ref().filter(|_| again) else {
        return first.map_err(failed);
    };
    let assumed = assuming(&config, role).await;
    match (first, look(&assumed.client, cluster).await) {
        // If neither is the cluster, the error names the nearest.
        (Ok(first), Ok(second)) => Ok(if is_there(cluster, &second) { second } else { first }),
        (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
        (Err(first), Err(second)) => {
            let told = |asker: &Asker, refusal: &Refusal| {
                format!("{}: {}", asker.who, refusal.code.as_deref().unwrap_or(&refusal.words))
            };
            let tried = vec![told(&base, &first), told(&assumed, &second)];
            Err(failed(Refusal { tried, ..first }))
        }
    }
}

/// Region: what the kubeconfig says, else the environment's and the profile's.
async fn config(cluster: &EksCluster, flag: Option<&str>) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(ALL_ATTEMPTS).build();
    let region = cluster.region.clone().map(Region::new);
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(3));
    if let Some(region) = &region {
        loader = loader.region(region.clone());
    }
    let argument = cluster.profile.as_deref().filter(|_| cluster.profile_is_argument);
    if let Some(profile) = flag.or(argument) {
        // As with the aws command, a profile by flag, this program's or the plugin's, goes
        // before keys in the environment (botocore `credentials.py`,
        // `create_credential_resolver`).
        let context = ProviderConfig::with_default_region().await;
        let context = if region.is_some() { context.with_region(region) } else { context };
        let provider = ProfileFileCredentialsProvider::builder().configure(&context).profile_name(profile).build();
        loader = loader.profile_name(profile).credentials_provider(provider);
    } else if let Some(profile) = &cluster.profile {
        // An environment variable of the kubeconfig, which keys go before.
        loader = loader.profile_name(profile);
    }
    loader.load().await
}

async fn assuming(config: &SdkConfig, role: &str) -> Asker {
    let provider = AssumeRoleProvider::builder(role).configure(config).session_name("kubectl-vaultjwt").build().await;
    let config =
        config.to_builder().credentials_provider(aws_sdk_eks::config::SharedCredentialsProvider::new(provider));
    Asker { client: Client::new(&config.build()), who: format!("role \"{role}\"") }
}

/// The cluster by its name, else the one that has this endpoint.
async fn find(client: &Client, cluster: &EksCluster) -> Result<Cluster, Refusal> {
    if let Some(name) = &cluster.name {
        return read(client, name).await;
    }
    let Some(endpoint) = &cluster.endpoint else {
        return Err(Refusal::new(CloudErrorKind::Unknown, "neither its name nor its endpoint is known"));
    };
    let mut names = Vec::new();
    let mut pages = client.list_clusters().into_paginator().items().send();
    while let Some(name) = pages.next().await {
        names.push(name.map_err(refusal)?);
    }
    let total = names.len();
    let mut described =
        stream::iter(names).map(|name| async move { read(client, &name).await }).buffer_unordered(AT_ONCE);
    let mut trouble = None;
    while let Some(found) = described.next().await {
        match found {
            Ok(found) if found.endpoint().and_then(host).as_ref() == Some(endpoint) => return Ok(found),
            Ok(_) => {}
            Err(refusal) => trouble = trouble.or(Some(refusal)),
        }
    }
    let words = format!("none of {total} clusters there has the endpoint \"{}\"", one_line(endpoint));
    Err(trouble.unwrap_or(Refusal::new(CloudErrorKind::NotFound, words)))
}

async fn read(client: &Client, name: &str) -> Result<Cluster, Refusal> {
    let answer = client.describe_cluster().name(name).send().await.map_err(refusal)?;
    answer.cluster.ok_or_else(|| Refusal::new(CloudErrorKind::Busy, "DescribeCluster answered without a cluster"))
}

async fn look(client: &Client, cluster: &EksCluster) -> Result<ClusterDescription, Refusal> {
    check(cluster, find(client, cluster).await?)
}

/// Whether the kubeconfig leads there, as far as it leads straight anywhere.
fn is_there(cluster: &EksCluster, found: &ClusterDescription) -> bool {
    cluster.endpoint.as_ref().is_none_or(|endpoint| found.answers_at(endpoint))
}

/// What is said about another account's cluster of that name is not about this one.
fn check(cluster: &EksCluster, found: Cluster) -> Result<ClusterDescription, Refusal> {
    let arn = found.arn().unwrap_or_default();
    let theirs = crate::cloud::eks::arn(arn).and_then(|claim| claim.account);
    if let (Some(ours), Some(theirs)) = (&cluster.account, &theirs)
        && ours != theirs
    {
        let words = format!("these credentials see the cluster of that name in account {theirs}, not in {ours}");
        return Err(Refusal::new(CloudErrorKind::Another, words));
    }
    let issuer = found.identity().and_then(|identity| identity.oidc()).and_then(|oidc| oidc.issuer());
    let no_issuer = issuer.is_none().then(|| "EKS gives this cluster no OIDC identity".to_owned());
    Ok(ClusterDescription {
        id: arn.to_owned(),
        issuer: issuer.map(str::to_owned),
        no_issuer,
        authority: found.certificate_authority().and_then(|ca| ca.data()).and_then(authority),
        hosts: found.endpoint().and_then(host).into_iter().collect(),
    })
}

/// `certificateAuthority.data`: base64 of one certificate, PEM.
fn authority(data: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.decode(data).ok()?;
    pem::parse(text).ok().filter(|block| block.tag() == "CERTIFICATE").map(pem::Pem::into_contents)
}

fn refusal<E: ProvideErrorMetadata + Error + 'static>(error: SdkError<E>) -> Refusal {
    let SdkError::ServiceError(refused) = &error else { return unanswered(&error) };
    let meta = refused.err().meta();
    let status = refused.raw().status().as_u16();
    let trouble = trouble(meta.code().unwrap_or_default(), status);
    let words = meta.message().map_or_else(|| format!("HTTP {status}"), str::to_owned);
    Refusal { code: meta.code().map(str::to_owned), ..Refusal::new(trouble, words) }
}

/// AWS's codes, by what helps (EKS and STS "Common Errors").
fn trouble(code: &str, status: u16) -> CloudErrorKind {
    match code {
        "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => CloudErrorKind::Denied,
        "ResourceNotFoundException" => CloudErrorKind::NotFound,
        "ExpiredTokenException"
        | "ExpiredToken"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch" => CloudErrorKind::Expired,
        _ if status == 403 => CloudErrorKind::Denied,
        _ => CloudErrorKind::Busy,
    }
}

/// A request that got no answer, or was never sent for want of credentials.
fn unanswered(error: &(dyn Error + 'static)) -> Refusal {
    match layers(error).find_map(|layer| layer.downcast_ref::<CredentialsError>()) {
        Some(CredentialsError::CredentialsNotLoaded(_)) => {
            Refusal::new(CloudErrorKind::NoCredentials, "no AWS credentials were found")
        }
        Some(error) => Refusal::new(CloudErrorKind::Expired, innermost(error)),
        None => Refusal::new(CloudErrorKind::Unreachable, innermost(error)),
    }
}

fn error(cluster: &EksCluster, profile: Option<&str>, refusal: Refusal) -> CloudError {
    let region = cluster.region.as_deref();
    let aws = |base: &str| command(base, &[("--region", region), ("--profile", profile)]);
    let next = match refusal.trouble {
        CloudErrorKind::NoCredentials | CloudErrorKind::Expired => login::aws(profile),
        CloudErrorKind::Denied | CloudErrorKind::Another => {
            command("aws sts get-caller-identity", &[("--profile", profile)])
        }
        CloudErrorKind::NotFound => aws("aws eks list-clusters"),
        CloudErrorKind::Unknown => "say which cluster it is with --cloud-cluster ARN".to_owned(),
        CloudErrorKind::Busy | CloudErrorKind::Unreachable => match &cluster.name {
            Some(name) => command(
                "aws eks describe-cluster",
                &[("--name", Some(name)), ("--region", region), ("--profile", profile)],
            ),
            None => aws("aws eks list-clusters"),
        },
    };
    let named = cluster
        .name
        .as_ref()
        .or(cluster.endpoint.as_ref())
        .map_or_else(|| "a cluster of unknown name".to_owned(), |name| format!("cluster \"{}\"", one_line(name)));
    let place = region.map_or_else(String::new, |region| format!(" in {}", one_line(region)));
    refusal.into_error("EKS", named + &place, next)
}
