//! The SSH key pair of a build: the template's own, or one that is made for it.
//!
//! ```text
//!   the template names a private key ───────────────► it is read ──┐
//!   no way to log in, or a text asks for the key ───► one is made ─┴─► texts of the template
//!   a password or an agent, and nobody asks ────────► none           ├► the log-in
//!                                                                    └► `build.SSHPublicKey`
//! ```
//!
//! A pair that is made lives in memory only, for as long as its build.

use lvhost_communicator::keys::{self, Algorithm, KeyPair};
use lvhost_config::{CommunicatorType, KeyText, LibvirtSource};

use crate::connect::Connector;
use crate::error::Error;
use crate::identity::Identity;
use crate::ui::Ui;

/// What stands for the public key while a template is checked: no key, but one in form.
pub(crate) const STAND_IN: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI packer";

/// The key pair of a build.
#[derive(Debug)]
pub(crate) struct BuildKey {
    /// Both halves.
    pub(crate) pair: KeyPair,
    /// Made for this build, and of no use after it.
    pub(crate) is_temporary: bool,
}

/// Finds or makes the key pair of a build that is provisioned over SSH.
///
/// # Errors
/// The template's key can't be read; a key of the wanted kind can't be made.
pub(crate) async fn find(
    source: &LibvirtSource,
    connector: &dyn Connector,
    identity: &Identity,
    ui: &dyn Ui,
) -> Result<Option<BuildKey>, Error> {
    let Some(communicator) = &source.communicator else {
        return Ok(None);
    };
    if communicator.communicator != CommunicatorType::Ssh {
        return Ok(None);
    }
    if let Some(pair) = connector.key_pair(communicator).await? {
        return Ok(Some(BuildKey {
            pair,
            is_temporary: false,
        }));
    }
    if !communicator.needs_key_pair() && !source.asks_for_public_key() {
        return Ok(None);
    }
    let kind = communicator.temporary_key_pair_type.as_str();
    let bits = communicator.temporary_key_pair_bits;
    let bits = bits.and_then(|bits| usize::try_from(bits).ok());
    let algorithm = Algorithm::named(kind, bits).map_err(lvhost_communicator::Error::from)?;
    let comment = match &communicator.temporary_key_pair_name {
        Some(name) => name.clone(),
        None => format!("packer_{}", identity.build_id()),
    };
    ui.say(&format!("Making a key pair ({kind}) for this build"));
    // A large RSA key takes seconds.
    let making = tokio::task::spawn_blocking(move || keys::generate(algorithm, &comment));
    let made = making.await.map_err(keys::Error::Stopped);
    let pair = made.and_then(|pair| pair);
    Ok(Some(BuildKey {
        pair: pair.map_err(lvhost_communicator::Error::from)?,
        is_temporary: true,
    }))
}

impl BuildKey {
    /// The source with the public key in its texts, and with the key to log in with if it was made.
    pub(crate) fn settle(&self, source: &LibvirtSource) -> LibvirtSource {
        let mut settled = source.with_public_key(self.pair.public_openssh.trim());
        if let Some(communicator) = &mut settled.communicator
            && self.is_temporary
        {
            communicator.ssh_private_key = Some(KeyText(self.pair.private_openssh.clone()));
        }
        settled
    }
}
