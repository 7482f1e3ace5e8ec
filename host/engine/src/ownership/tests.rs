use std::time::UNIX_EPOCH;

use lvhost_libvirt::fake::FakeHypervisor;
use lvhost_libvirt::{Backing, BuildRecord, Disk, DiskDevice, DomainSpec, DomainState, VolumeSpec};

use super::*;

fn facts(path: &str) -> VolumeFacts {
    VolumeFacts {
        key: path.to_owned(),
        path: path.to_owned(),
        capacity: 1,
        allocation: 1,
        physical: None,
        kind: "file".to_owned(),
        guessed_format: None,
        guessed_backing: None,
        written: None,
    }
}

fn on(path: &str, base: &str) -> VolumeFacts {
    VolumeFacts {
        guessed_backing: Some(Backing {
            path: base.to_owned(),
            format: None,
        }),
        ..facts(path)
    }
}

fn volume(name: &str, facts: VolumeFacts) -> (VolumeId, VolumeFacts) {
    (VolumeId::new("p", name), facts)
}

fn domain(name: &str, uses: Vec<DiskSource>) -> DomainFacts {
    DomainFacts {
        id: DomainId {
            uuid: Uuid::new_v4(),
            name: name.to_owned(),
        },
        state: DomainState::ShutOff,
        build: None,
        uses,
    }
}

fn user(uses: &Uses, path: &str) -> Option<String> {
    uses.domain_on(&facts(path), None)
        .map(|domain| domain.name.clone())
}

#[test]
fn a_domain_stands_on_all_of_its_chain() {
    let volumes = [
        volume("top", on("/p/top", "/p/middle")),
        volume("middle", on("/p/middle", "/p/base")),
        volume("base", facts("/p/base")),
        volume("free", facts("/p/free")),
    ];
    let by_volume = DiskSource::Volume(VolumeId::new("p", "top"));
    let by_path = DiskSource::File("/p/top".to_owned());
    for source in [by_volume, by_path] {
        let uses = Uses::index(&[domain("vm", vec![source])], &volumes, false);
        for path in ["/p/top", "/p/middle", "/p/base"] {
            assert_eq!(user(&uses, path).as_deref(), Some("vm"), "{path}");
        }
        assert_eq!(user(&uses, "/p/free"), None);
    }
}

#[test]
fn chains_that_go_in_circles_or_on_for_ever_end() {
    let circle = [
        volume("a", on("/p/a", "/p/b")),
        volume("b", on("/p/b", "/p/a")),
    ];
    let source = || vec![DiskSource::File("/p/a".to_owned())];
    let uses = Uses::index(&[domain("vm", source())], &circle, false);
    assert_eq!(user(&uses, "/p/b").as_deref(), Some("vm"));
    let long: Vec<_> = (0..10_000)
        .map(|number| {
            let path = |number| match number {
                0 => "/p/a".to_owned(),
                _ => format!("/p/{number}"),
            };
            volume(&number.to_string(), on(&path(number), &path(number + 1)))
        })
        .collect();
    let uses = Uses::index(&[domain("vm", source())], &long, false);
    assert_eq!(user(&uses, "/p/199").as_deref(), Some("vm"));
}

#[test]
fn one_file_of_several_names_is_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("disk"), "").unwrap();
    std::fs::hard_link(path("disk"), path("hard")).unwrap();
    std::os::unix::fs::symlink(path("disk"), path("soft")).unwrap();
    std::fs::create_dir(path("below")).unwrap();
    for name in ["hard", "soft", "below/../disk"] {
        let source = vec![DiskSource::File(path(name))];
        let uses = Uses::index(&[domain("vm", source)], &[], true);
        assert_eq!(user(&uses, &path("disk")).as_deref(), Some("vm"), "{name}");
    }
}

#[tokio::test]
async fn what_the_hypervisor_has_is_found() {
    let fake = FakeHypervisor::new();
    let spec = |name: &str, backing| VolumeSpec {
        id: VolumeId::new("default", name),
        capacity: 1,
        allocation: Some(0),
        format: Some("qcow2".to_owned()),
        backing,
    };
    let base = fake.create_volume(&spec("base", None)).await.unwrap();
    let backing = Some(Backing {
        path: base.path.clone(),
        format: Some("qcow2".to_owned()),
    });
    let top = spec("top", backing);
    fake.create_volume(&top).await.unwrap();
    fake.add_pool("off", 1, false);
    let disk = Disk::new(
        DiskSource::Volume(top.id.clone()),
        DiskDevice::Disk,
        lvhost_libvirt::DiskFormat::raw(),
    );
    let vm = DomainSpec {
        disks: vec![disk],
        ..DomainSpec::new("vm")
    };
    fake.define_domain(&vm).await.unwrap();
    let domains = fake.list_domains().await.unwrap();
    let uses = Uses::look(&fake, &domains).await.unwrap();
    assert_eq!(uses.domain_on(&base, None), Some(&domains[0].id));
    assert_eq!(uses.domain_on(&base, Some(&domains[0].id)), None);
    assert_eq!(uses.volume_on(&base, &HashSet::new()), Some(&top.id));
    assert_eq!(uses.volume_on(&base, &HashSet::from([&top.id])), None);
}

#[test]
fn a_domain_is_its_builds_by_its_uuid() {
    let build = Identity::random();
    let with = |id: String, uuid| {
        let mut domain = domain("vm", Vec::new());
        domain.build = Some(BuildRecord::new(id));
        domain.id.uuid = uuid;
        build_of(&domain)
    };
    let id = build.build_id().to_string();
    assert_eq!(with(id.clone(), build.domain_uuid()), Ok(build));
    for (id, uuid) in [
        (id.clone(), Uuid::new_v4()),
        (id, build.build_id()),
        (String::new(), build.domain_uuid()),
        ("\u{1b}[2J".to_owned(), build.domain_uuid()),
    ] {
        assert_eq!(with(id, uuid), Err(Doubt::NotTheBuildsDomain));
    }
    assert!(build_of(&domain("vm", Vec::new())).is_err());
}

#[test]
fn only_names_that_the_build_alone_gives_speak_for_it() {
    let build = Identity::fixed(Uuid::from_u128(7));
    let own = DomainId {
        uuid: build.domain_uuid(),
        name: "own".to_owned(),
    };
    let begun = Some(UNIX_EPOCH + Duration::from_secs(1_000_000));
    let judge = |name: &str, written: Option<u64>| {
        let volume = VolumeId::new("p", name);
        let facts = VolumeFacts {
            written: written.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)),
            ..facts("/p/x")
        };
        let claim = Claim {
            build,
            domain: &own,
            begun,
            siblings: &HashSet::new(),
            volume: &volume,
            facts: &facts,
            entry: None,
        };
        claim.judge(&HypervisorId::for_test("a"), &Uses::default())
    };
    let prefix = format!("packer-{}", build.word("domain"));
    assert_eq!(judge(&format!("{prefix}-artifact"), None), Ok(()));
    assert_eq!(
        judge(&format!("{prefix}-artifact"), Some(1_000_001)),
        Ok(())
    );
    assert_eq!(
        judge(&format!("{prefix}-artifact"), Some(1)),
        Err(Doubt::Older)
    );
    for name in [
        build.build_id().to_string(),
        build.build_id().simple().to_string(),
        prefix.clone(),
        format!("{prefix}x"),
        format!("x-{prefix}-artifact"),
        format!("disk-{}", build.word("volume 0")),
        String::new(),
    ] {
        assert_eq!(judge(&name, None), Err(Doubt::NotWrittenDown), "{name}");
    }
}
