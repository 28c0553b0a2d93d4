//! reqwest's request builder, whose `send` is traced.

use crate::http::client::{Call, Client};
use http_types::HeaderMap;
use http_types::HeaderName;
use http_types::HeaderValue;
use http_types::Version;
use reqwest::Body;
use reqwest::Request;
use reqwest::Response;
use serde::Serialize;
use std::fmt::Display;
use std::time::Duration;

/// Builds a request; [`RequestBuilder::send`] traces it. Whatever has no method here goes through
/// [`RequestBuilder::map`].
#[must_use = "a RequestBuilder does nothing until it is sent"]
#[derive(Debug)]
pub struct RequestBuilder {
    client: Client,
    inner: reqwest::RequestBuilder,
    call: Call,
}

impl RequestBuilder {
    pub(super) fn new(client: Client, inner: reqwest::RequestBuilder) -> Self {
        Self { client, inner, call: Call::default() }
    }

    /// The path's template, `/users/{id}`: the span is named after it and shows it in place of the path.
    pub fn template(mut self, template: &'static str) -> Self {
        self.call.template = Some(template);
        self
    }

    /// Says that this request was sent before, `count` times: `http.request.resend_count`. For retries that the caller
    /// makes.
    pub fn resend_count(mut self, count: u32) -> Self {
        self.call.resends = count;
        self
    }

    /// Anything that reqwest's builder can do.
    pub fn map(
        mut self,
        change: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Self {
        self.inner = change(self.inner);
        self
    }

    /// Adds a header.
    pub fn header<K, V>(self, key: K, value: V) -> Self
    where
        HeaderName: TryFrom<K>,
        <HeaderName as TryFrom<K>>::Error: Into<http_types::Error>,
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<http_types::Error>,
    {
        self.map(|inner| inner.header(key, value))
    }

    /// Adds headers; those that are there are replaced.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.map(|inner| inner.headers(headers))
    }

    /// Basic authentication.
    pub fn basic_auth<U: Display, P: Display>(self, username: U, password: Option<P>) -> Self {
        self.map(|inner| inner.basic_auth(username, password))
    }

    /// Bearer authentication.
    pub fn bearer_auth<T: Display>(self, token: T) -> Self {
        self.map(|inner| inner.bearer_auth(token))
    }

    /// The body.
    pub fn body<T: Into<Body>>(self, body: T) -> Self {
        self.map(|inner| inner.body(body))
    }

    /// A deadline for the whole call.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.map(|inner| inner.timeout(timeout))
    }

    /// The HTTP version to ask for.
    pub fn version(self, version: Version) -> Self {
        self.map(|inner| inner.version(version))
    }

    /// Adds to the query string.
    pub fn query<T: Serialize + ?Sized>(self, query: &T) -> Self {
        self.map(|inner| inner.query(query))
    }

    /// A form as the body.
    pub fn form<T: Serialize + ?Sized>(self, form: &T) -> Self {
        self.map(|inner| inner.form(form))
    }

    /// JSON as the body.
    pub fn json<T: Serialize + ?Sized>(self, json: &T) -> Self {
        self.map(|inner| inner.json(json))
    }

    /// The request, not sent: [`Client::execute`] sends and traces it.
    ///
    /// # Errors
    /// When a URL, a header or a body could not be built.
    pub fn build(self) -> Result<Request, reqwest::Error> {
        self.inner.build()
    }

    /// A copy, unless the body is a stream.
    pub fn try_clone(&self) -> Option<Self> {
        let inner = self.inner.try_clone()?;
        Some(Self { client: self.client.clone(), inner, call: self.call })
    }

    /// Sends the request.
    ///
    /// # Errors
    /// As reqwest's: see [`Client::execute`].
    ///
    /// # Cancellation
    /// A dropped future ends its span with `error.type` = `cancelled`.
    pub async fn send(self) -> Result<Response, reqwest::Error> {
        let request = self.inner.build()?;
        self.client.run(request, self.call).await
    }
}
