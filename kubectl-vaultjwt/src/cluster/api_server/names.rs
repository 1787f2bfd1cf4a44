//! Lists names for shell completion: the first few hundred.

use crate::cluster::ClusterError;
use crate::cluster::api_server::{ApiServer, is_name};
use serde_json::Value;

/// More than a person looks through, and well below the bound of an answer.
const AT_MOST: usize = 300;

impl ApiServer {
    pub async fn namespaces(&self) -> Result<Vec<String>, ClusterError> {
        self.names("/api/v1/namespaces").await
    }

    /// Names of the service accounts in a namespace.
    pub async fn service_accounts(&self, namespace: &str) -> Result<Vec<String>, ClusterError> {
        if !is_name(namespace) {
            return Err(ClusterError::NotAName { kind: "namespace", name: namespace.to_owned() });
        }
        self.names(&format!("/api/v1/namespaces/{namespace}/serviceaccounts")).await
    }

    async fn names(&self, path: &str) -> Result<Vec<String>, ClusterError> {
        let list = self.get_json(&format!("{path}?limit={AT_MOST}")).await?;
        let items = list.get("items").and_then(Value::as_array).into_iter().flatten();
        Ok(items.filter_map(|item| item.pointer("/metadata/name")?.as_str().map(str::to_owned)).collect())
    }
}
