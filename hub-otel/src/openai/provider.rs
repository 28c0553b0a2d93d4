//! The provider of a server, by its host name.

use crate::semconv::gen_ai::provider as p;

/// Host names, or their ends, with their providers.
const HOSTS: [(&str, &str); 20] = [
    ("api.openai.com", p::OPENAI),
    (".openai.azure.com", p::AZURE_OPENAI),
    (".services.ai.azure.com", p::AZURE_INFERENCE),
    ("api.anthropic.com", p::ANTHROPIC),
    ("api.deepseek.com", p::DEEPSEEK),
    ("api.groq.com", p::GROQ),
    ("api.mistral.ai", p::MISTRAL),
    ("api.perplexity.ai", p::PERPLEXITY),
    ("api.x.ai", p::X_AI),
    ("generativelanguage.googleapis.com", p::GEMINI),
    ("openrouter.ai", p::OPENROUTER),
    ("api.openrouter.ai", p::OPENROUTER),
    ("api.together.xyz", p::TOGETHER),
    ("api.together.ai", p::TOGETHER),
    ("api.fireworks.ai", p::FIREWORKS),
    ("api.cerebras.ai", p::CEREBRAS),
    ("api.moonshot.ai", p::MOONSHOT_AI),
    ("api.moonshot.cn", p::MOONSHOT_AI),
    ("api.cohere.com", p::COHERE),
    ("api.cohere.ai", p::COHERE),
];

/// Returns the provider of `host`: `openai` for a server that is only compatible, since the
/// conventions name the provider as the client identifies it.
pub(super) fn of_host(host: &str) -> &'static str {
    let matches = |known: &str| host == known || (known.starts_with('.') && host.ends_with(known));
    HOSTS.iter().find(|(known, _)| matches(known)).map_or(p::OPENAI, |(_, provider)| provider)
}

#[cfg(test)]
mod tests {
    use super::of_host;

    #[test]
    fn providers_have_the_names_of_the_conventions_or_of_the_price_table() {
        for (host, provider) in [
            ("openrouter.ai", "openrouter"),
            ("api.together.xyz", "together"),
            ("api.fireworks.ai", "fireworks"),
            ("api.cerebras.ai", "cerebras"),
            ("api.moonshot.ai", "moonshot_ai"),
            ("api.moonshot.cn", "moonshot_ai"),
            ("api.cohere.ai", "cohere"),
        ] {
            assert_eq!(of_host(host), provider, "{host}");
        }
    }

    #[test]
    fn a_server_that_is_not_known_is_one_of_openai() {
        for (host, provider) in [
            ("api.openai.com", "openai"),
            ("eu.openai.azure.com", "azure.ai.openai"),
            ("api.groq.com", "groq"),
            ("notapi.groq.com", "openai"),
            ("127.0.0.1", "openai"),
        ] {
            assert_eq!(of_host(host), provider, "{host}");
        }
    }
}
