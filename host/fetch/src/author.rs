//! Who has chosen what is fetched: it decides whose log-ins may go along.

/// Who has chosen the locations of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Author {
    /// The user, in a template: all their log-ins may go to whom they are for.
    #[default]
    User,
    /// A component that is not built in. It gets the user's log-ins only for hosts that the user has
    /// named in full for it ([`Request::named`](crate::Request::named)), and never netrc's `default`.
    Component {
        /// What tells it from all other components, such as its digest. It finds in the cache only what it
        /// has fetched itself: what another has, it might not get from the server.
        identity: String,
        /// Whether it may have objects fetched with the user's AWS keys.
        aws_credentials: bool,
    },
}

impl Author {
    pub(crate) fn is_user(&self) -> bool {
        *self == Self::User
    }

    /// What tells it from others in the cache; the user has no name there.
    pub(crate) fn identity(&self) -> Option<&str> {
        match self {
            Self::User => None,
            Self::Component { identity, .. } => Some(identity),
        }
    }

    pub(crate) fn may_use_aws_credentials(&self) -> bool {
        match self {
            Self::User => true,
            Self::Component {
                aws_credentials, ..
            } => *aws_credentials,
        }
    }
}
