//! What provisioners can know of the build and its guest: the object behind `build.` in a template.

use lvhost_config::{Communicator, CommunicatorType};
use lvhost_hcl::Value;
use lvhost_libvirt::DomainId;
use secrecy::ExposeSecret;

use crate::address::Address;
use crate::identity::Identity;
use crate::key_pair::BuildKey;

/// What there is to be known before anything is provisioned.
pub(super) struct Known<'a> {
    pub(super) identity: &'a Identity,
    pub(super) key: Option<&'a BuildKey>,
    pub(super) domain: &'a DomainId,
    /// The guest, once it has let us in.
    pub(super) guest: Option<(&'a Communicator, &'a Address)>,
    /// Address and port of the HTTP server, as the guest sees it.
    pub(super) http_server: Option<&'a (String, String)>,
}

/// The object, with every name that Packer has; what there is not is an empty text.
pub(super) fn build_object(known: &Known<'_>) -> Value {
    let (communicator, address) = known.guest.unzip();
    let kind = communicator.map_or(CommunicatorType::None, |known| known.communicator);
    let text = |option: fn(&Communicator) -> &Option<String>| {
        let text = communicator.and_then(|known| option(known).as_deref());
        Value::string(text.unwrap_or_default())
    };
    let secret = |text: &str| match text {
        "" => Value::string(""),
        text => Value::string(text).sensitive(),
    };
    let password = communicator.and_then(Communicator::password);
    let password = password.map_or("", ExposeSecret::expose_secret);
    let by_winrm = kind == CommunicatorType::Winrm;
    let pair = known.key.map(|key| &key.pair);
    let (http_ip, http_port) = known
        .http_server
        .map_or(("", ""), |(ip, port)| (ip.as_str(), port.as_str()));
    let http_address = match http_ip {
        "" => String::new(),
        ip => format!("{ip}:{http_port}"),
    };
    Value::object([
        ("ConnType", Value::string(kind.as_str())),
        (
            "Host",
            Value::string(address.map_or("", |address| address.host.as_str())),
        ),
        ("ID", Value::string(known.domain.uuid.to_string())),
        ("PackerHTTPAddr", Value::string(http_address)),
        ("PackerHTTPIP", Value::string(http_ip)),
        ("PackerHTTPPort", Value::string(http_port)),
        (
            "PackerRunUUID",
            Value::string(known.identity.build_id().to_string()),
        ),
        ("Password", secret(password)),
        (
            "Port",
            Value::from(address.map_or(0, |address| i64::from(address.port))),
        ),
        (
            "SSHPrivateKey",
            secret(pair.map_or("", |pair| pair.private_openssh.expose_secret())),
        ),
        (
            "SSHPrivateKeyFile",
            text(|known| &known.ssh_private_key_file),
        ),
        (
            "SSHPublicKey",
            Value::string(pair.map_or("", |pair| pair.public_openssh.trim())),
        ),
        (
            "User",
            Value::string(
                communicator
                    .and_then(Communicator::username)
                    .unwrap_or_default(),
            ),
        ),
        (
            "WinRMPassword",
            secret(if by_winrm { password } else { "" }),
        ),
    ])
}
