//! What may speak for a cluster, and which step needs which evidence. Pure.
//!
//! Whatever names a cluster can be copied: issuer, UID and public keys. A token can
//! be relayed: it shows that someone may request tokens from a cluster, and neither
//! who answers on this connection nor whose the other keys of a set are. So a key is
//! believed because of the connection it came over, and the ways to an enrolled
//! cluster are recorded when a person runs `setup`.

/// How the connection compares with the ways that are recorded for the owner, the
/// least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reached {
    /// Over a way that is not recorded.
    Unrecorded,
    /// Over a recorded way that something between could answer too.
    Indirect,
    /// Over a recorded way: the server's certificate leads to the recorded
    /// authority alone, for the cluster's own name.
    Direct,
}

/// What is known in one run about who answers for an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Evidence {
    pub reached: Reached,
    /// Whether any way is recorded for the owner. Earlier programs recorded none.
    pub recorded: bool,
    /// A fresh token of a service account in kube-system, bound to nothing, was
    /// signed by a key that the mount has for this owner.
    pub possession: bool,
    /// The keys were read at the issuer's https URL.
    pub site: bool,
    /// The cluster's cloud vouches for the API server that published the keys.
    pub cloud: bool,
}

impl Evidence {
    pub const NONE: Self =
        Self { reached: Reached::Unrecorded, recorded: false, possession: false, site: false, cloud: false };

    /// Whether the API server is the owner's.
    fn way(self) -> Result<(), Missing> {
        match self.reached {
            Reached::Direct => Ok(()),
            Reached::Indirect if self.possession => Ok(()),
            Reached::Indirect => Err(Missing::Possession),
            Reached::Unrecorded if self.recorded => Err(Missing::Way),
            Reached::Unrecorded => Err(Missing::AnyWay),
        }
    }
}

/// What an owner's name is made of, as far as the steps differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// An issuer whose signing keys only its cloud provider holds.
    Managed,
    /// Any other issuer, read at its https URL.
    Issuer,
    /// An issuer and the UID of a cluster.
    IssuerAndCluster,
}

/// A change of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyChange {
    /// Add, return, retire or remove keys of an enrolled owner.
    ChangeKeys,
    /// Remove the owner that the connection claims to be.
    Remove,
    /// Record the way of this run for an enrolled owner.
    RecordWay(Word),
    /// Give the keys of an enrolled owner to the owner that the same cluster is now: the
    /// place that its keys are read at changes. What the new owner needs for a change of
    /// keys is needed besides.
    ChangeForm,
    /// The same, because the cluster's issuer changes.
    ChangeIssuer {
        /// Whether a person said that its keys were replaced too, so that none can show it.
        replaced: bool,
    },
}

/// What a person said about a way that is not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    None,
    /// Yes, asked at a terminal.
    Yes,
    /// The whole way, which the person knows from elsewhere (`--authority`).
    Typed,
}

/// The evidence that a step lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Missing {
    /// The connection is none of the recorded ways.
    Way,
    /// No way is recorded: an earlier program enrolled the owner.
    AnyWay,
    /// A token of kube-system that a key of the owner signed.
    Possession,
    /// The keys must come from the issuer's site, or be vouched for by its cloud.
    Site,
    /// A person must confirm the way.
    Word,
}

impl Form {
    /// Whether `evidence` is enough for `step`, or what is missing.
    pub fn allows(self, step: KeyChange, evidence: Evidence) -> Result<(), Missing> {
        match step {
            KeyChange::Remove if evidence.possession || evidence.reached == Reached::Direct => Ok(()),
            KeyChange::Remove => Err(Missing::Possession),
            KeyChange::ChangeForm => evidence.way(),
            // Over a direct way the cluster itself names its issuer.
            KeyChange::ChangeIssuer { replaced: true } if evidence.reached == Reached::Direct => Ok(()),
            KeyChange::ChangeIssuer { .. } if evidence.way().is_ok() && !evidence.possession => {
                Err(Missing::Possession)
            }
            KeyChange::ChangeIssuer { .. } => evidence.way(),
            KeyChange::RecordWay(Word::Typed) => Ok(()),
            // What a terminal shows of the cluster can all be copied.
            KeyChange::RecordWay(_) if !evidence.possession => Err(Missing::Possession),
            KeyChange::RecordWay(Word::Yes) => Ok(()),
            KeyChange::RecordWay(Word::None) => Err(Missing::Word),
            KeyChange::ChangeKeys => match self {
                Self::Managed | Self::Issuer if !evidence.site && !evidence.cloud => Err(Missing::Site),
                // The way says nothing that the site does not: the provider alone signs.
                Self::Managed => Ok(()),
                Self::Issuer | Self::IssuerAndCluster => evidence.way(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Evidence> {
        let booleans = [false, true];
        let mut all = Vec::new();
        for reached in [Reached::Direct, Reached::Indirect, Reached::Unrecorded] {
            for recorded in booleans {
                // What is reached over a recorded way has one.
                if !recorded && reached != Reached::Unrecorded {
                    continue;
                }
                for possession in booleans {
                    for site in booleans {
                        for cloud in booleans {
                            all.push(Evidence { reached, recorded, possession, site, cloud });
                        }
                    }
                }
            }
        }
        all
    }

    /// The whole table: each step, form and evidence, written down once more as the
    /// rows of the design.
    #[test]
    fn every_step_form_and_evidence() {
        let mut rows = 0;
        for evidence in all() {
            let Evidence { reached, recorded, possession, site, cloud } = evidence;
            let way = match (reached, recorded, possession) {
                (Reached::Direct, ..) | (Reached::Indirect, _, true) => Ok(()),
                (Reached::Indirect, _, false) => Err(Missing::Possession),
                (Reached::Unrecorded, true, _) => Err(Missing::Way),
                (Reached::Unrecorded, false, _) => Err(Missing::AnyWay),
            };
            let expected = [
                (Form::Managed, KeyChange::ChangeKeys, if site || cloud { Ok(()) } else { Err(Missing::Site) }),
                (Form::Issuer, KeyChange::ChangeKeys, if site || cloud { way } else { Err(Missing::Site) }),
                (Form::IssuerAndCluster, KeyChange::ChangeKeys, way),
            ];
            let shown = |allowed| if possession { allowed } else { Err(Missing::Possession) };
            let record = [(Word::None, shown(Err(Missing::Word))), (Word::Yes, shown(Ok(()))), (Word::Typed, Ok(()))];
            let moves = match way {
                Ok(()) if !possession => Err(Missing::Possession),
                way => way,
            };
            let removal = if reached == Reached::Direct || possession { Ok(()) } else { Err(Missing::Possession) };
            for (form, step, expected) in expected {
                assert_eq!(form.allows(step, evidence), expected, "{form:?} {step:?} {evidence:?}");
                assert_eq!(form.allows(KeyChange::Remove, evidence), removal, "{form:?} {evidence:?}");
                assert_eq!(form.allows(KeyChange::ChangeForm, evidence), way, "{form:?} {evidence:?}");
                assert_eq!(
                    form.allows(KeyChange::ChangeIssuer { replaced: false }, evidence),
                    moves,
                    "{form:?} {evidence:?}"
                );
                let replaced = if reached == Reached::Direct { Ok(()) } else { moves };
                let step = KeyChange::ChangeIssuer { replaced: true };
                assert_eq!(form.allows(step, evidence), replaced, "{form:?} {evidence:?}");
                rows += 5;
                for (word, expected) in record {
                    assert_eq!(
                        form.allows(KeyChange::RecordWay(word), evidence),
                        expected,
                        "{form:?} {word:?} {evidence:?}"
                    );
                    rows += 1;
                }
            }
        }
        // 32 pieces of evidence, 3 forms, 8 steps; only the first step differs by form.
        assert_eq!(rows, 768);
    }

    /// More evidence never allows less.
    #[test]
    fn evidence_is_monotone() {
        for evidence in all() {
            for (form, step) in [Form::Managed, Form::Issuer, Form::IssuerAndCluster].into_iter().flat_map(|form| {
                let record = [Word::None, Word::Yes, Word::Typed].map(KeyChange::RecordWay);
                [
                    KeyChange::ChangeKeys,
                    KeyChange::Remove,
                    KeyChange::ChangeForm,
                    KeyChange::ChangeIssuer { replaced: false },
                ]
                .into_iter()
                .chain(record)
                .map(move |step| (form, step))
            }) {
                if form.allows(step, evidence).is_err() {
                    continue;
                }
                for more in [
                    Evidence { possession: true, ..evidence },
                    Evidence { site: true, ..evidence },
                    Evidence { cloud: true, ..evidence },
                    Evidence { reached: Reached::Direct, recorded: true, ..evidence },
                ] {
                    assert_eq!(form.allows(step, more), Ok(()), "{form:?} {step:?} {evidence:?} {more:?}");
                }
            }
        }
    }

    /// A relayed token alone, or a copied key set alone, changes nothing.
    #[test]
    fn possession_never_stands_alone() {
        let relayed = Evidence { possession: true, recorded: true, ..Evidence::NONE };
        assert_eq!(Form::IssuerAndCluster.allows(KeyChange::ChangeKeys, relayed), Err(Missing::Way));
        assert_eq!(Form::Issuer.allows(KeyChange::ChangeKeys, Evidence { site: true, ..relayed }), Err(Missing::Way));
        for step in [
            KeyChange::ChangeForm,
            KeyChange::ChangeIssuer { replaced: false },
            KeyChange::ChangeIssuer { replaced: true },
        ] {
            assert_eq!(Form::Managed.allows(step, Evidence { site: true, cloud: true, ..relayed }), Err(Missing::Way));
        }
    }
}
