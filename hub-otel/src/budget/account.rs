//! Account of a budget: one per unit with `budget(…)`, shared by everything below it.

use crate::budget::{Budget, BudgetExceeded, BudgetLimit, Spent};
use crate::money::Picodollars;
use crate::semconv::{SCOPE, attribute as a, event};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Share of a limit that is reported once.
const WARNING_PERCENT: u128 = 80;

/// Kind of a call that an account admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallKind {
    /// A call of a model.
    Llm,
    /// An execution of a tool.
    Tool,
}

/// Cost and tokens of a call that has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Charge {
    /// `None` if the call has no price.
    pub(crate) cost: Option<Picodollars>,
    pub(crate) tokens: u64,
}

/// Remedies for a call that a budget cannot refuse.
pub(crate) mod remedy {
    /// The call is a unit.
    pub(crate) const UNIT: &str = "implement `From<hub_otel::BudgetExceeded>` for the error, \
                                   call `run_in_budget` in place of `run`, \
                                   `run_stream_in_budget` in place of `run_stream`, \
                                   or set `OpenAiLayer::refuse_over_budget`";
    /// Another library makes the call.
    pub(crate) const FOREIGN: &str = "call `hub_otel::current().check_budget()?` before it";
}

/// Account of one budget.
#[derive(Debug)]
pub(crate) struct Account {
    budget: Budget,
    /// Account of the budget around this one. Charged too.
    outer: Option<Arc<Account>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    spent: Spent,
    /// Calls of models in progress.
    in_flight: u64,
    /// Largest cost and number of tokens of a call: the estimate for those in progress.
    largest_picodollars: u64,
    largest_tokens: u64,
    has_warned: bool,
    /// A call past a limit was reported.
    has_reported_excess: bool,
}

impl Account {
    /// Opens an account that continues `spent`. The average of its calls is the first estimate.
    pub(crate) fn new(budget: Budget, spent: Spent, outer: Option<Arc<Self>>) -> Arc<Self> {
        let average = |total: u64| match spent.llm_calls {
            0 => 0,
            calls => total.div_ceil(calls),
        };
        let state = State {
            largest_picodollars: average(spent.picodollars),
            largest_tokens: average(spent.tokens),
            spent,
            ..State::default()
        };
        Arc::new(Self { budget, outer, state: Mutex::new(state) })
    }

    pub(crate) fn budget(&self) -> Budget {
        self.budget
    }

    pub(crate) fn spent(&self) -> Spent {
        self.lock().spent
    }

    /// Admits a call, in this account and those around it.
    ///
    /// # Errors
    /// A limit is reached.
    pub(crate) fn admit(self: &Arc<Self>, call: CallKind) -> Result<Admission, BudgetExceeded> {
        let mut admitted = Vec::new();
        for account in self.chain() {
            if let Err(exceeded) = account.admit_here(call) {
                admitted.into_iter().for_each(|account: &Self| account.withdraw(call));
                return Err(exceeded);
            }
            admitted.push(account);
        }
        self.warn();
        Ok(Admission { account: Arc::clone(self), call, charge: Charge::default() })
    }

    /// Returns the error of the next call, which is not admitted.
    ///
    /// # Errors
    /// A limit is reached.
    pub(crate) fn check(&self, call: CallKind) -> Result<(), BudgetExceeded> {
        self.chain().try_for_each(|account| account.lock().check(&account.budget, call))
    }

    /// Charges a call that was not admitted, because it cannot be refused. The first one past a
    /// limit is reported with the `remedy`.
    pub(crate) fn charge(&self, call: CallKind, charge: Charge, remedy: &str) {
        for account in self.chain() {
            let mut state = account.lock();
            let excess = if state.has_reported_excess {
                None
            } else {
                state.reached(&account.budget, call, 0)
            };
            state.has_reported_excess |= excess.is_some();
            state.count(call, 1);
            state.add(charge);
            drop(state);
            if let Some(limit) = excess {
                account.report_excess(limit, remedy);
            }
        }
        self.warn();
    }

    #[cold]
    fn report_excess(&self, limit: BudgetLimit, remedy: &str) {
        let spent = self.spent();
        let limits = limits(&spent, &self.budget);
        let amounts = limits.into_iter().find(|(kind, ..)| *kind == limit);
        let (used, max) = amounts.map_or((0, 0), |(_, used, max)| (used, max.unwrap_or_default()));
        tracing::event!(
            name: event::BUDGET_EXCEEDED, target: SCOPE, tracing::Level::WARN, {
                { a::BUDGET_LIMIT } = limit.as_str(),
                { a::BUDGET_USED } = amount(limit, used),
                { a::BUDGET_MAX } = amount(limit, max),
                { a::BUDGET_REMEDY } = remedy,
            }, "{}", event::BUDGET_EXCEEDED
        );
    }

    fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |account| account.outer.as_deref())
    }

    fn admit_here(&self, call: CallKind) -> Result<(), BudgetExceeded> {
        let mut state = self.lock();
        state.check(&self.budget, call)?;
        state.count(call, 1);
        if call == CallKind::Llm {
            state.in_flight += 1;
        }
        Ok(())
    }

    /// Takes back an admission that another account refused.
    fn withdraw(&self, call: CallKind) {
        let mut state = self.lock();
        match call {
            CallKind::Llm => {
                state.spent.llm_calls = state.spent.llm_calls.saturating_sub(1);
                state.in_flight = state.in_flight.saturating_sub(1);
            }
            CallKind::Tool => state.spent.tool_calls = state.spent.tool_calls.saturating_sub(1),
        }
    }

    fn end_call(&self, call: CallKind, charge: Charge) {
        for account in self.chain() {
            let mut state = account.lock();
            if call == CallKind::Llm {
                state.in_flight = state.in_flight.saturating_sub(1);
            }
            state.add(charge);
        }
        self.warn();
    }

    /// Logs a warning, once per account, when a limit is nearly reached.
    fn warn(&self) {
        for account in self.chain() {
            let mut state = account.lock();
            if state.has_warned {
                continue;
            }
            let Some((limit, used, max)) = state.nearly_reached(&account.budget) else { continue };
            state.has_warned = true;
            drop(state);
            tracing::event!(
                name: event::BUDGET_WARNING, target: SCOPE, tracing::Level::WARN, {
                    { a::BUDGET_LIMIT } = limit.as_str(),
                    { a::BUDGET_USED } = used,
                    { a::BUDGET_MAX } = max,
                }, "{}", event::BUDGET_WARNING
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check(&self, budget: &Budget, call: CallKind) -> Result<(), BudgetExceeded> {
        match self.reached(budget, call, self.in_flight) {
            Some(limit) => Err(BudgetExceeded { limit, budget: *budget, spent: self.spent }),
            None => Ok(()),
        }
    }

    /// Returns a limit that is reached, if each call `in_flight` costs as much as the largest one.
    fn reached(&self, budget: &Budget, call: CallKind, in_flight: u64) -> Option<BudgetLimit> {
        let is_reached = |limit: Option<u64>, spent: u64, largest: u64| {
            let estimate = spent.saturating_add(in_flight.saturating_mul(largest));
            limit.is_some_and(|limit| estimate >= limit)
        };
        let spent = &self.spent;
        if is_reached(budget.picodollars, spent.picodollars, self.largest_picodollars) {
            return Some(BudgetLimit::Usd);
        }
        if is_reached(budget.tokens, spent.tokens, self.largest_tokens) {
            return Some(BudgetLimit::Tokens);
        }
        let (kind, limit, calls) = match call {
            CallKind::Llm => (BudgetLimit::LlmCalls, budget.llm_calls, spent.llm_calls),
            CallKind::Tool => (BudgetLimit::ToolCalls, budget.tool_calls, spent.tool_calls),
        };
        is_reached(limit, calls, 0).then_some(kind)
    }

    fn count(&mut self, call: CallKind, calls: u64) {
        let count = match call {
            CallKind::Llm => &mut self.spent.llm_calls,
            CallKind::Tool => &mut self.spent.tool_calls,
        };
        *count = count.saturating_add(calls);
    }

    fn add(&mut self, charge: Charge) {
        let picodollars = charge.cost.unwrap_or_default().0;
        self.spent.picodollars = self.spent.picodollars.saturating_add(picodollars);
        self.spent.tokens = self.spent.tokens.saturating_add(charge.tokens);
        self.largest_picodollars = self.largest_picodollars.max(picodollars);
        self.largest_tokens = self.largest_tokens.max(charge.tokens);
    }

    /// Returns a limit of which the share for a warning is used, with the amount and the limit.
    fn nearly_reached(&self, budget: &Budget) -> Option<(BudgetLimit, f64, f64)> {
        limits(&self.spent, budget).into_iter().find_map(|(kind, used, limit)| {
            let limit = limit.filter(|limit| {
                u128::from(used) * 100 >= u128::from(*limit) * WARNING_PERCENT && used > 0
            })?;
            Some((kind, amount(kind, used), amount(kind, limit)))
        })
    }
}

/// Returns each limit with what is spent of it.
fn limits(spent: &Spent, budget: &Budget) -> [(BudgetLimit, u64, Option<u64>); 4] {
    [
        (BudgetLimit::Usd, spent.picodollars, budget.picodollars),
        (BudgetLimit::Tokens, spent.tokens, budget.tokens),
        (BudgetLimit::LlmCalls, spent.llm_calls, budget.llm_calls),
        (BudgetLimit::ToolCalls, spent.tool_calls, budget.tool_calls),
    ]
}

/// Returns a number of a limit in its unit.
fn amount(limit: BudgetLimit, number: u64) -> f64 {
    match limit {
        BudgetLimit::Usd => Picodollars(number).usd(),
        BudgetLimit::Tokens | BudgetLimit::LlmCalls | BudgetLimit::ToolCalls => number as f64,
    }
}

/// An admitted call in progress. Its end charges the account.
#[derive(Debug)]
#[must_use = "the call ends when it is dropped"]
pub(crate) struct Admission {
    account: Arc<Account>,
    call: CallKind,
    charge: Charge,
}

impl Admission {
    /// Ends the call with what it has spent.
    pub(crate) fn end(mut self, charge: Charge) {
        self.charge = charge;
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.account.end_call(self.call, self.charge);
    }
}

#[cfg(test)]
mod tests;
