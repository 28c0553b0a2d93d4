//! Refusal of a call by the budget of its run: the body is not run, and the error is returned.

use crate::budget::BudgetExceeded;
use crate::budget::account::CallKind;
use crate::semconv::error_type;
use crate::unit::{call, stack};
use crate::unit_kind::UnitKind;
use futures_core::Stream;
use std::borrow::Cow;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Admits the call that the current unit is, to the budget of its run. A call that is not admitted
/// ends FAILED and is not counted.
///
/// # Errors
/// A limit of the budget is reached.
pub(crate) fn admit_current() -> Result<(), BudgetExceeded> {
    let Some(unit) = stack::current_unit() else { return Ok(()) };
    let kind = match unit.kind {
        UnitKind::Llm => CallKind::Llm,
        UnitKind::Tool => CallKind::Tool,
        UnitKind::Workflow | UnitKind::Agent => return Ok(()),
    };
    let Some(account) = &unit.spending.account else { return Ok(()) };
    let mut late = unit.change_late();
    let Some(call) = late.as_mut().and_then(|late| late.call.as_mut()) else { return Ok(()) };
    if let Some(exceeded) = &call.refused {
        return Err(**exceeded);
    }
    if !call.needs_admission(kind) {
        return Ok(());
    }
    let operation = call.operation();
    // Unlocked meanwhile: the warning of an account is an event of the subscriber.
    drop(late);
    if call::is_admitted_by_outer(&unit, operation.as_str()) {
        return Ok(());
    }
    let admitted = account.admit(kind);
    let Some(mut late) = unit.change_late() else { return admitted.map(drop) };
    let Some(call) = late.call.as_mut() else { return Ok(()) };
    match admitted {
        Ok(admission) => {
            call.admission = Some(admission);
            Ok(())
        }
        Err(exceeded) => {
            call.refused = Some(Box::new(exceeded));
            late.outcome().failed = Some(Cow::Borrowed(error_type::BUDGET_EXCEEDED));
            drop(late);
            call::refuse_outer(&unit, operation.as_str(), exceeded);
            Err(exceeded)
        }
    }
}

/// Output `T` of a function that is a call, for autoref specialization: only a `Result` with an
/// error that is `From<BudgetExceeded>` can represent a refusal.
pub struct Refusal<T>(PhantomData<fn() -> T>);

impl<T> Refusal<T> {
    /// Creates the value whose methods depend on `T`.
    #[expect(clippy::new_without_default, reason = "generated code only")]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

/// Admits the call that the current unit is. Returns the output, or the item, of a refused one.
pub type Admit<T> = fn() -> Option<T>;

/// An output, or an item, that can represent a refusal.
pub trait RefusableCall<T> {
    /// Admits the call. Returns the output of a refused one.
    fn hub_otel_admit(&self) -> Option<T>;

    /// Returns the function that admits the call later.
    fn hub_otel_admission(&self) -> Option<Admit<T>>;
}

/// Admits the call that the current unit is. Returns the error of a refused one.
pub(super) fn admit_result<T, E: From<BudgetExceeded>>() -> Option<Result<T, E>> {
    admit_current().err().map(|exceeded| Err(exceeded.into()))
}

impl<T, E: From<BudgetExceeded>> RefusableCall<Result<T, E>> for &Refusal<Result<T, E>> {
    fn hub_otel_admit(&self) -> Option<Result<T, E>> {
        admit_result()
    }

    fn hub_otel_admission(&self) -> Option<Admit<Result<T, E>>> {
        Some(admit_result)
    }
}

/// Implements [`RefusableCall`] for a boxed stream, which represents a refusal by one error.
macro_rules! refuse_by_boxed_stream {
    ($($bounds:tt)*) => {
        impl<'a, T: 'a, E: From<BudgetExceeded> + 'a>
            RefusableCall<Pin<Box<dyn Stream<Item = Result<T, E>> $($bounds)* + 'a>>>
            for &Refusal<Pin<Box<dyn Stream<Item = Result<T, E>> $($bounds)* + 'a>>>
        {
            fn hub_otel_admit(
                &self,
            ) -> Option<Pin<Box<dyn Stream<Item = Result<T, E>> $($bounds)* + 'a>>> {
                Some(Box::pin(refuse_stream()?))
            }

            fn hub_otel_admission(
                &self,
            ) -> Option<Admit<Pin<Box<dyn Stream<Item = Result<T, E>> $($bounds)* + 'a>>>> {
                Some(|| Some(Box::pin(refuse_stream()?)))
            }
        }
    };
}

refuse_by_boxed_stream!();
refuse_by_boxed_stream!(+ Send);

/// Any other output: the call is made, and charged at its end.
pub trait OtherCall<T> {
    /// Returns `None`.
    fn hub_otel_admit(&self) -> Option<T>;

    /// Returns `None`.
    fn hub_otel_admission(&self) -> Option<Admit<T>>;
}

impl<T> OtherCall<T> for Refusal<T> {
    fn hub_otel_admit(&self) -> Option<T> {
        None
    }

    fn hub_otel_admission(&self) -> Option<Admit<T>> {
        None
    }
}

/// The stream of a refused call: one error.
struct RefusedStream<T, E> {
    exceeded: Option<BudgetExceeded>,
    item: PhantomData<fn() -> (T, E)>,
}

impl<T, E> RefusedStream<T, E> {
    fn new(exceeded: BudgetExceeded) -> Self {
        Self { exceeded: Some(exceeded), item: PhantomData }
    }
}

impl<T, E: From<BudgetExceeded>> Stream for RefusedStream<T, E> {
    type Item = Result<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.exceeded.take().map(|exceeded| Err(exceeded.into())))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let items = usize::from(self.exceeded.is_some());
        (items, Some(items))
    }
}

/// Refuses the call that the current unit is, by a boxed stream.
fn refuse_stream<T, E>() -> Option<RefusedStream<T, E>> {
    admit_current().err().map(RefusedStream::new)
}
