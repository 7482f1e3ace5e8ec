//! The seal of what is kept: a keyed hash. Pure.
//!
//! ```text
//!   what it begins with │ seal │ what is sealed
//! ```

use rand::TryRng;
use rand::rngs::SysRng;

/// What it begins with.
pub(super) const MAGIC: &[u8; 16] = b"lvhost compiled\n";

/// Bytes of a key.
pub(super) const KEY: usize = blake3::KEY_LEN;

/// Bytes of a seal.
pub(super) const SEAL: usize = blake3::OUT_LEN;

/// What seals are made with.
pub(super) struct Key(pub(super) [u8; KEY]);

impl Key {
    /// A new one, by the system's own random numbers; `None` if it has none.
    pub(super) fn random() -> Option<Self> {
        let mut key = [0; KEY];
        SysRng.try_fill_bytes(&mut key).ok()?;
        Some(Self(key))
    }

    /// Writes what `content` begins with into it, for which there is room: `content` was made of `subject`.
    pub(super) fn close(&self, subject: &[u8], content: &mut [u8]) {
        if let Some((head, sealed)) = content.split_at_mut_checked(MAGIC.len() + SEAL) {
            let seal = self.seal(subject, sealed);
            head[..MAGIC.len()].copy_from_slice(MAGIC);
            head[MAGIC.len()..].copy_from_slice(seal.as_bytes());
        }
    }

    /// What is sealed in `content`, if that was made of `subject` and closed with this key.
    pub(super) fn open<'a>(&self, subject: &[u8], content: &'a [u8]) -> Option<&'a [u8]> {
        let (seal, sealed) = content.strip_prefix(MAGIC)?.split_first_chunk::<SEAL>()?;
        // Compared in a time that does not depend on where they differ.
        let is_right = self.seal(subject, sealed) == blake3::Hash::from_bytes(*seal);
        is_right.then_some(sealed)
    }

    fn seal(&self, subject: &[u8], sealed: &[u8]) -> blake3::Hash {
        let mut hash = blake3::Hasher::new_keyed(&self.0);
        // The length keeps a part of the one from being taken for a part of the other.
        hash.update(&(subject.len() as u64).to_le_bytes());
        hash.update(subject);
        hash.update(sealed);
        hash.finalize()
    }
}
