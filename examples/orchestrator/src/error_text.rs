//! Error texts of failed requests. They do not contain the URL, which can be a secret.

/// Returns the text of the innermost cause, the most specific one: `connection refused` instead of
/// `error sending request`.
pub fn root_cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
