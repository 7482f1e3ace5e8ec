//! Builds on a real libvirt with the small guest.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::hypervisor::{Hypervisor, need, variable};
use crate::lvhost::{Lvhost, said};
use crate::server::Server;

/// What all these tests need.
pub(crate) struct Stage {
    pub(crate) hypervisor: Hypervisor,
    pub(crate) image: PathBuf,
    pub(crate) domain_type: String,
}

impl Stage {
    pub(crate) fn new(guest: &str) -> Result<Self, String> {
        Ok(Self {
            image: variable(guest)?.into(),
            domain_type: variable("LVHOST_TEST_DOMAIN_TYPE")?,
            hypervisor: Hypervisor::new()?,
        })
    }

    /// On another hypervisor, without a guest.
    pub(crate) fn on(hypervisor: Result<Hypervisor, String>) -> Result<Self, String> {
        Ok(Self {
            image: PathBuf::new(),
            domain_type: variable("LVHOST_TEST_DOMAIN_TYPE")?,
            hypervisor: hypervisor?,
        })
    }

    /// The arguments that every template takes, for the test's own pool.
    pub(crate) fn arguments(&self, domain: &str, more: &[(&str, &str)]) -> Vec<String> {
        self.arguments_in(&self.hypervisor.pool, domain, more)
    }

    fn arguments_in(&self, pool: &str, domain: &str, more: &[(&str, &str)]) -> Vec<String> {
        let own = [
            ("uri", self.hypervisor.uri.as_str()),
            ("pool", pool),
            ("domain_type", &self.domain_type),
            ("domain", domain),
        ];
        own.iter()
            .chain(more)
            .flat_map(|(name, value)| ["-var".to_string(), format!("{name}={value}")])
            .collect()
    }

    /// A build of one of the templates in the test's own pool: the arguments of `lvhost`.
    pub(crate) fn run(&self, name: &str, domain: &str, more: &[(&str, &str)]) -> Vec<String> {
        self.run_in(&self.hypervisor.pool, name, domain, more)
    }

    /// The same in another pool.
    pub(crate) fn run_in(
        &self,
        pool: &str,
        name: &str,
        domain: &str,
        more: &[(&str, &str)],
    ) -> Vec<String> {
        let mut arguments = vec!["run".to_string()];
        arguments.extend(self.arguments_in(pool, domain, more));
        arguments.push(template(name).to_str().unwrap().to_string());
        arguments
    }

    /// A build of `boot.pkr.hcl` from a volume of the pool: the arguments of `lvhost`.
    pub(crate) fn boot(&self, domain: &str, more: &[(&str, &str)]) -> Vec<String> {
        self.run("boot.pkr.hcl", domain, more)
    }

    /// The disc beside the guest's image, which boots it and asks what to set up.
    pub(crate) fn disc(&self) -> Result<PathBuf, String> {
        let disc = self.image.with_extension("iso");
        match disc.exists() {
            true => Ok(disc),
            false => Err(format!("there is no {}", disc.display())),
        }
    }

    /// The image beside the Debian guest's that boots the kernel for clouds.
    pub(crate) fn cloud_image(&self) -> Result<PathBuf, String> {
        let image = self.image.with_file_name("debian-cloud.qcow2");
        match image.exists() {
            true => Ok(image),
            false => Err(format!("there is no {}", image.display())),
        }
    }

    /// Whether guests get Secure Boot and a TPM, or why a test must be skipped.
    pub(crate) fn has_firmware(&self) -> Result<(), String> {
        self.hypervisor.has_firmware(&self.domain_type, "q35")
    }
}

pub(crate) fn template(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("templates")
        .join(name)
}

pub(crate) fn strs(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// The SHA-256 of a file, by coreutils.
pub(crate) fn sha256(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .to_string()
}

/// Bytes a file takes on its disk.
pub(crate) fn stored(path: &Path) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(path).unwrap()) * 512
}

fn write_base(hypervisor: &Hypervisor, lvhost: &Lvhost) {
    let base = lvhost.write("base.raw", "base-data");
    let file = std::fs::File::options().write(true).open(&base).unwrap();
    file.set_len(10 << 20).unwrap();
    hypervisor.add_volume("base.raw", &base);
    hypervisor.add_volume("existing.raw", &base);
}

/// Builds `volumes.pkr.hcl`, asking for the address in the given way.
fn every_kind_of_volume(address_source: &str) {
    let stage = need!(Stage::new("LVHOST_TEST_GUEST_SMALL"));
    let hypervisor = &stage.hypervisor;
    let lvhost = Lvhost::new();
    write_base(hypervisor, &lvhost);
    lvhost.write("drivers/net/driver.inf", "an inf\n");
    lvhost.write("payload/inner/file.txt", "payload\n");
    let folder = stage.image.parent().unwrap();
    let server = Server::start(folder);
    let url = server.url(stage.image.file_name().unwrap().to_str().unwrap());
    let domain = format!("{}-{address_source}", hypervisor.pool);
    let mut arguments = vec!["run".to_string()];
    arguments.extend(stage.arguments(
        &domain,
        &[
            ("image_url", &url),
            ("image_checksum", &sha256(&stage.image)),
            ("address_source", address_source),
        ],
    ));
    arguments.push(template("volumes.pkr.hcl").to_str().unwrap().to_string());
    let text = lvhost.succeed(&strs(&arguments));
    assert!(text.contains("artifact.qcow2"), "the artifact is named");
    assert_eq!(
        hypervisor.volumes(),
        ["artifact.qcow2", "base.raw", "existing.raw"]
    );
    assert!(hypervisor.domains(&domain).is_empty());
    let base = std::fs::read(hypervisor.path().join("base.raw")).unwrap();
    assert!(
        base.starts_with(b"base-data"),
        "the overlay's writes stayed in the overlay"
    );
    let artifact = hypervisor.path().join("artifact.qcow2");
    assert!(
        stored(&artifact) < 256 << 20,
        "sparse, although the guest sees 1 GiB"
    );

    // The artifact has what was provisioned, and the image comes out of the cache the second time.
    let sent = server.sent();
    let boot = stage.boot(
        &domain,
        &[
            ("volume", "artifact.qcow2"),
            ("command", "grep provisioned /root/provisioned"),
        ],
    );
    lvhost.succeed(&strs(&boot));
    hypervisor.virsh(&[
        "vol-delete",
        "--pool",
        &hypervisor.pool,
        "booted-artifact.qcow2",
    ]);
    hypervisor.virsh(&["vol-delete", "--pool", &hypervisor.pool, "artifact.qcow2"]);
    lvhost.succeed(&strs(&arguments));
    assert_eq!(server.sent(), sent, "nothing is downloaded twice");
}

#[test]
fn every_kind_of_volume_works_in_a_guest_found_by_its_lease() {
    every_kind_of_volume("lease");
}

#[test]
fn every_kind_of_volume_works_in_a_guest_found_by_its_agent() {
    every_kind_of_volume("agent");
}

#[test]
fn a_build_whose_provisioner_fails_leaves_nothing() {
    let stage = need!(Stage::new("LVHOST_TEST_GUEST_SMALL"));
    let lvhost = Lvhost::new();
    stage.hypervisor.add_volume("guest.qcow2", &stage.image);
    let domain = format!("{}-fails", stage.hypervisor.pool);
    let boot = stage.boot(&domain, &[("volume", "guest.qcow2"), ("command", "exit 7")]);
    let output = lvhost.run(&strs(&boot));
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("exit code 7"), "{text}");
    assert_eq!(stage.hypervisor.volumes(), ["guest.qcow2"], "{text}");
    assert!(stage.hypervisor.domains(&domain).is_empty(), "{text}");
}

#[test]
fn an_interrupt_cleans_up_and_exits_with_130() {
    let stage = need!(Stage::new("LVHOST_TEST_GUEST_SMALL"));
    let lvhost = Lvhost::new();
    stage.hypervisor.add_volume("guest.qcow2", &stage.image);
    let domain = format!("{}-interrupt", stage.hypervisor.pool);
    let boot = stage.boot(
        &domain,
        &[
            ("volume", "guest.qcow2"),
            ("command", "echo the guest is busy; sleep 600"),
        ],
    );
    let mut child = lvhost.start(&strs(&boot));
    let log = lvhost.path("log");
    let deadline = Instant::now() + Duration::from_secs(300);
    while !std::fs::read_to_string(&log)
        .unwrap()
        .contains("the guest is busy\n")
    {
        assert!(
            Instant::now() < deadline,
            "{}",
            std::fs::read_to_string(&log).unwrap()
        );
        assert!(
            child.try_wait().unwrap().is_none(),
            "{}",
            std::fs::read_to_string(&log).unwrap()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    let begun = Instant::now();
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let status = child.wait().unwrap();
    let text = std::fs::read_to_string(&log).unwrap();
    assert_eq!(status.code(), Some(130), "{text}");
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "no waiting for a shutdown: {text}"
    );
    assert_eq!(stage.hypervisor.volumes(), ["guest.qcow2"], "{text}");
    assert!(stage.hypervisor.domains(&domain).is_empty(), "{text}");
}

#[test]
fn a_checksum_that_does_not_match_leaves_no_volume_and_shows_both() {
    let stage = need!(Stage::new("LVHOST_TEST_GUEST_SMALL"));
    let lvhost = Lvhost::new();
    write_base(&stage.hypervisor, &lvhost);
    lvhost.write("drivers/net/driver.inf", "an inf\n");
    lvhost.write("payload/inner/file.txt", "payload\n");
    let wrong = "0".repeat(64);
    let url = stage.image.to_str().unwrap();
    let mut arguments = vec!["run".to_string()];
    arguments.extend(stage.arguments(
        &format!("{}-checksum", stage.hypervisor.pool),
        &[
            ("image_url", url),
            ("image_checksum", &wrong),
            ("address_source", "lease"),
        ],
    ));
    arguments.push(template("volumes.pkr.hcl").to_str().unwrap().to_string());
    let output = lvhost.run(&strs(&arguments));
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains(&wrong) && text.contains(&sha256(&stage.image)),
        "{text}"
    );
    assert_eq!(stage.hypervisor.volumes(), ["base.raw", "existing.raw"]);
}

#[test]
fn a_sparse_image_stays_sparse_in_the_pool() {
    let stage = need!(Stage::new("LVHOST_TEST_GUEST_SMALL"));
    let lvhost = Lvhost::new();
    // 8 GiB with 64 MiB of data, half of it at the end. It does not boot, and need not: the build
    // ends when the guest has no address in time.
    let image = lvhost.write("sparse.raw", "");
    let mut file = std::fs::File::options().write(true).open(&image).unwrap();
    let data: Vec<u8> = (0..32_u32 << 20).map(|byte| (byte % 251) as u8).collect();
    file.write_all(&data).unwrap();
    file.set_len(8 << 30).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &data, (8 << 30) - data.len() as u64).unwrap();
    let domain = format!("{}-sparse", stage.hypervisor.pool);
    lvhost.write(
        "sparse.pkr.hcl",
        &std::fs::read_to_string(template("sparse.pkr.hcl")).unwrap(),
    );
    let mut arguments = vec!["run".to_string()];
    arguments.extend(stage.arguments(&domain, &[("image", image.to_str().unwrap())]));
    arguments.push("sparse.pkr.hcl".to_string());
    let mut child = lvhost.start(&strs(&arguments));
    let log = lvhost.path("log");
    let deadline = Instant::now() + Duration::from_secs(300);
    // The domain is there from the beginning; it runs once its volumes are.
    while !std::fs::read_to_string(&log)
        .unwrap()
        .contains("Waiting for the guest's address")
    {
        assert!(
            Instant::now() < deadline,
            "{}",
            std::fs::read_to_string(&log).unwrap()
        );
        assert!(
            child.try_wait().unwrap().is_none(),
            "{}",
            std::fs::read_to_string(&log).unwrap()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    let volume = stage.hypervisor.path().join("sparse.raw");
    assert_eq!(std::fs::metadata(&volume).unwrap().len(), 8 << 30);
    assert!(
        stored(&volume) < 80 << 20,
        "{} bytes are stored",
        stored(&volume)
    );
    let mut tail = vec![0; data.len()];
    let copy = std::fs::File::open(&volume).unwrap();
    std::os::unix::fs::FileExt::read_exact_at(&copy, &mut tail, (8 << 30) - data.len() as u64)
        .unwrap();
    assert!(tail == data, "the end of the image arrived");
    child.wait().unwrap();
    assert!(stage.hypervisor.volumes().is_empty());
}
