//! Odd things that people write into a source, right and wrong ones.

/// Something odd, as it stands in the table of `docs/packer.md` if it means two things.
pub(super) enum Odd {
    /// Lines of the source.
    Source(&'static str),
    /// Instead of the source's URI, network, communicator or volume: what is replaced, and by what.
    Instead(&'static str, &'static str),
    /// Lines of the build.
    Build(&'static str),
    /// Blocks beside the source.
    Beside(&'static str),
}

use Odd::{Beside, Build, Instead, Source};

/// Sixty and more.
pub(super) const ODD: &[Odd] = &[
    // What stands in braces.
    Source("domain_name = \"acc-{{ build_name }}\""),
    Source("domain_name = \"{{ nonsense }}\""),
    Source("domain_name = \"{{build_type}}-{{ build_name | upper }}\""),
    Source("domain_name = \"{{ isotime \\\"2006\\\" }}\""),
    Source("domain_name = \"{{ isotime `20060102` }}-x\""),
    Source("domain_name = \"{{ strftime `%Y` }}\""),
    Source("domain_name = \"t{{ timestamp }}\""),
    Source("domain_name = \"u{{ uuid }}\""),
    Source("domain_name = \"{{ user `name` }}\""),
    Source("domain_name = \"{{ env `HOME` }}\""),
    Source("domain_name = \"{{ template_dir }}\""),
    Source("domain_name = \"{{ clean_resource_name `a b` }}\""),
    Source("domain_name = \"{{ sed `s/a/b/` `a` }}\""),
    Source("domain_name = \"{{ build `ID` }}\""),
    Source("domain_name = \"{{ split `a-b` `-` 1 }}\""),
    Source("domain_name = \"{{ split `a-b` `-` 7 }}\""),
    Source("domain_name = \"{{ replace `a` `b` -1 `banana` }}\""),
    Source("domain_name = \"{{ replace_all `a` `o` `banana` | lower }}\""),
    Source("domain_name = \"{{ upper `a` `b` }}\""),
    Source("domain_name = \"{{ .HTTPIP }}\""),
    Source("domain_name = \"{{ if true }}a{{ end }}\""),
    Source("domain_name = \"{{ `literal` }}\""),
    Source("domain_name = \"a{{- /* nothing */ -}} b\""),
    Source("domain_name = \"{{ not closed\""),
    Source("domain_name = \"{ { build_name } }\""),
    Source("domain_name = \"a}}b\""),
    Source("console_log = \"{{ pwd }}/log\""),
    Source("domain_name = upper(\"{{ build_name }}\")"),
    Source("boot_command = [\"{{ build_name }} {{ .HTTPIP }}<enter>\"]"),
    Source("boot_command = [\"{{ .Nothing }}\"]"),
    Source("boot_command = [\"{{ nothing }}\"]"),
    Source("http_content = { \"/{{ build_name }}\" = \"{{ build_name }} {{ .SSHPublicKey }}\" }"),
    Source("shutdown_command = \"echo {{ build_name }}\""),
    Source(
        "volume {\n source {\n type = \"cloud-init\"\n user_data = \"#cloud-config\\n# {{ .SSHPublicKey }} {{ build_name }}\"\n }\n }",
    ),
    Source(
        "volume {\n source {\n type = \"cloud-init\"\n user_data = \"## template: jinja\\n{{ ds.meta_data.hostname }}\"\n }\n }",
    ),
    Source(
        "volume {\n source {\n type = \"cloud-init\"\n user_data = \"## template: jinja\\n{{`{{ ds.meta_data.hostname }}`}}\"\n }\n }",
    ),
    Source(
        "volume {\n source {\n type = \"files\"\n contents = { a = \"{{ build_name }}\", b = \"{{ nothing }}\" }\n }\n }",
    ),
    Source("domain_xml_overlay = [\"<domain><title>{{ build_name }}</title></domain>\"]"),
    // Spelling, types and sizes.
    Source("memory = \"1024\""),
    Source("memory = 1.5"),
    Source("memory = 0"),
    Source("memory = -1"),
    Source("memory = \"much\""),
    Source("memory = null"),
    Source("secure_boot = \"false\""),
    Source("secure_boot = 1"),
    Source("boot_devices = \"hd\""),
    Source("boot_devices = []"),
    Source("boot_devices = [\"hd\", null]"),
    Source("boot_devices = [\"hdd\"]"),
    Source("boot_wait = \"-1s\""),
    Source("boot_wait = 10"),
    Source("shutdown_mode = \"auto\""),
    Source("shutdown_mode = \"\""),
    Source("vcup = 2"),
    Source("VCPU = 2"),
    Source("domain_name = \"\""),
    Source("domain_name = \"a/b\""),
    Source("domain_name = \"ä\""),
    Source("tpm = true"),
    Source("graphics {\n type = \"vnc\"\n port = -1\n }"),
    Source("graphics {\n type = \"vcn\"\n }"),
    Source("network_interface {\n type = \"bridge\"\n }"),
    Source(
        "network_interface {\n type = \"direct\"\n device = \"eth0\"\n mac = \"52:54:00:AB:CD:EF\"\n }",
    ),
    // Names and aliases.
    Source("artifact_volume_alias = \"out\""),
    Source("artifact_volume_alias = \"ua-artifact\""),
    Source("communicator_interface = \"lan\""),
    Source("volume {\n alias = \"artifact\"\n capacity = \"1G\"\n }"),
    Source("volume {\n capacity = \"10 parsecs\"\n }"),
    Source("volume {\n name = \"data\"\n bus = \"saat\"\n }"),
    Source("volume {\n source {\n type = \"hologram\"\n }\n }"),
    Source("volume {\n source {\n type = \"external\"\n }\n }"),
    Source("volume {\n source {\n type = \"external\"\n urls = [\"ftp://example.org/x\"]\n }\n }"),
    Source(
        "volume {\n source {\n type = \"external\"\n urls = [\"https://u:p@example.org/x\"]\n checksum = \"sha256:00\"\n }\n }",
    ),
    Source("ssh_username = \"root\""),
    Instead(
        "communicator {\n    ssh_username = \"root\"\n    ssh_password = \"hush\"\n  }",
        "ssh_username = \"root\"\n ssh_password = \"hush\"",
    ),
    Instead(
        "libvirt_uri            = \"qemu:///system\"",
        "libvirt_uri = \"nonsense\"",
    ),
    Instead(
        "libvirt_uri            = \"qemu:///system\"",
        "libvirt_uri = \"qemu://system\"",
    ),
    Instead(
        "libvirt_uri            = \"qemu:///system\"",
        "libvirt_uri = \"qemu+ext:///system?command=true\"",
    ),
    Instead(
        "libvirt_uri            = \"qemu:///system\"",
        "# libvirt_uri",
    ),
    Instead("alias    = \"artifact\"", "alias = \"ua-artifact\""),
    Instead("alias    = \"artifact\"", "name = \"disk\""),
    Instead(
        "ssh_password = \"hush\"",
        "ssh_private_key_file = \"missing\"",
    ),
    Instead(
        "ssh_password = \"hush\"",
        "ssh_password = \"{{ nothing }}\"",
    ),
    Instead("ssh_username = \"root\"", "communicator = \"none\""),
    // Beside the source.
    Build("post-processor \"nonsense\" {\n }"),
    Build("post-processor \"manifest\" {\n }"),
    Build("provisioner \"nonsense\" {\n }"),
    Build("provisioner \"shell\" {\n inline = [\"echo {{ build_name }} {{ upper `a` }}\"]\n }"),
    Build("provisioner \"shell\" {\n inline = [\"echo {{ nothing }}\"]\n }"),
    Build("provisioner \"shell\" {\n }"),
    Build("name = \"web\""),
    Beside("locals {\n a = uper(\"x\")\n }"),
    Beside("variable \"unset\" {\n }"),
    Beside(
        "build {\n source \"libvirt.a\" {\n name = \"b\"\n domain_name = \"{{ build_name }}\"\n }\n }",
    ),
];

impl Odd {
    /// What the first cell of its row is.
    pub(super) fn row(&self) -> String {
        let (Source(text) | Instead(_, text) | Build(text) | Beside(text)) = self;
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub(super) fn template(&self) -> String {
        let (source, build, beside) = match self {
            Source(text) => (*text, "", ""),
            Build(text) => ("", *text, ""),
            Beside(text) => ("", "", *text),
            Instead(..) => ("", "", ""),
        };
        let text = format!(
            r#"
source "libvirt" "a" {{
  libvirt_uri            = "qemu:///system"
  network_address_source = "lease"
  network_interface {{
    alias = "communicator"
    type  = "managed"
  }}
  communicator {{
    ssh_username = "root"
    ssh_password = "hush"
  }}
  volume {{
    alias    = "artifact"
    capacity = "1G"
  }}
  {source}
}}
build {{
  sources = ["libvirt.a"]
  {build}
}}
{beside}
"#
        );
        match self {
            Instead(from, to) => {
                assert!(text.contains(from), "{from}");
                text.replace(from, to)
            }
            _ => text,
        }
    }
}
