//! Owns what a cluster's cloud has to say: asked at most once for a cluster,
//! and held against the address that the kubeconfig leads to.

use super::IssuerError;
use super::gap::Gap;
use crate::cloud::{Contradiction, Entry, Given, Verdict, identify};
use crate::cloud_api::{CloudError, Clouds, Described};

/// What came of asking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CloudWord {
    /// It was not asked.
    #[default]
    NotAsked,
    /// There is nobody to ask.
    Nobody,
    /// It knows the cluster, and the kubeconfig leads straight to it, over a
    /// connection whose other end is checked.
    Confirmed(Described),
    /// It knows the cluster; what the kubeconfig leads to may be something else,
    /// and a token has to prove what it is.
    Behind(Described, Gap),
    /// It could not be asked.
    Failed(CloudError),
}

impl CloudWord {
    /// The cluster that it described.
    pub fn described(&self) -> Option<&Described> {
        match self {
            Self::Confirmed(described) | Self::Behind(described, _) => Some(described),
            Self::NotAsked | Self::Nobody | Self::Failed(_) => None,
        }
    }
}

/// The cloud of one cluster.
pub(super) struct Cloud<'a> {
    clouds: &'a dyn Clouds,
    verdict: Result<Verdict, Box<Contradiction>>,
    entry: &'a Entry,
    word: CloudWord,
}

impl<'a> Cloud<'a> {
    pub(super) fn of(entry: &'a Entry, given: &Given, clouds: &'a dyn Clouds) -> Self {
        let verdict = identify(entry, given).verdict;
        Self { clouds, verdict, entry, word: CloudWord::NotAsked }
    }

    /// The issuer that the names stand for: GKE makes its issuers of project,
    /// location and name.
    pub(super) fn implied_issuer(&self) -> Option<String> {
        match &self.verdict {
            Ok(Verdict::Gke(gke)) if cfg!(feature = "gke") => gke.issuer(),
            _ => None,
        }
    }

    /// What it says; the error is what must stop everything.
    pub(super) async fn ask(&mut self) -> Result<&CloudWord, IssuerError> {
        if self.word == CloudWord::NotAsked {
            let verdict = self.verdict.as_ref().map_err(|why| IssuerError::Contradiction(why.clone()))?;
            self.word = match self.clouds.describe(verdict).await {
                Ok(None) => CloudWord::Nobody,
                Ok(Some(described)) => compared(verdict, self.entry, described)?,
                Err(error) => CloudWord::Failed(error),
            };
        }
        Ok(&self.word)
    }

    /// Whether the cloud says that the API server asked is this cluster's, and
    /// that its issuer is `issuer`. That takes a cloud that tells the API
    /// server's authority: its host alone says who is meant, and the authority
    /// that a kubeconfig names says who answers only as far as somebody else
    /// knows it.
    pub(super) async fn confirms(&mut self, issuer: &str) -> Result<bool, IssuerError> {
        if self.never_vouches() {
            return Ok(false);
        }
        match self.ask().await? {
            CloudWord::Confirmed(described) => {
                Ok(described.authority.is_some() && described.issuer.as_deref() == Some(issuer))
            }
            _ => Ok(false),
        }
    }

    /// Azure never tells an API server's authority. It need not: its issuers'
    /// sites are public, even those of private clusters, for Entra reads them.
    fn never_vouches(&self) -> bool {
        matches!(self.verdict, Ok(Verdict::Aks(_)))
    }

    /// What it said until now.
    pub(super) fn word(&self) -> &CloudWord {
        &self.word
    }

    pub(super) fn into_word(self) -> CloudWord {
        self.word
    }

    /// Why it does not vouch for the API server, where another answer could.
    pub(super) fn into_unconfirmed(self) -> CloudWord {
        if self.never_vouches() { CloudWord::NotAsked } else { self.word }
    }
}

/// A kubeconfig that leads to one cluster of a cloud under the name of another
/// is a mix of two.
fn compared(verdict: &Verdict, entry: &Entry, described: Described) -> Result<CloudWord, IssuerError> {
    let host = match verdict {
        Verdict::Eks(eks) => eks.endpoint.as_ref(),
        Verdict::Aks(aks) => aks.fqdn.as_ref(),
        Verdict::Gke(_) | Verdict::Generic => None,
    };
    match host {
        Some(host) if !described.answers_at(host) => {
            Err(IssuerError::OtherEndpoint { id: described.id, host: host.clone(), hosts: described.hosts })
        }
        _ => Ok(match Gap::between(entry, host.is_some(), &described) {
            None => CloudWord::Confirmed(described),
            Some(gap) => CloudWord::Behind(described, gap),
        }),
    }
}
