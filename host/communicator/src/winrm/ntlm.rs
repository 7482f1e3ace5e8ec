//! NTLM's three messages, as far as logging in needs them: NTLMv2 after Microsoft's [MS-NLMP]. No
//! signing and no sealing, as in Packer: over plain HTTP a guest has to allow messages that are not
//! encrypted.
//!
//! ```text
//!   we: negotiate ─► guest: challenge ─► we: authenticate
//! ```

use hmac::{Hmac, KeyInit as _, Mac as _};
use md4::Md4;
use md5::{Digest as _, Md5};
use rand::Rng as _;
use secrecy::{ExposeSecret, SecretString};

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";
/// Unicode, target name, NTLM, signatures as a formality, extended session security, target
/// information, keys of 128 and 56 bits.
const FLAGS: u32 = 0xa088_8205;
/// Where what the fixed part of an authenticate message points at begins.
const PAYLOAD: usize = 64;
/// The piece of target information that is the guest's time.
const TIMESTAMP: u16 = 7;
/// From 1601, where Windows' time begins, to 1970, in its units of 100 ns.
const EPOCH: u64 = 116_444_736_000_000_000;

/// The first message.
pub(super) fn negotiate() -> Vec<u8> {
    let mut message = Vec::with_capacity(32);
    message.extend_from_slice(SIGNATURE);
    message.extend_from_slice(&1_u32.to_le_bytes());
    message.extend_from_slice(&FLAGS.to_le_bytes());
    // No domain and no workstation are named.
    message.extend_from_slice(&[0; 16]);
    message
}

/// The guest's challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    flags: u32,
    nonce: [u8; 8],
    /// UTF-16, little endian.
    target: Vec<u8>,
    information: Vec<u8>,
}

impl Challenge {
    /// Reads it; `None` if it is none.
    pub(super) fn decode(message: &[u8]) -> Option<Self> {
        let field = |at: usize| -> Option<Vec<u8>> {
            let length = u16::from_le_bytes(message.get(at..at + 2)?.try_into().ok()?);
            let offset = u32::from_le_bytes(message.get(at + 4..at + 8)?.try_into().ok()?);
            let offset = usize::try_from(offset).ok()?;
            let end = offset.checked_add(usize::from(length))?;
            message.get(offset..end).map(<[u8]>::to_vec)
        };
        if message.get(..8)? != SIGNATURE || message.get(8..12)? != 2_u32.to_le_bytes() {
            return None;
        }
        Some(Self {
            flags: u32::from_le_bytes(message.get(20..24)?.try_into().ok()?),
            nonce: message.get(24..32)?.try_into().ok()?,
            target: field(12)?,
            information: field(40).unwrap_or_default(),
        })
    }

    /// The guest's time, where it says it.
    fn timestamp(&self) -> Option<[u8; 8]> {
        let mut rest = self.information.as_slice();
        loop {
            let (head, tail) = rest.split_at_checked(4)?;
            let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
            let (value, tail) = tail.split_at_checked(length)?;
            match u16::from_le_bytes([head[0], head[1]]) {
                0 => return None,
                TIMESTAMP => return value.try_into().ok(),
                _ => rest = tail,
            }
        }
    }
}

/// Who logs in.
pub(super) struct Account<'a> {
    /// `NAME`, `DOMAIN\NAME` or `NAME@DOMAIN`.
    pub(super) user: &'a str,
    pub(super) password: &'a SecretString,
}

impl Account<'_> {
    /// The last message.
    pub(super) fn authenticate(&self, challenge: &Challenge) -> Vec<u8> {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |time| {
                u64::try_from(time.as_nanos() / 100).unwrap_or(u64::MAX - EPOCH)
            });
        let mut nonce = [0; 8];
        rand::rng().fill_bytes(&mut nonce);
        self.answer(challenge, nonce, (now + EPOCH).to_le_bytes())
    }

    fn answer(&self, challenge: &Challenge, nonce: [u8; 8], now: [u8; 8]) -> Vec<u8> {
        // An account that names no domain is one of the guest's own.
        let (domain, user) = match self.user.split_once('\\') {
            Some((domain, user)) => (utf16(domain), user),
            None if self.user.contains('@') => (Vec::new(), self.user),
            None => (challenge.target.clone(), self.user),
        };
        let key = self.key(user, &domain);
        let timestamp = challenge.timestamp();
        let mut blob = vec![1, 1, 0, 0, 0, 0, 0, 0];
        blob.extend_from_slice(&timestamp.unwrap_or(now));
        blob.extend_from_slice(&nonce);
        blob.extend_from_slice(&[0; 4]);
        blob.extend_from_slice(&challenge.information);
        blob.extend_from_slice(&[0; 4]);
        let mut response = hmac(&key, &[&challenge.nonce, &blob]).to_vec();
        response.extend_from_slice(&blob);
        let lan_manager = match timestamp {
            Some(_) => vec![0; 24],
            None => [
                hmac(&key, &[&challenge.nonce, &nonce]).as_slice(),
                nonce.as_slice(),
            ]
            .concat(),
        };

        let user = utf16(user);
        let mut message = Vec::with_capacity(PAYLOAD + response.len() + 256);
        message.extend_from_slice(SIGNATURE);
        message.extend_from_slice(&3_u32.to_le_bytes());
        // Neither a workstation nor a session key.
        let fields: [&[u8]; 6] = [&lan_manager, &response, &domain, &user, &[], &[]];
        let mut payload = Vec::new();
        for field in fields {
            // What a challenge of at most 64 KiB leads to: its own lengths are of 16 bits.
            let length = u16::try_from(field.len()).unwrap_or(u16::MAX).to_le_bytes();
            let offset = u32::try_from(PAYLOAD + payload.len()).unwrap_or(u32::MAX);
            message.extend_from_slice(&length);
            message.extend_from_slice(&length);
            message.extend_from_slice(&offset.to_le_bytes());
            payload.extend_from_slice(field);
        }
        message.extend_from_slice(&(FLAGS & challenge.flags | 1).to_le_bytes());
        message.extend_from_slice(&payload);
        message
    }

    /// The key made of the password ([MS-NLMP], 3.3.2, `NTOWFv2`).
    fn key(&self, user: &str, domain: &[u8]) -> [u8; 16] {
        let password = Md4::digest(utf16(self.password.expose_secret()));
        hmac(&password, &[&utf16(&user.to_uppercase()), domain])
    }
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    // HMAC takes keys of any length: the error can't come.
    let mut mac = match Hmac::<Md5>::new_from_slice(key) {
        Ok(mac) => mac,
        Err(_) => return [0; 16],
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Whether a last message proves that its sender knows the password, as a server finds out.
#[cfg(test)]
pub(super) fn proof_is_right(account: &Account<'_>, nonce: [u8; 8], message: &[u8]) -> bool {
    let field = |at: usize| {
        let length = usize::from(u16::from_le_bytes([message[at], message[at + 1]]));
        let start = usize::from(u16::from_le_bytes([message[at + 4], message[at + 5]]));
        &message[start..start + length]
    };
    let (proof, blob) = field(20).split_at(16);
    let key = account.key(account.user, field(28));
    field(36) == utf16(account.user) && proof == hmac(&key, &[&nonce, blob])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The challenge of [MS-NLMP], 4.2.4: domain "Domain", server "Server".
    fn challenge() -> Challenge {
        let mut information = Vec::new();
        for (id, text) in [(2_u16, "Domain"), (1, "Server")] {
            let text = utf16(text);
            information.extend_from_slice(&id.to_le_bytes());
            information.extend_from_slice(&(text.len() as u16).to_le_bytes());
            information.extend_from_slice(&text);
        }
        information.extend_from_slice(&[0; 4]);
        Challenge {
            flags: 0xe28a_8233,
            nonce: [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef],
            target: utf16("Server"),
            information,
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_examples_of_the_specification() {
        let password = SecretString::from("Password");
        let account = Account {
            user: "Domain\\User",
            password: &password,
        };
        // 4.2.4.1.1, NTOWFv2
        let key = account.key("User", &utf16("Domain"));
        assert_eq!(hex(&key), "0c868a403bfd7a93a3001ef22ef02e3f");
        // 4.2.4.2.1 and 4.2.4.2.2: the responses, with a nonce of 0xaa and the time zero
        let message = account.answer(&challenge(), [0xaa; 8], [0; 8]);
        assert_eq!(
            hex(&message[PAYLOAD..PAYLOAD + 24]),
            "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"
        );
        assert_eq!(
            hex(&message[PAYLOAD + 24..PAYLOAD + 40]),
            "68cd0ab851e51c96aabc927bebef6a1c"
        );
    }

    #[test]
    fn a_guest_that_says_its_time_gets_that() {
        let mut challenge = challenge();
        let end = challenge.information.len() - 4;
        let mut timestamp = TIMESTAMP.to_le_bytes().to_vec();
        timestamp.extend_from_slice(&8_u16.to_le_bytes());
        timestamp.extend_from_slice(b"12345678");
        challenge.information.splice(end..end, timestamp);
        let password = SecretString::from("Password");
        let account = Account {
            user: "User",
            password: &password,
        };
        let message = account.answer(&challenge, [0xaa; 8], [0; 8]);
        assert_eq!(message[PAYLOAD..PAYLOAD + 24], [0; 24]);
        assert_eq!(&message[PAYLOAD + 48..PAYLOAD + 56], b"12345678");
    }

    #[test]
    fn whose_account_it_is() {
        let password = SecretString::from("x");
        for (user, domain, name) in [
            ("User", "Server", "User"),
            ("CORP\\User", "CORP", "User"),
            ("user@corp.example", "", "user@corp.example"),
        ] {
            let account = Account {
                user,
                password: &password,
            };
            let message = account.authenticate(&challenge());
            let field = |at: usize| {
                let number =
                    |at: usize| usize::from(message[at]) + (usize::from(message[at + 1]) << 8);
                let start = number(at + 4);
                message[start..start + number(at)].to_vec()
            };
            assert_eq!(field(28), utf16(domain), "{user}");
            assert_eq!(field(36), utf16(name), "{user}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_challenge_or_none(mut bytes: Vec<u8>, valid: bool) {
            if valid {
                bytes.splice(..bytes.len().min(12), SIGNATURE.iter().copied().chain([2, 0, 0, 0]));
            }
            if let Some(challenge) = Challenge::decode(&bytes) {
                challenge.timestamp();
            }
        }
    }
}
