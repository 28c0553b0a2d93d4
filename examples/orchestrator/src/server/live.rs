//! The live view on the port of the API, by the same rules: without a token on loopback, with
//! HUB_API_TOKEN if it is set; actions only from pages of this server.

use super::args::ServeArgs;
use crate::domain::{Approval, Decision};
use crate::engine::Engine;
use crate::security::Secrets;
use crate::store::{Decided, Page, Resolution};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{self, Next};
use futures_util::StreamExt as _;
use hub_otel::live;
use hub_otel::{Telemetry, TelemetryBuilder};
use secrecy::ExposeSecret as _;
use std::net::SocketAddr;
use tokio::sync::watch;

/// Approvals that the page lists, the newest.
const MAX_APPROVALS: u32 = 100;

/// Switches the view on.
pub(super) fn configure(
    builder: TelemetryBuilder,
    args: &ServeArgs,
    secrets: &Secrets,
) -> TelemetryBuilder {
    let builder = builder
        .live_embedded()
        .live_hosts(args.allowed_host.iter().map(String::as_str).chain(["localhost"]));
    let tokens: Vec<&str> = secrets.api_tokens.iter().map(|token| token.expose_secret()).collect();
    if tokens.is_empty() {
        builder.live_without_token()
    } else {
        builder.live_token(tokens.join(","))
    }
}

/// Returns the router of the view. Its streams end when the server stops.
pub(super) fn router(telemetry: &Telemetry, stopped: watch::Receiver<bool>) -> Router {
    telemetry.live_router().layer(middleware::from_fn(move |request: Request, next: Next| {
        let mut stopped = stopped.clone();
        async move {
            let response = next.run(request).await;
            response.map(|body| {
                let stop = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
                Body::from_stream(body.into_data_stream().take_until(Box::pin(stop)))
            })
        }
    }))
}

/// Registers approvals, decisions and cancellations.
pub(super) fn register(telemetry: &Telemetry, engine: &Engine, api: SocketAddr) {
    let (list, decide, cancel) = (engine.clone(), engine.clone(), engine.clone());
    // The scanner waits before it reads: the page shows the run while it executes.
    let hint = format!(
        "curl -X POST http://{api}/api/workflows/scan-and-notify/trigger \\
    -H 'content-type: application/json' -d '{{\"contextJson\":{{\"hold_ms\":8000}}}}'"
    );
    let application = live::Application::new()
        .hint(hint)
        .approvals(move || pending(list.clone()))
        .decide(move |decision| decide_one(decide.clone(), decision))
        .cancel(move |run| cancel_run(cancel.clone(), run));
    telemetry.live_application(application);
}

async fn pending(engine: Engine) -> Vec<live::Approval> {
    let page = Page { limit: MAX_APPROVALS, after: None };
    match engine.store().approvals(Some(Decision::Pending), page).await {
        Ok(page) => page.entries.into_iter().map(to_live).collect(),
        Err(error) => {
            tracing::warn!(%error, "cannot list the pending approvals");
            Vec::new()
        }
    }
}

fn to_live(approval: Approval) -> live::Approval {
    let subject = format!("{} · {}", approval.agent, approval.action);
    live::Approval::new(approval.id, approval.run_id, approval.requested_at.system_time())
        .workflow(approval.workflow)
        .subject(subject)
        .input(serde_json::to_string(&approval.input).unwrap_or_default())
}

async fn decide_one(engine: Engine, decision: live::Decision) -> Result<(), String> {
    let resolution = Resolution {
        decision: if decision.is_approved { Decision::Approved } else { Decision::Rejected },
        responded_by: decision.by,
        notes: None,
    };
    match engine.decide(&decision.id, resolution).await {
        Ok(Decided::Now(_)) => Ok(()),
        Ok(Decided::Already(approval)) => {
            Err(format!("the approval is already decided: {}", approval.decision.as_str()))
        }
        Ok(Decided::Expired(approval)) => {
            Err(format!("the approval expired at {}", approval.expires_at))
        }
        Ok(Decided::Unknown) => Err("the approval does not exist".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

async fn cancel_run(engine: Engine, run: String) -> Result<(), String> {
    engine.cancel(&run).await.map_err(|error| error.to_string())
}
