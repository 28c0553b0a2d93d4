//! Tables of open incidents and used signatures.

use super::statements::{insert_run, take_slot};
use super::{PostgresStore, text};
use crate::clock::Timestamp;
use crate::store::rules::deduplicated;
use crate::store::{Admission, Admitted, AlertRequest, IncidentStore, Result};
use async_trait::async_trait;
use std::time::Duration;

/// Two alerts of one incident are admitted one after the other, also if it has no row yet.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('incident ' || $1, 0))";
/// Deletes expired signatures. Those that another process deletes are skipped.
const FORGET: &str = "DELETE FROM seen_signatures WHERE signature IN (SELECT signature \
    FROM seen_signatures WHERE expires_at < $1 FOR UPDATE SKIP LOCKED)";
/// Maximum difference between the clocks of the process and of the database. A signature is kept so
/// much longer, because the process compares its time stamp.
const CLOCK_DIFFERENCE: Duration = Duration::from_secs(3600);

#[async_trait]
impl IncidentStore for PostgresStore {
    async fn admit_alert(
        &self,
        alert: AlertRequest,
        admission: Admission,
    ) -> Result<Option<Admitted>> {
        self.write(
            "INSERT INTO incidents",
            (alert, admission),
            |transaction, (alert, admission)| {
                Box::pin(async move {
                    let (now, fingerprint) = (transaction.now, text(&alert.fingerprint));
                    sqlx::query(LOCK).bind(&fingerprint).execute(&mut **transaction).await?;
                    let open = sqlx::query_as(
                        "SELECT last_run_id, last_run_at FROM incidents WHERE fingerprint = $1",
                    );
                    let open = open.bind(&fingerprint).fetch_optional(&mut **transaction).await?;
                    if let Some(admitted) = deduplicated(alert, open, now) {
                        return Ok(Some(admitted));
                    }
                    let run = insert_run(transaction, &alert.run, &admission.owner).await?;
                    // `None` is impossible: the run of an alert has no idempotency key.
                    let run = run.ok_or(sqlx::Error::RowNotFound)?;
                    if alert.firing {
                        let remember = sqlx::query(
                            "INSERT INTO incidents VALUES ($1, $2, $3) ON CONFLICT (fingerprint) \
                         DO UPDATE SET last_run_id = $2, last_run_at = $3",
                        );
                        let remember = remember.bind(&fingerprint).bind(&run.id).bind(now);
                        remember.execute(&mut **transaction).await?;
                    } else {
                        let forget = sqlx::query("DELETE FROM incidents WHERE fingerprint = $1");
                        forget.bind(&fingerprint).execute(&mut **transaction).await?;
                    }
                    if take_slot(transaction, admission).await? {
                        return Ok(Some(Admitted::Started(run)));
                    }
                    transaction.discard();
                    Ok(None)
                })
            },
        )
        .await
    }

    async fn remember_signature(&self, signature: &str, expires: Timestamp) -> Result<bool> {
        let arguments = (signature.to_owned(), expires);
        self.write("INSERT INTO seen_signatures", arguments, |transaction, arguments| {
            Box::pin(async move {
                let (signature, expires) = arguments;
                let before = transaction.now.before(CLOCK_DIFFERENCE);
                sqlx::query(FORGET).bind(before).execute(&mut **transaction).await?;
                let insert = sqlx::query(
                    "INSERT INTO seen_signatures VALUES ($1, $2) ON CONFLICT DO NOTHING",
                );
                let insert = insert.bind(text(signature)).bind(*expires);
                Ok(insert.execute(&mut **transaction).await?.rows_affected() == 1)
            })
        })
        .await
    }
}
