//! `wasi:filesystem` and `wasi:sockets` with nothing behind them.
//!
//! The standard libraries of most languages import both, whether a program uses them or not. Here is no folder that
//! was opened beforehand, no network, and each attempt to make a socket or to look up a name is answered *access
//! denied*. So there is never a descriptor or a socket, and what one could do with it can't be called: it is
//! offered, because a component that imports it would not start otherwise, and ends a component that calls it all
//! the same. None of it is the code of a file system or of a network: there is nothing to switch on by mistake.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceType, Val};

use crate::error::Fault;
use crate::state::State;

/// A thing that is not there: of `wasi:sockets/network` alone there are handles, which open nothing.
struct Nothing;

/// An interface, as WASI 0.2 has it.
struct Interface {
    /// With the newest version that it is offered in; linking accepts those before.
    name: &'static str,
    /// Its resources with the methods of each.
    resources: &'static [(&'static str, &'static [&'static str])],
    functions: &'static [(&'static str, Answer)],
}

/// What a function answers.
#[derive(Clone, Copy)]
enum Answer {
    /// `error-code.access-denied`.
    Denied,
    /// An empty list.
    Empty,
    /// `none`: the code of an error that is not of this interface.
    NoCode,
    /// A network that leads nowhere.
    Network,
}

const INTERFACES: &[Interface] = &[
    Interface {
        name: "wasi:filesystem/preopens@0.2.12",
        resources: &[],
        functions: &[("get-directories", Answer::Empty)],
    },
    Interface {
        name: "wasi:filesystem/types@0.2.12",
        resources: &[
            (
                "descriptor",
                &[
                    "advise",
                    "append-via-stream",
                    "create-directory-at",
                    "get-flags",
                    "get-type",
                    "is-same-object",
                    "link-at",
                    "metadata-hash",
                    "metadata-hash-at",
                    "open-at",
                    "read",
                    "read-directory",
                    "read-via-stream",
                    "readlink-at",
                    "remove-directory-at",
                    "rename-at",
                    "set-size",
                    "set-times",
                    "set-times-at",
                    "stat",
                    "stat-at",
                    "symlink-at",
                    "sync",
                    "sync-data",
                    "unlink-file-at",
                    "write",
                    "write-via-stream",
                ],
            ),
            ("directory-entry-stream", &["read-directory-entry"]),
        ],
        functions: &[("filesystem-error-code", Answer::NoCode)],
    },
    Interface {
        name: "wasi:sockets/network@0.2.12",
        resources: &[("network", &[])],
        functions: &[("network-error-code", Answer::NoCode)],
    },
    Interface {
        name: "wasi:sockets/instance-network@0.2.12",
        resources: &[],
        functions: &[("instance-network", Answer::Network)],
    },
    Interface {
        name: "wasi:sockets/ip-name-lookup@0.2.12",
        resources: &[(
            "resolve-address-stream",
            &["resolve-next-address", "subscribe"],
        )],
        functions: &[("resolve-addresses", Answer::Denied)],
    },
    Interface {
        name: "wasi:sockets/tcp@0.2.12",
        resources: &[(
            "tcp-socket",
            &[
                "accept",
                "address-family",
                "finish-bind",
                "finish-connect",
                "finish-listen",
                "hop-limit",
                "is-listening",
                "keep-alive-count",
                "keep-alive-enabled",
                "keep-alive-idle-time",
                "keep-alive-interval",
                "local-address",
                "receive-buffer-size",
                "remote-address",
                "send-buffer-size",
                "set-hop-limit",
                "set-keep-alive-count",
                "set-keep-alive-enabled",
                "set-keep-alive-idle-time",
                "set-keep-alive-interval",
                "set-listen-backlog-size",
                "set-receive-buffer-size",
                "set-send-buffer-size",
                "shutdown",
                "start-bind",
                "start-connect",
                "start-listen",
                "subscribe",
            ],
        )],
        functions: &[],
    },
    Interface {
        name: "wasi:sockets/tcp-create-socket@0.2.12",
        resources: &[],
        functions: &[("create-tcp-socket", Answer::Denied)],
    },
    Interface {
        name: "wasi:sockets/udp@0.2.12",
        resources: &[
            (
                "udp-socket",
                &[
                    "address-family",
                    "finish-bind",
                    "local-address",
                    "receive-buffer-size",
                    "remote-address",
                    "send-buffer-size",
                    "set-receive-buffer-size",
                    "set-send-buffer-size",
                    "set-unicast-hop-limit",
                    "start-bind",
                    "stream",
                    "subscribe",
                    "unicast-hop-limit",
                ],
            ),
            ("incoming-datagram-stream", &["receive", "subscribe"]),
            (
                "outgoing-datagram-stream",
                &["check-send", "send", "subscribe"],
            ),
        ],
        functions: &[],
    },
    Interface {
        name: "wasi:sockets/udp-create-socket@0.2.12",
        resources: &[],
        functions: &[("create-udp-socket", Answer::Denied)],
    },
];

/// Links all of it.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    for interface in INTERFACES {
        let mut instance = linker.instance(interface.name)?;
        for (resource, methods) in interface.resources {
            let nothing = ResourceType::host::<Nothing>();
            instance.resource(resource, nothing, |_, _| Ok(()))?;
            for method in *methods {
                cannot_be_called(&mut instance, &format!("[method]{resource}.{method}"))?;
            }
        }
        for (function, answer) in interface.functions {
            answers(&mut instance, function, *answer)?;
        }
    }
    Ok(())
}

/// Offers a method of a resource that there is none of.
fn cannot_be_called(instance: &mut LinkerInstance<'_, State>, name: &str) -> wasmtime::Result<()> {
    let called = format!("it called {name} of something that it was never given");
    instance.func_new(name, move |_, _, _, _| {
        Err(wasmtime::Error::new(Fault::Misbehaved(called.clone())))
    })
}

fn answers(
    instance: &mut LinkerInstance<'_, State>,
    name: &str,
    answer: Answer,
) -> wasmtime::Result<()> {
    instance.func_new_async(name, move |mut store, _, arguments, results| {
        Box::new(async move {
            results.fill(answer.value(&mut store)?);
            for argument in arguments {
                // What is lent has to be given back before the function returns.
                if let Val::Resource(lent) = argument {
                    lent.resource_drop_async(&mut store).await?;
                }
            }
            Ok(())
        })
    })
}

impl Answer {
    fn value(self, store: &mut StoreContextMut<'_, State>) -> wasmtime::Result<Val> {
        Ok(match self {
            Self::Denied => {
                let code = Val::Enum("access-denied".to_owned());
                Val::Result(Err(Some(Box::new(code))))
            }
            Self::Empty => Val::List(Vec::new()),
            Self::NoCode => Val::Option(None),
            Self::Network => {
                let network = Resource::<Nothing>::new_own(0);
                Val::Resource(network.try_into_resource_any(store)?)
            }
        })
    }
}
