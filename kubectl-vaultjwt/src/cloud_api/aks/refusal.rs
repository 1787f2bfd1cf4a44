//! Why Azure's APIs could not describe a cluster.

use crate::cloud_api::error::CloudErrorKind;

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
}
