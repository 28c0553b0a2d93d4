//! Table of workflows. Workflows are immutable: inserted once, never updated.

use super::SqliteStore;
use crate::clock::Timestamp;
use crate::domain::Workflow;
use crate::store::page::{listed, page};
use crate::store::rules::readable;
use crate::store::{Listed, MAX_PAGE_BYTES, Page, Result, WorkflowStore};
use async_trait::async_trait;
use sqlx::types::Json;

#[async_trait]
impl WorkflowStore for SqliteStore {
    async fn create_workflow(&self, workflow: &Workflow) -> Result<bool> {
        self.writer
            .write("INSERT INTO workflows", workflow.clone(), |connection, workflow| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "INSERT INTO workflows VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                    )
                    .bind(&workflow.name)
                    .bind(Json(workflow))
                    .bind(Timestamp::now())
                    .execute(connection)
                    .await?;
                    Ok(done.rows_affected() == 1)
                })
            })
            .await
    }

    async fn workflow(&self, name: &str) -> Result<Option<Workflow>> {
        let found: Option<Json<_>> =
            sqlx::query_scalar("SELECT definition FROM workflows WHERE name = ?1")
                .bind(name)
                .fetch_optional(&self.readers)
                .await?;
        Ok(found.map(|Json(workflow)| workflow))
    }

    async fn workflows(&self, page: Page) -> Result<Listed<Workflow>> {
        let rows = sqlx::query(page!(
            "workflows",
            "name > ?1",
            "name",
            "octet_length(definition)",
            "?2",
            "?3"
        ));
        let rows = rows.bind(page.after.unwrap_or_default()).bind(page.limit).bind(MAX_PAGE_BYTES);
        let rows = rows.fetch_all(&self.readers).await?;
        Ok(readable(listed(&rows, "name")?))
    }
}
