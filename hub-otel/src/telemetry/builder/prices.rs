//! Prices of models, in code.

use crate::gen_ai::{ModelCall, ModelPrice};
use crate::telemetry::builder::TelemetryBuilder;
use std::sync::Arc;

/// Prices of models, for the metric `agent.cost`, the cost on spans and budgets.
///
/// The price of a call is, in this order: the cost that the provider reports, the function, the
/// prices by name, the bundled table (feature `cost`).
impl TelemetryBuilder {
    /// Sets the price of a model, by the name that the response or the request has. May be called
    /// several times. No variable.
    ///
    /// ```
    /// use hub_otel::ModelPrice;
    ///
    /// let builder = hub_otel::Telemetry::builder()
    ///     .model_price("in-house-large", ModelPrice::per_million(0.4, 1.6));
    /// ```
    pub fn model_price(mut self, model: impl Into<String>, price: ModelPrice) -> Self {
        self.prices.models.insert(model.into(), price);
        self
    }

    /// Sets a function that returns the cost of a call in US dollars, or `None` if it has no price
    /// for it. No variable.
    ///
    /// It is called on the thread on which the call ends. A panic in it, and a cost that is
    /// negative or not finite, count as no price.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder().price(|call| match call.provider {
    ///     // Models on the company's own machines.
    ///     Some("ollama") => Some(0.0),
    ///     _ => None,
    /// });
    /// ```
    pub fn price(
        mut self,
        price: impl Fn(&ModelCall<'_>) -> Option<f64> + Send + Sync + 'static,
    ) -> Self {
        self.prices.function = Some(Arc::new(price));
        self
    }
}
