//! The key pair of a build: where its public key gets to, who logs in with it, and how it goes again.

use std::sync::{Arc, Mutex};

use lvhost_communicator::keys::{Algorithm, generate, read};
use lvhost_libvirt::VolumeId;
use secrecy::ExposeSecret;

use crate::scene::Scene;

/// A cloud image with cloud-init and no way to log in but a key of the build, for the lines at `$LOGIN`.
fn template(log_in: &str) -> &'static str {
    let text = r###"
source "libvirt" "example" {
  libvirt_uri            = "fake:///"
  network_address_source = "lease"
  network_interface {
    type = "managed"
    mac  = "52:54:00:00:00:01"
  }
  communicator {
    ssh_username = "root"
    $LOGIN
  }
  volume {
    alias    = "artifact"
    name     = "image"
    capacity = "1M"
  }
  volume {
    name = "seed"
    source {
      type      = "cloud-init"
      user_data = "## template: jinja\n#cloud-config\nssh_authorized_keys: ['{{ .SSHPublicKey }}']\nhostname: {{ v1.x }}\n"
    }
  }
}
build { sources = ["libvirt.example"] }
"###;
    Box::leak(text.replace("$LOGIN", log_in).into_boxed_str())
}

/// A scene, and the seed as it was while the guest ran.
fn scene(log_in: &str) -> (Scene, Arc<Mutex<String>>) {
    let seed = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&seed);
    let scene = Scene::new(template(log_in)).script(move |scene| {
        let id = VolumeId::new("default", "seed");
        let capacity = scene.hypervisor.volume_spec(&id).unwrap().capacity;
        let length = usize::try_from(capacity).unwrap();
        let bytes = scene.hypervisor.read_volume(&id, 0, length).unwrap();
        *seen.lock().unwrap() = String::from_utf8_lossy(&bytes).into_owned();
        Ok(())
    });
    (scene, seed)
}

#[tokio::test]
async fn a_key_is_made_put_into_the_guest_used_and_taken_out_again() {
    for (options, kind, comment) in [
        (
            "",
            "ssh-ed25519 ",
            "packer_00000000-0000-0000-0000-000000000007",
        ),
        (
            "temporary_key_pair_type = \"ecdsa\"\ntemporary_key_pair_bits = 256\n\
             temporary_key_pair_name = \"for one build\"",
            "ecdsa-sha2-nistp256 ",
            "for one build",
        ),
        (
            "temporary_key_pair_type = \"rsa\"\ntemporary_key_pair_bits = 2048",
            "ssh-rsa ",
            "packer_00000000-0000-0000-0000-000000000007",
        ),
    ] {
        let (scene, seed) = scene(&format!("{options}\nssh_clear_authorized_keys = true"));
        scene.run().await.result.unwrap();
        let public = scene.known("SSHPublicKey");
        assert!(public.starts_with(kind), "{public}");
        assert!(public.ends_with(comment), "{public}");

        let seed = seed.lock().unwrap().clone();
        assert!(seed.contains(&format!("ssh_authorized_keys: ['{public}']\n")));
        assert!(seed.contains("hostname: {{ v1.x }}\n"), "another template");

        let log_in = scene.log_in.lock().unwrap().clone().unwrap();
        let private = log_in.ssh_private_key.unwrap().0;
        let pair = read("test", &private, None, comment).unwrap();
        assert_eq!(pair.public_openssh.trim(), public);
        assert_eq!(scene.known("SSHPrivateKey"), private.expose_secret());
        assert_eq!(scene.known("SSHPrivateKeyFile"), "");

        let commands = scene.commands.lock().unwrap().clone();
        let body = public.split(' ').nth(1).unwrap();
        assert_eq!(commands.len(), 1);
        assert!(commands[0].contains(body) && commands[0].contains("authorized_keys"));
        let said = scene.said.lock().unwrap().join("\n");
        assert!(!said.contains("PRIVATE KEY"), "{said}");
    }
}

#[tokio::test]
async fn each_build_has_a_key_of_its_own_which_stays_if_nobody_clears_it() {
    let mut keys = Vec::new();
    for _ in 0..2 {
        let (scene, _) = scene("");
        scene.run().await.result.unwrap();
        assert!(scene.commands.lock().unwrap().is_empty());
        keys.push(scene.known("SSHPublicKey"));
    }
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn a_key_of_the_templates_own_is_put_there_and_stays() {
    let pair = generate(Algorithm::Ed25519, "").unwrap();
    let (mut scene, seed) =
        scene("ssh_private_key_file = \"id\"\nssh_clear_authorized_keys = true");
    scene.key_pair = Some(pair.clone());
    scene.run().await.result.unwrap();
    let public = pair.public_openssh.trim();
    assert!(seed.lock().unwrap().contains(&format!("['{public}']")));
    assert_eq!(scene.known("SSHPublicKey"), public);
    assert_eq!(scene.known("SSHPrivateKeyFile"), "id");
    assert!(
        scene.commands.lock().unwrap().is_empty(),
        "it is the user's"
    );
}

#[tokio::test]
async fn beside_a_password_a_key_is_only_made_where_a_text_asks_for_it() {
    let (asking, seed) = scene("ssh_password = \"hush\"");
    asking.run().await.result.unwrap();
    assert!(seed.lock().unwrap().contains("ssh-ed25519 "));
    let log_in = asking.log_in.lock().unwrap().clone().unwrap();
    assert!(log_in.ssh_private_key.is_some() && log_in.ssh_password.is_some());

    let silent = Scene::new(crate::scene::BLANK);
    silent.run().await.result.unwrap();
    assert_eq!(silent.known("SSHPublicKey"), "");
    let log_in = silent.log_in.lock().unwrap().clone().unwrap();
    assert!(log_in.ssh_private_key.is_none());
}
