//! The table of workflows. A workflow is immutable: it is inserted once and never updated.

use super::{SqliteStore, corrupt};
use crate::clock::Timestamp;
use crate::domain::Workflow;
use crate::store::{Page, Result};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

impl SqliteStore {
    pub(super) async fn insert_workflow(&self, workflow: &Workflow) -> Result<bool> {
        let definition =
            serde_json::to_string(workflow).map_err(|error| corrupt("workflow", error.to_string()))?;
        let name = workflow.name.clone();
        self.writer
            .write("INSERT INTO workflows", move |connection| {
                let (name, definition) = (name.clone(), definition.clone());
                Box::pin(async move {
                    let done =
                        sqlx::query("INSERT INTO workflows VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")
                            .bind(name)
                            .bind(definition)
                            .bind(Timestamp::now().0)
                            .execute(connection)
                            .await?;
                    Ok(done.rows_affected() == 1)
                })
            })
            .await
    }

    pub(super) async fn select_workflow(&self, name: &str) -> Result<Option<Workflow>> {
        let row = sqlx::query("SELECT definition FROM workflows WHERE name = ?1")
            .bind(name)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(workflow).transpose()
    }

    pub(super) async fn select_workflows(&self, page: Page) -> Result<Vec<Workflow>> {
        let rows = sqlx::query("SELECT definition FROM workflows ORDER BY name LIMIT ?1 OFFSET ?2")
            .bind(page.limit)
            .bind(page.offset)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(workflow).collect()
    }
}

fn workflow(row: &SqliteRow) -> Result<Workflow> {
    let definition: &str = row.try_get("definition")?;
    serde_json::from_str(definition).map_err(|_| corrupt("workflows.definition", definition))
}
