//! Whether cloud-init will know what a user-data is: it tells by its beginning, and ignores what it
//! does not know.

use lvhost_plugin_sdk::Diagnostic;

/// Beginnings in lower case, since case does not matter to cloud-init.
///
/// The first group is cloud-init's own (`INCLUSION_TYPES_MAP` in `cloudinit/handlers`), the second
/// are MIME messages, the third is what cloudbase-init knows besides, which does the same on
/// Windows.
const BEGINNINGS: [&str; 17] = [
    "#cloud-boothook",
    "#cloud-config",
    "#include",
    "#part-handler",
    "#upstart-job",
    "#!",
    "## template: jinja",
    //
    "content-type:",
    "mime-version:",
    "content-transfer-encoding:",
    "from ",
    "from:",
    //
    "#ps1",
    "rem cmd",
    "<powershell>",
    "<script>",
    "<persist>",
];

/// A warning if cloud-init would ignore the text in the option `name`.
pub(crate) fn check(name: &str, text: &str) -> Option<Diagnostic> {
    let beginning: String = text.trim_start().chars().take(32).collect();
    let beginning = beginning.to_ascii_lowercase();
    if beginning.is_empty() || BEGINNINGS.iter().any(|known| beginning.starts_with(known)) {
        return None;
    }
    Some(
        Diagnostic::warning(name, format!("cloud-init will ignore this `{name}`: it is in none of its formats"))
            .help("begin it with the line `#cloud-config` if it is a configuration, or `#!/bin/sh` if it is a script"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_formats_pass() {
        let texts = [
            "",
            " \n",
            "#cloud-config\n{}",
            "\n#Cloud-Config\npackages: []",
            "#cloud-config-archive\n- {}",
            "#!/bin/sh\ntrue",
            "#include\nhttps://example.org/a",
            "## template: jinja\n#cloud-config\n{}",
            "Content-Type: multipart/mixed; boundary=\"x\"\nMIME-Version: 1.0\n",
            "#ps1_sysnative\nGet-Date",
            "rem cmd\r\ndir",
        ];
        for text in texts {
            assert_eq!(check("user_data", text), None, "{text:?}");
        }
    }

    #[test]
    fn what_cloud_init_would_ignore_is_reported_without_showing_it() {
        for text in [
            "password: hunter2",
            "# cloud-config\n{}",
            "{\"packages\": []}",
            "ümläut",
        ] {
            let diagnostic = check("vendor_data", text).unwrap();
            assert_eq!(diagnostic.path, "vendor_data");
            assert!(!format!("{diagnostic:?}").contains("hunter2"));
        }
    }
}
