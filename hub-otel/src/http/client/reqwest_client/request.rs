//! reqwest's request builder, whose `send` is traced.

use crate::http::client::reqwest_client::Client;
use crate::http::client::settings::CallOptions;
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

/// Builds a request that is traced when it is sent. Methods of reqwest's builder that are missing
/// here are available through [`RequestBuilder::map`].
///
/// ```
/// # async fn run() -> Result<(), reqwest::Error> {
/// let http = hub_otel::http::Client::new();
/// let request = http.get("https://api.internal/users/7").template("/users/{id}");
/// let user = request.bearer_auth("token").send().await?.text().await?;
/// # let _ = user; Ok(()) }
/// ```
#[must_use = "a RequestBuilder does nothing until it is sent"]
#[derive(Debug)]
pub struct RequestBuilder {
    client: Client,
    inner: reqwest::RequestBuilder,
    options: CallOptions,
}

impl RequestBuilder {
    pub(super) fn new(client: Client, inner: reqwest::RequestBuilder) -> Self {
        Self { client, inner, options: CallOptions::default() }
    }

    /// Sets the template of the path. The span is named after it (`GET /users/{id}`) and records it
    /// instead of the path.
    ///
    /// ```
    /// # async fn run(http: hub_otel::http::Client, id: u64) -> Result<(), reqwest::Error> {
    /// let url = format!("https://api.internal/users/{id}");
    /// http.get(url).template("/users/{id}").send().await?;
    /// # Ok(()) }
    /// ```
    pub fn template(mut self, template: &'static str) -> Self {
        self.options.template = Some(template);
        self
    }

    /// Sets `http.request.resend_count`: the number of times that the caller has sent this request
    /// before.
    ///
    /// ```
    /// # async fn run(http: hub_otel::http::Client) -> Result<(), reqwest::Error> {
    /// for retry in 0..3 {
    ///     let request = http.get("https://api.internal/users").resend_count(retry);
    ///     if request.send().await?.status().is_success() { break; }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn resend_count(mut self, count: u32) -> Self {
        self.options.resend_count = count;
        self
    }

    /// Applies a function to reqwest's builder.
    ///
    /// ```
    /// fn authenticate(request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    ///     request.header("x-api-key", "key")
    /// }
    ///
    /// # async fn run(http: hub_otel::http::Client) -> Result<(), reqwest::Error> {
    /// http.get("https://api.internal/users").map(authenticate).send().await?;
    /// # Ok(()) }
    /// ```
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

    /// Sets headers, and replaces those with the same names.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.map(|inner| inner.headers(headers))
    }

    /// Sets the header of basic authentication.
    pub fn basic_auth<U: Display, P: Display>(self, username: U, password: Option<P>) -> Self {
        self.map(|inner| inner.basic_auth(username, password))
    }

    /// Sets the header of bearer authentication.
    pub fn bearer_auth<T: Display>(self, token: T) -> Self {
        self.map(|inner| inner.bearer_auth(token))
    }

    /// Sets the body.
    pub fn body<T: Into<Body>>(self, body: T) -> Self {
        self.map(|inner| inner.body(body))
    }

    /// Sets the timeout of the whole call, redirects included.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.map(|inner| inner.timeout(timeout))
    }

    /// Sets the HTTP version.
    pub fn version(self, version: Version) -> Self {
        self.map(|inner| inner.version(version))
    }

    /// Adds parameters to the query string, which is never recorded.
    pub fn query<T: Serialize + ?Sized>(self, query: &T) -> Self {
        self.map(|inner| inner.query(query))
    }

    /// Sets the body to a form.
    pub fn form<T: Serialize + ?Sized>(self, form: &T) -> Self {
        self.map(|inner| inner.form(form))
    }

    /// Sets the body to JSON.
    pub fn json<T: Serialize + ?Sized>(self, json: &T) -> Self {
        self.map(|inner| inner.json(json))
    }

    /// Returns the request without sending it; [`Client::execute`] sends and traces it.
    ///
    /// # Errors
    /// If the URL, a header or the body is invalid.
    pub fn build(self) -> Result<Request, reqwest::Error> {
        self.inner.build()
    }

    /// Returns a copy; `None` if the body is a stream.
    pub fn try_clone(&self) -> Option<Self> {
        let inner = self.inner.try_clone()?;
        Some(Self { client: self.client.clone(), inner, options: self.options })
    }

    /// Sends the request.
    ///
    /// # Errors
    /// Those of reqwest: see [`Client::execute`].
    ///
    /// # Cancellation
    /// If the future is dropped, the span ends with `error.type` = `cancelled`.
    pub async fn send(self) -> Result<Response, reqwest::Error> {
        let request = self.inner.build()?;
        self.client.send(request, self.options).await
    }
}
