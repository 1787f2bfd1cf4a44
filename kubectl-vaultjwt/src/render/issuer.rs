//! The text form of `issuer`'s report: the evidence, the verdict, the issuer, and its keys.

use crate::command::issuer::IssuerReport;
use crate::command::report::CloudReport;
use crate::issuer::{KeySource, NamedBy};
use crate::render::table::{end_cut, middle_cut, titled};
use shared::text::one_line;

/// The table fits 80 columns; the report has the whole text.
const FOUND_AT_MOST: usize = 46;
const KID_AT_MOST: usize = 20;

pub fn text(report: &IssuerReport) -> String {
    let mut text = String::new();
    let mut put = |lines: String| {
        text.push_str(lines.trim_end());
        text.push('\n');
    };
    if report.evidence.is_empty() {
        put("The kubeconfig entry points to no cloud and no tool that is known.".to_owned());
    } else {
        let rows: Vec<Vec<String>> = report.evidence.iter().map(evidence).collect();
        put(titled(&["EVIDENCE", "FOUND", "POINTS TO"], &rows));
    }
    put(String::new());
    if let Some(verdict) = &report.verdict {
        put(format!("Cluster:  {verdict}"));
    }
    if let Some(cloud) = &report.cloud {
        put(format!("Cloud:    {}", cloud_says(cloud)));
    }
    if let Some(issuer) = &report.issuer {
        put(format!("Issuer:   {}", one_line(issuer)));
        put(format!("Named by: {}", named_by(report)));
        if let Some(uid) = &report.cluster_uid {
            put(format!("UID:      {}", one_line(uid)));
        }
        put(format!("Keys:     {}", keys_from(report)));
        put(format!("Proof:    {}", proof(report)));
        if let Some(authority) = &report.authority {
            put(format!("Way:      {}", one_line(authority)));
        }
        put(String::new());
        let rows: Vec<Vec<String>> = report.keys.iter().map(key).collect();
        put(titled(&["KID", "ALG", "TYPE", "FINGERPRINT"], &rows));
    }
    text
}

fn cloud_says(cloud: &CloudReport) -> String {
    let id = cloud.id.as_deref().map(one_line).unwrap_or_default();
    let reached = cloud.unconfirmed.as_ref().map_or_else(String::new, |why| format!("; {}", one_line(why)));
    match (&cloud.error, &cloud.no_issuer) {
        (Some(error), _) => one_line(error),
        (None, Some(why)) => format!("knows {id}{reached}; {}", one_line(why)),
        (None, None) => format!("knows {id}{reached}"),
    }
}

fn evidence(piece: &crate::command::issuer::EvidenceReport) -> Vec<String> {
    let found = middle_cut(&one_line(&piece.found), FOUND_AT_MOST);
    vec![piece.source.words().to_owned(), found, piece.points_to.to_owned()]
}

fn key(key: &crate::command::issuer::PublishedKeyReport) -> Vec<String> {
    let cell = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), one_line);
    vec![
        end_cut(&cell(&key.kid), KID_AT_MOST),
        cell(&key.alg),
        key.kind.clone(),
        end_cut(&key.fingerprint, KID_AT_MOST),
    ]
}

fn named_by(report: &IssuerReport) -> &'static str {
    match report.named_by {
        Some(NamedBy::Flag) => "--issuer",
        Some(NamedBy::Cloud) => "the API of the cluster's cloud",
        Some(NamedBy::Token) => "a fresh token of the cluster",
        Some(NamedBy::Kubeconfig) => "the names in the kubeconfig, confirmed by the issuer's own site",
        Some(NamedBy::ApiServer) | None => "the API server's discovery document",
    }
}

fn keys_from(report: &IssuerReport) -> String {
    match (report.key_source, &report.site_unused, &report.api_keys_unread) {
        (Some(KeySource::IssuerSite), _, None) => {
            "the issuer's own site; the API server's have one in common".to_owned()
        }
        (Some(KeySource::IssuerSite), _, Some(why)) => {
            format!("the issuer's own site; not compared with the API server's: {}", one_line(why))
        }
        (_, Some(why), _) => format!("the API server; the issuer's own site was not used: {}", one_line(why)),
        (_, None, _) => "the API server".to_owned(),
    }
}

fn proof(report: &IssuerReport) -> String {
    match (&report.proof, &report.unproven) {
        (Some(proof), _) => format!("a token of service account \"{}\"", one_line(&proof.service_account)),
        (None, Some(why)) => format!("none; {}", one_line(why)),
        (None, None) => "none".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::kubeconfig_entry::Exec;
    use crate::cloud::{CloudOverrides, Entry};
    use crate::command::issuer::PublishedKeyReport;
    use crate::command::report::ProofReport;
    use crate::issuer::EndpointMismatch;
    use crate::issuer::proof::Proof;
    use crate::keychain::plan::tests::key as published;

    fn report() -> IssuerReport {
        let arn = "arn:aws:eks:eu-central-1:123456789012:cluster/prod";
        let entry = Entry {
            context: Some("prod".into()),
            cluster: Some(arn.into()),
            user: Some(arn.into()),
            server: "https://0123456789ABCDEF0123456789ABCDEF.gr7.eu-central-1.eks.amazonaws.com".into(),
            ..Entry::default()
        };
        IssuerReport::of_entry(&entry, &CloudOverrides::default()).0
    }

    fn proven() -> ProofReport {
        let proof = Proof { kid: None, alg: "RS256".into(), key: published(1).key.id() };
        ProofReport { service_account: "default:default".into(), proof }
    }

    fn plain(report: &IssuerReport) -> String {
        anstream::adapter::strip_str(&text(report)).to_string()
    }

    #[test]
    fn the_text_word_for_word() {
        let mut report = report();
        report.issuer = Some("https://oidc.eks.eu-central-1.amazonaws.com/id/1".into());
        report.named_by = Some(NamedBy::ApiServer);
        report.key_source = Some(KeySource::IssuerSite);
        report.keys = vec![PublishedKeyReport {
            kid: Some("0123456789abcdef0123456789abcdef01234567".into()),
            alg: Some("RS256".into()),
            kind: "RSA-2048".into(),
            fingerprint: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs".into(),
        }];
        report.proof = Some(proven());
        assert_eq!(
            plain(&report),
            "EVIDENCE        FOUND                                            POINTS TO\n\
             server          0123456789abcdef012345…ral-1.eks.amazonaws.com   EKS\n\
             cluster entry   arn:aws:eks:eu-central…3456789012:cluster/prod   EKS\n\
             user entry      arn:aws:eks:eu-central…3456789012:cluster/prod   EKS\n\
             \n\
             Cluster:  EKS cluster \"prod\" in eu-central-1 of account 123456789012\n\
             Issuer:   https://oidc.eks.eu-central-1.amazonaws.com/id/1\n\
             Named by: the API server's discovery document\n\
             Keys:     the issuer's own site; the API server's have one in common\n\
             Proof:    a token of service account \"default:default\"\n\
             \n\
             KID                    ALG     TYPE       FINGERPRINT\n\
             0123456789abcdef012…   RS256   RSA-2048   NzbLsXh8uDCcd-6MNwX…\n"
        );
        assert!(plain(&report).lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn the_guide_shows_what_is_printed() {
        let mut report = report();
        let (arn, host) = (
            "arn:aws:eks:eu-central-1:123456789012:cluster/prod",
            "https://0123456789ABCDEF0123456789ABCDEF.gr7.eu-central-1.eks.amazonaws.com",
        );
        let entry = Entry {
            context: Some("prod".into()),
            cluster: Some(arn.into()),
            user: Some("me".into()),
            server: host.into(),
            exec: Some(Exec::of(
                "aws".into(),
                ["--region", "eu-central-1", "eks", "get-token", "--cluster-name", "prod", "--output", "json"]
                    .map(str::to_owned),
                [],
            )),
            ..Entry::default()
        };
        report.evidence = IssuerReport::of_entry(&entry, &CloudOverrides::default()).0.evidence;
        report.issuer = Some("https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF".into());
        report.cloud = Some(CloudReport {
            id: Some(arn.into()),
            confirmed: true,
            unconfirmed: None,
            no_issuer: None,
            error: None,
        });
        report.named_by = Some(NamedBy::Cloud);
        report.key_source = Some(KeySource::IssuerSite);
        report.proof = Some(proven());
        let text = plain(&report);
        let until_keys = text.split("\n\nKID").next().unwrap();
        let guide = include_str!("../../../docs/clouds.md");
        assert!(guide.contains(&format!("$ kubectl vaultjwt issuer\n{until_keys}\n```")), "{until_keys}");
    }

    #[test]
    fn what_the_cloud_says() {
        let mut report = report();
        let id = Some("arn:aws:eks:eu-central-1:123456789012:cluster/prod".to_owned());
        let of = |id: Option<String>, confirmed: bool, no_issuer: Option<&str>, error: Option<&str>| {
            let (no_issuer, error) = (no_issuer.map(str::to_owned), error.map(str::to_owned));
            let unconfirmed = (!confirmed && id.is_some()).then(|| EndpointMismatch::OtherAuthority.about("it"));
            Some(CloudReport { id, confirmed, unconfirmed, no_issuer, error })
        };
        for (cloud, line) in [
            (of(id.clone(), true, None, None), "Cloud:    knows arn:aws:eks:eu-central-1:123456789012:cluster/prod"),
            (
                of(id.clone(), false, None, None),
                "Cloud:    knows arn:aws:eks:eu-central-1:123456789012:cluster/prod; the kubeconfig leads to it, but trusts a certificate authority that is not the cluster's",
            ),
            (
                of(id, true, Some("it has none"), None),
                "Cloud:    knows arn:aws:eks:eu-central-1:123456789012:cluster/prod; it has none",
            ),
            (of(None, false, None, Some("EKS could not be asked")), "Cloud:    EKS could not be asked"),
        ] {
            report.cloud = cloud;
            assert!(plain(&report).lines().any(|said| said == line), "{}", plain(&report));
        }
    }

    #[test]
    fn where_nothing_is_known() {
        let entry = Entry { server: "https://10.0.0.1".into(), ..Entry::default() };
        let mut report = IssuerReport::of_entry(&entry, &CloudOverrides::default()).0;
        assert_eq!(
            plain(&report),
            "The kubeconfig entry points to no cloud and no tool that is known.\n\
             \n\
             Cluster:  none of EKS, AKS and GKE, as far as the kubeconfig shows\n"
        );
        report.issuer = Some("https://k".into());
        report.site_unused = Some("its host exists only inside the cluster".into());
        report.cluster_uid = Some("u1".into());
        report.unproven = Some("no token".into());
        let said = plain(&report);
        for line in [
            "Keys:     the API server; the issuer's own site was not used: its host exists only inside the cluster",
            "UID:      u1",
            "Proof:    none; no token",
        ] {
            assert!(said.lines().any(|said| said == line), "{said}");
        }
    }
}
