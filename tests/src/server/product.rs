//! The two products under test, and the macro that runs a test body against each.

use crate::peers::Peer;

/// The two servers that speak the same API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Product {
    Vault,
    OpenBao,
}

impl Product {
    /// Both: every end-to-end test runs against each (see [`crate::each_product`]).
    pub const ALL: [Self; 2] = [Self::Vault, Self::OpenBao];

    /// The peer it runs.
    pub fn peer(self) -> Peer {
        match self {
            Self::Vault => Peer::Vault,
            Self::OpenBao => Peer::OpenBao,
        }
    }

    /// The prefix of its own environment variables.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Vault => "VAULT",
            Self::OpenBao => "BAO",
        }
    }
}

impl std::fmt::Display for Product {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Vault => "Vault",
            Self::OpenBao => "OpenBao",
        })
    }
}

/// One test per product from one body: `each_product!(name, |product| { … });`
/// makes the tests `name::vault` and `name::openbao`.
#[macro_export]
macro_rules! each_product {
    ($(#[$attribute:meta])* $name:ident, |$product:ident| $body:expr) => {
        mod $name {
            // A body may name nothing of its file but the product.
            #[allow(unused_imports)]
            use super::*;

            fn body($product: $crate::server::Product) {
                $body
            }

            $(#[$attribute])*
            #[test]
            fn vault() {
                body($crate::server::Product::Vault);
            }

            $(#[$attribute])*
            #[test]
            fn openbao() {
                body($crate::server::Product::OpenBao);
            }
        }
    };
}
