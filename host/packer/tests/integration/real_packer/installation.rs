//! A real Packer with the example plugin, whose guest is a folder.

use std::path::PathBuf;

use crate::packer::{Installation, packers};

/// Where the plugin is installed from, and the name that templates have for that.
const SOURCE: &str = "github.com/example/echo";

/// Runs `test` with every Packer there is.
pub(super) fn with_each(name: &str, test: impl Fn(&Installation)) {
    for packer in packers(name) {
        std::fs::create_dir(packer.path("guest")).unwrap();
        // target/PROFILE/deps/integration-… and target/PROFILE/examples/echo
        let program = std::env::current_exe().unwrap();
        let plugin = program
            .parent()
            .unwrap()
            .with_file_name("examples")
            .join("echo");
        assert!(
            plugin.exists(),
            "{}: run `cargo build --example echo`",
            plugin.display()
        );
        packer.install(plugin.to_str().unwrap(), SOURCE);
        test(&packer);
    }
}

/// What belongs to the example plugin.
pub(super) trait Echo {
    /// The folder that is the guest.
    fn guest(&self) -> String;

    /// Writes a template with these lines in its source and its build.
    fn template(&self, source: &str, build: &str) -> PathBuf;
}

impl Echo for Installation {
    fn guest(&self) -> String {
        self.path("guest").display().to_string()
    }

    fn template(&self, source: &str, build: &str) -> PathBuf {
        let text = format!(
            r#"packer {{
                 required_plugins {{
                   echo = {{
                     source  = "github.com/example/echo"
                     version = ">= 0.1.0"
                   }}
                 }}
               }}
               source "echo" "a" {{
                 directory = "{}"
                 {source}
               }}
               build {{
                 sources = ["source.echo.a"]
                 {build}
               }}
            "#,
            self.guest()
        );
        let path = self.path("template.pkr.hcl");
        std::fs::write(&path, text).unwrap();
        path
    }
}
