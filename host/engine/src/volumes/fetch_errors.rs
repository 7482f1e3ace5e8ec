//! What a component is told of downloads and answers that did not come.

use lvhost_fetch::{FetchError, LocationError, SafeUrl, UnpackError};
use lvhost_runtime::ServiceError;

use super::grants::Grants;
use crate::error::with_causes;

/// What a request that brought nothing means for the component.
pub(super) fn request_error(grants: &Grants, error: &FetchError) -> ServiceError {
    match out_of_reach(error) {
        Some(url) => grants.out_of_reach(url),
        None => fetch_error(error),
    }
}

/// What an archive that nothing came out of means for the component.
pub(super) fn unpack_error(error: UnpackError) -> ServiceError {
    match error {
        UnpackError::Cancelled => ServiceError::Cancelled,
        UnpackError::Archive { .. } => ServiceError::Corrupt(with_causes(&error)),
        UnpackError::Cache(_) | UnpackError::NoSpace(_) => ServiceError::Other(with_causes(&error)),
    }
}

/// The URL that a bounded download was led to.
fn out_of_reach(error: &FetchError) -> Option<&SafeUrl> {
    let FetchError::AllFailed(failures) = error else {
        return None;
    };
    failures.iter().find_map(|failure| match &failure.error {
        LocationError::OutOfReach(url) => Some(url),
        _ => None,
    })
}

fn fetch_error(error: &FetchError) -> ServiceError {
    match error {
        FetchError::Cancelled => ServiceError::Cancelled,
        FetchError::AllFailed(failures)
            if failures.iter().any(|failure| is_corrupt(&failure.error)) =>
        {
            ServiceError::Corrupt(error.to_string())
        }
        FetchError::AllFailed(_) => ServiceError::Network(error.to_string()),
        _ => {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(error);
            while let Some(cause) = source {
                text.push_str(": ");
                text.push_str(&cause.to_string());
                source = cause.source();
            }
            ServiceError::Other(text)
        }
    }
}

/// Whether bytes came, and not those that were meant.
fn is_corrupt(error: &LocationError) -> bool {
    matches!(
        error,
        LocationError::ChecksumMismatch { .. }
            | LocationError::LocalMismatch { .. }
            | LocationError::Archive(_)
    )
}

#[cfg(test)]
mod tests {
    use lvhost_fetch::{Checksum, Failure, Location};

    use super::*;

    fn failure(error: LocationError) -> Failure {
        let location = Location::parse("disk.raw").unwrap();
        Failure { location, error }
    }

    #[test]
    fn what_came_and_is_not_what_was_meant_is_corrupt() {
        let Ok(Checksum::Digest(digest)) = Checksum::parse(&"0".repeat(64)) else {
            panic!("it is a digest");
        };
        let mismatch = || LocationError::ChecksumMismatch {
            expected: digest.clone(),
            actual: digest.clone(),
        };
        let local = LocationError::LocalMismatch {
            expected: digest.clone(),
            actual: digest.clone(),
        };
        let short = || LocationError::Short {
            received: 1,
            announced: 2,
            source: None,
        };
        for (failures, is_corrupt) in [
            (vec![failure(mismatch())], true),
            (vec![failure(local)], true),
            (vec![failure(short()), failure(mismatch())], true),
            (vec![failure(short())], false),
            (vec![], false),
        ] {
            let error = fetch_error(&FetchError::AllFailed(failures));
            assert_eq!(
                matches!(error, ServiceError::Corrupt(_)),
                is_corrupt,
                "{error:?}"
            );
        }
    }
}
