//! The `network_interface` block.

use crate::declare::options;
use crate::setting::choices;

choices! {
    /// What an interface is attached to.
    pub enum NetworkInterfaceType {
        /// A network of libvirt.
        Managed = "managed",
        /// The same, by libvirt's own word.
        Network = "network",
        /// A bridge of the hypervisor's host.
        Bridge = "bridge",
        /// The network of the user that runs the hypervisor, without any privilege (passt).
        User = "user",
        /// A network device of the hypervisor's host, which the guest shares (macvtap). The host itself
        /// can't reach the guest that way.
        Direct = "direct",
    }
}

choices! {
    /// Where the packets of a `direct` interface go.
    pub enum DirectMode {
        /// To other guests on the same device, and outside.
        Bridge = "bridge",
        /// Outside, to a switch that sends back what is for other guests.
        Vepa = "vepa",
        /// Outside, and never to other guests.
        Private = "private",
        /// The device belongs to this guest alone.
        Passthrough = "passthrough",
    }
}

choices! {
    /// The protocol of a forwarded port.
    pub enum Protocol {
        /// TCP.
        Tcp = "tcp",
        /// UDP.
        Udp = "udp",
    }
}

options! {
    /// A port of the hypervisor's host that leads into the guest. For `user` interfaces.
    pub struct PortForward for "port_forward" {
        options {
            /// The protocol.
            protocol: Protocol = "tcp",
            /// The address on the hypervisor's host to listen on.
            address: String = "127.0.0.1",
            /// The port on the hypervisor's host. A free one if left out.
            host_port: Option<u16>,
            /// The port in the guest.
            guest_port: u16,
        }
    }
}

options! {
    /// A network interface of the domain.
    pub struct NetworkInterface for "network_interface" {
        options {
            /// What it is attached to.
            r#type: NetworkInterfaceType,
            /// The name of the libvirt network; `default` if left out. For `managed` interfaces.
            network: Option<String>,
            /// The name of the bridge. For `bridge` interfaces.
            bridge: Option<String>,
            /// The name of the network device, such as `eth0`. For `direct` interfaces.
            device: Option<String>,
            /// Where the packets go. `bridge` if left out. For `direct` interfaces.
            mode: Option<DirectMode>,
            /// The MAC address. A random one if left out.
            mac: Option<String>,
            /// An identifier unique within the domain, of letters, digits, `_` and `-`.
            alias: Option<String>,
            /// The model of the emulated card.
            model: String = "virtio",
        }
        blocks {
            /// A port of the hypervisor's host that leads into the guest.
            port_forward: Vec<PortForward>,
        }
    }
}
