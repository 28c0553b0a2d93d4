//! Tokens of one call of a model.

/// Tokens of one call of a model, as the provider reported them.
///
/// A number that the provider did not report stays `None`: it is not recorded, which differs from
/// zero. `input` contains the cached tokens, `output` the tokens of the reasoning, as the GenAI
/// conventions define them.
///
/// ```
/// use hub_otel::Usage;
///
/// let usage = Usage::new(1_200, 85).cache_read(1_000).reasoning(40);
/// assert_eq!(usage.input, Some(1_200));
/// assert_eq!(usage.cache_write, None);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Tokens of the input, cached ones included.
    pub input: Option<u64>,
    /// Tokens of the output, those of the reasoning included.
    pub output: Option<u64>,
    /// Tokens of the input that were read from the provider's cache.
    pub cache_read: Option<u64>,
    /// Tokens of the input that were written to the provider's cache.
    pub cache_write: Option<u64>,
    /// Tokens of the output that the model spent on reasoning.
    pub reasoning: Option<u64>,
}

impl Usage {
    /// Creates the usage of a call with a known input and output.
    #[must_use]
    pub fn new(input: u64, output: u64) -> Self {
        Self { input: Some(input), output: Some(output), ..Self::default() }
    }

    /// Creates the usage of a call without output, such as embeddings.
    #[must_use]
    pub fn of_input(input: u64) -> Self {
        Self { input: Some(input), ..Self::default() }
    }

    /// Sets the tokens of the input that were read from the provider's cache.
    #[must_use]
    pub fn cache_read(mut self, tokens: u64) -> Self {
        self.cache_read = Some(tokens);
        self
    }

    /// Sets the tokens of the input that were written to the provider's cache.
    #[must_use]
    pub fn cache_write(mut self, tokens: u64) -> Self {
        self.cache_write = Some(tokens);
        self
    }

    /// Sets the tokens of the output that the model spent on reasoning.
    #[must_use]
    pub fn reasoning(mut self, tokens: u64) -> Self {
        self.reasoning = Some(tokens);
        self
    }

    /// Replaces the numbers that `later` contains: a stream reports its usage in several parts.
    pub(crate) fn merge(&mut self, later: Self) {
        let Self { input, output, cache_read, cache_write, reasoning } = later;
        self.input = input.or(self.input);
        self.output = output.or(self.output);
        self.cache_read = cache_read.or(self.cache_read);
        self.cache_write = cache_write.or(self.cache_write);
        self.reasoning = reasoning.or(self.reasoning);
    }

    /// Adds the numbers of another call.
    pub(crate) fn add(&mut self, other: Self) {
        let sum = |own: Option<u64>, other: Option<u64>| match (own, other) {
            (Some(own), Some(other)) => Some(own.saturating_add(other)),
            (own, other) => own.or(other),
        };
        let Self { input, output, cache_read, cache_write, reasoning } = other;
        self.input = sum(self.input, input);
        self.output = sum(self.output, output);
        self.cache_read = sum(self.cache_read, cache_read);
        self.cache_write = sum(self.cache_write, cache_write);
        self.reasoning = sum(self.reasoning, reasoning);
    }
}

#[cfg(test)]
mod tests {
    use super::Usage;

    #[test]
    fn a_later_report_replaces_what_it_contains() {
        let mut usage = Usage::new(10, 1).cache_read(4);
        usage.merge(Usage { output: Some(25), ..Usage::default() });
        assert_eq!(usage, Usage::new(10, 25).cache_read(4));
    }
}
