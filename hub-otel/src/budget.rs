//! Budget of a run: limits, what is spent, and the error of a call that was not started.

pub(crate) mod account;

use crate::money::Picodollars;
use crate::semconv::value::budget_limit;
#[cfg(feature = "serde")]
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fmt;

/// Limits of what the calls below a workflow or an agent may spend.
///
/// A call of a model or of a tool is checked when its unit opens. Over a limit it is not started
/// and returns [`BudgetExceeded`]. A limit that is not set does not apply.
///
/// ```
/// use hub_otel::Budget;
///
/// # async fn research() {}
/// # async fn example() {
/// let budget = Budget::new().usd(1.5).tokens(200_000).llm_calls(50).tool_calls(100);
/// hub_otel::workflow("research").budget(budget).run(research()).await;
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Budget {
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub(crate) picodollars: Option<u64>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub(crate) tokens: Option<u64>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub(crate) llm_calls: Option<u64>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub(crate) tool_calls: Option<u64>,
}

impl Budget {
    /// Creates a budget without limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits the cost, in US dollars. A negative amount is 0; one that is not finite sets no
    /// limit.
    ///
    /// A call without a price adds nothing: limit the tokens too.
    #[must_use]
    pub fn usd(mut self, dollars: f64) -> Self {
        self.picodollars = Picodollars::from_usd(dollars.max(0.0)).map(|amount| amount.0);
        self
    }

    /// Limits the tokens, input and output together.
    #[must_use]
    pub fn tokens(mut self, tokens: u64) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Limits the number of calls of models.
    #[must_use]
    pub fn llm_calls(mut self, calls: u64) -> Self {
        self.llm_calls = Some(calls);
        self
    }

    /// Limits the number of executions of tools.
    #[must_use]
    pub fn tool_calls(mut self, calls: u64) -> Self {
        self.tool_calls = Some(calls);
        self
    }
}

/// Amounts that a run with a [`Budget`] has spent, over all its segments.
///
/// [`Current::spent`](crate::Current::spent) and [`Segment::spent`](crate::Segment::spent) return
/// it.
///
/// ```
/// use hub_otel::Spent;
///
/// let stored = Spent::new().with_usd(0.25).with_tokens(12_000).with_llm_calls(3);
/// assert_eq!(stored.usd(), 0.25);
/// assert_eq!(stored.tool_calls(), 0);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Spent {
    pub(crate) picodollars: u64,
    pub(crate) tokens: u64,
    pub(crate) llm_calls: u64,
    pub(crate) tool_calls: u64,
}

impl Spent {
    /// Creates an account of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the cost, in US dollars. A negative amount is 0.
    #[must_use]
    pub fn with_usd(mut self, dollars: f64) -> Self {
        self.picodollars = Picodollars::from_usd(dollars).unwrap_or_default().0;
        self
    }

    /// Sets the tokens, input and output together.
    #[must_use]
    pub fn with_tokens(mut self, tokens: u64) -> Self {
        self.tokens = tokens;
        self
    }

    /// Sets the number of calls of models.
    #[must_use]
    pub fn with_llm_calls(mut self, calls: u64) -> Self {
        self.llm_calls = calls;
        self
    }

    /// Sets the number of executions of tools.
    #[must_use]
    pub fn with_tool_calls(mut self, calls: u64) -> Self {
        self.tool_calls = calls;
        self
    }

    /// Returns the cost of the calls that have ended, in US dollars.
    pub fn usd(&self) -> f64 {
        Picodollars(self.picodollars).usd()
    }

    /// Returns the tokens of the calls that have ended, input and output together.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Returns the number of calls of models, those in progress included.
    pub fn llm_calls(&self) -> u64 {
        self.llm_calls
    }

    /// Returns the number of executions of tools, those in progress included.
    pub fn tool_calls(&self) -> u64 {
        self.tool_calls
    }
}

/// A limit of a [`Budget`].
///
/// ```
/// use hub_otel::BudgetLimit;
///
/// assert_eq!(BudgetLimit::LlmCalls.as_str(), "llm_calls");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BudgetLimit {
    /// [`Budget::usd`].
    Usd,
    /// [`Budget::tokens`].
    Tokens,
    /// [`Budget::llm_calls`].
    LlmCalls,
    /// [`Budget::tool_calls`].
    ToolCalls,
}

impl BudgetLimit {
    /// Returns the name of the limit, as the argument `budget(…)` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usd => budget_limit::USD,
            Self::Tokens => budget_limit::TOKENS,
            Self::LlmCalls => budget_limit::LLM_CALLS,
            Self::ToolCalls => budget_limit::TOOL_CALLS,
        }
    }
}

/// A call was not started: a limit of the [`Budget`] was reached.
///
/// `error.type` is `budget_exceeded`.
///
/// ```
/// use hub_otel::{BudgetExceeded, BudgetLimit};
///
/// fn is_out_of_money(error: &(dyn std::error::Error + 'static)) -> bool {
///     error
///         .downcast_ref::<BudgetExceeded>()
///         .is_some_and(|exceeded| exceeded.limit() == BudgetLimit::Usd)
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetExceeded {
    pub(crate) limit: BudgetLimit,
    pub(crate) budget: Budget,
    pub(crate) spent: Spent,
}

impl BudgetExceeded {
    /// Returns the limit that was reached.
    pub fn limit(&self) -> BudgetLimit {
        self.limit
    }

    /// Returns what the run had spent.
    pub fn spent(&self) -> Spent {
        self.spent
    }
}

impl fmt::Display for BudgetExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, budget, spent } = self;
        let name = limit.as_str();
        match limit {
            BudgetLimit::Usd => {
                let limit = Picodollars(budget.picodollars.unwrap_or_default()).usd();
                write!(f, "the budget is exceeded: {name} is {:.6} of {limit:.6}", spent.usd())
            }
            BudgetLimit::Tokens => write_count(f, name, spent.tokens, budget.tokens),
            BudgetLimit::LlmCalls => write_count(f, name, spent.llm_calls, budget.llm_calls),
            BudgetLimit::ToolCalls => write_count(f, name, spent.tool_calls, budget.tool_calls),
        }?;
        f.write_str("; the call was not started")
    }
}

fn write_count(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    spent: u64,
    limit: Option<u64>,
) -> fmt::Result {
    write!(f, "the budget is exceeded: {name} is {spent} of {}", limit.unwrap_or_default())
}

impl Error for BudgetExceeded {}

impl From<BudgetExceeded> for std::io::Error {
    fn from(exceeded: BudgetExceeded) -> Self {
        Self::other(exceeded)
    }
}
