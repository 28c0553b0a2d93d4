//! Parts of HTTP handlers that the API and the webhook share: the error response and the request
//! body.

pub mod body;
pub mod error;

pub use body::read_body;
pub use error::{ApiError, ErrorBody};
