//! Headers that guests and components write, against a real libvirt and a real QEMU: in whatever way a disk
//! comes into a domain, no file of the host is opened because of what stands in the disk.
//!
//! What is looked at is the XML of the running domain and the owner of the host's file, which libvirt
//! gives to QEMU when it opens it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::guest_component::guest_component;
use crate::hypervisor::{need, tool};
use crate::local_guest::LocalGuest;
use crate::lvhost::{Lvhost, said};
use crate::real_guests::sha256;

/// What the host's file holds.
const SECRET: &str = "TOP SECRET, FOR NO GUEST TO READ";

/// The size of each disk, in bytes.
const SIZE: u64 = 1 << 20;

/// The ways in which a volume that is there already comes into a domain: a name, and the volume block for
/// the volume `ORIGINAL` in `POOL`; `SOURCE` and `OWN` are where its format is said.
const WAYS: [(&str, &str); 6] = [
    (
        "clone",
        "SOURCE\nsource {\ntype = \"cloning\"\nvolume = \"ORIGINAL\"\n}",
    ),
    (
        "overlay",
        "SOURCE\nsource {\ntype = \"backing-store\"\nvolume = \"ORIGINAL\"\n}",
    ),
    (
        "overlay-path",
        "SOURCE\nsource {\ntype = \"backing-store\"\npath = \"FOLDER/ORIGINAL\"\n}",
    ),
    ("existing", "OWN"),
    ("by-path", "OWN\nattach_as = \"file\""),
    ("cd", "OWN\ndevice = \"cdrom\"\nbus = \"sata\""),
];

/// A hypervisor, a file of its host, and what guests write to get at it.
struct Attack {
    guest: LocalGuest,
    lvhost: Lvhost,
    folder: tempfile::TempDir,
}

impl Attack {
    fn new() -> Result<Self, String> {
        tool("qemu-img")?;
        let guest = LocalGuest::new()?;
        let folder = tempfile::Builder::new()
            .prefix("lvhost-secret")
            .tempdir_in("/var/tmp")
            .unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), mode).unwrap();
        let mut secret = SECRET.as_bytes().to_vec();
        secret.resize(SIZE as usize, b'.');
        std::fs::write(folder.path().join("secret"), secret).unwrap();
        let attack = Self {
            guest,
            lvhost: Lvhost::new(),
            folder,
        };
        Ok(attack)
    }

    fn secret(&self) -> PathBuf {
        self.folder.path().join("secret")
    }

    /// Asserts that nobody was given the host's file.
    fn assert_kept(&self, context: &str) {
        let file = std::fs::metadata(self.secret()).unwrap();
        let own = std::fs::metadata(self.folder.path()).unwrap();
        assert_eq!(
            (file.uid(), file.gid()),
            (own.uid(), own.gid()),
            "{context}"
        );
        let name = self.secret();
        let context =
            |path: &Path| format!("{context}: {} is in {}", name.display(), path.display());
        for entry in std::fs::read_dir(self.guest.hypervisor.path()).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let leaks = bytes
                .windows(SECRET.len())
                .any(|window| window == SECRET.as_bytes());
            assert!(!leaks, "{}", context(&path));
        }
    }

    fn qemu_img(&self, arguments: &[&str]) {
        let output = Command::new("qemu-img").args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    /// The disks, with what each looks like.
    fn disks(&self) -> Vec<(&'static str, Vec<u8>)> {
        let secret = self.secret();
        let secret = secret.to_str().unwrap();
        let made = self.folder.path().join("made");
        let made = made.to_str().unwrap();
        let mut disks = Vec::new();
        let mut take = |name| {
            disks.push((name, std::fs::read(made).unwrap()));
            std::fs::remove_file(made).unwrap();
        };
        let json = format!(
            "json:{{\"driver\":\"raw\",\"file\":{{\"driver\":\"file\",\"filename\":\"{secret}\"}}}}"
        );
        for backing in [secret, &json] {
            let options = ["create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b"];
            self.qemu_img(&[&options[..], &[backing, made, "1M"]].concat());
            take("qcow2");
        }
        // qemu-img would begin by emptying the data file: another of a name as long.
        let other = self.folder.path().join("decoys");
        assert_eq!(other.as_os_str().len(), secret.len());
        let option = format!("data_file={}", other.display());
        self.qemu_img(&["create", "-q", "-f", "qcow2", "-o", &option, made, "1M"]);
        take("qcow2");
        let (_, bytes) = disks.last_mut().unwrap();
        let name = other.to_str().unwrap().as_bytes();
        let at = bytes.windows(name.len()).position(|window| window == name);
        bytes[at.unwrap()..][..name.len()].copy_from_slice(secret.as_bytes());

        let descriptor = format!(
            "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n\
             createType=\"monolithicFlat\"\n\nRW 2048 FLAT \"{secret}\" 0\n\n\
             ddb.virtualHWVersion = \"4\"\nddb.geometry.cylinders = \"2\"\nddb.geometry.heads = \"16\"\n\
             ddb.geometry.sectors = \"63\"\nddb.adapterType = \"ide\"\n"
        );
        disks.push(("vmdk", descriptor.into_bytes()));
        let mut luks = vec![0; 4096];
        luks[..8].copy_from_slice(b"LUKS\xba\xbe\0\x01");
        disks.push(("luks", luks));
        let mut vdi = vec![0; 4096];
        vdi[64..72].copy_from_slice(b"\x7f\x10\xda\xbe\x01\0\x01\0");
        disks.push(("vdi", vdi));
        disks.push(("qed", qed(secret)));
        for (_, disk) in &mut disks {
            disk.resize(SIZE as usize, 0);
        }
        disks
    }

    /// Puts the disk into the pool under the names of all ways.
    fn install(&self, disk: &[u8]) {
        for (way, _) in WAYS {
            let image = self.folder.path().join("image");
            std::fs::write(&image, disk).unwrap();
            self.guest.hypervisor.add_volume(&original(way), &image);
        }
    }

    /// The volume block of a way, with the format said or not.
    fn volume(&self, way: &str, text: &str, format: Option<&str>) -> String {
        let pool = &self.guest.hypervisor.pool;
        let said =
            |option| format.map_or(String::new(), |format| format!("{option} = \"{format}\""));
        let name = match text.contains("source {") {
            true => format!("{pool}-{way}"),
            false => original(way),
        };
        let text = text
            .replace("ORIGINAL", &original(way))
            .replace("FOLDER", self.guest.hypervisor.path().to_str().unwrap())
            .replace("SOURCE", &said("source_format"))
            .replace("OWN", &said("format"));
        format!("volume {{\npool = \"{pool}\"\nname = \"{name}\"\n{text}\n}}\n")
    }

    /// Writes a template with these volumes beside a blank artifact, and with these lines of shell run
    /// here while the domain runs.
    fn write(&self, volumes: &str, script: &str) {
        let domain = self.guest.domain("a");
        let dump = format!(
            "virsh -c {} dumpxml {domain} > domain.xml\nstat -c %u {} > owner\n{script}",
            self.guest.hypervisor.uri,
            self.secret().display()
        );
        let build = format!("provisioner \"shell-local\" {{\n    inline = [{dump:?}]\n  }}\n");
        let template = self.guest.template(&["a"], &build);
        let begin = "source \"libvirt\" \"a\" {\n";
        let template = template.replacen(begin, &format!("{begin}{volumes}"), 1);
        self.lvhost.write("attack.pkr.hcl", &template);
    }

    fn run(&self) -> (Option<i32>, String) {
        let output = self.lvhost.run(&["run", "attack.pkr.hcl"]);
        let text = said(&output);
        // Whoever is ended by a signal has no code.
        (output.status.code(), format!("{}: {text}", output.status))
    }

    /// Removes the artifact of a build.
    fn remove(&self, volume: &str) {
        let pool = &self.guest.hypervisor.pool;
        self.guest
            .hypervisor
            .virsh(&["vol-delete", "--pool", pool, volume]);
    }
}

fn original(way: &str) -> String {
    format!("original-of-{way}")
}

/// Every file that the domain's XML names as a disk or below one.
fn files(xml: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(xml).unwrap();
    let disks = document
        .descendants()
        .filter(|node| node.has_tag_name("disk"));
    let sources = disks.flat_map(|disk| {
        disk.descendants()
            .filter(|node| node.has_tag_name("source"))
    });
    sources
        .filter_map(|source| source.attribute("file").or(source.attribute("volume")))
        .map(str::to_owned)
        .collect()
}

/// The header of a QED image on another one (docs/interop/qed_spec.rst in QEMU), which libvirt has no words
/// for: it gives no XML of such a volume.
fn qed(base: &str) -> Vec<u8> {
    const CLUSTER: u32 = 64 << 10;
    const HAS_BASE: u64 = 1;
    // The file's magic, sizes, features, the table's place, the disk's size, and where the name is.
    let mut disk = b"QED\0".to_vec();
    for number in [CLUSTER, 4, 1] {
        disk.extend(number.to_le_bytes());
    }
    for number in [HAS_BASE, 0, 0, u64::from(CLUSTER), SIZE] {
        disk.extend(number.to_le_bytes());
    }
    let name_at = disk.len() as u32 + 8;
    for number in [name_at, base.len() as u32] {
        disk.extend(number.to_le_bytes());
    }
    disk.extend(base.as_bytes());
    disk
}

#[test]
fn the_attack_works_on_whoever_believes_the_guess() {
    let attack = need!(Attack::new());
    let (_, disk) = attack.disks().remove(0);
    attack.install(&disk);
    let hypervisor = &attack.guest.hypervisor;
    hypervisor.virsh(&[
        "vol-clone",
        "--pool",
        &hypervisor.pool,
        &original("clone"),
        "fallen",
    ]);
    let copy = std::fs::read(hypervisor.path().join("fallen")).unwrap();
    let leaks = copy
        .windows(SECRET.len())
        .any(|window| window == SECRET.as_bytes());
    assert!(
        leaks,
        "libvirt has not followed the header: nothing else here shows anything"
    );
}

#[test]
fn no_header_of_a_guest_opens_a_file_of_the_host_where_its_disk_is_said_to_be_raw() {
    let attack = need!(Attack::new());
    let folder = attack.guest.hypervisor.path().to_str().unwrap().to_owned();
    for (resembles, disk) in attack.disks() {
        attack.install(&disk);
        let volumes: String = WAYS
            .iter()
            .map(|(way, text)| attack.volume(way, text, Some("raw")))
            .collect();
        // The clone is the same disk, byte by byte; it is libvirt's user's while the domain runs.
        let clone = format!("{folder}/{}-clone", attack.guest.hypervisor.pool);
        let script = format!("cmp {clone} {folder}/{}", original("clone"));
        attack.write(&volumes, &script);
        let (code, text) = attack.run();
        assert_eq!(code, Some(0), "{resembles}: {text}");
        let xml = std::fs::read_to_string(attack.lvhost.path("domain.xml")).unwrap();
        assert!(!xml.contains("secret"), "{resembles}: {xml}");
        let own = |file: &String| file.starts_with(&folder) || !file.starts_with('/');
        assert!(files(&xml).iter().all(own), "{resembles}: {xml}");
        for (type_, count) in [("qcow2", 2), ("raw", 5)] {
            let driver = format!("<driver name='qemu' type='{type_}'");
            assert_eq!(xml.matches(&driver).count(), count, "{resembles}: {xml}");
        }
        assert_eq!(
            xml.matches("<backingStore/>").count(),
            7,
            "{resembles}: {xml}"
        );
        let owner = std::fs::read_to_string(attack.lvhost.path("owner")).unwrap();
        let before = std::fs::metadata(attack.folder.path()).unwrap().uid();
        assert_eq!(owner.trim(), before.to_string(), "{resembles}");
        attack.assert_kept(resembles);
        attack.remove(&attack.guest.domain("a"));
    }
}

#[test]
fn no_header_of_a_guest_is_believed_where_nobody_says_what_its_disk_is() {
    let attack = need!(Attack::new());
    for (resembles, disk) in attack.disks() {
        attack.install(&disk);
        let before = attack.guest.hypervisor.volumes();
        for (way, text) in WAYS {
            attack.write(&attack.volume(way, text, None), "");
            let (code, text) = attack.run();
            assert_eq!(code, Some(1), "{way}, {resembles}: {text}");
            assert!(text.contains(&original(way)), "{way}, {resembles}: {text}");
            assert!(text.contains("format"), "{way}, {resembles}: {text}");
            assert!(
                !attack.lvhost.path("domain.xml").exists(),
                "{way}, {resembles}"
            );
            attack.assert_kept(&format!("{way}, {resembles}"));
            assert_eq!(
                attack.guest.hypervisor.volumes(),
                before,
                "{way}, {resembles}"
            );
        }
    }
}

#[test]
fn an_overlay_of_an_overlay_runs_on_the_chain_that_its_template_names() {
    let attack = need!(Attack::new());
    let hypervisor = &attack.guest.hypervisor;
    let folder = hypervisor.path().to_str().unwrap();
    attack.qemu_img(&[
        "create",
        "-q",
        "-f",
        "raw",
        &format!("{folder}/lowest"),
        "1M",
    ]);
    let (lowest, middle) = (format!("{folder}/lowest"), format!("{folder}/middle"));
    attack.qemu_img(&[
        "create", "-q", "-f", "qcow2", "-F", "raw", "-b", &lowest, &middle,
    ]);
    hypervisor.virsh(&["pool-refresh", &hypervisor.pool]);
    let volume = |named: &str| {
        let pool = &hypervisor.pool;
        format!(
            "volume {{\npool = \"{pool}\"\nname = \"{pool}-top\"\n{named}\nsource {{\n\
             type = \"backing-store\"\nvolume = \"middle\"\n}}\n}}\n"
        )
    };
    attack.write(&volume(""), "");
    let (code, text) = attack.run();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("backing_volumes"), "{text}");
    attack.write(&volume("backing_volumes = [\"lowest\"]"), "");
    let (code, text) = attack.run();
    assert_eq!(code, Some(0), "{text}");
    let xml = std::fs::read_to_string(attack.lvhost.path("domain.xml")).unwrap();
    let files = files(&xml);
    assert!(files.contains(&lowest) && files.contains(&middle), "{xml}");
}

/// What libvirt takes for a folder, and then neither reads nor deletes.
const FOLDER_MARK: &str = "WithouFreSpacExt";

#[test]
fn what_a_guest_makes_look_like_a_folder_is_used_by_its_path_and_cleaned_up() {
    let attack = need!(Attack::new());
    let hypervisor = &attack.guest.hypervisor;
    let mut disk = FOLDER_MARK.as_bytes().to_vec();
    disk.resize(SIZE as usize, 0);
    attack.install(&disk);
    let dump = hypervisor.virsh(&["vol-dumpxml", "--pool", &hypervisor.pool, &original("cd")]);
    assert!(dump.contains("type='ploop'"), "{dump}");
    for (way, text) in WAYS {
        attack.write(&attack.volume(way, text, None), "");
        let (code, text) = attack.run();
        assert_eq!(code, Some(1), "{way}: {text}");
        assert!(text.contains("for a folder"), "{way}: {text}");
    }
    let volumes: String = WAYS[1..]
        .iter()
        .map(|(way, text)| attack.volume(way, text, Some("raw")))
        .collect();
    let artifact = hypervisor.path().join(attack.guest.domain("a"));
    // The guest of the build does so as well, somebody refreshes the pool, and the build fails.
    let script = format!(
        "printf {FOLDER_MARK} | dd of={} conv=notrunc status=none\nvirsh -c {} pool-refresh {}\nexit 7",
        artifact.display(),
        hypervisor.uri,
        hypervisor.pool
    );
    attack.write(&volumes, &script);
    let before = hypervisor.volumes();
    let (code, text) = attack.run();
    assert_eq!(code, Some(1), "{text}");
    assert!(
        attack.lvhost.path("domain.xml").exists(),
        "the domain has run: {text}"
    );
    assert!(!text.contains("vol-delete"), "{text}");
    assert_eq!(hypervisor.volumes(), before, "{text}");
    assert!(!artifact.exists(), "{text}");
}

#[test]
fn no_component_uploads_what_opens_a_file_of_the_host() {
    let attack = need!(Attack::new());
    let file = attack.lvhost.path("uploading.wasm");
    std::fs::copy(guest_component("uploading"), &file).unwrap();
    let entry = format!(
        "source_plugin \"uploading\" {{\n  sha256 = \"{}\"\n}}\n",
        sha256(&file)
    );
    attack.lvhost.write("lvhost.hcl", &entry);
    let pool = attack.guest.hypervisor.pool.clone();
    let write = |said: &str, head: &[u8], pieces: usize| {
        let digits: String = head.iter().map(|byte| format!("{byte:02x}")).collect();
        let volume = format!(
            "volume {{\npool = \"{pool}\"\nname = \"{pool}-made\"\nsource {{\ntype = \"uploading\"\n\
             said = \"{said}\"\nhead = \"{digits}\"\npieces = \"{pieces}\"\n}}\n}}\n"
        );
        attack.write(&volume, "");
    };
    let mut folder = FOLDER_MARK.as_bytes().to_vec();
    folder.resize(4096, 0);
    let mut disks = attack.disks();
    disks.push(("parallels", folder));
    for (resembles, mut disk) in disks {
        disk.truncate(4096);
        for (said, pieces) in [("raw", 4096), ("raw", 3), ("qcow2", 4096)] {
            write(said, &disk, pieces);
            let (code, text) = attack.run();
            let context = format!("{resembles} as {said} in pieces of {pieces}: {text}");
            assert_eq!(code, Some(1), "{context}");
            assert!(text.contains("`uploading`"), "{context}");
            assert!(text.contains(&format!("{pool}-made")), "{context}");
            if said == "raw" {
                assert!(text.contains(&format!("format {resembles}")), "{context}");
            }
            assert!(!attack.lvhost.path("domain.xml").exists(), "{context}");
            attack.assert_kept(&context);
            attack.guest.assert_clean(&text);
        }
    }
    // What is no header comes into the domain as what it was said to be.
    write("raw", b"a boot sector", 5);
    let (code, text) = attack.run();
    assert_eq!(code, Some(0), "{text}");
    let xml = std::fs::read_to_string(attack.lvhost.path("domain.xml")).unwrap();
    assert_eq!(
        xml.matches("<driver name='qemu' type='raw'").count(),
        2,
        "{xml}"
    );
    assert_eq!(xml.matches("<backingStore/>").count(), 2, "{xml}");
    // What the component tells of its progress is shown, as of its volume.
    let progress = text
        .lines()
        .find(|line| line.ends_with("writing what it was told, 50 %"));
    assert!(
        progress.is_some_and(|line| line.contains("-made: ")),
        "{text}"
    );
}
