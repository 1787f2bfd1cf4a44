//! The pod snippet: a manifest for `kubectl apply`, with the projected token,
//! the login as init container, and the shared token file.

use crate::command::setup::SetupReport;

/// A string as a YAML double-quoted scalar: JSON strings are that.
fn scalar(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What a manifest is made for.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    pub address: &'a str,
    /// The auth mount, without the slash at its end.
    pub mount: &'a str,
    pub vault_namespace: Option<&'a str>,
    pub role: &'a str,
    /// The audience of the projected token.
    pub audience: &'a str,
    /// The namespace of the service account.
    pub namespace: &'a str,
    /// The name of the service account.
    pub name: &'a str,
}

/// The snippet for the role's first service account; `None` without a role.
pub fn pod(report: &SetupReport) -> Option<String> {
    let role = report.role.as_ref()?;
    let (namespace, name) = role.service_accounts.first()?.split_once(':')?;
    let place = &report.vault.place;
    Some(manifest(&Values {
        address: &place.address,
        mount: &place.mount,
        vault_namespace: place.namespace.as_deref(),
        role: &role.name,
        audience: &role.audience,
        namespace,
        name,
    }))
}

pub fn manifest(values: &Values<'_>) -> String {
    let Values { address, mount, vault_namespace, role, audience, namespace, name } = *values;
    let mut env = vec![("VAULT_ADDR", address), ("VAULT_ROLE", role)];
    if mount != "jwt" {
        env.push(("VAULT_AUTH_MOUNT", mount));
    }
    env.extend(vault_namespace.map(|namespace| ("VAULT_NAMESPACE", namespace)));
    // 0640 with fsGroup: the application may run as another user of the group.
    env.push(("VAULT_TOKEN_FILE_MODE", "0640"));
    let env: String =
        env.iter().map(|(name, value)| format!("    - {{name: {name}, value: {}}}\n", scalar(value))).collect();
    format!(
        "# A pod that logs in to Vault as service account \"{namespace}:{name}\".
# Replace the two images; the Vault token is in the file /vault/token.
# A Vault with a certificate of your own authority also needs VAULT_CACERT
# and that file mounted (kubectl create configmap vault-ca --from-file=ca.crt).
# If many pods start at once, set VAULT_LOGIN_SPLAY to their number divided by
# the logins per second that Vault serves: 3000 pods / 360 per second = \"9s\".
apiVersion: v1
kind: Pod
metadata:
  name: {pod}
  namespace: {namespace_scalar}
spec:
  serviceAccountName: {account}
  automountServiceAccountToken: false
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile: {{type: RuntimeDefault}}
  initContainers:
  - name: vault-jwt-login
    image: registry.example.com/vault-jwt-login:{version}
    env:
{env}    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {{drop: [ALL]}}
    resources:
      requests: {{cpu: 10m, memory: 8Mi}}
      limits: {{memory: 16Mi}}
    terminationMessagePolicy: FallbackToLogsOnError
    volumeMounts:
    - {{name: vault-jwt, mountPath: /var/run/secrets/tokens, readOnly: true}}
    - {{name: vault-token, mountPath: /vault}}
  containers:
  - name: app
    image: registry.example.com/app:1
    volumeMounts:
    - {{name: vault-token, mountPath: /vault, readOnly: true}}
  volumes:
  - name: vault-jwt
    projected:
      sources:
      - serviceAccountToken: {{path: vault-token, audience: {audience}, expirationSeconds: 600}}
  - name: vault-token
    emptyDir: {{medium: Memory, sizeLimit: 1Mi}}
",
        pod = scalar(name),
        namespace_scalar = scalar(namespace),
        account = scalar(name),
        audience = scalar(audience),
        version = env!("CARGO_PKG_VERSION"),
    )
}
