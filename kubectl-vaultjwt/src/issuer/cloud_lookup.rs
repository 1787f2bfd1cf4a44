//! Asks a cluster's cloud, at most once, and compares the answer with the kubeconfig.

use crate::cloud::{CloudOverrides, Contradiction, Entry, Verdict, identify};
use crate::cloud_api::{Clouds, ClusterDescription};
use crate::issuer::IssuerError;
use crate::issuer::cloud_answer::{CloudAnswer, EndpointMismatch};

/// The cloud of one cluster.
pub struct CloudQuery<'a> {
    clouds: &'a dyn Clouds,
    verdict: Result<Verdict, Box<Contradiction>>,
    entry: &'a Entry,
    /// What it said until now.
    pub(super) word: CloudAnswer,
}

impl<'a> CloudQuery<'a> {
    pub fn of(entry: &'a Entry, given: &CloudOverrides, clouds: &'a dyn Clouds) -> Self {
        let verdict = identify(entry, given).verdict;
        Self { clouds, verdict, entry, word: CloudAnswer::NotAsked }
    }

    /// The issuer that the names imply: GKE makes its issuers of project, location and name.
    pub fn implied_issuer(&self) -> Option<String> {
        match &self.verdict {
            Ok(Verdict::Gke(gke)) => gke.issuer(),
            _ => None,
        }
    }

    /// What it says; the error is what must stop everything.
    pub async fn ask(&mut self) -> Result<&CloudAnswer, IssuerError> {
        if self.word == CloudAnswer::NotAsked {
            let verdict = self.verdict.as_ref().map_err(|why| IssuerError::Contradiction(why.clone()))?;
            self.word = match self.clouds.describe(verdict).await {
                Ok(None) => CloudAnswer::NoCloud,
                Ok(Some(described)) => compared(verdict, self.entry, described)?,
                Err(error) => CloudAnswer::Failed(error),
            };
        }
        Ok(&self.word)
    }

    /// Whether the cloud says that the API server asked is this cluster's, and that its issuer
    /// is `issuer`. That takes a cloud that returns the API server's authority: its host alone
    /// says which cluster is meant, and the authority that a kubeconfig names identifies the
    /// server only if another source confirms it.
    pub async fn confirms(&mut self, issuer: &str) -> Result<bool, IssuerError> {
        if self.never_vouches() {
            return Ok(false);
        }
        Ok(match self.ask().await? {
            CloudAnswer::Confirmed(described) => {
                described.authority.is_some() && described.issuer.as_deref() == Some(issuer)
            }
            _ => false,
        })
    }

    /// Azure never returns an API server's authority. It need not: its issuers'
    /// sites are public, even those of private clusters, for Entra reads them.
    fn never_vouches(&self) -> bool {
        matches!(self.verdict, Ok(Verdict::Aks(_)))
    }

    /// Why it does not vouch for the API server, where another answer could.
    pub fn into_unconfirmed(self) -> CloudAnswer {
        if self.never_vouches() { CloudAnswer::NotAsked } else { self.word }
    }
}

/// A kubeconfig that leads to one cluster of a cloud under the name of another
/// is a mix of two.
pub fn compared(verdict: &Verdict, entry: &Entry, described: ClusterDescription) -> Result<CloudAnswer, IssuerError> {
    let host = match verdict {
        Verdict::Eks(eks) => eks.endpoint.as_ref(),
        Verdict::Aks(aks) => aks.fqdn.as_ref(),
        Verdict::Gke(_) | Verdict::Generic => None,
    };
    match host {
        Some(host) if !described.answers_at(host) => {
            Err(IssuerError::OtherEndpoint { id: described.id, host: host.clone(), hosts: described.hosts })
        }
        _ => Ok(match EndpointMismatch::between(entry, host.is_some(), &described) {
            None => CloudAnswer::Confirmed(described),
            Some(gap) => CloudAnswer::Unconfirmed(described, gap),
        }),
    }
}
