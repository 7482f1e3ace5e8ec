//! Which disks the guest will see: what is said of a `bus`, and what hangs where without one.

use lvhost_engine::{Identity, configure, domain_name};
use lvhost_hcl::{Diagnostics, Severity};
use uuid::Uuid;

use crate::scene::{decode, sources};

/// A build from an image, with a cloud-init disc unless `disc` is another volume, and these options of the source.
fn template(disc: &str, options: &str) -> String {
    format!(
        r#"
source "libvirt" "example" {{
  libvirt_uri = "fake:///"
  {options}
  network_interface {{
    type  = "managed"
    alias = "communicator"
  }}
  volume {{
    alias = "artifact"
    source {{
      type     = "external"
      urls     = ["disk.raw"]
      checksum = "sha256:{digits}"
    }}
  }}
  {disc}
}}
build {{ sources = ["libvirt.example"] }}
"#,
        digits = "0".repeat(64)
    )
}

const SSH: &str = "communicator {\nssh_username = \"root\"\nssh_password = \"hush\"\n}";
const WINRM: &str = "communicator {\ncommunicator = \"winrm\"\nwinrm_username = \"a\"\nwinrm_password = \"hush\"\n}";

fn cloud_init(bus: &str) -> String {
    format!(
        "volume {{\n{bus}\nsource {{\ntype = \"cloud-init\"\nuser_data = \"#cloud-config\"\n}}\n}}"
    )
}

fn files(bus: &str) -> String {
    format!("volume {{\n{bus}\nsource {{\ntype = \"files\"\ncontents = {{ a = \"b\" }}\n}}\n}}")
}

/// What is said: how bad it is, in which line of the template, and the text with its help.
async fn said(text: &str) -> Vec<(Severity, String, String)> {
    let sources = sources();
    let source = decode(text, &sources);
    let identity = Identity::fixed(Uuid::from_u128(1));
    let mut report = Diagnostics::default();
    let domain = domain_name(&source, &identity);
    configure(&source, &sources, &domain, &mut report).await;
    report
        .iter()
        .map(|said| {
            let start = said.span.unwrap().start;
            let begin = text[..start].rfind('\n').map_or(0, |at| at + 1);
            (
                said.severity,
                text[begin..]
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_owned(),
                format!(
                    "{} {}",
                    said.summary,
                    said.help.as_deref().unwrap_or_default()
                ),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_bus_that_kernels_for_clouds_lack_draws_a_warning_with_what_to_write() {
    for (disc, options) in [
        (cloud_init("bus = \"sata\""), SSH.to_owned()),
        (
            cloud_init("bus = \"usb\""),
            format!("chipset = \"pc\"\n{SSH}"),
        ),
        // Also by its other name.
        (
            cloud_init("bus = \"sata\"").replace("cloud-init", "cloudinit"),
            format!("chipset = \"q35\"\n{SSH}"),
        ),
        (files("bus = \"sata\""), SSH.to_owned()),
        (files("device = \"cdrom\"\nbus = \"usb\""), SSH.to_owned()),
        (
            "volume {\nname = \"iso\"\ndevice = \"cdrom\"\nbus = \"sata\"\n}".to_owned(),
            SSH.to_owned(),
        ),
        // Whatever the guest is, cloud-init reads this disc.
        (cloud_init("bus = \"sata\""), WINRM.to_owned()),
    ] {
        let said = said(&template(&disc, &options)).await;
        let [(Severity::Warning, line, text)] = said.as_slice() else {
            panic!("{disc}: {said:?}");
        };
        assert!(line.starts_with("bus = "), "{line}");
        assert!(text.contains("kernels made for clouds"), "{text}");
        assert!(text.contains("write `bus = \"scsi\"`"), "{text}");
    }
    // The disk of an image for clouds.
    let text = template(&cloud_init(""), SSH).replace(
        "alias = \"artifact\"\n",
        "alias = \"artifact\"\nbus = \"sata\"\n",
    );
    let said = said(&text).await;
    assert!(
        matches!(said.as_slice(), [(Severity::Warning, _, text)] if text.contains("write `bus = \"virtio\"`")),
        "{said:?}"
    );
}

#[tokio::test]
async fn a_bus_that_the_machine_lacks_is_told_of() {
    for (chipset, warns) in [
        ("chipset = \"q35\"", true),
        ("chipset = \"pc-q35-7.2\"", true),
        ("arch = \"aarch64\"\nchipset = \"virt\"", true),
        ("arch = \"aarch64\"", true),
        ("", false),
        ("chipset = \"pc\"", false),
        ("chipset = \"pc-i440fx-7.2\"", false),
    ] {
        let text = template(&cloud_init("bus = \"ide\""), &format!("{chipset}\n{SSH}"));
        let said = said(&text).await;
        let found = said.iter().any(|(_, _, text)| {
            text.contains("have no bus `ide`") && text.contains("write `bus = \"scsi\"`")
        });
        assert_eq!(found, warns, "{chipset}: {said:?}");
        assert_eq!(said.len(), usize::from(warns), "{chipset}: {said:?}");
    }
}

#[tokio::test]
async fn what_guests_see_is_not_complained_about() {
    let blank = "alias = \"artifact\"\ncapacity = \"1G\"\nbus = \"sata\"\n";
    let installed = template(&files("bus = \"sata\""), SSH);
    let (start, rest) = installed.split_once("    alias = \"artifact\"\n").unwrap();
    let (_, end) = rest.split_once("    }\n").unwrap();
    let installed = format!("{start}{blank}{end}");
    for text in [
        template(&cloud_init(""), SSH),
        template(&cloud_init("bus = \"scsi\""), SSH),
        template(&files(""), &format!("chipset = \"q35\"\n{SSH}")),
        // An installer's kernel is for any hardware, and Windows has a driver for it.
        installed,
        template(&files("bus = \"sata\""), WINRM),
        template(&files("device = \"floppy\""), WINRM),
        template(
            &cloud_init("bus = \"ide\""),
            &format!("domain_type = \"xen\"\n{SSH}"),
        ),
    ] {
        assert_eq!(said(&text).await, [], "{text}");
    }
}

#[tokio::test]
async fn windows_is_told_of_the_bus_it_has_a_driver_for() {
    for disc in [files(""), cloud_init("")] {
        let said = said(&template(&disc, WINRM)).await;
        assert!(
            matches!(said.as_slice(), [(Severity::Warning, _, text)] if text.contains("write `bus = \"sata\"`")),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn a_bus_that_does_not_fit_what_the_source_makes_is_an_error() {
    for (disc, expected) in [
        (
            cloud_init("bus = \"virtio\""),
            "a cdrom can't be attached to the bus `virtio`",
        ),
        (
            cloud_init("bus = \"fdc\""),
            "a cdrom can't be attached to the bus `fdc`",
        ),
        (
            files("bus = \"sd\""),
            "a cdrom can't be attached to the bus `sd`",
        ),
    ] {
        let said = said(&template(&disc, SSH)).await;
        let [(Severity::Error, line, text)] = said.as_slice() else {
            panic!("{said:?}");
        };
        assert!(line.starts_with("bus = "), "{line}");
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("write `bus = \"scsi\"`"), "{text}");
    }
}

/// Names that lvhost puts together are file names, too: of the domain's and an alias, or a word of the source's.
#[tokio::test]
async fn generated_names_are_no_longer_than_file_names() {
    let with_domain = |length: usize, disc: &str| {
        let domain = "d".repeat(length);
        template(disc, &format!("{SSH}\ndomain_name = \"{domain}\""))
    };
    let alias = format!(
        "volume {{\nalias = \"{}\"\nsource {{\ntype = \"external\"\nurls = [\"disk.raw\"]\n\
         checksum = \"none\"\n}}\n}}",
        "a".repeat(100)
    );
    let named = alias.replace("volume {", "volume {\nname = \"short\"");
    // The artifact is called `…-artifact`, the discs `…-cloudinit` and, the second one,
    // `…-cloudinit-12345678`.
    let discs = cloud_init("bus = \"scsi\"")
        .repeat(2)
        .replace("}volume", "}\nvolume");
    for (text, expected) in [
        (with_domain(246, ""), Some(("alias = \"artifact\"", 255))),
        (with_domain(247, ""), Some(("alias = \"artifact\"", 256))),
        (with_domain(200, &alias), Some(("alias = \"aaaa", 301))),
        (with_domain(200, &named), None),
        (with_domain(200, ""), None),
        (with_domain(236, &discs), Some(("volume {", 255))),
        (with_domain(237, &discs), Some(("volume {", 256))),
    ] {
        let all = said(&text).await;
        let about: Vec<_> = all
            .iter()
            .filter(|(_, _, text)| text.contains("would get a name of"))
            .collect();
        let Some((line, bytes)) = expected.filter(|(_, bytes)| *bytes > 255) else {
            assert!(about.is_empty(), "{about:?}");
            continue;
        };
        let [(Severity::Error, place, text)] = about[..] else {
            panic!("{expected:?}: {all:?}");
        };
        assert!(place.starts_with(line), "{place}");
        assert!(text.contains(&format!("a name of {bytes} bytes")), "{text}");
    }
}
