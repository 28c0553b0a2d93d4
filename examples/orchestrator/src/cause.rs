//! Why a request failed, in words that can be shown: the URL, which may be a secret, is in none of them.

/// The innermost cause says most: "connection refused" rather than "error sending request".
pub(crate) fn innermost(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
