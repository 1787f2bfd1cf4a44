//! What to do about each reason why a cluster is left out.

use crate::command::mount::error::{EnrollmentError, naming_flags};
use crate::command::mount::grounds::form;
use crate::command::words::listed;
use crate::keychain::evidence::Form;
use crate::keychain::refresh::PlanError;
use crate::shell::word;
use crate::vault::mount::role::binding_command;
use shared::mount::MountPath;

impl EnrollmentError {
    /// The one thing to do next, for the mount at hand.
    pub fn hint(&self, mount: &MountPath) -> Option<String> {
        let another = "choose another path with --mount";
        Some(match self {
            Self::NotEnrolled { .. } => {
                "put the cluster on the mount with 'kubectl vaultjwt setup', or with --enroll".to_owned()
            }
            Self::Unmarked { .. } => {
                "mark them with --adopt; if they were marked before, somebody else writes the list (Terraform, an operator), and two writers undo each other".to_owned()
            }
            Self::Discontinuity { context, .. } => format!(
                "if all keys of the cluster were replaced, compare and replace them: kubectl vaultjwt setup --context {} --mount {mount} --replace-keys; if it is a copy of the cluster, give the copy its own issuer and keys first",
                word(context)
            ),
            Self::BoundIssuer { .. } => format!(
                "{another}; or, if the mount is to serve more than that issuer, add --clear-bound-issuer (vault read auth/{mount}/config)"
            ),
            Self::Moved { claim, .. } => format!(
                "if its issuer was changed, move its keys: kubectl vaultjwt setup --context {} --mount {mount} --move-from {}",
                word(&claim.context),
                word(&claim.owner.issuer)
            ),
            Self::CannotMove { claim, why: Some(_) } => format!(
                "get the right to create tokens of service account kube-system/default, then retry; if the signing keys were replaced too, and the way is direct, add --replace-keys: kubectl vaultjwt setup --context {} --mount {mount} --move-from {}",
                word(&claim.context),
                word(&claim.owner.issuer)
            ),
            Self::CannotMove { claim, why: None } => format!(
                "it may be another cluster: use a kubeconfig with a recorded way, or enroll it on a mount of its own: kubectl vaultjwt setup --context {} --mount NAME",
                word(&claim.context)
            ),
            Self::NotMoved { .. } => format!("list the issuers on the mount: kubectl vaultjwt status --mount {mount}"),
            Self::MovedAlready { .. } => {
                format!("compare the two clusters and their recorded ways: kubectl vaultjwt status --mount {mount} -o wide")
            }
            Self::Plan(PlanError::TooManyAuthorities { .. }) => format!(
                "list the recorded ways, and remove one that is not used (kubectl vaultjwt remove --authority): kubectl vaultjwt status --mount {mount} -o json"
            ),
            Self::Plan(PlanError::WayOfAnother { other, .. }) => format!(
                "one API server is one cluster; if that one is gone, remove it: kubectl vaultjwt remove --mount {mount} {}",
                naming_flags(other)
            ),
            Self::AnotherWay { claim, recorded } => format!(
                "it may be another cluster; recorded: {}; if it is the same cluster, record the way: kubectl vaultjwt setup --context {} --mount {mount}",
                listed(recorded),
                word(&claim.context)
            ),
            Self::NoWay(claim) => format!(
                "check that the context is that cluster, then record the way: kubectl vaultjwt setup --context {} --mount {mount}",
                word(&claim.context)
            ),
            Self::NoPossession { claim, .. } => format!(
                "if the cluster signs with a new key, or if you have no right to create tokens in kube-system, confirm it with: kubectl vaultjwt setup --context {} --mount {mount}",
                word(&claim.context)
            ),
            Self::Contested { contexts, .. } => format!(
                "compare the way of each context with the one that the cluster's administrator sees, then enroll the right one with setup: kubectl vaultjwt issuer --context {}",
                word(contexts.first().map_or("", String::as_str))
            ),
            Self::NotThisWay { .. } => "compare it with the one that the cluster's administrator sees ('kubectl vaultjwt issuer' prints it)".to_owned(),
            Self::Unsteady { .. } => "use a kubeconfig that leads straight to one API server".to_owned(),
            Self::NoSite { context, owner, .. } if form(owner) == Form::Issuer => format!(
                "run this where the issuer URL can be read (--issuer-ca-cert, HTTPS_PROXY), or read the keys from the API server from now on: kubectl vaultjwt setup --context {} --mount {mount} --keys-from=api-server",
                word(context)
            ),
            Self::NoSite { .. } => "run this where the issuer URL can be read (--issuer-ca-cert, HTTPS_PROXY)".to_owned(),
            Self::SameIssuer { .. } => format!(
                "{another}; --allow-same-issuer lets every role of that issuer take tokens of both clusters, unless each cluster's roles have an audience of their own"
            ),
            Self::TrustDomain { .. } => format!(
                "{another}; or, if everybody who runs one of these clusters may act as any of them, add --same-trust-domain"
            ),
            Self::UnboundRoles { roles, cel, issuer } => {
                let mend: String = roles
                    .iter()
                    .map(|(name, role)| format!("\n{}", binding_command(mount, name, role, issuer.as_deref())))
                    .collect();
                let beside = if cel.is_empty() {
                    ""
                } else {
                    "\nCEL roles cannot be bound so: if they check the issuer themselves, add --allow-unbound-roles"
                };
                if mend.is_empty() {
                    format!("{another}; or, if CEL roles check the issuer themselves, add --allow-unbound-roles")
                } else {
                    format!("bind each to the issuer of the cluster it is for (or add --allow-unbound-roles):{mend}{beside}")
                }
            }
            Self::ExistingRoles { roles, cel, .. } => {
                let path = match (roles.keys().next(), cel.first()) {
                    (Some(name), _) => format!("auth/{mount}/role/{}", word(name)),
                    (None, name) => format!("auth/{mount}/cel/role/{}", word(name.map_or("", String::as_str))),
                };
                let them = if roles.len() + cel.len() == 1 {
                    "delete the role if it is not for this cluster; if it is"
                } else {
                    "delete each role that is not for this cluster; if all others are"
                };
                format!("{them}, add --allow-existing-roles:\nvault read {path}\nvault delete {path}")
            }
            Self::RolesUnreadable { .. } => {
                let line = |path: &str, capability: &str| {
                    format!("\npath \"auth/{mount}/{path}\" {{ capabilities = [\"{capability}\"] }}")
                };
                let lines = [line("role", "list"), line("role/*", "read"), line("cel/role", "list")].concat();
                format!("let the token list and read them (cel is OpenBao's):{lines}")
            }
            Self::Meanwhile => "run the command again".to_owned(),
            Self::TooManyKeys { .. } | Self::TooManyTexts { .. } | Self::TooLarge { .. } => {
                format!("give each trust domain a mount of its own: {another}")
            }
        })
    }
}
