//! What templates come to as libvirt's XML: `tests/plans/NAME.pkr.hcl` beside `NAME.xml`, which holds
//! the domain and all volumes that the build makes. `UPDATE=1 cargo test` writes the files anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use lvhost_libvirt::{domain_xml, volume_xml};

use crate::scene::Scene;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans")
}

/// All XML of the build, while its guest runs.
fn xml(scene: &Scene) -> String {
    let mut text = String::new();
    for name in scene.hypervisor.domains() {
        let mut spec = scene.hypervisor.domain_spec(&name).unwrap();
        // It follows from the build's id.
        spec.uuid = None;
        if let Some(record) = &mut spec.build {
            record.begun = None;
        }
        let _ = writeln!(text, "{}", domain_xml(&spec).trim_end());
    }
    for id in scene.hypervisor.volumes() {
        // Those that were there before are not the build's.
        if !matches!(id.name.as_str(), "base" | "ubuntu-22.04-lts") {
            let spec = scene.hypervisor.volume_spec(&id).unwrap();
            let _ = writeln!(text, "\n<!-- in the pool {} -->", id.pool);
            let _ = writeln!(text, "{}", volume_xml(&spec).trim_end());
        }
    }
    text
}

#[tokio::test]
async fn templates_come_to_the_xml_beside_them() {
    let mut templates: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(".pkr.hcl"))
        .collect();
    templates.sort();
    assert!(templates.len() >= 5);
    let mut wrong = Vec::new();
    for path in templates {
        let text: &'static str = Box::leak(std::fs::read_to_string(&path).unwrap().into());
        let seen = Arc::new(Mutex::new(String::new()));
        let found = Arc::clone(&seen);
        let scene = Scene::new(text).script(move |scene| {
            *found.lock().unwrap() = xml(scene);
            Ok(())
        });
        scene
            .run()
            .await
            .result
            .unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
        let expected = PathBuf::from(path.to_str().unwrap().replace(".pkr.hcl", ".xml"));
        let seen = seen.lock().unwrap().clone();
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&expected, &seen).unwrap();
        }
        if std::fs::read_to_string(&expected).unwrap_or_default() != seen {
            wrong.push(format!("{}:\n{seen}", expected.display()));
        }
    }
    assert!(wrong.is_empty(), "not as expected:\n{}", wrong.join("\n"));
}
