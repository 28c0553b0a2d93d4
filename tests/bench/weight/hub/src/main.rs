//! The service with hub-otel: examples/quickstart.

#[hub_otel::instrument_workflow(trigger = "schedule")]
async fn nightly_report(customer: &str) -> Result<usize, std::io::Error> {
    let summary = summarise(customer).await?;
    Ok(summary.len())
}

#[hub_otel::instrument_agent(action = "summarise", fields(customer))]
async fn summarise(customer: &str) -> Result<String, std::io::Error> {
    Ok(format!("nothing to report for {customer}"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = hub_otel::init!()?;
    nightly_report("acme").await?;
    telemetry.shutdown().await;
    Ok(())
}
