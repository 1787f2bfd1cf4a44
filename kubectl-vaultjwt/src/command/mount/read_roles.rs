//! Reads all roles of a mount, to find those that would accept the tokens of a newly
//! enrolled cluster.

use crate::command::mount::Roles;
use crate::vault::mount::config::has_cel_roles;
use crate::vault::mount::fit::fit;
use crate::vault::{Document, Vault, VaultError};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use shared::mount::MountPath;
use std::collections::BTreeMap;

/// Roles read at a time.
const AT_ONCE: usize = 8;

/// Reads all roles of a mount with this configuration; that they cannot be
/// read is an answer too.
pub async fn read_roles(vault: &dyn Vault, mount: &MountPath, config: Option<&Document>) -> Roles {
    let reading = async {
        let roles = by_name(vault, mount).await?;
        // Vault has no such path, and policies grant no right to it. A mount without a
        // configuration does not show which product it is on.
        let cel = if config.is_none_or(has_cel_roles) { vault.list_cel_roles(mount).await? } else { Vec::new() };
        Ok::<_, VaultError>(Roles::Read { roles, cel })
    };
    reading.await.unwrap_or_else(|why| Roles::Unreadable(why.to_string()))
}

/// Whether one of the roles accepts tokens of `issuer`. Where a cluster is enrolled by
/// several runs at once, the roles of one can be seen although its keys were not: they
/// were written in between, keys first. So a run that finds such a role reads the keys
/// again before refusing the cluster.
pub fn fit_issuer(roles: &Roles, issuer: &str) -> bool {
    matches!(roles, Roles::Read { roles, .. } if roles.values().any(|role| fit(role, issuer).is_some()))
}

/// All roles by name.
pub async fn by_name(vault: &dyn Vault, mount: &MountPath) -> Result<BTreeMap<String, Document>, VaultError> {
    let names = vault.list_roles(mount).await?;
    let one = |name: String| async move { Ok::<_, VaultError>((vault.read_role(mount, &name).await?, name)) };
    let found: Vec<(Option<Document>, String)> =
        stream::iter(names).map(one).buffer_unordered(AT_ONCE).try_collect().await?;
    // One that went between the two is not there.
    Ok(found.into_iter().filter_map(|(role, name)| Some((name, role?))).collect())
}
