//! Writes container images as files: an OCI image layout in a tar archive, made without a
//! daemon. The same input gives the same bytes: entries are sorted, times are zero, and
//! nothing depends on the machine.
//!
//! The rules are those of the OCI Image Format Specification 1.1.

pub(crate) mod layer;

use std::collections::BTreeMap;
use std::io;

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

pub use layer::Entry;

use crate::artifacts::PodBinary;

/// The numeric user of the shipped image: without one, `runAsNonRoot` refuses it.
pub const USER: &str = "65532:65532";

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// An image, for one machine or for several.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its full name without the tag, as in `docker.io/library/vault-jwt-login`.
    pub name: String,
    pub tag: String,
    pub user: String,
    pub entrypoint: Vec<String>,
    pub labels: BTreeMap<String, String>,
    /// What is in it on each machine.
    pub machines: Vec<Machine>,
}

/// What is in an image on one machine.
#[derive(Debug, Clone)]
pub struct Machine {
    /// As Go names it: `amd64`, `arm64`.
    pub architecture: &'static str,
    pub entries: Vec<Entry>,
}

/// A blob that is named by what is in it.
struct Blob {
    media_type: &'static str,
    digest: String,
    bytes: Vec<u8>,
}

impl Blob {
    fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self { media_type, digest: sha256(&bytes), bytes }
    }

    fn json(media_type: &'static str, value: &Value) -> Self {
        Self::new(media_type, value.to_string().into_bytes())
    }

    fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": format!("sha256:{}", self.digest), "size": self.bytes.len()})
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Image {
    /// The shipped one: the pod binary alone.
    ///
    /// # Errors
    /// A program cannot be read.
    pub fn of_pod_binaries(programs: &[PodBinary]) -> io::Result<Self> {
        let machine = |program: &PodBinary| {
            let bytes = std::fs::read(&program.path)?;
            Ok(Machine { architecture: program.architecture, entries: vec![Entry::program("vault-jwt-login", bytes)] })
        };
        let version = env!("CARGO_PKG_VERSION");
        let label = |name: &str, value: &str| (format!("org.opencontainers.image.{name}"), value.to_owned());
        Ok(Self {
            // What `image: vault-jwt-login:0.1.0` in a pod stands for.
            name: "docker.io/library/vault-jwt-login".to_owned(),
            tag: version.to_owned(),
            user: USER.to_owned(),
            entrypoint: vec!["/vault-jwt-login".to_owned()],
            labels: BTreeMap::from([
                label("title", "vault-jwt-login"),
                label("description", "Logs in to Vault or OpenBao with a service account token"),
                label("version", version),
                label("licenses", env!("CARGO_PKG_LICENSE")),
            ]),
            machines: programs.iter().map(machine).collect::<io::Result<_>>()?,
        })
    }

    /// What it is called where it has been loaded.
    pub fn reference(&self) -> String {
        format!("{}:{}", self.name, self.tag)
    }

    /// The archive. `index.json` names one index, which names a manifest for
    /// each machine: one shape, whatever the number of machines, and tools
    /// that want exactly one image in an archive take it.
    ///
    /// # Errors
    /// An entry has a name that an archive cannot hold.
    pub fn archive(&self) -> io::Result<Vec<u8>> {
        let mut blobs = Vec::new();
        let mut manifests = Vec::new();
        for machine in &self.machines {
            let tar = layer::tar(&machine.entries)?;
            let layer = Blob::new(LAYER, layer::gzip(&tar)?);
            let config = Blob::json(CONFIG, &self.config(machine, &sha256(&tar)));
            let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config.descriptor(),
                "layers": [layer.descriptor()]});
            let manifest = Blob::json(MANIFEST, &manifest);
            let mut descriptor = manifest.descriptor();
            descriptor["platform"] = json!({"architecture": machine.architecture, "os": "linux"});
            manifests.push(descriptor);
            blobs.extend([layer, config, manifest]);
        }
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        let index = Blob::json(INDEX, &index);
        let mut named = index.descriptor();
        // The first is the specification's, the second is read by containerd
        // and written by buildx.
        named["annotations"] = json!({"org.opencontainers.image.ref.name": self.tag,
            "io.containerd.image.name": self.reference()});
        blobs.push(index);
        let top = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [named]});

        let mut entries = vec![
            Entry::data("oci-layout", json!({"imageLayoutVersion": "1.0.0"}).to_string()),
            Entry::data("index.json", top.to_string()),
        ];
        entries.extend(blobs.into_iter().map(|blob| Entry::data(format!("blobs/sha256/{}", blob.digest), blob.bytes)));
        layer::tar(&entries)
    }

    fn config(&self, machine: &Machine, diff: &str) -> Value {
        json!({
            "created": "1970-01-01T00:00:00Z",
            "architecture": machine.architecture,
            "os": "linux",
            "config": {"User": self.user, "Entrypoint": self.entrypoint, "WorkingDir": "/", "Labels": self.labels},
            // Of the layer as it is unpacked.
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{diff}")]},
            "history": [{"created": "1970-01-01T00:00:00Z", "comment": "cargo image"}],
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use super::*;

    fn image() -> Image {
        let machine = |architecture, content: &str| Machine {
            architecture,
            entries: vec![Entry::program("vault-jwt-login", content), Entry::link("bin/sh", "busybox")],
        };
        Image {
            name: "docker.io/library/some".into(),
            tag: "1.2".into(),
            user: USER.into(),
            entrypoint: vec!["/vault-jwt-login".into()],
            labels: BTreeMap::from([("a".into(), "b".into())]),
            machines: vec![machine("amd64", "one"), machine("arm64", "two")],
        }
    }

    /// Names in order, and contents.
    fn read(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            assert_eq!((entry.header().mtime().unwrap(), entry.header().uid().unwrap()), (0, 0));
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.path().unwrap().display().to_string(), content)
        });
        entries.collect()
    }

    struct Layout(BTreeMap<String, Vec<u8>>);

    impl Layout {
        /// What a descriptor leads to, if digest and size are right.
        fn blob(&self, descriptor: &Value, media_type: &str) -> &[u8] {
            assert_eq!(descriptor["mediaType"], media_type);
            let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
            let bytes = &self.0[&format!("blobs/sha256/{digest}")];
            assert_eq!((sha256(bytes).as_str(), Some(bytes.len() as u64)), (digest, descriptor["size"].as_u64()));
            bytes
        }

        fn json(&self, descriptor: &Value, media_type: &str) -> Value {
            serde_json::from_slice(self.blob(descriptor, media_type)).unwrap()
        }
    }

    #[test]
    fn every_digest_leads_to_what_it_names() {
        let layout = Layout(read(&image().archive().unwrap()).into_iter().collect());
        assert_eq!(layout.0["oci-layout"], br#"{"imageLayoutVersion":"1.0.0"}"#);
        let top: Value = serde_json::from_slice(&layout.0["index.json"]).unwrap();
        let named = &top["manifests"][0];
        assert_eq!(top["manifests"].as_array().unwrap().len(), 1);
        assert_eq!(named["annotations"]["io.containerd.image.name"], "docker.io/library/some:1.2");
        assert_eq!(named["annotations"]["org.opencontainers.image.ref.name"], "1.2");
        let index = layout.json(named, INDEX);
        for (number, (architecture, content)) in [("amd64", "one"), ("arm64", "two")].into_iter().enumerate() {
            let descriptor = &index["manifests"][number];
            assert_eq!(descriptor["platform"], json!({"architecture": architecture, "os": "linux"}));
            let manifest = layout.json(descriptor, MANIFEST);
            let config = layout.json(&manifest["config"], CONFIG);
            assert_eq!((&config["architecture"], &config["os"]), (&json!(architecture), &json!("linux")));
            assert_eq!(config["config"]["User"], "65532:65532");
            assert_eq!(config["config"]["Entrypoint"], json!(["/vault-jwt-login"]));
            assert_eq!(config["config"]["Labels"], json!({"a": "b"}));
            let mut tar = Vec::new();
            let packed = layout.blob(&manifest["layers"][0], LAYER);
            flate2::read::GzDecoder::new(packed).read_to_end(&mut tar).unwrap();
            assert_eq!(config["rootfs"]["diff_ids"], json!([format!("sha256:{}", sha256(&tar))]));
            let files = read(&tar);
            assert!(files.contains(&("vault-jwt-login".into(), content.into())), "{files:?}");
        }
        // Nothing that no descriptor leads to: layer, config, manifest of each, and the index.
        assert_eq!(layout.0.keys().filter(|name| name.starts_with("blobs/sha256/")).count(), 7 + 1);
    }

    #[test]
    fn the_same_input_gives_the_same_bytes_in_any_order() {
        let first = image();
        let mut second = image();
        second.machines.iter_mut().for_each(|machine| machine.entries.reverse());
        assert!(first.archive().unwrap() == second.archive().unwrap());
        second.machines[0].entries[0] = Entry::link("bin/sh", "other");
        assert!(first.archive().unwrap() != second.archive().unwrap());
    }
}
