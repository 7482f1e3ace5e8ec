//! Arithmetic with network prefixes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bigdecimal::ToPrimitive as _;
use ipnet::IpNet;

use super::{Arguments, Function, FunctionError, Kind, Outcome, parameter, strings};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "cidrhost",
        &[
            parameter("prefix", Kind::String),
            parameter("number", Kind::Number),
        ],
        cidrhost,
    ),
    Function::new(
        "cidrnetmask",
        &[parameter("prefix", Kind::String)],
        |a| match prefix(a)? {
            IpNet::V4(network) => Ok(network.netmask().to_string().into()),
            IpNet::V6(network) => Ok(network.netmask().to_string().into()),
        },
    ),
    Function::new(
        "cidrsubnet",
        &[
            parameter("prefix", Kind::String),
            parameter("bits", Kind::Number),
            parameter("number", Kind::Number),
        ],
        cidrsubnet,
    ),
    Function::new(
        "cidrsubnets",
        &[
            parameter("prefix", Kind::String),
            parameter("bits", Kind::Number),
        ],
        cidrsubnets,
    )
    .variadic(0),
];

fn prefix(arguments: &Arguments<'_>) -> Result<IpNet, FunctionError> {
    // An address without zeros before its numbers, and digits.
    let (address, length) = arguments.string(0).split_once('/').unwrap_or_default();
    let network = length
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| IpNet::new(address.parse().ok()?, length.parse().ok()?).ok())
        .flatten();
    match network {
        Some(network) => Ok(network.trunc()),
        None => Err(FunctionError::at(0, "a prefix like 10.0.0.0/8 is needed")),
    }
}

fn bits_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The address with these bits in the family of `network`.
fn address_in(network: &IpNet, bits: u128) -> Option<IpAddr> {
    match network {
        IpNet::V4(_) => Some(Ipv4Addr::from_bits(u32::try_from(bits).ok()?).into()),
        IpNet::V6(_) => Some(Ipv6Addr::from_bits(bits).into()),
    }
}

fn cidrhost(arguments: &Arguments<'_>) -> Outcome {
    let network = prefix(arguments)?;
    let host_bits = u32::from(network.max_prefix_len() - network.prefix_len());
    // With 128 bits for hosts the count itself doesn't fit; every number is right then.
    let last = 1u128
        .checked_shl(host_bits)
        .map_or(u128::MAX, |count| count - 1);
    let number = arguments.integer(1)?;
    let size = u128::from(number.unsigned_abs());
    let offset = match number >= 0 {
        true => Some(size),
        // A negative number counts from the end.
        false => last.checked_sub(size - 1),
    };
    offset
        .filter(|offset| *offset <= last)
        .and_then(|offset| address_in(&network, bits_of(network.network()) | offset))
        .map(|address| address.to_string().into())
        .ok_or_else(|| FunctionError::at(1, format!("{network} has no host of this number")))
}

/// A network is parted into no more than these allow.
const MOST_BITS: u8 = 32;

fn new_length(
    arguments: &Arguments<'_>,
    network: &IpNet,
    position: usize,
    least: u8,
) -> Result<u8, FunctionError> {
    u8::try_from(arguments.integer(position)?)
        .ok()
        .filter(|bits| (least..=MOST_BITS).contains(bits))
        .and_then(|bits| network.prefix_len().checked_add(bits))
        .filter(|length| *length <= network.max_prefix_len())
        .ok_or_else(|| {
            let room = MOST_BITS.min(network.max_prefix_len() - network.prefix_len());
            FunctionError::at(
                position,
                format!("{network} has room for {least} to {room} more bits"),
            )
        })
}

fn cidrsubnet(arguments: &Arguments<'_>) -> Outcome {
    let network = prefix(arguments)?;
    let length = new_length(arguments, &network, 1, 0)?;
    let bits = u32::from(length - network.prefix_len());
    let number = arguments
        .number(2)
        .to_integer()
        .and_then(|number| number.to_u128());
    let number = number
        .filter(|number| 1u128.checked_shl(bits).is_none_or(|count| *number < count))
        .ok_or_else(|| FunctionError::at(2, format!("{bits} bits have no such number")))?;
    let shift = u32::from(network.max_prefix_len() - length);
    let offset = number.checked_shl(shift).unwrap_or(0);
    address_in(&network, bits_of(network.network()) | offset)
        .map(|address| format!("{address}/{length}").into())
        .ok_or_else(|| FunctionError::at(2, "outside of the prefix"))
}

fn cidrsubnets(arguments: &Arguments<'_>) -> Outcome {
    let network = prefix(arguments)?;
    let first = bits_of(network.network());
    let last = bits_of(network.broadcast());
    let full = |position| FunctionError::at(position, format!("{network} is full"));
    let mut next = Some(first);
    let mut subnets = Vec::new();
    for position in 1..arguments.values.len() {
        let length = new_length(arguments, &network, position, 1)?;
        let size = 1u128
            .checked_shl(u32::from(network.max_prefix_len() - length))
            .ok_or_else(|| full(position))?;
        // The first place after what is taken that a prefix of this length can start at.
        let start = next
            .and_then(|next| next.checked_next_multiple_of(size))
            .filter(|start| *start <= last)
            .ok_or_else(|| full(position))?;
        next = start.checked_add(size);
        let address = address_in(&network, start).ok_or_else(|| full(position))?;
        subnets.push(format!("{address}/{length}"));
    }
    Ok(strings(subnets))
}
