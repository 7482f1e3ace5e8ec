//! The ciphers and key exchanges that a connection may use, by OpenSSH's names.

use std::borrow::Cow;

use russh::{Preferred, cipher, kex};

/// What russh can encrypt with, the better ones first. `none` and `clear` are left out: they
/// encrypt nothing.
const CIPHERS: [cipher::Name; 9] = [
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
    cipher::AES_256_CBC,
    cipher::AES_192_CBC,
    cipher::AES_128_CBC,
];

/// How russh can agree on keys, the better ones first; the last three for guests of another age.
const KEY_EXCHANGES: [kex::Name; 15] = [
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA256,
    kex::DH_G18_SHA512,
    kex::DH_G17_SHA512,
    kex::DH_G16_SHA512,
    kex::DH_G15_SHA512,
    kex::DH_G14_SHA256,
    kex::DH_G14_SHA1,
    kex::DH_GEX_SHA1,
    kex::DH_G1_SHA1,
];

/// Not key exchanges, but said in their list: that we take extension messages (RFC 8308) and the
/// strict order of packets that ends the Terrapin attack.
const EXTENSIONS: [kex::Name; 2] = [
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];

/// The algorithms a connection may use. By default those that russh holds to be safe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Algorithms {
    ciphers: Option<Vec<cipher::Name>>,
    key_exchanges: Option<Vec<kex::Name>>,
}

/// A name that stands for no algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a known SSH {kind}; known are {}", known.join(", "))]
pub struct UnknownAlgorithm {
    /// `cipher` or `key exchange algorithm`.
    pub kind: &'static str,
    /// The name as it was given.
    pub name: String,
    /// The names there are, the better ones first.
    pub known: Vec<&'static str>,
}

impl Algorithms {
    /// Those of these names, the ones to prefer first (Packer's `ssh_ciphers` and
    /// `ssh_key_exchange_algorithms`); an empty list leaves the default.
    ///
    /// # Errors
    /// A name is not known.
    pub fn new<S: AsRef<str>>(
        ciphers: &[S],
        key_exchanges: &[S],
    ) -> Result<Self, UnknownAlgorithm> {
        Ok(Self {
            ciphers: chosen("cipher", &CIPHERS, ciphers)?,
            key_exchanges: chosen("key exchange algorithm", &KEY_EXCHANGES, key_exchanges)?,
        })
    }

    /// The names of all ciphers, the better ones first.
    pub fn ciphers() -> Vec<&'static str> {
        names(&CIPHERS)
    }

    /// The names of all key exchange algorithms, the better ones first.
    pub fn key_exchanges() -> Vec<&'static str> {
        names(&KEY_EXCHANGES)
    }

    /// The same for russh.
    pub(super) fn preferred(&self) -> Preferred {
        let mut preferred = Preferred::DEFAULT;
        if let Some(ciphers) = &self.ciphers {
            preferred.cipher = Cow::Owned(ciphers.clone());
        }
        if let Some(key_exchanges) = &self.key_exchanges {
            let mut all = key_exchanges.clone();
            all.extend(EXTENSIONS);
            preferred.kex = Cow::Owned(all);
        }
        preferred
    }
}

fn names<N: AsRef<str>>(known: &'static [N]) -> Vec<&'static str> {
    known.iter().map(AsRef::as_ref).collect()
}

fn chosen<N: AsRef<str> + Copy>(
    kind: &'static str,
    known: &'static [N],
    wanted: &[impl AsRef<str>],
) -> Result<Option<Vec<N>>, UnknownAlgorithm> {
    let mut found = Vec::with_capacity(wanted.len());
    for name in wanted {
        let name = name.as_ref();
        let one = known.iter().find(|one| (*one).as_ref() == name);
        found.push(*one.ok_or_else(|| UnknownAlgorithm {
            kind,
            name: name.to_owned(),
            known: names(known),
        })?);
    }
    Ok((!found.is_empty()).then_some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_taken_in_the_order_given() {
        let (ciphers, key_exchanges) = (Algorithms::ciphers(), Algorithms::key_exchanges());
        let all = Algorithms::new(&ciphers, &key_exchanges).unwrap();
        let preferred = all.preferred();
        let said: Vec<&str> = preferred.cipher.iter().map(AsRef::as_ref).collect();
        assert_eq!(said, ciphers);
        let said: Vec<&str> = preferred.kex.iter().map(AsRef::as_ref).collect();
        assert_eq!(said[..key_exchanges.len()], key_exchanges);
        assert_eq!(
            said[key_exchanges.len()..],
            ["ext-info-c", "kex-strict-c-v00@openssh.com"]
        );
        let turned = Algorithms::new(&["aes128-ctr", "aes256-ctr"], &[]).unwrap();
        assert_eq!(turned.preferred().cipher[0], cipher::AES_128_CTR);
        assert_eq!(turned.preferred().kex, Preferred::DEFAULT.kex);
    }

    #[test]
    fn nothing_chosen_is_the_default() {
        let none = Algorithms::new::<&str>(&[], &[]).unwrap();
        assert_eq!(none, Algorithms::default());
        assert_eq!(none.preferred().cipher, Preferred::DEFAULT.cipher);
    }

    #[test]
    fn an_unknown_name_lists_the_known() {
        for name in ["arcfour256", "none", "clear", "", "AES128-CTR"] {
            let error = Algorithms::new(&["aes128-ctr", name], &[]).unwrap_err();
            let message = error.to_string();
            assert!(
                message.starts_with(&format!("{name:?} is not a known SSH cipher; known are ")),
                "{message}"
            );
            assert!(message.contains("aes256-gcm@openssh.com, "), "{message}");
        }
        let error = Algorithms::new(&[], &["none"]).unwrap_err();
        assert_eq!(error.kind, "key exchange algorithm");
        assert_eq!(error.known, Algorithms::key_exchanges());
    }
}
