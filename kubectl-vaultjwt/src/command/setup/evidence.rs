//! Which server answers on this connection, and what is recorded about it: the way of a
//! cluster that is enrolled now, or, after a person's confirmation, another way to a
//! cluster that is already enrolled.

use crate::command::mount::admission::is_discontinuous;
use crate::command::mount::error::claimed;
use crate::command::mount::grounds::{self, enrolled_name, form};
use crate::command::mount::{EnrollmentError, Grounds, Member, elements};
use crate::command::setup::error::SetupError;
use crate::command::setup::input::{SetupInput, SetupPorts};
use crate::command::setup::prove::IssuerProof;
use crate::command::setup::state::{MountState, as_of};
use crate::command::{self, Reply, possession, ways};
use crate::issuer::{KeysFrom, Resolved};
use crate::keychain::authority::Authority;
use crate::keychain::element::{Management, MountKey, authorities};
use crate::keychain::evidence::{Evidence, Form, KeyChange, Reached, Word};
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
    let (document, date, from) = match state {
        MountState::Missing => (None, None, None),
        MountState::Jwt(jwt) => (jwt.config.document.as_ref(), jwt.config.date, jwt.from.as_ref()),
    };
    let before = elements(document);
    let standing = as_of(cluster, before.clone(), from);
    let recorded = authorities(&standing, &cluster.owner);
    if is_discontinuous(cluster, &standing) {
        replaced(ports, input, cluster, &standing);
    }
    let evidence = grounds::evidence(cluster, ports.cluster.reached(&recorded), &recorded);
    let mut grounds = Grounds::new(cluster, evidence, recorded.clone(), ports.cluster.way());
    if input.options.allow.same_issuer {
        grounds.unconfirmed.clear();
    }
    grounds.signer = proof.signer();
    let request = possession::PossessionRequest {
        owner: &cluster.owner,
        elements: &standing,
        reached: evidence.reached,
        nonce: &input.nonce,
    };
    if let Some(from) = from {
        let moves = from.issuer != cluster.owner.issuer;
        if evidence.reached == Reached::Indirect || (moves && evidence.reached == Reached::Direct) {
            match possession::show(ports.cluster, ports.progress, request).await {
                Ok(_) => grounds.evidence.possession = true,
                Err(why) => grounds.no_possession = Some(why),
            }
        }
        ensure_unchanged(ports, input, &grounds, false)?;
        grounds.from = Some(from.clone());
        let checked = grounds.check_transfer(cluster, &input.cluster_name, &before, from, input.options.replace_keys);
        checked.map_err(|source| SetupError::Enrollment { mount: input.mount.clone(), source })?;
    }
    let enrolled = standing.iter().any(|element| element.is_of(&cluster.owner));
    let published = |element: &MountKey| cluster.keys.keys.iter().any(|key| Some(key.key.id()) == element.id());
    let by_hand = standing.iter().any(|element| element.management == Management::Unmanaged && published(element));
    // Its own keys are not another cluster's.
    if by_hand {
        let adopts = input.options.policy.adopt;
        grounds.adoptable = possession::adoptable(ports.cluster, ports.progress, request, cluster, adopts).await;
    }
    if !enrolled {
        let way = recordable(input, &grounds)?;
        if input.authority.as_ref().is_some_and(|authority| *authority != way) {
            let source = EnrollmentError::NotThisWay { context: input.cluster_name.clone(), way };
            return Err(SetupError::Enrollment { mount: input.mount.clone(), source });
        }
        let ways = ways::to_record(ports.cluster, ports.progress, way).await;
        ensure_unchanged(ports, input, &grounds, true)?;
        grounds.enroll(cluster, ways);
        return Ok(grounds);
    }
    if from.is_some() {
        return Ok(grounds);
    }
    let member = Member { cluster, name: &input.cluster_name, enroll: true, grounds: &grounds, recent: None };
    let outlook = member.outlook(&standing, date.unwrap_or(input.now), input.options.policy);
    match evidence.reached {
        Reached::Direct => {
            grounds.record = ways::renewed(ports.cluster, ports.progress, &cluster.owner, &standing).await;
            ensure_unchanged(ports, input, &grounds, false)?;
        }
        Reached::Indirect if outlook.is_ok_and(|plan| !plan.changes()) => {}
        // Its provider alone signs, and published the keys: who answers here does not matter.
        Reached::Unrecorded | Reached::Indirect if is_provided(cluster, evidence) && input.authority.is_none() => {}
        reached => {
            show_possession(ports, input, request, &mut grounds).await;
            // Where the key that signs now is new, no token can show it: a person may.
            if reached == Reached::Unrecorded || !grounds.evidence.possession {
                confirm(ports, input, cluster, &standing, &recorded, &mut grounds).await?;
            } else {
                ensure_unchanged(ports, input, &grounds, false)?;
            }
        }
    }
    Ok(grounds)
}

/// Whether the keys are a provider's, read where it publishes them.
fn is_provided(cluster: &Resolved, evidence: Evidence) -> bool {
    let form = form(&cluster.owner);
    form == Form::Managed && form.allows(KeyChange::ChangeKeys, evidence).is_ok()
}

/// The way of this run, or why it cannot be recorded.
fn recordable(input: &SetupInput, grounds: &Grounds) -> Result<Authority, SetupError> {
    let way = grounds.recordable(&input.cluster_name);
    way.map_err(|source| SetupError::Enrollment { mount: input.mount.clone(), source })
}

/// After the last request: whether the server that answered it was judged, and is the one that is
/// recorded, where the way is.
fn ensure_unchanged(
    ports: SetupPorts<'_>,
    input: &SetupInput,
    grounds: &Grounds,
    records: bool,
) -> Result<(), SetupError> {
    let (reached, way) = (ports.cluster.reached(&grounds.seen), ports.cluster.way());
    let unchanged = grounds.ensure_unchanged(&input.cluster_name, reached, way.as_ref(), records);
    unchanged.map_err(|source| SetupError::Enrollment { mount: input.mount.clone(), source })
}

async fn show_possession(
    ports: SetupPorts<'_>,
    input: &SetupInput,
    request: possession::PossessionRequest<'_>,
    grounds: &mut Grounds,
) {
    match possession::show(ports.cluster, ports.progress, request).await {
        Ok(_) => grounds.evidence.possession = true,
        Err(why) => grounds.no_possession = Some(why),
    }
    // Whom the user believed at enrollment, the user may believe again.
    let trusted = possession::is_trusted(request.elements, request.owner);
    let by_file = matches!(input.overrides.keys_from, Some(KeysFrom::File(_)));
    if trusted && (input.trust_issuer || by_file) && request.reached == Reached::Indirect {
        let flag = if by_file { "--keys-from" } else { "--trust-issuer" };
        ports.progress.step(command::Step::Warning(format!(
            "the issuer is not verified, and neither is the API server ({flag})"
        )));
        grounds.evidence.possession = true;
    }
}

/// Another way to an enrolled cluster is recorded by a person only: all that the
/// cluster says of itself can be copied.
async fn confirm(
    ports: SetupPorts<'_>,
    input: &SetupInput,
    cluster: &Resolved,
    standing: &[MountKey],
    recorded: &[Authority],
    grounds: &mut Grounds,
) -> Result<(), SetupError> {
    let owner = &cluster.owner;
    let enrolled = enrolled_name(standing, owner);
    let (context, name) = (input.cluster_name.clone(), enrolled.clone());
    let source = if grounds.evidence.reached == Reached::Indirect {
        let why = grounds.no_possession.clone().unwrap_or_default();
        EnrollmentError::NoPossession { context, enrolled: name, owner: owner.clone(), why }
    } else if recorded.is_empty() {
        EnrollmentError::NoWay { context, enrolled: name, owner: owner.clone() }
    } else {
        let (recorded, way) = (recorded.to_vec(), grounds.way.clone());
        EnrollmentError::AnotherWay { context, enrolled: name, recorded, way, owner: owner.clone() }
    };
    let refused = |grounds: &Grounds| SetupError::OtherWay {
        mount: input.mount.clone(),
        source: Box::new(source.clone()),
        authority: grounds.way.as_ref().map(ToString::to_string),
        possession: grounds.no_possession.clone(),
        namespace: ports.vault.namespace().map(str::to_owned),
        replace_keys: input.options.replace_keys || is_discontinuous(cluster, standing),
    };
    let way = recordable(input, grounds)?;
    let say = |line: String| ports.progress.step(command::Step::Warning(line));
    say(source.to_string());
    for line in compared(cluster, standing, recorded, &way, grounds.no_possession.as_deref()) {
        say(line);
    }
    let allowed = |word| form(owner).allows(KeyChange::RecordWay(word), grounds.evidence);
    let word = match &input.authority {
        Some(authority) if *authority == way => Word::Typed,
        Some(_) => Word::None,
        None if input.dry_run || allowed(Word::Yes).is_err() => Word::None,
        None => match ports.confirm.confirm(&format!("Record this way to {}?", claimed(&enrolled, owner))).await {
            Reply::Yes => Word::Yes,
            Reply::No | Reply::Nobody => Word::None,
        },
    };
    if allowed(word).is_err() {
        return Err(refused(grounds));
    }
    let record = if recorded.is_empty() {
        // An earlier program recorded nothing: this is what enrollment would record.
        ways::to_record(ports.cluster, ports.progress, way).await
    } else if recorded.contains(&way) {
        Vec::new()
    } else {
        vec![way]
    };
    ensure_unchanged(ports, input, grounds, true)?;
    grounds.record(record);
    Ok(())
}

/// What a person compares where a cluster publishes none of the keys that the mount has of it.
fn replaced(ports: SetupPorts<'_>, input: &SetupInput, cluster: &Resolved, standing: &[MountKey]) {
    let name = |kid: Option<String>, id: KeyId| one_line(&kid.unwrap_or_else(|| id.to_string()));
    let say = |line: String| ports.progress.step(command::Step::Warning(line));
    let (Some(oldest), ours) = keys_of(cluster, standing) else { return };
    let keys = if ours.len() == 1 { "the key".to_owned() } else { format!("all {} keys", ours.len()) };
    say(format!(
        "{} publishes other keys now than {keys} on auth mount \"{}/\", the oldest of which was added {}",
        claimed(&enrolled_name(standing, &cluster.owner), &cluster.owner),
        input.mount,
        one_line(oldest)
    ));
    for element in ours {
        let (Some(id), Some(mark)) = (element.id(), element.provenance()) else { continue };
        let retired = mark.retired.as_ref().map(|time| format!(", retired {}", one_line(time))).unwrap_or_default();
        let proof = mark.proof.map_or("none", KeyProof::word);
        say(format!(
            "on the mount: key \"{}\", added {}{retired}, proof {proof}",
            name(mark.kid(), id),
            one_line(&mark.added)
        ));
    }
    for published in &cluster.keys.keys {
        say(format!("published now: key \"{}\"", name(published.kid.clone(), published.key.id())));
    }
    for way in authorities(standing, &cluster.owner) {
        say(format!("recorded: {way}"));
    }
    if let Some(way) = ports.cluster.way() {
        say(format!("this run: {way}"));
    }
}

/// The keys of a cluster on the mount, and when the oldest was added.
fn keys_of<'a>(cluster: &Resolved, standing: &'a [MountKey]) -> (Option<&'a str>, Vec<&'a MountKey>) {
    let ours: Vec<&MountKey> = standing.iter().filter(|element| element.is_of(&cluster.owner)).collect();
    let oldest = ours.iter().filter_map(|e| e.provenance()).map(|mark: &Provenance| mark.added.as_str()).min();
    (oldest, ours)
}

/// What a person compares before another way is recorded.
fn compared(
    cluster: &Resolved,
    standing: &[MountKey],
    recorded: &[Authority],
    way: &Authority,
    no_possession: Option<&str>,
) -> Vec<String> {
    let (oldest, ours) = keys_of(cluster, standing);
    let published = |element: &&&MountKey| cluster.keys.keys.iter().any(|key| Some(key.key.id()) == element.id());
    let common = ours.iter().filter(published).count();
    let ways: Vec<String> = recorded.iter().map(ToString::to_string).collect();
    let mut lines = vec![
        format!(
            "recorded: {}",
            if ways.is_empty() { "none (an earlier version enrolled it)".to_owned() } else { ways.join(", ") }
        ),
        format!("this run: {way}"),
        format!(
            "keys in common: {common} of {}, the oldest added {}",
            ours.len(),
            oldest.map(one_line).unwrap_or_default()
        ),
    ];
    if let Some(why) = no_possession {
        lines.push(format!("no token verified that it has the private key of that cluster: {why}"));
    }
    lines
}
