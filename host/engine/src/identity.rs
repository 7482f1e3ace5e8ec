//! Everything random about a build, made from one number, so that plans are values and can be
//! compared in tests.

use uuid::Uuid;

/// One build. Written into the metadata of what it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity(Uuid);

impl Identity {
    /// A build that has never been before.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// A build whose names are known beforehand.
    pub fn fixed(build_id: Uuid) -> Self {
        Self(build_id)
    }

    /// The build's id.
    pub fn build_id(&self) -> Uuid {
        self.0
    }

    /// Eight hexadecimal digits for the name of `purpose`.
    pub(crate) fn word(&self, purpose: &str) -> String {
        let mut word = Uuid::new_v5(&self.0, purpose.as_bytes())
            .simple()
            .to_string();
        word.truncate(8);
        word
    }

    /// The UUID of the build's domain. It shows that a domain is the build's own: a copy of the domain
    /// has the same metadata and another UUID.
    pub fn domain_uuid(&self) -> Uuid {
        Uuid::new_v5(&self.0, b"domain's UUID")
    }

    /// The name of a domain, or of what belongs to it, that no other build gives.
    pub(crate) fn domain_name(&self) -> String {
        format!("packer-{}", self.word("domain"))
    }

    /// Whether a volume's name is one that only this build gives: that of its own domain, and more.
    pub(crate) fn has_named(&self, volume: &str) -> bool {
        let rest = volume.strip_prefix(&self.domain_name());
        rest.is_some_and(|rest| rest.starts_with('-'))
    }

    /// A MAC address for the interface at `index`, under the prefix that QEMU and libvirt use.
    pub(crate) fn mac(&self, index: usize) -> String {
        let hash = Uuid::new_v5(&self.0, format!("interface {index}").as_bytes());
        let [a, b, c, ..] = hash.as_bytes();
        format!("52:54:00:{a:02x}:{b:02x}:{c:02x}")
    }
}
