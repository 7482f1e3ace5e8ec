//! Originals, bases and other volumes that somebody has put into a pool's folder, or taken out of it,
//! without telling the hypervisor.

use lvhost_engine::{Identity, Original, configure, plan};
use lvhost_hcl::Diagnostics;
use lvhost_libvirt::{VolumeId, VolumeSpec};
use uuid::Uuid;

use crate::scene::{BLANK, Scene, sources};

/// The blank build with one more volume.
fn with(volume: &str) -> &'static str {
    let (before, after) = BLANK.split_once("  volume {").unwrap();
    Box::leak(format!("{before}  volume {{\n{volume}\n  }}\n  volume {{{after}").into_boxed_str())
}

const BY_NAME: [(&str, &str); 4] = [
    (
        "cloning",
        "name = \"copy\"\nsource {\ntype = \"cloning\"\nvolume = \"late\"\n}",
    ),
    (
        "backing-store",
        "name = \"copy\"\nsource {\ntype = \"backing-store\"\nvolume = \"late\"\n}",
    ),
    (
        "backing-store by path",
        "name = \"copy\"\nsource {\ntype = \"backing-store\"\npath = \"/fake/default/late\"\n}",
    ),
    ("a volume that is only used", "name = \"late\""),
];

fn late() -> VolumeSpec {
    VolumeSpec {
        id: VolumeId::new("default", "late"),
        capacity: 1 << 20,
        allocation: Some(0),
        format: Some("raw".to_owned()),
        backing: None,
    }
}

/// What there is of the first volume's originals.
async fn originals(scene: &Scene) -> Vec<Original> {
    let sources = sources();
    let source = scene.source(&sources);
    let identity = Identity::fixed(Uuid::from_u128(7));
    let mut report = Diagnostics::default();
    let configured = configure(&source, &sources, "example", &mut report).await;
    let plan = plan(&source, &configured, &identity, || Ok::<_, ()>(1)).unwrap();
    plan.originals(&plan.volumes[0], &sources, &scene.hypervisor)
        .await
}

#[tokio::test]
async fn a_file_that_was_put_into_a_pool_is_used() {
    for (what, volume) in BY_NAME {
        let scene = Scene::new(with(volume));
        scene.hypervisor.put_file(&late(), b"late").unwrap();
        if let Err(error) = scene.run().await.result {
            panic!("{what}: {error:?}");
        }
        let scene = Scene::new(with(volume));
        scene.hypervisor.put_file(&late(), b"late").unwrap();
        let found = originals(&scene).await;
        assert!(matches!(&found[..], [it] if it.found.as_ref().is_ok_and(|size| *size == 1 << 20)));
    }
}

#[tokio::test]
async fn what_is_nowhere_and_what_was_taken_out_is_told_in_words_of_our_own() {
    for (what, volume) in BY_NAME {
        for is_lost in [false, true] {
            let scene = Scene::new(with(volume));
            if is_lost {
                scene.hypervisor.add_volume(&late(), b"late").unwrap();
                scene.hypervisor.lose_file(&late().id).unwrap();
            }
            let found = originals(&scene).await.remove(0).found.unwrap_err();
            let error = scene.run().await.result.unwrap_err();
            for text in [
                lvhost_engine::with_causes(&found),
                lvhost_engine::with_causes(&error),
            ] {
                let told = [
                    "there is no volume",
                    "does not exist",
                    "knows `/fake/default/late`",
                ];
                assert!(
                    told.iter().any(|told| text.contains(told)),
                    "{what}: {text}"
                );
                assert!(text.contains("late"), "{what}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn a_name_is_not_free_if_its_file_is_in_the_folder() {
    let scene = Scene::new(BLANK);
    let id = VolumeId::new("default", "image");
    let spec = VolumeSpec {
        id: id.clone(),
        ..late()
    };
    scene.hypervisor.put_file(&spec, b"precious").unwrap();
    let error = scene.run().await.result.unwrap_err();
    assert!(error.to_string().contains("exists already"), "{error}");
    let kept = scene.hypervisor.read_volume(&id, 0, 8).unwrap();
    assert_eq!(kept, b"precious");
}

#[tokio::test]
async fn an_original_is_looked_at_as_the_build_looks_at_it() {
    // Too large, of a format that nobody has stated, and leaning on what the template does not name.
    let scene = Scene::new(with(&format!("{}\ncapacity = \"4K\"", BY_NAME[0].1)));
    scene.hypervisor.put_file(&late(), b"late").unwrap();
    let error = originals(&scene).await.remove(0).found.unwrap_err();
    assert!(error.to_string().contains("can't be smaller"), "{error}");
    let scene = Scene::new(with(BY_NAME[0].1));
    scene.hypervisor.put_file(&late(), b"KDMV").unwrap();
    let error = originals(&scene).await.remove(0).found.unwrap_err();
    assert!(error.to_string().contains("source_format"), "{error}");
    let lean = format!("{}\nbacking_volumes = [\"gone\"]", BY_NAME[3].1);
    let scene = Scene::new(Box::leak(with(&lean).to_owned().into_boxed_str()));
    let overlay = VolumeSpec {
        format: Some("qcow2".to_owned()),
        backing: Some(lvhost_libvirt::Backing {
            path: "/fake/default/base".to_owned(),
            format: Some("raw".to_owned()),
        }),
        ..late()
    };
    scene.hypervisor.add_volume(&overlay, b"").unwrap();
    let error = originals(&scene).await.remove(0).found.unwrap_err();
    assert!(error.to_string().contains("\"gone\""), "{error}");
}
