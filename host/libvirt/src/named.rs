//! Enums whose variants have one spelling each, in templates and in libvirt's XML alike.

/// A name that is none of the known ones.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a {kind}; known are: {known}")]
pub struct UnknownName {
    /// What was given.
    pub name: String,
    /// What it should have been, as "disk bus".
    pub kind: &'static str,
    /// The names that are known, separated by commas.
    pub known: String,
}

/// Declares an enum whose variants have one spelling each, in templates and in libvirt's XML alike.
macro_rules! named {
    ($(#[$meta:meta])* $name:ident, $kind:literal {
        $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name, as in templates and in libvirt's XML.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownName;

            fn from_str(name: &str) -> std::result::Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|known| known.as_str() == name).ok_or_else(|| {
                    $crate::UnknownName {
                        name: name.to_owned(),
                        kind: $kind,
                        known: Self::ALL
                            .iter()
                            .map(|known| known.as_str())
                            .collect::<Vec<_>>()
                            .join(", "),
                    }
                })
            }
        }
    };
}
pub(crate) use named;
