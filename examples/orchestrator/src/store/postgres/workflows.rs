//! Table of workflows. Workflows are immutable: inserted once, never updated.

use super::{PostgresStore, json, text};
use crate::domain::Workflow;
use crate::store::page::{listed, page};
use crate::store::rules::readable;
use crate::store::{Listed, MAX_PAGE_BYTES, Page, Result, WorkflowStore};
use async_trait::async_trait;
use sqlx::types::Json;

#[async_trait]
impl WorkflowStore for PostgresStore {
    async fn create_workflow(&self, workflow: &Workflow) -> Result<bool> {
        self.write("INSERT INTO workflows", workflow.clone(), |transaction, workflow| {
            Box::pin(async move {
                let now = transaction.now;
                let insert = sqlx::query(
                    "INSERT INTO workflows VALUES ($1, $2::json, $3) ON CONFLICT DO NOTHING",
                );
                let insert = insert.bind(text(&workflow.name)).bind(json(workflow)?).bind(now);
                Ok(insert.execute(&mut **transaction).await?.rows_affected() == 1)
            })
        })
        .await
    }

    async fn workflow(&self, name: &str) -> Result<Option<Workflow>> {
        let found = sqlx::query_scalar("SELECT definition FROM workflows WHERE name = $1");
        let found: Option<Json<_>> =
            self.read(found.bind(text(name)).fetch_optional(&self.db)).await?;
        Ok(found.map(|Json(workflow)| workflow))
    }

    async fn workflows(&self, page: Page) -> Result<Listed<Workflow>> {
        let rows = sqlx::query(page!(
            "(SELECT name, definition::text AS definition FROM workflows) AS definitions",
            "name > $1",
            "name",
            "octet_length(definition)",
            "$2",
            "$3"
        ));
        let after = page.after.unwrap_or_default();
        let rows = rows.bind(text(&after)).bind(i64::from(page.limit));
        let rows = rows.bind(i64::from(MAX_PAGE_BYTES)).fetch_all(&self.db);
        Ok(readable(listed(&self.read(rows).await?, "name")?))
    }
}
