//! Prices of calls: those of the user first, then the bundled table.

use crate::contain::contain;
#[cfg(feature = "cost")]
use crate::gen_ai::price_table;
use crate::gen_ai::{InferenceFacts, Usage};
use crate::money::Picodollars;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

/// A finished call of a model, for a function that prices it.
///
/// [`TelemetryBuilder::price`](crate::TelemetryBuilder::price) takes such a function.
///
/// ```
/// use hub_otel::{ModelCall, ModelPrice};
///
/// /// Prices the models of the company's own gateway.
/// fn price(call: &ModelCall<'_>) -> Option<f64> {
///     let price = match call.model {
///         "in-house-large" => ModelPrice::per_million(0.4, 1.6),
///         _ => return None,
///     };
///     Some(price.of(call.usage))
/// }
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ModelCall<'a> {
    /// `gen_ai.provider.name`. `None` if it is not known.
    pub provider: Option<&'a str>,
    /// Model of the response, or else of the request.
    pub model: &'a str,
    /// Tokens of the call.
    pub usage: Usage,
}

/// Price of a model, in US dollars per million tokens.
///
/// ```
/// use hub_otel::{ModelPrice, Usage};
///
/// let price = ModelPrice::per_million(2.0, 8.0).cache_read(0.5);
/// assert_eq!(price.of(Usage::new(1_000_000, 0).cache_read(500_000)), 1.25);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelPrice {
    input: f64,
    output: f64,
    cache_read: f64,
    cache_write: f64,
}

impl ModelPrice {
    /// Creates the price of a model whose cached input costs as much as other input.
    #[must_use]
    pub fn per_million(input: f64, output: f64) -> Self {
        Self { input, output, cache_read: input, cache_write: input }
    }

    /// Sets the price of the input that was read from the provider's cache.
    #[must_use]
    pub fn cache_read(mut self, dollars: f64) -> Self {
        self.cache_read = dollars;
        self
    }

    /// Sets the price of the input that was written to the provider's cache.
    #[must_use]
    pub fn cache_write(mut self, dollars: f64) -> Self {
        self.cache_write = dollars;
        self
    }

    /// Returns the cost of `usage`, in US dollars.
    pub fn of(&self, usage: Usage) -> f64 {
        let usage = with_cached_input(usage);
        let count = |tokens: Option<u64>| tokens.unwrap_or(0) as f64;
        let (read, write) = (count(usage.cache_read), count(usage.cache_write));
        let uncached = count(usage.input) - read - write;
        let cost = uncached * self.input
            + read * self.cache_read
            + write * self.cache_write
            + count(usage.output) * self.output;
        cost / 1e6
    }
}

type PriceFn = dyn Fn(&ModelCall<'_>) -> Option<f64> + Send + Sync;

/// Prices of one instance.
#[derive(Clone, Default)]
pub(crate) struct Prices {
    pub(crate) function: Option<Arc<PriceFn>>,
    pub(crate) models: HashMap<String, ModelPrice>,
}

impl Prices {
    /// Returns the cost of a call. `None` if no price is known.
    pub(super) fn price(&self, facts: &InferenceFacts, at: SystemTime) -> Option<Picodollars> {
        if facts.usage.input.is_none() && facts.usage.output.is_none() {
            return None;
        }
        let provider = facts.provider.as_ref().map(|provider| provider.as_str());
        // The model of the response is more exact; a provider may report one without a price.
        let models = [&facts.response_model, &facts.request_model];
        let usd = models.into_iter().flatten().find_map(|model| {
            let call = ModelCall { provider, model: model.as_str(), usage: facts.usage };
            self.price_call(&call, at)
        })?;
        Picodollars::from_usd(usd)
    }

    fn price_call(&self, call: &ModelCall<'_>, at: SystemTime) -> Option<f64> {
        // Code of the user.
        let own = self.function.as_ref().and_then(|price| contain(|| price(call)).flatten());
        own.or_else(|| Some(self.models.get(call.model)?.of(call.usage)))
            .or_else(|| price_by_table(call, at))
    }
}

#[cfg(feature = "cost")]
fn price_by_table(call: &ModelCall<'_>, at: SystemTime) -> Option<f64> {
    contain(|| price_table::price(call, at)).flatten()
}

#[cfg(not(feature = "cost"))]
fn price_by_table(_: &ModelCall<'_>, _: SystemTime) -> Option<f64> {
    None
}

/// Returns the usage with cached tokens as a part of the input, as the conventions require. Some
/// clients pass on an input without them, as Anthropic reports it.
pub(super) fn with_cached_input(mut usage: Usage) -> Usage {
    let cached = usage.cache_read.unwrap_or(0).saturating_add(usage.cache_write.unwrap_or(0));
    let input = usage.input.unwrap_or(0);
    if cached > input {
        usage.input = Some(input.saturating_add(cached));
    }
    usage
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_tokens_are_part_of_the_input_or_are_added_to_it() {
        let price = ModelPrice::per_million(3.0, 15.0).cache_read(0.3).cache_write(3.75);
        let usage = Usage::new(1_000, 100).cache_read(600).cache_write(200);
        // 200 × 3 + 600 × 0.3 + 200 × 3.75 + 100 × 15
        assert_eq!(price.of(usage), 0.003_03);
        let reported_apart = Usage { input: Some(200), ..usage };
        assert_eq!(price.of(reported_apart), 0.003_03);
    }
}
