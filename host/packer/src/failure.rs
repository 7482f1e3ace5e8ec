//! Errors of a builder's own, and the one text that Packer shows for them.

/// Any error of what this crate calls: a builder, a communicator, an artifact. Text becomes one with
/// `.into()`.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The error and its causes on one line.
pub(crate) fn text(failure: &(dyn std::error::Error + 'static)) -> String {
    let mut text = failure.to_string();
    let mut cause = failure.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
