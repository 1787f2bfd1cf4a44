//! Owns the pod snippet: a manifest that `kubectl apply` takes, with the
//! projected token, the login as init container and the shared file.

use crate::command::setup::SetupReport;

/// A text as a YAML double-quoted scalar: JSON strings are that.
fn scalar(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The snippet for the role's first service account; `None` without a role.
pub fn pod(report: &SetupReport) -> Option<String> {
    let role = report.role.as_ref()?;
    let (namespace, name) = role.service_accounts.first()?.split_once(':')?;
    let mut env = vec![("VAULT_ADDR", report.vault.place.address.clone()), ("VAULT_ROLE", role.name.clone())];
    if report.vault.place.mount != "jwt" {
        env.push(("VAULT_AUTH_MOUNT", report.vault.place.mount.clone()));
    }
    if let Some(namespace) = &report.vault.place.namespace {
        env.push(("VAULT_NAMESPACE", namespace.clone()));
    }
    // 0640 with fsGroup: the application may run as another user of the group.
    env.push(("VAULT_TOKEN_FILE_MODE", "0640".to_owned()));
    let env: String =
        env.iter().map(|(name, value)| format!("    - {{name: {name}, value: {}}}\n", scalar(value))).collect();
    Some(format!(
        "# A pod that logs in to Vault as service account \"{namespace}:{name}\".
# Replace the two images; the Vault token is in the file /vault/token.
# A Vault with a certificate of your own authority also needs VAULT_CACERT
# and that file mounted (kubectl create configmap vault-ca --from-file=ca.crt).
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
        audience = scalar(&role.audience),
        version = env!("CARGO_PKG_VERSION"),
    ))
}
