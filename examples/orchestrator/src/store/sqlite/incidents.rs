//! Tables of open incidents and used signatures.

use super::SqliteStore;
use super::statements::{insert_run, take_slot};
use crate::clock::Timestamp;
use crate::store::rules::deduplicated;
use crate::store::{Admission, Admitted, AlertRequest, IncidentStore, Result};
use async_trait::async_trait;

#[async_trait]
impl IncidentStore for SqliteStore {
    async fn admit_alert(
        &self,
        alert: AlertRequest,
        admission: Admission,
    ) -> Result<Option<Admitted>> {
        self.writer
            .write("INSERT INTO incidents", (alert, admission), |connection, (alert, admission)| {
                Box::pin(async move {
                    let now = Timestamp::now();
                    let open: Option<(String, Timestamp)> = sqlx::query_as(
                        "SELECT last_run_id, last_run_at FROM incidents WHERE fingerprint = ?1",
                    )
                    .bind(&alert.fingerprint)
                    .fetch_optional(&mut *connection)
                    .await?;
                    if let Some(admitted) = deduplicated(alert, open, now) {
                        return Ok(Some(admitted));
                    }
                    if !take_slot(connection, admission, now).await? {
                        return Ok(None);
                    }
                    let run = insert_run(connection, &alert.run, &admission.owner, now).await?;
                    let remember = if alert.firing {
                        "INSERT INTO incidents VALUES (?1, ?2, ?3) ON CONFLICT (fingerprint) \
                         DO UPDATE SET last_run_id = ?2, last_run_at = ?3"
                    } else {
                        "DELETE FROM incidents WHERE fingerprint = ?1"
                    };
                    let remember = sqlx::query(remember).bind(&alert.fingerprint);
                    let remember =
                        if alert.firing { remember.bind(&run.id).bind(now) } else { remember };
                    remember.execute(connection).await?;
                    Ok(Some(Admitted::Started(run)))
                })
            })
            .await
    }

    async fn remember_signature(&self, signature: &str, expires: Timestamp) -> Result<bool> {
        self.writer
            .write(
                "INSERT INTO seen_signatures",
                (signature.to_owned(), expires),
                |connection, (signature, expires)| {
                    Box::pin(async move {
                        sqlx::query("DELETE FROM seen_signatures WHERE expires_at < ?1")
                            .bind(Timestamp::now())
                            .execute(&mut *connection)
                            .await?;
                        let done = sqlx::query(
                            "INSERT INTO seen_signatures VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                        )
                        .bind(signature)
                        .bind(expires)
                        .execute(connection)
                        .await?;
                        Ok(done.rows_affected() == 1)
                    })
                },
            )
            .await
    }
}
