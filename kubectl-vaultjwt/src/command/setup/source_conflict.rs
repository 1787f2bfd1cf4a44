//! Why a mount cannot get its keys in the way that was asked for.

use crate::vault::mount::key_source::KeysMode;
use shared::text::one_line;

/// Why the mount's source of keys must not be what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceConflict {
    /// The issuer's site could not be read, so that its address is not known.
    #[error("the issuer's own site was not read ({why}), and Vault could not be sent there")]
    NoSite { why: String },
    /// It gets its keys another way.
    #[error("it {found} already, which --keys={} would replace", .mode.flag())]
    Mixed {
        found: String,
        /// What was asked for.
        mode: KeysMode,
    },
    /// What would be lost is not only this cluster's.
    #[error("it {found}, which is not this cluster's alone")]
    Others { found: String },
    /// Vault would accept keys that are not this cluster's.
    #[error("\"{}\" publishes {keys} that this API server does not, and Vault would accept tokens signed with {them}", one_line(.url), keys = counted(*.keys), them = if *.keys == 1 { "it" } else { "them" })]
    SharedUrl {
        /// URL of the key set.
        url: String,
        keys: usize,
    },
    /// This server has no `jwks_pairs`.
    #[error("OpenBao has no jwks_pairs")]
    NoPairs,
}

impl SourceConflict {
    pub fn hint(&self) -> String {
        match self {
            Self::NoSite { .. } => {
                "leave --keys out, and keep the keys fresh with 'kubectl vaultjwt sync --watch'".to_owned()
            }
            Self::Mixed { .. } => {
                "choose another path with --mount; or, if that is meant, add --convert-keys".to_owned()
            }
            Self::Others { .. } => {
                "choose another path with --mount: what other clusters log in with is not thrown away".to_owned()
            }
            Self::SharedUrl { .. } => {
                "another cluster may use the same issuer: leave --keys out; or, if all clusters of that issuer may log in, add --allow-same-issuer"
                    .to_owned()
            }
            Self::NoPairs => "choose another path with --mount for each cluster, and --keys=jwks-url".to_owned(),
        }
    }
}

pub fn counted(keys: usize) -> String {
    if keys == 1 { "1 key".to_owned() } else { format!("{keys} keys") }
}
