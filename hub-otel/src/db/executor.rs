//! A call of sqlx's `Executor`, watched: as a stream of rows, and as a future of one answer.

use crate::db::call::Call;
use crate::db::statement::Text;
use crate::db::system::System;
use crate::instrumentation::InstanceSource;
use futures_core::Stream;
use futures_core::stream::BoxStream;
use opentelemetry::trace::SpanContext;
use sqlx::Database;
use sqlx::Either;
use sqlx::Error;
use std::future::Future;
use std::future::poll_fn;
use std::pin::Pin;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

/// What the executors of one database share.
#[derive(Debug, Clone)]
pub(super) struct Watcher {
    pub(super) system: Arc<System>,
    pub(super) target: InstanceSource,
}

impl Watcher {
    fn begin(&self, sql: &str) -> Option<Call> {
        self.begin_linked(sql, Vec::new())
    }

    fn begin_linked(&self, sql: &str, links: Vec<SpanContext>) -> Option<Call> {
        self.target.resolve().map(|instance| Call::begin(instance, &self.system, sql, links))
    }

    /// Watches a transaction on behalf of the statements it links to.
    pub(super) async fn linked<T>(
        self,
        sql: &str,
        links: Vec<SpanContext>,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        watch(self.begin_linked(sql, links), |_| false, future).await
    }

    /// Watches a statement that gives one answer.
    pub(super) async fn answer<T>(
        self,
        sql: impl AsRef<str>,
        rows: impl FnOnce(&T) -> bool,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        watch(self.begin(sql.as_ref()), rows, future).await
    }
}

async fn watch<T>(
    call: Option<Call>,
    rows: impl FnOnce(&T) -> bool,
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let Some(mut call) = call else { return future.await };
    let mut future = pin!(future);
    let result = poll_fn(|task| call.run(|| future.as_mut().poll(task))).await;
    match &result {
        Ok(value) => {
            if rows(value) {
                call.row();
            }
            call.succeeded();
        }
        Err(error) => call.failed(error),
    }
    result
}

pub(super) type Step<DB> =
    Result<Either<<DB as Database>::QueryResult, <DB as Database>::Row>, Error>;

/// A stream of rows whose span opens with its first poll.
pub(super) struct Rows<'e, DB: Database> {
    inner: BoxStream<'e, Step<DB>>,
    state: State,
}

enum State {
    Fresh { watcher: Watcher, sql: Text },
    Running { call: Call },
    Over,
}

impl<'e, DB: Database> Rows<'e, DB> {
    pub(super) fn new(watcher: Watcher, sql: Text, inner: BoxStream<'e, Step<DB>>) -> Self {
        Self { inner, state: State::Fresh { watcher, sql } }
    }
}

impl<DB: Database> Stream for Rows<'_, DB> {
    type Item = Step<DB>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let State::Fresh { watcher, sql } = &this.state {
            this.state =
                watcher.begin(sql.as_ref()).map_or(State::Over, |call| State::Running { call });
        }
        let State::Running { call } = &mut this.state else {
            return this.inner.as_mut().poll_next(task);
        };
        let step = ready!(call.run(|| this.inner.as_mut().poll_next(task)));
        match &step {
            Some(Ok(step)) => {
                if step.is_right() {
                    call.row();
                }
                call.answered();
            }
            None | Some(Err(_)) => {
                if let State::Running { call } = std::mem::replace(&mut this.state, State::Over) {
                    match &step {
                        Some(Err(error)) => call.failed(error),
                        _ => call.succeeded(),
                    }
                }
            }
        }
        Poll::Ready(step)
    }
}

/// Implements `Executor` for a type with a `watcher` and an inner executor.
macro_rules! executor {
    ($self:ident, $watcher:expr, $inner:expr) => {
        type Database = DB;

        fn fetch_many<'e, 'q: 'e, E>(
            $self,
            query: E,
        ) -> futures_core::stream::BoxStream<'e, $crate::db::executor::Step<DB>>
        where
            'c: 'e,
            E: 'q + sqlx::Execute<'q, DB>,
        {
            let statement = $crate::db::statement::Statement::<DB>::new(query);
            let watcher = $watcher;
            let sql = statement.text();
            Box::pin($crate::db::executor::Rows::<DB>::new(watcher, sql, $inner.fetch_many(statement)))
        }

        fn fetch_optional<'e, 'q: 'e, E>(
            $self,
            query: E,
        ) -> futures_core::future::BoxFuture<'e, Result<Option<DB::Row>, sqlx::Error>>
        where
            'c: 'e,
            E: 'q + sqlx::Execute<'q, DB>,
        {
            let statement = $crate::db::statement::Statement::<DB>::new(query);
            let watcher = $watcher;
            let sql = statement.text();
            Box::pin(watcher.answer(sql, Option::is_some, $inner.fetch_optional(statement)))
        }

        fn prepare_with<'e>(
            $self,
            sql: sqlx::SqlStr,
            parameters: &'e [DB::TypeInfo],
        ) -> futures_core::future::BoxFuture<'e, Result<DB::Statement, sqlx::Error>>
        where
            'c: 'e,
        {
            $inner.prepare_with(sql, parameters)
        }

        fn describe<'e>(
            $self,
            sql: sqlx::SqlStr,
        ) -> futures_core::future::BoxFuture<'e, Result<sqlx::Describe<DB>, sqlx::Error>>
        where
            'c: 'e,
        {
            $inner.describe(sql)
        }
    };
}
pub(super) use executor;
