//! What the webhook remembers: open incidents, and signatures that may not come again.

use super::SqliteStore;
use super::runs::insert;
use crate::clock::Timestamp;
use crate::store::{Admitted, Alert, Result};
use sqlx::Row;
use std::sync::Arc;

impl SqliteStore {
    pub(super) async fn insert_alert(&self, alert: Alert) -> Result<Admitted> {
        let alert = Arc::new(alert);
        self.writer
            .write("INSERT INTO incidents", move |connection| {
                let alert = Arc::clone(&alert);
                Box::pin(async move {
                    let now = Timestamp::now();
                    let open =
                        sqlx::query("SELECT last_run_id, last_run_at FROM incidents WHERE fingerprint = ?1")
                            .bind(&alert.fingerprint)
                            .fetch_optional(&mut *connection)
                            .await?;
                    match (&open, alert.firing) {
                        (None, false) => return Ok(Admitted::Nothing),
                        (Some(row), true) => {
                            let last: i64 = row.try_get("last_run_at")?;
                            if now.0.saturating_sub(last) < alert.remind_after_ms {
                                return Ok(Admitted::Deduplicated(row.try_get("last_run_id")?));
                            }
                        }
                        (None, true) | (Some(_), false) => {}
                    }
                    let run = insert(connection, &alert.run, now).await?;
                    if alert.firing {
                        sqlx::query(
                            "INSERT INTO incidents VALUES (?1, ?2, ?3) ON CONFLICT (fingerprint) \
                             DO UPDATE SET last_run_id = ?2, last_run_at = ?3",
                        )
                        .bind(&alert.fingerprint)
                        .bind(&run.id)
                        .bind(now.0)
                        .execute(connection)
                        .await?;
                    } else {
                        sqlx::query("DELETE FROM incidents WHERE fingerprint = ?1")
                            .bind(&alert.fingerprint)
                            .execute(connection)
                            .await?;
                    }
                    Ok(Admitted::Started(run))
                })
            })
            .await
    }

    pub(super) async fn insert_signature(&self, signature: &str, expires: Timestamp) -> Result<bool> {
        let signature = signature.to_owned();
        self.writer
            .write("INSERT INTO seen_signatures", move |connection| {
                let signature = signature.clone();
                Box::pin(async move {
                    sqlx::query("DELETE FROM seen_signatures WHERE expires_at < ?1")
                        .bind(Timestamp::now().0)
                        .execute(&mut *connection)
                        .await?;
                    let done =
                        sqlx::query("INSERT INTO seen_signatures VALUES (?1, ?2) ON CONFLICT DO NOTHING")
                            .bind(signature)
                            .bind(expires.0)
                            .execute(connection)
                            .await?;
                    Ok(done.rows_affected() == 1)
                })
            })
            .await
    }
}
