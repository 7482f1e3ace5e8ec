//! The documentation's examples, as far as a real Packer can have them.

use super::terminal::Session;
use super::with_each;
use crate::documentation::built_here;
use crate::hypervisor::need;
use crate::local_guest::key_pair;
use crate::real_guests::{Stage, template};
use crate::server::Server;

/// An example of the documentation [for a real Packer](for_packer).
pub(super) fn example(name: &str) -> String {
    let path = template(&format!("documentation/{name}.pkr.hcl"));
    for_packer(&std::fs::read_to_string(path).unwrap())
}

/// A template with what real Packers can't have: the plugin of `data "sshkey"` is in no registry, so that the
/// key comes by a variable.
pub(super) fn for_packer(text: &str) -> String {
    if !text.contains("data \"sshkey\"") {
        return text.to_owned();
    }
    let text = without_block(text, "    sshkey = {", "    }\n");
    let text = match text.contains("data \"sshkey\" \"install\" {}\n") {
        true => text.replace("data \"sshkey\" \"install\" {}\n", ""),
        false => without_block(&text, "data \"sshkey\" \"install\" {", "}\n"),
    };
    let text = text
        .replace("data.sshkey.install.private_key_path", "var.key")
        .replace("data.sshkey.install.public_key", "var.public_key");
    format!(
        "variable \"key\" {{ default = \"key\" }}\n\
         variable \"public_key\" {{ default = \"ssh-ed25519 AAAA\" }}\n{text}"
    )
}

fn without_block(text: &str, begin: &str, end: &str) -> String {
    match text.split_once(begin) {
        None => text.to_owned(),
        Some((before, rest)) => {
            let (_, after) = rest.split_once(end).unwrap();
            format!("{before}{after}")
        }
    }
}

#[test]
fn packer_builds_the_simple_example() {
    let stage = need!(Stage::new("LVHOST_TEST_GUEST_DEBIAN"));
    let hypervisor = &stage.hypervisor;
    let domain = format!("{}-simple", hypervisor.pool);
    let server = Server::start(stage.image.parent().unwrap());
    let url = server.url(stage.image.file_name().unwrap().to_str().unwrap());
    with_each("packer_builds_the_simple_example", |packer| {
        if packer.mode.force_gob {
            // The other builds speak it, too.
            return;
        }
        let (key, public) = key_pair(packer.directory.path());
        let key = format!("key={}", key.display());
        let public = format!("public_key={public}");
        let text = built_here(&example("simple"), &stage, &url, &domain);
        let mut session = Session::build(packer, &["-var", &key, "-var", &public], &text);
        session.answer("Press enter to continue", "\r");
        let (code, output) = session.end();
        assert_eq!(code, Some(0), "{output}");
        for expected in [
            "The domain has started and became accessible",
            "You can examine the created",
            "Shutting the guest down",
        ] {
            assert!(output.contains(expected), "no `{expected}` in:\n{output}");
        }
        let artifact = format!("{domain}-artifact");
        assert_eq!(hypervisor.volumes(), [artifact.as_str()], "{output}");
        assert!(hypervisor.domains(&domain).is_empty(), "{output}");
        hypervisor.virsh(&["vol-delete", "--pool", &hypervisor.pool, &artifact]);
    });
}
