//! Digests, password hashes and UUIDs.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use uuid::{Builder, Uuid};

use super::{Arguments, Cost, Function, FunctionError, Kind, Outcome, Parameter, parameter};

const TEXT: &[Parameter] = &[parameter("text", Kind::String)];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "bcrypt",
        &[
            parameter("text", Kind::String),
            parameter("cost", Kind::Number),
        ],
        bcrypt,
    )
    .optional(1),
    Function::new("md5", TEXT, hex::<Md5>).costs(Cost::Reads),
    Function::new("sha1", TEXT, hex::<Sha1>).costs(Cost::Reads),
    Function::new("sha256", TEXT, hex::<Sha256>).costs(Cost::Reads),
    Function::new("sha512", TEXT, hex::<Sha512>).costs(Cost::Reads),
    Function::new("uuidv4", &[], |a| {
        Ok(Builder::from_random_bytes(random(a)?)
            .into_uuid()
            .to_string()
            .into())
    }),
    Function::new(
        "uuidv5",
        &[
            parameter("namespace", Kind::String),
            parameter("name", Kind::String),
        ],
        |a| {
            let namespace = match a.string(0) {
                "dns" => Uuid::NAMESPACE_DNS,
                "url" => Uuid::NAMESPACE_URL,
                "oid" => Uuid::NAMESPACE_OID,
                "x500" => Uuid::NAMESPACE_X500,
                other => Uuid::parse_str(other).map_err(|_| {
                    FunctionError::at(0, "a UUID is needed, or dns, url, oid or x500")
                })?,
            };
            Ok(Uuid::new_v5(&namespace, a.string(1).as_bytes())
                .to_string()
                .into())
        },
    ),
];

fn hex<D: Digest>(arguments: &Arguments<'_>) -> Outcome {
    let text = arguments.string(0);
    arguments.budget().charge_text(text.len() * HASHING)?;
    let digest = D::digest(text.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(hex.into())
}

fn random(arguments: &Arguments<'_>) -> Result<[u8; 16], FunctionError> {
    let mut bytes = [0; 16];
    arguments
        .context
        .environment
        .random_bytes(&mut bytes)
        .map_err(|error| format!("no random numbers: {error}"))?;
    Ok(bytes)
}

/// How much dearer it is to hash a text than to walk through it.
const HASHING: usize = 2;

const DEFAULT_COST: u32 = 10;

/// Each step doubles the work; this one takes about two seconds, and nearly all that a template has.
const MAX_COST: u32 = 15;

/// Work of each of the rounds, of which there are two to the power of the cost.
const ROUND: u64 = 1_500;

/// The longest password the algorithm looks at.
const MAX_PASSWORD: usize = 72;

fn bcrypt(arguments: &Arguments<'_>) -> Outcome {
    let cost = match arguments.optional(1) {
        None => DEFAULT_COST,
        Some(_) => u32::try_from(arguments.integer(1)?)
            .ok()
            .filter(|cost| (4..=MAX_COST).contains(cost))
            .ok_or_else(|| FunctionError::at(1, format!("must be between 4 and {MAX_COST}")))?,
    };
    let text = arguments.string(0);
    if text.len() > MAX_PASSWORD {
        return Err(FunctionError::at(
            0,
            format!("longer than {MAX_PASSWORD} bytes"),
        ));
    }
    arguments.budget().charge(ROUND << cost, 0)?;
    let hash = bcrypt::hash_with_salt(text, cost, random(arguments)?)
        .map_err(|error| error.to_string())?;
    Ok(hash.format_for_version(bcrypt::Version::TwoA).into())
}
