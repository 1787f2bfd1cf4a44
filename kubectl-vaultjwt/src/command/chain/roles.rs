//! Owns reading all roles of a mount: what a newcomer to it would be let in
//! by.

use super::Roles;
use crate::vault::{Document, Vault, VaultError};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use shared::mount::MountPath;
use std::collections::BTreeMap;

/// Roles read at a time.
const AT_ONCE: usize = 8;

/// Reads all roles; that they cannot be read is an answer too.
pub async fn roles(vault: &dyn Vault, mount: &MountPath) -> Roles {
    match read(vault, mount).await {
        Ok((roles, cel)) => Roles::Read { roles, cel },
        Err(why) => Roles::Unreadable(why.to_string()),
    }
}

/// All roles by name, and the names of CEL roles.
pub async fn read(
    vault: &dyn Vault,
    mount: &MountPath,
) -> Result<(BTreeMap<String, Document>, Vec<String>), VaultError> {
    let cel = vault.list_cel_roles(mount).await?;
    Ok((by_name(vault, mount).await?, cel))
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
