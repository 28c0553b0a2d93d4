//! Table of workflows. Workflows are immutable: inserted once, never updated.

use super::SqliteStore;
use crate::clock::Timestamp;
use crate::domain::Workflow;
use crate::store::{Page, Result, WorkflowStore};
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

    async fn workflows(&self, page: Page) -> Result<Vec<Workflow>> {
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let mut after = page.after.unwrap_or_default();
        let mut workflows = Vec::new();
        loop {
            let rows = sqlx::query_as(
                "SELECT name, definition FROM workflows WHERE name > ?1 ORDER BY name LIMIT ?2",
            );
            let rows: Vec<(String, String)> =
                rows.bind(&after).bind(page.limit).fetch_all(&self.readers).await?;
            let is_last = rows.len() < limit;
            for (name, definition) in rows {
                match serde_json::from_str(&definition) {
                    Ok(workflow) => workflows.push(workflow),
                    Err(error) => {
                        tracing::warn!(name, %error, "this version cannot read the workflow");
                    }
                }
                after = name;
            }
            if is_last || workflows.len() >= limit {
                workflows.truncate(limit);
                return Ok(workflows);
            }
        }
    }
}
