//! The `source "libvirt"` block.

use std::time::Duration;

use crate::communicator::Communicator;
use crate::declare::options;
use crate::graphics::Graphics;
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
    /// How the firmware is mapped into the guest.
    pub enum LoaderType {
        /// Read-only memory.
        Rom = "rom",
        /// Flash, with variables beside it.
        Pflash = "pflash",
    }
}

options! {
    /// Builds an image in a domain (a virtual machine) of libvirt.
    pub struct LibvirtSource for "source \"libvirt\"" {
        options {
            /// The hypervisor, as a libvirt connection URI such as `qemu:///system`.
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
            /// Where the address of the communicator's interface is asked for.
            network_address_source: NetworkAddressSource = "agent",
            /// How libvirt asks the guest to shut down after provisioning. Libvirt chooses if left
            /// out.
            shutdown_mode: Option<ShutdownMode>,
            /// How long the guest may take to shut down before it is forced off.
            shutdown_timeout: Duration = "5m",
            /// The type of the domain: `kvm`, or `qemu` for emulation where KVM can't be used.
            domain_type: String = "kvm",
            /// The architecture of the domain.
            arch: String = "x86_64",
            /// The machine type, such as `q35` or `pc`. Libvirt chooses if left out.
            chipset: Option<String>,
            /// Absolute path of the firmware on the hypervisor's host.
            loader_path: Option<String>,
            /// How the firmware is mapped: `rom` or `pflash`.
            loader_type: Option<LoaderType>,
            /// Tells libvirt that the firmware is capable of secure boot.
            secure_boot: bool = false,
            /// Absolute path on the hypervisor's host for the firmware's variables.
            nvram_path: Option<String>,
            /// Absolute path on the hypervisor's host of the file that the firmware's variables
            /// begin with.
            nvram_template: Option<String>,
        }
        blocks {
            /// How lvhost reaches into the guest. Its options may also stand directly in the source.
            communicator: Option<Communicator>,
            /// A network interface of the domain.
            network_interface: Vec<NetworkInterface>,
            /// A disk of the domain.
            volume: Vec<Volume>,
            /// A graphical console. A domain without one is headless and has no video card.
            graphics: Vec<Graphics>,
        }
        not_supported {
            "boot_command",
            "boot_key_interval",
            "boot_keygroup_interval",
            "boot_wait",
            "http_bind_address",
            "http_content",
            "http_directory",
            "http_port_max",
            "http_port_min",
            "key_hold_time",
            "shutdown_command",
        }
    }
}
