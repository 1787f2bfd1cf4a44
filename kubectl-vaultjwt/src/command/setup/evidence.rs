//! Which server answers on this connection, and what is recorded about it: the way of a
//! cluster that is enrolled now, or, after a person's confirmation, another way to a
//! cluster that is already enrolled.

use crate::command::mount::admission::is_discontinuous;
use crate::command::mount::error::Claim;
use crate::command::mount::grounds::{self, form};
use crate::command::mount::{EnrollmentError, Grounds, Member, elements};
use crate::command::possession::{self, PossessionRequest};
use crate::command::setup::error::SetupError;
use crate::command::setup::input::{SetupInput, SetupPorts};
use crate::command::setup::prove::IssuerProof;
use crate::command::setup::state::{MountState, as_of};
use crate::command::words::{listed, quoted};
use crate::command::{Reply, Step, ways};
use crate::issuer::{KeysFrom, Resolved};
use crate::keychain::authority::Authority;
use crate::keychain::element::{Management, MountKey, authorities};
use crate::keychain::evidence::{Form, KeyChange, Reached, Word};
use crate::keychain::key_id::KeyId;
use crate::keychain::key_proof::KeyProof;
use crate::keychain::provenance::Provenance;
use shared::text::one_line;

/// What a change of the keys rests on.
pub async fn gather(
    ports: SetupPorts<'_>,
    input: &SetupInput,
    cluster: &Resolved,
    state: &MountState,
    proof: &IssuerProof,
) -> Result<Grounds, SetupError> {
    let standing = &as_of(cluster, elements(state.config.document.as_ref()), state.from.as_ref());
    let recorded = &authorities(standing, &cluster.owner);
    let reached = ports.cluster.reached(recorded);
    let evidence = grounds::evidence(cluster, reached, recorded);
    let mut grounds = Grounds::new(cluster, evidence, recorded.clone(), ports.cluster.way());
    grounds.signer = proof.signer();
    let mut connection = Connection { ports, input, cluster, standing, recorded, reached, grounds };
    connection.judge(state).await?;
    Ok(connection.grounds)
}

/// The connection to the cluster, and what it shows.
struct Connection<'a> {
    ports: SetupPorts<'a>,
    input: &'a SetupInput,
    cluster: &'a Resolved,
    /// The keys on the mount, with those of the owner that the cluster was as its own.
    standing: &'a [MountKey],
    /// The ways to the cluster that are recorded there.
    recorded: &'a [Authority],
    /// How it compares with them.
    reached: Reached,
    grounds: Grounds,
}

impl<'a> Connection<'a> {
    async fn judge(&mut self, state: &MountState) -> Result<(), SetupError> {
        let Self { ports, input, cluster, standing, reached, .. } = *self;
        if is_discontinuous(cluster, standing) {
            self.warn_of_replaced_keys();
        }
        if input.options.allow.same_issuer {
            self.grounds.unconfirmed.clear();
        }
        if let Some(from) = &state.from {
            let moves = from.issuer != cluster.owner.issuer;
            if reached == Reached::Indirect || (moves && reached == Reached::Direct) {
                self.show_possession().await;
            }
            self.ensure_unchanged(false)?;
            self.grounds.from = Some(from.clone());
            let before = elements(state.config.document.as_ref());
            let replaced = input.options.replace_keys;
            let checked = self.grounds.check_transfer(cluster, &input.cluster_name, &before, from, replaced);
            checked.map_err(|source| input.refused(source))?;
        }
        let enrolled = standing.iter().any(|element| element.is_of(&cluster.owner));
        let by_hand = |key: &MountKey| key.management == Management::Unmanaged && cluster.keys.has(key.id());
        // Its own keys are not another cluster's.
        if standing.iter().any(by_hand) {
            let (request, adopts) = (self.request(), input.options.policy.adopt);
            self.grounds.adoptable =
                possession::adoptable(ports.cluster, ports.progress, request, cluster, adopts).await;
        }
        if !enrolled {
            let way = self.recordable()?;
            if input.authority.as_ref().is_some_and(|authority| *authority != way) {
                let context = input.cluster_name.clone();
                return Err(input.refused(EnrollmentError::NotThisWay { context, way }));
            }
            let ways = ways::to_record(ports.cluster, ports.progress, way).await;
            self.ensure_unchanged(true)?;
            self.grounds.enroll(cluster, ways);
            return Ok(());
        }
        if state.from.is_some() {
            return Ok(());
        }
        let member = Member { cluster, name: &input.cluster_name, enroll: true, grounds: &self.grounds, recent: None };
        let outlook = member.outlook(standing, state.config.date.unwrap_or(input.now), input.options.policy);
        match reached {
            Reached::Direct => {
                self.grounds.record = ways::renewed(ports.cluster, ports.progress, &cluster.owner, standing).await;
                self.ensure_unchanged(false)
            }
            Reached::Indirect if outlook.is_ok_and(|plan| !plan.changes()) => Ok(()),
            // Its provider alone signs, and published the keys: who answers here does not matter.
            Reached::Unrecorded | Reached::Indirect if self.is_provided() && input.authority.is_none() => Ok(()),
            Reached::Unrecorded | Reached::Indirect => {
                self.show_possession().await;
                self.take_the_users_word();
                // Where the key that signs now is new, no token can show it: a person may.
                if reached == Reached::Unrecorded || !self.grounds.evidence.possession {
                    self.confirm().await
                } else {
                    self.ensure_unchanged(false)
                }
            }
        }
    }

    fn warn(&self, line: String) {
        self.ports.progress.step(Step::Warning(line));
    }

    fn request(&self) -> PossessionRequest<'a> {
        PossessionRequest {
            owner: &self.cluster.owner,
            elements: self.standing,
            reached: self.reached,
            nonce: &self.input.nonce,
        }
    }

    /// Whether the keys are a provider's, read where it publishes them.
    fn is_provided(&self) -> bool {
        let form = form(&self.cluster.owner);
        form == Form::Managed && form.allows(KeyChange::ChangeKeys, self.grounds.evidence).is_ok()
    }

    /// The way of this run, or why it cannot be recorded.
    fn recordable(&self) -> Result<Authority, SetupError> {
        self.grounds.recordable(&self.input.cluster_name).map_err(|source| self.input.refused(source))
    }

    /// After the last request: whether the server that answered it was judged, and is the one that
    /// is recorded, where the way is.
    fn ensure_unchanged(&self, records: bool) -> Result<(), SetupError> {
        let (reached, way) = (self.ports.cluster.reached(&self.grounds.seen), self.ports.cluster.way());
        let unchanged = self.grounds.ensure_unchanged(&self.input.cluster_name, reached, way.as_ref(), records);
        unchanged.map_err(|source| self.input.refused(source))
    }

    async fn show_possession(&mut self) {
        match possession::show(self.ports.cluster, self.ports.progress, self.request()).await {
            Ok(_) => self.grounds.evidence.possession = true,
            Err(why) => self.grounds.no_possession = Some(why),
        }
    }

    /// Whom the user believed at enrollment, the user may believe again.
    fn take_the_users_word(&mut self) {
        let trusted = possession::is_trusted(self.standing, &self.cluster.owner);
        let by_file = matches!(self.input.overrides.keys_from, Some(KeysFrom::File(_)));
        if trusted && (self.input.trust_issuer || by_file) && self.reached == Reached::Indirect {
            let flag = if by_file { "--keys-from" } else { "--trust-issuer" };
            self.warn(format!("the issuer is not verified, and neither is the API server ({flag})"));
            self.grounds.evidence.possession = true;
        }
    }

    /// Another way to an enrolled cluster is recorded by a person only: all that the
    /// cluster says of itself can be copied.
    async fn confirm(&mut self) -> Result<(), SetupError> {
        let Self { ports, input, cluster, standing, recorded, .. } = *self;
        let owner = &cluster.owner;
        let claim = Claim::new(&input.cluster_name, standing, owner);
        let question = format!("Record this way to {}?", claim.cluster());
        let source = if self.grounds.evidence.reached == Reached::Indirect {
            EnrollmentError::NoPossession { claim, why: self.grounds.no_possession.clone().unwrap_or_default() }
        } else if recorded.is_empty() {
            EnrollmentError::NoWay(claim)
        } else {
            EnrollmentError::AnotherWay { claim, recorded: recorded.to_vec() }
        };
        let way = self.recordable()?;
        self.warn(source.to_string());
        self.warn_of_another_way(&way);
        let allowed = |word| form(owner).allows(KeyChange::RecordWay(word), self.grounds.evidence).is_ok();
        let word = match &input.authority {
            Some(authority) if *authority == way => Word::Typed,
            Some(_) => Word::None,
            None if input.dry_run || !allowed(Word::Yes) => Word::None,
            None => match ports.confirm.confirm(&question).await {
                Reply::Yes => Word::Yes,
                Reply::No | Reply::Nobody => Word::None,
            },
        };
        if !allowed(word) {
            return Err(SetupError::OtherWay {
                mount: input.mount.clone(),
                context: input.cluster_name.clone(),
                source: Box::new(source),
                authority: way.to_string(),
                namespace: ports.vault.namespace().map(str::to_owned),
                replace_keys: input.options.replace_keys || is_discontinuous(cluster, standing),
            });
        }
        let record = if recorded.is_empty() {
            // An earlier program recorded nothing: this is what enrollment would record.
            ways::to_record(ports.cluster, ports.progress, way).await
        } else if recorded.contains(&way) {
            Vec::new()
        } else {
            vec![way]
        };
        self.ensure_unchanged(true)?;
        self.grounds.record(record);
        Ok(())
    }

    /// What a person compares where a cluster publishes none of the keys that the mount has of it.
    fn warn_of_replaced_keys(&self) {
        let Self { cluster, standing, .. } = *self;
        let name = |kid: Option<String>, id: KeyId| quoted(&kid.unwrap_or_else(|| id.to_string()));
        let (Some(oldest), ours) = self.keys() else { return };
        let keys = if ours.len() == 1 { "the key".to_owned() } else { format!("all {} keys", ours.len()) };
        self.warn(format!(
            "{} publishes other keys now than {keys} on auth mount \"{}/\", the oldest of which was added {}",
            Claim::new("", standing, &cluster.owner).cluster(),
            self.input.mount,
            one_line(oldest)
        ));
        for element in ours {
            let (Some(id), Some(mark)) = (element.id(), element.provenance()) else { continue };
            let retired = mark.retired.as_ref().map(|time| format!(", retired {}", one_line(time))).unwrap_or_default();
            let proof = mark.proof.map_or("none", KeyProof::word);
            let added = one_line(&mark.added);
            self.warn(format!("on the mount: key {}, added {added}{retired}, proof {proof}", name(mark.kid(), id)));
        }
        for published in &cluster.keys.keys {
            self.warn(format!("published now: key {}", name(published.kid.clone(), published.key.id())));
        }
        for way in self.recorded {
            self.warn(format!("recorded: {way}"));
        }
        if let Some(way) = self.ports.cluster.way() {
            self.warn(format!("this run: {way}"));
        }
    }

    /// What a person compares before another way is recorded.
    fn warn_of_another_way(&self, way: &Authority) {
        let (oldest, ours) = self.keys();
        let common = ours.iter().filter(|element| self.cluster.keys.has(element.id())).count();
        let ways = match self.recorded {
            [] => "none (an earlier version enrolled it)".to_owned(),
            ways => listed(ways),
        };
        self.warn(format!("recorded: {ways}"));
        self.warn(format!("this run: {way}"));
        let oldest = oldest.map(one_line).unwrap_or_default();
        self.warn(format!("keys in common: {common} of {}, the oldest added {oldest}", ours.len()));
        if let Some(why) = &self.grounds.no_possession {
            self.warn(format!("no token verified that it has the private key of that cluster: {why}"));
        }
    }

    /// The keys of the cluster on the mount, and when the oldest was added.
    fn keys(&self) -> (Option<&'a str>, Vec<&'a MountKey>) {
        let ours: Vec<&MountKey> = self.standing.iter().filter(|key| key.is_of(&self.cluster.owner)).collect();
        let oldest = ours.iter().filter_map(|e| e.provenance()).map(|mark: &Provenance| mark.added.as_str()).min();
        (oldest, ours)
    }
}
