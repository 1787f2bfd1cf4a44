//! How a key was verified. Pure.

/// How a key came to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyProof {
    /// It signed a token that the cluster issued on request.
    Token,
    /// It was read at the issuer's https URL.
    Site,
    /// The cluster's cloud vouched for the API server that published it.
    Cloud,
    /// It was published over a recorded way, after the cluster was enrolled.
    Way,
    /// It was published when the cluster was enrolled; nothing was signed with it.
    Listed,
    /// It was read from a file.
    File,
    /// The issuer was not verified (`--trust-issuer`).
    Trusted,
}

impl KeyProof {
    const ALL: [Self; 7] = [Self::Token, Self::Site, Self::Cloud, Self::Way, Self::Listed, Self::File, Self::Trusted];

    /// The word in the provenance, and in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Site => "site",
            Self::Cloud => "cloud",
            Self::Way => "way",
            Self::Listed => "listed",
            Self::File => "file",
            Self::Trusted => "trusted",
        }
    }

    /// Whether it shows that the key is this owner's, and not a copy: a public key
    /// can be published by anyone, but only its owner signs with it or has it on
    /// its own site.
    pub fn is_own(self) -> bool {
        matches!(self, Self::Token | Self::Site | Self::Cloud)
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|proof| proof.word() == word)
    }
}
