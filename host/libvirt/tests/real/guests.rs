//! A guest's keyboard, screen, console, firmware and TPM. The guest is a boot sector: it says "ready"
//! on the serial port and then says every key that is pressed; from an `f` on it never stops.
use std::time::Duration;

use bytes::Bytes;
use lvhost_libvirt::*;
use tokio::time::timeout;

use crate::{PATIENCE, daemon, domain, remove, skipped, spec};

/// ```text
///         xor ax, ax;  mov ds, ax;  mov si, 0x7c00 + msg
/// next:   lodsb;  test al, al;  jz keys;  call put;  jmp next
/// keys:   xor ah, ah;  int 0x16
/// again:  call put;  cmp al, 'f';  je again;  jmp keys
/// put:    push ax;  mov ah, al;  mov dx, 0x3fd
/// wait:   in al, dx;  test al, 0x20;  jz wait
///         mov al, ah;  mov dx, 0x3f8;  out dx, al;  pop ax;  ret
/// msg:    db "ready", 10, 0
/// ```
const CODE: &[u8] = b"\x31\xc0\x8e\xd8\xbe\x31\x7c\xac\x84\xc0\x74\x05\xe8\x0f\x00\xeb\xf6\
    \x30\xe4\xcd\x16\xe8\x06\x00\x3c\x66\x74\xf9\xeb\xf3\
    \x50\x88\xc4\xba\xfd\x03\xec\xa8\x20\x74\xfb\x88\xe0\xba\xf8\x03\xee\x58\xc3ready\n\0";

/// Linux' numbers of keys.
const KEY_LEFT_SHIFT: u32 = 42;
const KEY_A: u32 = 30;
const KEY_F: u32 = 33;

const HOLD: Duration = Duration::from_millis(20);

/// The guest, defined and not started, and its disk.
async fn guest(libvirt: &Libvirt, pool: &str, change: impl FnOnce(&mut DomainSpec)) -> Guest {
    let mut sector = CODE.to_vec();
    sector.resize(510, 0);
    sector.extend_from_slice(b"\x55\xaa");
    let volume = spec(pool, "raw", 1 << 20);
    libvirt.create_volume(&volume).await.unwrap();
    let mut upload = libvirt.open_upload(&volume.id, None).await.unwrap();
    upload.data(Bytes::from(sector)).await.unwrap();
    upload.finish().await.unwrap();
    let mut spec = DomainSpec {
        machine: Some("pc".into()),
        graphics: vec![Graphics::Vnc(GraphicsServer::default())],
        disks: vec![Disk::new(
            DiskSource::Volume(volume.id.clone()),
            DiskDevice::Disk,
            DiskFormat::raw(),
        )],
        ..domain()
    };
    change(&mut spec);
    Guest {
        id: libvirt.define_domain(&spec).await.unwrap(),
        volume: volume.id,
    }
}

struct Guest {
    id: DomainId,
    volume: VolumeId,
}

impl Guest {
    async fn remove(self, libvirt: &Libvirt) {
        remove(libvirt, &self.id).await;
        libvirt.delete_volume(&self.volume).await.unwrap();
    }
}

/// Reads until the text is there.
async fn expect(console: &mut Box<dyn Console>, text: &str) {
    let mut seen = String::new();
    let read = async {
        while !seen.contains(text) {
            let bytes = console.read().await.unwrap().expect("the console ended");
            seen.push_str(&String::from_utf8_lossy(&bytes));
        }
    };
    let result = timeout(PATIENCE, read).await;
    assert!(result.is_ok(), "no {text:?} in {seen:?}");
}

#[tokio::test]
async fn keys_are_typed_and_the_console_tells_all_from_the_first_byte() {
    let Some((libvirt, pool)) = daemon().await else {
        return;
    };
    let guest = guest(&libvirt, &pool, |_| {}).await;
    let off = libvirt.open_console(&guest.id, None).await.map(drop);
    assert!(matches!(off, Err(Error::DomainState { .. })), "{off:?}");

    libvirt.start_domain_paused(&guest.id).await.unwrap();
    assert_eq!(
        libvirt.domain_state(&guest.id).await.unwrap(),
        DomainState::Paused
    );
    let mut console = libvirt
        .open_console(&guest.id, Some("serial-console"))
        .await
        .unwrap();
    libvirt.resume_domain(&guest.id).await.unwrap();
    libvirt.resume_domain(&guest.id).await.unwrap();
    expect(&mut console, "ready").await;

    let press =
        |codes: &'static [u32]| libvirt.send_keys(&guest.id, KeyCodeSet::Linux, codes, HOLD);
    press(&[KEY_LEFT_SHIFT, KEY_A]).await.unwrap();
    expect(&mut console, "A").await;
    press(&[KEY_A]).await.unwrap();
    expect(&mut console, "a").await;
    let many = press(&[KEY_A; 17]).await;
    assert!(matches!(many, Err(Error::InvalidValue { .. })), "{many:?}");

    let screenshot = libvirt.screenshot(&guest.id).await.unwrap();
    assert!(screenshot.png.starts_with(b"\x89PNG"), "{screenshot:?}");
    assert!(
        screenshot.width >= 640 && screenshot.height >= 350,
        "{screenshot:?}"
    );

    libvirt.destroy_domain(&guest.id).await.unwrap();
    let end = async { while console.read().await.unwrap().is_some() {} };
    timeout(PATIENCE, end)
        .await
        .expect("the console never ended");
    guest.remove(&libvirt).await;
}

#[tokio::test]
async fn a_console_goes_to_who_opened_it_last_while_the_guest_writes_on() {
    let Some((libvirt, pool)) = daemon().await else {
        return;
    };
    let guest = guest(&libvirt, &pool, |_| {}).await;
    libvirt.start_domain_paused(&guest.id).await.unwrap();
    let mut console = libvirt.open_console(&guest.id, None).await.unwrap();
    libvirt.resume_domain(&guest.id).await.unwrap();
    expect(&mut console, "ready\n").await;
    libvirt
        .send_keys(&guest.id, KeyCodeSet::Linux, &[KEY_F], HOLD)
        .await
        .unwrap();
    let mut count = 0;
    let read = async {
        while count < 64 << 10 {
            let bytes = console.read().await.unwrap().expect("the console ended");
            assert!(bytes.iter().all(|byte| *byte == b'f'), "{bytes:?}");
            count += bytes.len();
        }
    };
    timeout(PATIENCE, read)
        .await
        .expect("the console fell silent");
    drop(console);
    // Another reader takes over, also from one that is still there.
    let mut second = libvirt.open_console(&guest.id, None).await.unwrap();
    expect(&mut second, "f").await;
    let mut third = libvirt.open_console(&guest.id, None).await.unwrap();
    expect(&mut third, "f").await;
    guest.remove(&libvirt).await;
}

#[tokio::test]
async fn a_console_that_is_not_there_is_an_error() {
    let Some((libvirt, pool)) = daemon().await else {
        return;
    };
    let guest = guest(&libvirt, &pool, |spec| spec.graphics.clear()).await;
    libvirt.start_domain(&guest.id).await.unwrap();
    let error = libvirt
        .open_console(&guest.id, Some("nope"))
        .await
        .map(drop)
        .unwrap_err();
    assert!(error.to_string().contains("ua-nope"), "{error}");
    let unseen = libvirt.screenshot(&guest.id).await.unwrap_err();
    assert!(matches!(unseen, Error::NotSupported { .. }), "{unseen:?}");
    guest.remove(&libvirt).await;
}

#[tokio::test]
async fn the_serial_log_has_what_the_guest_said() {
    let Some((libvirt, pool)) = daemon().await else {
        return;
    };
    if !libvirt.facts().await.unwrap().is_local {
        return skipped("the hypervisor's files are not on this host");
    }
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let path = folder.path().join("serial.log");
    let log = SerialLog {
        path: path.to_str().unwrap().into(),
        append: false,
    };
    let guest = guest(&libvirt, &pool, |spec| spec.serial_log = Some(log)).await;
    libvirt.start_domain_paused(&guest.id).await.unwrap();
    // The console can be followed beside it.
    let mut console = libvirt.open_console(&guest.id, None).await.unwrap();
    libvirt.resume_domain(&guest.id).await.unwrap();
    expect(&mut console, "ready").await;
    guest.remove(&libvirt).await;
    // The log daemon writes on its own time.
    let logged = async {
        while !std::fs::read_to_string(&path).is_ok_and(|text| text.contains("ready")) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, logged).await.expect("nothing was logged");
}

#[tokio::test]
async fn firmware_and_tpm_by_one_word_each() {
    let Some((libvirt, pool)) = daemon().await else {
        return;
    };
    let kind = DomainKind {
        domain_type: "qemu".into(),
        arch: "x86_64".into(),
        machine: Some("q35".into()),
    };
    let known = libvirt.domain_capabilities(&kind).await.unwrap();
    if !known.secure_boot || !known.firmware.contains(&Firmware::Efi) {
        return skipped("the hypervisor has no firmware for Secure Boot");
    }
    if !known.tpm_models.contains(&TpmModel::Crb) {
        return skipped("the hypervisor has no swtpm");
    }
    let guest = guest(&libvirt, &pool, |spec| {
        spec.machine = Some("q35".into());
        spec.memory_mib = 128;
        spec.firmware = Some(FirmwareChoice {
            secure_boot: Some(true),
            ..FirmwareChoice::new(Firmware::Efi)
        });
        spec.tpm = Some(Tpm::V2);
        spec.graphics = vec![Graphics::Vnc(GraphicsServer {
            password: Some(secrecy::SecretString::from("geheim").into()),
            ..GraphicsServer::default()
        })];
    })
    .await;
    libvirt.start_domain(&guest.id).await.unwrap();
    assert_eq!(
        libvirt.domain_state(&guest.id).await.unwrap(),
        DomainState::Running
    );
    // Bug 4 of the Go plugin: its variables kept the domain from being undefined.
    guest.remove(&libvirt).await;
}

#[tokio::test]
async fn capabilities_tell_what_runs_here() {
    let Some((libvirt, _)) = daemon().await else {
        return;
    };
    let known = libvirt.capabilities().await.unwrap();
    let arch = libvirt.facts().await.unwrap().arch;
    assert!(known.offers("qemu", &arch), "{known:?}");
    assert!(known.archs("qemu").contains(&arch.as_str()));
    let kind = |domain_type: &str| DomainKind {
        domain_type: domain_type.into(),
        arch: arch.clone(),
        machine: None,
    };
    let emulated = libvirt.domain_capabilities(&kind("qemu")).await.unwrap();
    assert!(
        emulated.disk_buses.contains(&DiskBus::Virtio),
        "{emulated:?}"
    );
    assert!(emulated.graphics.iter().any(|name| name == "vnc"));
    assert!(emulated.emulator.is_some() && emulated.machine.is_some());
    let accelerated = libvirt.domain_capabilities(&kind("kvm")).await;
    if known.offers("kvm", &arch) {
        accelerated.unwrap();
    } else {
        let error = accelerated.unwrap_err();
        assert!(matches!(error, Error::KvmUnusable { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn an_overlay_reaches_qemu() {
    let Some((libvirt, pool)) = daemon().await else {
        return;
    };
    let overlay = |xml| XmlOverlay::parse(xml).unwrap();
    let guest = guest(&libvirt, &pool, |spec| {
        spec.overlays = vec![overlay(
            "<domain><devices>
               <watchdog model='i6300esb' action='poweroff'/>
               <rng merge='remove'/>
             </devices></domain>",
        )];
    })
    .await;
    libvirt.start_domain(&guest.id).await.unwrap();
    guest.remove(&libvirt).await;
    let wrong = DomainSpec {
        overlays: vec![overlay("<domain>\n  <nope merge='remove'/></domain>")],
        ..domain()
    };
    let error = libvirt.define_domain(&wrong).await.unwrap_err();
    let Error::Overlay { source, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!((source.line, source.column), (2, 3));
}
