//! Which addresses a fetch may go to, where somebody has to be kept within bounds.

use std::fmt;
use std::sync::Arc;

use crate::SafeUrl;

type Permits = dyn Fn(&SafeUrl) -> bool + Send + Sync;

/// Says of each URL, before it is asked for, whether it may be: of the locations of a request and of
/// every redirect. By default all may.
#[derive(Clone, Default)]
pub struct Reach(Option<Arc<Permits>>);

impl Reach {
    /// Only URLs of which `permits` says so.
    pub fn only(permits: impl Fn(&SafeUrl) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(permits)))
    }

    pub(crate) fn is_bounded(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn permits(&self, url: &SafeUrl) -> bool {
        self.0.as_ref().is_none_or(|permits| permits(url))
    }
}

impl fmt::Debug for Reach {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.0 {
            None => "Reach(everything)",
            Some(_) => "Reach(bounded)",
        })
    }
}
