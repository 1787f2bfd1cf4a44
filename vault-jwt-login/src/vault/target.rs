//! Which Vault, mount and role a login is for.

use crate::connection::address::Address;
use shared::mount::MountPath;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub address: Address,
    /// `X-Vault-Namespace`; `None` is the root namespace.
    pub namespace: Option<String>,
    pub mount: MountPath,
    /// `None` leaves it to the mount's `default_role`.
    pub role: Option<String>,
}
