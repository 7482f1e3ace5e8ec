//! The `source "libvirt"` block.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;

use crate::communicator::Communicator;
use crate::console::ConsoleLog;
use crate::declare::options;
use crate::firmware::{Firmware, LoaderType, Tpm};
use crate::graphics::{Graphics, VideoModel};
use crate::network_interface::NetworkInterface;
use crate::setting::choices;
use crate::volume::Volume;

choices! {
    /// Where the address of the communicator's interface is asked for.
    pub enum NetworkAddressSource {
        /// The QEMU guest agent.
        Agent = "agent",
        /// The DHCP leases of a libvirt network.
        Lease = "lease",
        /// The ARP table of the hypervisor's host.
        Arp = "arp",
    }
}

choices! {
    /// How libvirt asks the guest to shut down.
    pub enum ShutdownMode {
        /// The ACPI power button.
        Acpi = "acpi",
        /// The QEMU guest agent.
        Guest = "guest",
        /// The initctl pipe of a container.
        Initctl = "initctl",
        /// A signal to a container's init.
        Signal = "signal",
        /// Xen's own way.
        Paravirt = "paravirt",
    }
}

choices! {
    /// What to boot from.
    pub enum BootDevice {
        /// The first disk.
        Hd = "hd",
        /// The first network interface.
        Network = "network",
        /// The first CD.
        Cdrom = "cdrom",
        /// The first floppy.
        Fd = "fd",
    }
}

choices! {
    /// Of which protocol the HTTP server's address is.
    pub enum HttpNetworkProtocol {
        /// IPv4 where it has such an address, else IPv6; both on `::`.
        Tcp = "tcp",
        /// IPv4.
        Tcp4 = "tcp4",
        /// IPv6.
        Tcp6 = "tcp6",
    }
}

options! {
    /// Builds an image in a domain (a virtual machine) of libvirt.
    pub struct LibvirtSource for "source \"libvirt\"" {
        options {
            /// The hypervisor, as a libvirt connection URI such as `qemu:///system`. A template's URI
            /// may have a driver, a transport, a user, a host, a port, the path of a daemon, and the
            /// parameters `mode`, `no_tty` and `proxy`. One with more than that must also be given
            /// outside of the template: with `--allow-uri`, or in `LVHOST_ALLOW_URI` of the
            /// environment.
            libvirt_uri: String,
            /// The name of the domain running the build. A random name with the prefix `packer-`
            /// if left out.
            domain_name: Option<String>,
            /// Memory of the domain in MiB.
            memory: u64 = 512,
            /// Number of virtual CPUs.
            vcpu: u32 = 1,
            /// The CPU mode, such as `host-passthrough`. Libvirt decides if left out.
            cpu_mode: Option<String>,
            /// The alias of the network interface that SSH connections go to.
            communicator_interface: String = "communicator",
            /// The alias of the volume that is the artifact of the build.
            artifact_volume_alias: String = "artifact",
            /// What to boot from, in this order; the first disk if left out.
            boot_devices: Vec<BootDevice>,
            /// What is typed on the guest's keyboard after its start. Keys stand in angle brackets, such
            /// as `<enter>`, `<leftCtrlOn>` and `<wait10s>`; `{{ .HTTPIP }}` and `{{ .HTTPPort }}` lead
            /// to the HTTP server.
            boot_command: Vec<String>,
            /// How long to wait after the guest's start before `boot_command` is typed. Not at all with
            /// `0` or `-1s`.
            boot_wait: Duration = "10s",
            /// How long to wait after each text of `boot_command`.
            boot_keygroup_interval: Duration = "0s",
            /// How long to wait between two keys.
            boot_key_interval: Duration = "100ms",
            /// How long a key is held down, but not less than `5ms`.
            key_hold_time: Duration = "50ms",
            /// A folder of this machine whose files the guest can get over HTTP while it boots.
            http_directory: Option<String>,
            /// Texts that the guest can get over HTTP, by their paths, such as `/preseed.cfg`.
            http_content: BTreeMap<String, String>,
            /// The lowest TCP port for the HTTP server. It takes the first free one.
            http_port_min: u16 = 8000,
            /// The highest TCP port for the HTTP server.
            http_port_max: u16 = 9000,
            /// The address of this machine that the HTTP server listens on; `0.0.0.0` or `::` for all of
            /// them. The one by which the guest reaches this machine if left out: that of its network, or
            /// the loopback for `user`. On the guest's own side only its network is served.
            http_bind_address: Option<String>,
            /// The network interface of this machine whose address the HTTP server listens on.
            http_interface: Option<String>,
            /// Whether that address is one of IPv4 or of IPv6.
            http_network_protocol: HttpNetworkProtocol = "tcp",
            /// Where the address of the communicator's interface is asked for.
            network_address_source: NetworkAddressSource = "agent",
            /// The network interface of this machine that a link-local IPv6 address (`fe80::…`) of the
            /// guest is reached through. `PACKER_LIBVIRT_COMMUNICATOR_LINK_LOCAL_INTERFACE` of the
            /// environment if left out.
            communicator_link_local_interface: Option<String>,
            /// A command that shuts the guest down after provisioning. Libvirt asks it to if left out.
            shutdown_command: Option<String>,
            /// How libvirt asks the guest to shut down after provisioning. Libvirt chooses if left
            /// out, or with `auto`.
            shutdown_mode: Option<ShutdownMode>,
            /// How long the guest may take to shut down before it is forced off.
            shutdown_timeout: Duration = "5m",
            /// The type of the domain: `kvm`, or `qemu` for emulation where KVM can't be used.
            domain_type: String = "kvm",
            /// The architecture of the domain.
            arch: String = "x86_64",
            /// The machine type, such as `q35` or `pc`. Libvirt chooses if left out.
            chipset: Option<String>,
            /// The kind of firmware; libvirt finds an image of it. The machine's own if left out.
            firmware: Option<Firmware>,
            /// Absolute path of the firmware on the hypervisor's host, instead of `firmware`.
            loader_path: Option<String>,
            /// How the firmware is mapped: `rom` or `pflash`.
            loader_type: Option<LoaderType>,
            /// With `firmware = "efi"`, secure boot is enforced. With `loader_path`, it tells libvirt
            /// that the firmware is capable of secure boot.
            secure_boot: bool = false,
            /// Absolute path on the hypervisor's host for the firmware's variables.
            nvram_path: Option<String>,
            /// Absolute path on the hypervisor's host of the file that the firmware's variables
            /// begin with.
            nvram_template: Option<String>,
            /// A trusted platform module of this version, `true` for `2.0`. None if left out.
            tpm: Tpm,
            /// The model of the video card. `virtio` for a domain with `graphics` and none for one
            /// without if left out.
            video: Option<VideoModel>,
            /// Where the log of the guest's serial console is kept: the path of a file of this machine,
            /// or `off`. lvhost keeps it beside its cache if left out, and shows the end of it when
            /// a build fails. With the alias of a console, `serial-console` or `virtual-console`, in
            /// the environment variable `PACKER_LIBVIRT_STREAM_CONSOLE`, that console is shown while
            /// the build runs.
            console_log: ConsoleLog,
            /// Pieces of libvirt's domain XML, for whatever has no option: each is a `<domain>` whose
            /// elements are put into the domain that lvhost makes. All together may have 64 KiB.
            domain_xml_overlay: Vec<String>,
            /// A folder of this machine that the artifact is downloaded into, as a file of the volume's
            /// name. The folder must be empty or not there yet; with `-force` the copy that an earlier
            /// build has written there is replaced. The artifact only stays in its pool if left out.
            output_directory: Option<String>,
            /// The downloaded image is compacted: blocks of zeros become holes in a `raw` image, and a
            /// `qcow2` image is written anew without clusters that hold nothing, if that makes it
            /// smaller. What the guest has deleted counts as nothing once it has run `fstrim` or
            /// filled its disk with zeros.
            output_compact: bool = false,
        }
        blocks {
            /// How lvhost reaches into the guest.
            communicator: Option<Communicator>,
            /// A network interface of the domain.
            network_interface: Vec<NetworkInterface>,
            /// A disk of the domain.
            volume: Vec<Volume>,
            /// A graphical console. A domain without one is headless and has no video card.
            graphics: Vec<Graphics>,
        }
    }
}

impl LibvirtSource {
    /// Every password and private key that its options have.
    pub fn passwords(&self) -> impl Iterator<Item = &SecretString> {
        let log_in = self.communicator.iter().flat_map(|communicator| {
            let key = communicator.ssh_private_key.as_ref();
            [
                communicator.ssh_password.as_ref(),
                communicator.ssh_bastion_password.as_ref(),
                communicator.ssh_proxy_password.as_ref(),
                communicator.winrm_password.as_ref(),
                key.map(|key| &key.0),
            ]
        });
        let graphics = self
            .graphics
            .iter()
            .map(|console| console.password.as_ref());
        log_in.chain(graphics).flatten()
    }
}
