//! A fake Azure: the parts of Resource Manager that describe AKS clusters, and the part of
//! Entra that issues a token. There is no emulator that knows a cluster's issuer. The
//! responses follow Microsoft's example documents.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::ServerError;
use super::listener::Listener;
use super::raw_http::Request;
use super::script::{Script, host_of};
use super::scripted::{self, Reply};
use crate::certificates::Authority;
use crate::process::locked;

/// The hosts it stands for: Resource Manager and Entra of the public cloud, of
/// China, and of the US government.
const HOSTS: [&str; 6] = [
    "management.azure.com",
    "management.chinacloudapi.cn",
    "management.usgovcloudapi.net",
    "login.microsoftonline.com",
    "login.chinacloudapi.cn",
    "login.microsoftonline.us",
];

/// The one token that it gives and takes.
pub(super) const TOKEN: &str = "arm-token";

/// An AKS cluster that Azure knows.
#[derive(Debug, Clone, Default)]
pub struct ArmCluster {
    /// The id of its subscription.
    pub subscription: String,
    pub resource_group: String,
    pub name: String,
    pub location: String,
    /// The host name of its API server.
    pub fqdn: String,
    /// The same inside its network, if it is private.
    pub private_fqdn: Option<String>,
    /// Its issuer, if that is switched on.
    pub issuer: Option<String>,
    /// Is the issuer spelt `issuerUrl`, as the command line prints it?
    pub old_spelling: bool,
}

/// A running stand-in, with a certificate for all of Azure's hosts.
#[derive(Debug)]
pub struct ArmStub {
    shared: Arc<Shared>,
    listener: Listener,
    ca: String,
}

#[derive(Debug, Default)]
struct Shared {
    script: Script,
    clusters: Mutex<Vec<ArmCluster>>,
    /// Id and name.
    subscriptions: Mutex<Vec<(String, String)>>,
    /// Clusters on a page; all when 0.
    page_size: AtomicUsize,
}

impl ArmStub {
    /// Starts one without subscriptions.
    ///
    /// # Errors
    /// The certificate or the listener cannot be made.
    pub fn start() -> Result<Self, ServerError> {
        let authority = Authority::new("Azure")?;
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        let listener = scripted::start(&authority.server_for(&HOSTS)?, move |request| serving.answer(request));
        let listener = listener.map_err(ServerError::io("starting a stand-in for Azure"))?;
        Ok(Self { shared, listener, ca: authority.pem() })
    }

    pub fn port(&self) -> u16 {
        self.listener.port()
    }

    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port())
    }

    /// The certificate of its authority, PEM.
    pub fn ca_pem(&self) -> String {
        self.ca.clone()
    }

    /// The hosts it has a certificate for, as `name:443`, to be routed to it.
    pub fn hosts() -> Vec<String> {
        HOSTS.map(|host| format!("{host}:443")).into()
    }

    /// Adds a subscription that may have no clusters.
    pub fn add_subscription(&self, id: &str, name: &str) {
        self.shared.add_subscription(id, name);
    }

    /// Adds a cluster, and its subscription where that is missing.
    pub fn add_cluster(&self, cluster: ArmCluster) {
        self.shared.add_subscription(&cluster.subscription, "Subscription");
        locked(&self.shared.clusters).push(cluster);
    }

    /// Lists so many clusters at once from now on, with a link to the next ones.
    pub fn page_size(&self, clusters: usize) {
        self.shared.page_size.store(clusters, Ordering::SeqCst);
    }

    /// From now on every request that begins so (`GET /subscriptions`) gets an
    /// error of this code and message.
    pub fn fail(&self, prefix: &str, status: u16, code: &str, message: &str) {
        self.shared.script.answer_all(prefix, error(status, code, message));
    }

    /// As [`Self::fail`], with given headers and a given body.
    pub fn answer(&self, prefix: &str, status: u16, headers: &[(&'static str, &str)], body: &str) {
        let reply = Reply::new(status, "application/json; charset=utf-8", body);
        let reply = headers.iter().fold(reply, |reply, (name, value)| reply.with(name, *value));
        self.shared.script.answer_all(prefix, reply);
    }

    /// Ends what [`Self::fail`] and [`Self::answer`] began.
    pub fn recover(&self) {
        self.shared.script.clear();
    }

    /// The requests that have come, as `GET /subscriptions`, in order.
    pub fn requests(&self) -> Vec<String> {
        self.shared.script.requests()
    }

    /// Those of them that were sent to this host (`management.azure.com`).
    pub fn requests_to(&self, host: &str) -> Vec<String> {
        let seen = self.shared.script.seen().into_iter().filter(|seen| seen.host == host);
        seen.map(|seen| seen.request).collect()
    }
}

fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"error": {"code": code, "message": message}}))
}

/// Who asks without a token is told where there are some.
fn unauthorized(code: &str, message: &str) -> Reply {
    let challenge = "Bearer authorization_uri=\"https://login.microsoftonline.com/\", error=\"invalid_token\"";
    error(401, code, message).with("WWW-Authenticate", challenge)
}

impl Shared {
    fn add_subscription(&self, id: &str, name: &str) {
        let mut subscriptions = locked(&self.subscriptions);
        if !subscriptions.iter().any(|(other, _)| other.eq_ignore_ascii_case(id)) {
            subscriptions.push((id.to_owned(), name.to_owned()));
        }
    }

    fn answer(&self, request: &Request) -> Reply {
        if let Some(reply) = self.script.play(request) {
            return reply;
        }
        let path = request.path().trim_matches('/');
        entra(request, path).unwrap_or_else(|| self.resource_manager(request, path))
    }

    fn resource_manager(&self, request: &Request, path: &str) -> Reply {
        match request.header("authorization") {
            None => {
                let message = "Authentication failed. The 'Authorization' header is missing.";
                return unauthorized("AuthenticationFailed", message);
            }
            Some(authorization) if authorization != format!("Bearer {TOKEN}") => {
                return unauthorized("InvalidAuthenticationToken", "The access token is invalid.");
            }
            Some(_) => (),
        }
        if !request.target.contains("api-version=") {
            let message = "The api-version query parameter (?api-version=) is required for all requests.";
            return error(400, "MissingApiVersionParameter", message);
        }
        // Resource Manager tells no upper case from lower case.
        let lower = path.to_ascii_lowercase();
        let segments: Vec<&str> = lower.split('/').collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["subscriptions"]) => self.subscriptions(),
            ("GET", ["subscriptions", subscription, "providers", "microsoft.containerservice", "managedclusters"]) => {
                self.list(request, subscription)
            }
            (
                "GET",
                [
                    "subscriptions",
                    subscription,
                    "resourcegroups",
                    group,
                    "providers",
                    "microsoft.containerservice",
                    "managedclusters",
                    name,
                ],
            ) => self.get(path, [subscription, group, name]),
            _ => error(404, "InvalidResourceType", "The resource type could not be found."),
        }
    }

    fn subscriptions(&self) -> Reply {
        let all: Vec<_> = locked(&self.subscriptions)
            .iter()
            .map(|(id, name)| {
                json!({"id": format!("/subscriptions/{id}"), "subscriptionId": id, "displayName": name,
                    "tenantId": "00000000-0000-0000-0000-000000000002", "state": "Enabled",
                    "authorizationSource": "RoleBased"})
            })
            .collect();
        Reply::json(200, &json!({"count": {"type": "Total", "value": all.len()}, "value": all}))
    }

    fn is_known(&self, subscription: &str) -> Result<(), Reply> {
        if locked(&self.subscriptions).iter().any(|(id, _)| id.eq_ignore_ascii_case(subscription)) {
            return Ok(());
        }
        let message = format!("The subscription '{subscription}' could not be found.");
        Err(error(404, "SubscriptionNotFound", &message))
    }

    fn list(&self, request: &Request, subscription: &str) -> Reply {
        if let Err(unknown) = self.is_known(subscription) {
            return unknown;
        }
        let clusters = locked(&self.clusters);
        let all = clusters.iter().filter(|cluster| cluster.subscription.eq_ignore_ascii_case(subscription));
        let mut values: Vec<Value> = all.map(body).collect();
        let query = request.target.split_once("skiptoken=").map_or("", |(_, rest)| rest);
        let skipped: usize = query.split('&').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        values.drain(..skipped.min(values.len()));
        let mut page = json!({});
        let size = self.page_size.load(Ordering::SeqCst);
        if size > 0 && values.len() > size {
            values.truncate(size);
            let host = request.header("host").unwrap_or_default();
            let (path, next) = (request.path(), skipped + size);
            page["nextLink"] = json!(format!("https://{host}{path}?api-version=2025-10-01&%24skiptoken={next}"));
        }
        page["value"] = json!(values);
        Reply::json(200, &page)
    }

    fn get(&self, path: &str, [subscription, group, name]: [&str; 3]) -> Reply {
        if let Err(unknown) = self.is_known(subscription) {
            return unknown;
        }
        let clusters = locked(&self.clusters);
        let found = clusters.iter().find(|cluster| {
            cluster.subscription.eq_ignore_ascii_case(subscription)
                && cluster.resource_group.eq_ignore_ascii_case(group)
                && cluster.name.eq_ignore_ascii_case(name)
        });
        if let Some(cluster) = found {
            return Reply::json(200, &body(cluster));
        }
        // As they were written.
        let mut written = path.split('/').skip(3).step_by(4);
        let (group, name) = (written.next().unwrap_or_default(), written.next().unwrap_or_default());
        let message = format!(
            "The Resource 'Microsoft.ContainerService/managedClusters/{name}' under resource group '{group}' was not \
             found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
        );
        error(404, "ResourceNotFound", &message)
    }
}

/// What Resource Manager says about a cluster.
fn body(cluster: &ArmCluster) -> Value {
    let mut body: Value = serde_json::from_str(include_str!("managed_cluster.json")).unwrap_or_default();
    let ArmCluster { subscription, resource_group, name, location, fqdn, .. } = cluster;
    body["id"] = json!(format!(
        "/subscriptions/{subscription}/resourcegroups/{resource_group}/providers/Microsoft.ContainerService/\
         managedClusters/{name}"
    ));
    body["name"] = json!(name);
    body["location"] = json!(location);
    let properties = &mut body["properties"];
    properties["fqdn"] = json!(fqdn);
    properties["azurePortalFQDN"] = json!(fqdn.replacen(".hcp.", ".portal.hcp.", 1));
    properties["dnsPrefix"] = json!(fqdn.split('.').next().and_then(|label| label.rsplit_once('-')).map(|it| it.0));
    properties["nodeResourceGroup"] = json!(format!("MC_{resource_group}_{name}_{location}"));
    if let Some(private) = &cluster.private_fqdn {
        properties["privateFQDN"] = json!(private);
        properties["apiServerAccessProfile"] = json!({"enablePrivateCluster": true});
    }
    if let Some(issuer) = &cluster.issuer {
        let spelling = if cluster.old_spelling { "issuerUrl" } else { "issuerURL" };
        properties["oidcIssuerProfile"] = json!({"enabled": true, spelling: issuer});
    }
    body
}

/// What Entra answers, if it is asked.
fn entra(request: &Request, path: &str) -> Option<Reply> {
    let host = host_of(request);
    let found = match (request.method.as_str(), path.split('/').collect::<Vec<_>>().as_slice()) {
        ("POST", [_, "oauth2", "v2.0", "token"]) => {
            json!({"token_type": "Bearer", "expires_in": 3_599, "ext_expires_in": 3_599, "access_token": TOKEN})
        }
        ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => json!({
            "issuer": format!("https://{host}/{tenant}/v2.0"),
            "authorization_endpoint": format!("https://{host}/{tenant}/oauth2/v2.0/authorize"),
            "token_endpoint": format!("https://{host}/{tenant}/oauth2/v2.0/token"),
            "jwks_uri": format!("https://{host}/{tenant}/discovery/v2.0/keys"),
        }),
        ("GET", ["common", "discovery", "instance"]) => json!({
            "tenant_discovery_endpoint": format!("https://{host}/common/v2.0/.well-known/openid-configuration"),
            "api-version": "1.1",
            "metadata": [{"preferred_network": &host, "preferred_cache": &host, "aliases": [&host]}],
        }),
        _ => return None,
    };
    Some(Reply::json(200, &found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_says_what_it_has() {
        let fqdn = "shop-rg-4839be06.hcp.eastus.azmk8s.io".to_owned();
        let cluster = ArmCluster { fqdn, name: "shop".into(), ..ArmCluster::default() };
        let plain = body(&cluster);
        let properties = &plain["properties"];
        assert_eq!((&properties["dnsPrefix"], &properties["oidcIssuerProfile"]), (&json!("shop-rg"), &Value::Null));
        assert_eq!(properties["azurePortalFQDN"], "shop-rg-4839be06.portal.hcp.eastus.azmk8s.io");
        let with = body(&ArmCluster { issuer: Some("https://i/".into()), old_spelling: true, ..cluster });
        assert_eq!(with["properties"]["oidcIssuerProfile"], json!({"enabled": true, "issuerUrl": "https://i/"}));
    }
}
