//! Implementations of the port: the clouds that this build can query, and one that queries
//! the cloud once for each cluster, since an issuer lasts as long as its cluster, and 500
//! contexts can lead to one cluster.

use crate::cloud::Verdict;
use crate::cloud_api::{CloudError, Clouds, ClusterDescription};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// With the credentials that flags set. Each cloud's own tools and environment decide the rest.
#[derive(Clone, Debug, Default)]
pub struct CloudClients {
    pub aws_profile: Option<String>,
}

#[async_trait]
impl Clouds for CloudClients {
    async fn describe(&self, cluster: &Verdict) -> Result<Option<ClusterDescription>, CloudError> {
        match cluster {
            #[cfg(feature = "eks")]
            Verdict::Eks(eks) => crate::cloud_api::eks::describe(eks, self.aws_profile.as_deref()).await.map(Some),
            #[cfg(feature = "aks")]
            Verdict::Aks(aks) => crate::cloud_api::aks::describe(aks).await.map(Some),
            // GKE's issuer is in the names. It needs no request.
            _ => Ok(None),
        }
    }
}

/// How long a refusal holds: a watcher must not ask every minute
/// whether there is a login by now.
const REFUSED_FOR: Duration = Duration::from_secs(600);
/// Most answers that are kept.
const ANSWERS: usize = 2_048;

type Answer = Result<Option<ClusterDescription>, CloudError>;

/// What `inner` said is said again.
pub struct CachedClouds<C> {
    inner: C,
    said: Mutex<Vec<(Verdict, Instant, Answer)>>,
}

impl<C> CachedClouds<C> {
    pub fn new(inner: C) -> Self {
        Self { inner, said: Mutex::default() }
    }
}

#[async_trait]
impl<C: Clouds> Clouds for CachedClouds<C> {
    async fn describe(&self, cluster: &Verdict) -> Answer {
        let holds = |at: &Instant, answer: &Answer| answer.is_ok() || at.elapsed() < REFUSED_FOR;
        let known = self.said.lock().iter().find(|(of, at, answer)| of == cluster && holds(at, answer)).cloned();
        if let Some((_, _, answer)) = known {
            return answer;
        }
        let answer = self.inner.describe(cluster).await;
        let mut said = self.said.lock();
        said.retain(|(of, _, _)| of != cluster);
        if said.len() < ANSWERS {
            said.push((cluster.clone(), Instant::now(), answer.clone()));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud_api::CloudErrorKind;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Counted(AtomicU32, Answer);

    #[async_trait]
    impl Clouds for Counted {
        async fn describe(&self, _: &Verdict) -> Answer {
            self.0.fetch_add(1, Ordering::Relaxed);
            self.1.clone()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_for_good_and_a_refusal_for_ten_minutes() {
        let refusal = CloudError {
            cloud: "EKS",
            cluster: "c".into(),
            trouble: CloudErrorKind::NoCredentials,
            code: None,
            words: String::new(),
            tried: Vec::new(),
            next: String::new(),
        };
        for (answer, asked) in [(Ok(None), 1), (Err(refusal), 2)] {
            let kept = CachedClouds::new(Counted(AtomicU32::new(0), answer.clone()));
            for _ in 0..3 {
                assert_eq!(kept.describe(&Verdict::Generic).await, answer);
            }
            assert_eq!(kept.inner.0.load(Ordering::Relaxed), 1);
            tokio::time::advance(REFUSED_FOR).await;
            assert_eq!(kept.describe(&Verdict::Generic).await, answer);
            assert_eq!(kept.inner.0.load(Ordering::Relaxed), asked);
        }
    }
}
