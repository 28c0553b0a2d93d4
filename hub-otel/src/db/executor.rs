//! The traced implementation of sqlx's `Executor`, shared by the pool and by connections.

use crate::db::operation::Operation;
use crate::db::statement::StatementText;
use crate::db::tracer::StatementTracer;
use futures_core::Stream;
use futures_core::stream::BoxStream;
use sqlx::Database;
use sqlx::Either;
use sqlx::Error;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

/// An item of `Executor::fetch_many`.
pub(super) type RowOrResult<DB> =
    Result<Either<<DB as Database>::QueryResult, <DB as Database>::Row>, Error>;

/// A traced stream of rows. Its span starts with the first poll.
pub(super) struct TracedRows<'e, DB: Database> {
    inner: BoxStream<'e, RowOrResult<DB>>,
    state: StreamState,
}

enum StreamState {
    NotPolled {
        tracer: StatementTracer,
        sql: StatementText,
    },
    Running {
        operation: Operation,
    },
    /// Ended, or not traced.
    Done,
}

impl<'e, DB: Database> TracedRows<'e, DB> {
    pub(super) fn new(
        tracer: StatementTracer,
        sql: StatementText,
        inner: BoxStream<'e, RowOrResult<DB>>,
    ) -> Self {
        Self { inner, state: StreamState::NotPolled { tracer, sql } }
    }
}

impl<DB: Database> Stream for TracedRows<'_, DB> {
    type Item = RowOrResult<DB>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let StreamState::NotPolled { tracer, sql } = &this.state {
            let operation = tracer.start(sql.as_ref());
            this.state =
                operation.map_or(StreamState::Done, |operation| StreamState::Running { operation });
        }
        let StreamState::Running { operation } = &mut this.state else {
            return this.inner.as_mut().poll_next(task);
        };
        let item = ready!(operation.poll(|| this.inner.as_mut().poll_next(task)));
        if let Some(Ok(row_or_result)) = &item {
            if row_or_result.is_right() {
                operation.count_row();
            }
            operation.set_yielded();
        } else if let StreamState::Running { operation } =
            std::mem::replace(&mut this.state, StreamState::Done)
        {
            match &item {
                Some(Err(error)) => operation.fail(error),
                _ => operation.succeed(),
            }
        }
        Poll::Ready(item)
    }
}

/// Implements `Executor` with a [`StatementTracer`] and an inner executor.
///
/// A macro, because the inner executor is borrowed from `self` in each of the methods: its type
/// cannot be named in a generic function.
macro_rules! executor {
    ($self:ident, $tracer:expr, $inner:expr) => {
        type Database = DB;

        fn fetch_many<'e, 'q: 'e, E>(
            $self,
            query: E,
        ) -> futures_core::stream::BoxStream<'e, $crate::db::executor::RowOrResult<DB>>
        where
            'c: 'e,
            E: 'q + sqlx::Execute<'q, DB>,
        {
            let statement = $crate::db::statement::Statement::<DB>::new(query);
            let tracer = $tracer;
            let sql = statement.text();
            let rows = $inner.fetch_many(statement);
            Box::pin($crate::db::executor::TracedRows::<DB>::new(tracer, sql, rows))
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
            let tracer = $tracer;
            let sql = statement.text();
            Box::pin(tracer.trace(sql, Option::is_some, $inner.fetch_optional(statement)))
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
