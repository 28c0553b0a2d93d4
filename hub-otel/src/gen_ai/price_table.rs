//! The bundled price table: crate `genai-prices`, maintained by Pydantic.

use crate::gen_ai::prices::{ModelCall, with_cached_input};
use crate::semconv::gen_ai::provider;
use genai_prices::{Calculator, PriceRequest, Usage, UsageKey};
use std::time::{Duration, SystemTime};

/// Date of the table: the latest start of a price that was in force at the release of genai-prices
/// 0.2.1, 2026-10-20, in seconds since 1970.
const TABLE_DATE: u64 = 1_792_454_400;

/// Decodes the table, which takes tens of milliseconds.
pub(crate) fn load() {
    let _ = Calculator::bundled();
}

/// Returns the age of the table.
pub(crate) fn age(now: SystemTime) -> Duration {
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(TABLE_DATE);
    now.duration_since(date).unwrap_or_default()
}

/// Returns the cost of a call, in US dollars. `None` if the table has no price for it.
pub(super) fn price(call: &ModelCall<'_>, at: SystemTime) -> Option<f64> {
    let tokens = with_cached_input(call.usage);
    let reported = [
        (UsageKey::INPUT_TOKENS, tokens.input),
        (UsageKey::OUTPUT_TOKENS, tokens.output),
        (UsageKey::CACHE_READ_TOKENS, tokens.cache_read),
        (UsageKey::CACHE_WRITE_TOKENS, tokens.cache_write),
    ];
    let usage: Usage = reported
        .into_iter()
        .filter_map(|(key, tokens)| Some((key, tokens.filter(|tokens| *tokens > 0)? as f64)))
        .collect();
    let mut request = PriceRequest::new(call.model, &usage).with_timestamp(at);
    if let Some(provider) = call.provider {
        request = request.with_provider_id(id_of(provider));
    }
    Some(Calculator::bundled().calculate(&request).ok()?.total_price)
}

/// Returns the table's name of a provider whose name in the conventions it does not match.
fn id_of(provider: &str) -> &str {
    match provider {
        provider::AZURE_OPENAI | provider::AZURE_INFERENCE => "azure",
        provider::GCP_GEN_AI => "google",
        provider::X_AI => "x-ai",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{ModelCall, price};
    use crate::gen_ai::Usage;
    use crate::semconv::gen_ai::provider as p;
    use std::time::SystemTime;

    #[test]
    fn the_table_has_the_providers_of_compatible_servers() {
        for (provider, model) in [
            (p::OPENROUTER, "ai21/jamba-1-5-large"),
            (p::TOGETHER, "Gryphe/MythoMax-L2-13b"),
            (p::FIREWORKS, "accounts/fireworks/models/deepseek-r1-0528"),
            (p::CEREBRAS, "llama3.1-8b"),
            (p::MOONSHOT_AI, "kimi-k2"),
            (p::COHERE, "command-a"),
        ] {
            let call = ModelCall { provider: Some(provider), model, usage: Usage::new(1_000, 10) };
            assert!(price(&call, SystemTime::now()).is_some_and(|cost| cost > 0.0), "{provider}");
        }
    }

    #[test]
    fn the_date_of_the_table_is_that_of_the_required_version() {
        let lock = include_str!("../../../Cargo.lock");
        assert!(
            lock.contains("name = \"genai-prices\"\nversion = \"0.2.1\""),
            "set TABLE_DATE to the date of the new table"
        );
    }
}
