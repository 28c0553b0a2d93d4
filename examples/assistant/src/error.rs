//! Errors of the assistant, each with its own `error.type`.

use hub_otel::{BudgetExceeded, ErrorType};
use std::fmt;

#[derive(Debug, ErrorType)]
pub(crate) enum AssistantError {
    /// The provider rejected the call for now.
    RateLimited,
    /// The provider, or the way to it, failed.
    Api(String),
    /// The model wrote something else than the protocol.
    Protocol(&'static str),
    /// A path leads out of the folder.
    OutsideOfFolder(String),
    /// A file cannot be read or written.
    File(std::io::Error),
    /// The user did not approve the write.
    NotApproved,
    /// The run would cost more than its budget.
    OverBudget(BudgetExceeded),
    /// No reply after so many turns.
    TooManyTurns,
}

impl AssistantError {
    /// Reports whether the same call can succeed a moment later.
    pub(crate) fn is_temporary(&self) -> bool {
        matches!(self, Self::RateLimited)
    }
}

impl fmt::Display for AssistantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RateLimited => f.write_str("the provider limits the rate of calls"),
            Self::Api(text) => write!(f, "the call of the model failed: {text}"),
            Self::Protocol(expected) => write!(f, "the reply of the model has no {expected}"),
            Self::OutsideOfFolder(path) => {
                write!(f, "`{path}` is not in the folder: give a path below it")
            }
            Self::File(error) => write!(f, "{error}"),
            Self::NotApproved => f.write_str("the user did not approve the write"),
            Self::OverBudget(error) => write!(f, "{error}"),
            Self::TooManyTurns => f.write_str("the model calls tools without an end"),
        }
    }
}

impl std::error::Error for AssistantError {}

impl From<BudgetExceeded> for AssistantError {
    fn from(error: BudgetExceeded) -> Self {
        Self::OverBudget(error)
    }
}

impl From<reqwest::Error> for AssistantError {
    fn from(error: reqwest::Error) -> Self {
        Self::Api(error.without_url().to_string())
    }
}

impl From<std::io::Error> for AssistantError {
    fn from(error: std::io::Error) -> Self {
        Self::File(error)
    }
}
