//! Why a cloud query failed: the cloud's own code and words, what was tried, and the one
//! command that fixes it.

use shared::text::one_line;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloudErrorKind {
    /// No login was found.
    NoCredentials,
    /// Who is logged in is not (or no longer) known.
    Expired,
    /// Who is logged in may not do it.
    Denied,
    /// There is no such cluster, as far as can be seen.
    NotFound,
    /// Which cluster, or where, is not known.
    Unknown,
    /// The cluster exists, and belongs to another account than the kubeconfig says.
    Another,
    /// It asks to be left alone, or is broken.
    Busy,
    Unreachable,
}

/// What becomes a [`CloudError`] once the cluster has words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub trouble: CloudErrorKind,
    pub code: Option<String>,
    pub words: String,
    pub tried: Vec<String>,
    /// What fixes it, where its kind does not say.
    pub next: Option<String>,
}

impl Refusal {
    pub fn new(trouble: CloudErrorKind, words: impl Into<String>) -> Self {
        Self { trouble, code: None, words: words.into(), tried: Vec::new(), next: None }
    }

    /// About `cluster` of `cloud`; `next` fixes what is of its kind.
    pub fn into_error(self, cloud: &'static str, cluster: String, next: String) -> CloudError {
        let Self { trouble, code, words, tried, next: own } = self;
        CloudError { cloud, cluster, trouble, code, words, tried, next: own.unwrap_or(next) }
    }
}

/// Why a cloud did not describe a cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cloud} could not be asked about {cluster}: {}{}", in_words(.code, .words), ways(.tried))]
pub struct CloudError {
    /// `EKS`, `AKS`
    pub cloud: &'static str,
    /// The cluster, in words.
    pub cluster: String,
    pub trouble: CloudErrorKind,
    /// The provider's code, where it gave one.
    pub code: Option<String>,
    pub words: String,
    /// What was tried, one clause each; empty where there was one way only.
    pub tried: Vec<String>,
    /// The command to run next.
    pub next: String,
}

fn in_words(code: &Option<String>, words: &str) -> String {
    match code {
        Some(code) if words.is_empty() => one_line(code),
        Some(code) => format!("{}: {}", one_line(code), one_line(words)),
        None => one_line(words),
    }
}

fn ways(tried: &[String]) -> String {
    match tried {
        [] => String::new(),
        tried => format!(" (tried: {})", tried.iter().map(|way| one_line(way)).collect::<Vec<_>>().join("; ")),
    }
}

impl CloudError {
    pub fn hint(&self) -> String {
        let next = &self.next;
        match self.trouble {
            CloudErrorKind::NoCredentials => format!("log in: {next}"),
            CloudErrorKind::Expired => format!("log in again: {next}"),
            CloudErrorKind::Denied => format!("see who is asking, and let it read the cluster: {next}"),
            CloudErrorKind::NotFound => format!("see which clusters there are: {next}"),
            CloudErrorKind::Another => format!("see whose the credentials are: {next}"),
            CloudErrorKind::Unknown => next.clone(),
            CloudErrorKind::Busy | CloudErrorKind::Unreachable => format!("try it by hand: {next}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(trouble: CloudErrorKind, code: Option<&str>, tried: &[&str]) -> CloudError {
        CloudError {
            cloud: "EKS",
            cluster: "cluster \"prod\" in eu-central-1".into(),
            trouble,
            code: code.map(str::to_owned),
            words: "The words.\u{1b}[2J".into(),
            tried: tried.iter().map(|way| (*way).to_owned()).collect(),
            next: "aws sts get-caller-identity".into(),
        }
    }

    #[test]
    fn the_providers_words_stand_in_the_message() {
        assert_eq!(
            error(CloudErrorKind::Denied, Some("AccessDeniedException"), &["profile \"a\"", "role \"r\""]).to_string(),
            "EKS could not be asked about cluster \"prod\" in eu-central-1: AccessDeniedException: The words.\\u{1b}[2J \
             (tried: profile \"a\"; role \"r\")"
        );
        assert_eq!(
            error(CloudErrorKind::Unreachable, None, &[]).to_string(),
            "EKS could not be asked about cluster \"prod\" in eu-central-1: The words.\\u{1b}[2J"
        );
    }

    #[test]
    fn one_command_each() {
        for (trouble, hint) in [
            (CloudErrorKind::NoCredentials, "log in: aws sts get-caller-identity"),
            (CloudErrorKind::Expired, "log in again: aws sts get-caller-identity"),
            (CloudErrorKind::Denied, "see who is asking, and let it read the cluster: aws sts get-caller-identity"),
            (CloudErrorKind::NotFound, "see which clusters there are: aws sts get-caller-identity"),
            (CloudErrorKind::Another, "see whose the credentials are: aws sts get-caller-identity"),
            (CloudErrorKind::Unknown, "aws sts get-caller-identity"),
            (CloudErrorKind::Busy, "try it by hand: aws sts get-caller-identity"),
            (CloudErrorKind::Unreachable, "try it by hand: aws sts get-caller-identity"),
        ] {
            assert_eq!(error(trouble, None, &[]).hint(), hint);
        }
    }
}
