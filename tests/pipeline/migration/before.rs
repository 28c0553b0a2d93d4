//! The service before hub-otel: each function is a span of `tracing`.

use super::{Unreachable, spawn};

#[tracing::instrument(skip_all)]
pub(super) async fn nightly(customers: &[&str]) -> usize {
    let customers = load(customers).await;
    let invoices: Vec<_> = customers.into_iter().map(|name| spawn(invoice(name))).collect();
    let mut sent = 0;
    for invoice in invoices {
        sent += usize::from(invoice.await.expect("no panic").is_ok());
    }
    archive(sent).await;
    sent
}

#[tracing::instrument(skip_all)]
async fn load(customers: &[&str]) -> Vec<String> {
    tokio::task::yield_now().await;
    customers.iter().map(ToString::to_string).collect()
}

#[tracing::instrument(skip_all, fields(customer = %customer), err)]
async fn invoice(customer: String) -> Result<(), Unreachable> {
    let usage = usage(&customer).await;
    let text = render(price(usage)).await;
    deliver(&customer, &text).await
}

#[tracing::instrument(skip_all)]
async fn usage(customer: &str) -> u64 {
    let (calls, storage) = (spawn(query("calls")), spawn(query("storage")));
    let rows = [calls.await.expect("no panic"), storage.await.expect("no panic")];
    parse(&rows) * u64::try_from(customer.len()).unwrap_or(1)
}

#[tracing::instrument(skip_all, fields(table))]
async fn query(table: &'static str) -> String {
    tokio::task::yield_now().await;
    table.len().to_string()
}

#[tracing::instrument(skip_all)]
fn parse(rows: &[String]) -> u64 {
    rows.iter().filter_map(|row| row.parse::<u64>().ok()).sum()
}

#[tracing::instrument(skip_all)]
fn price(usage: u64) -> u64 {
    discount(usage * 3)
}

#[tracing::instrument(skip_all, fields(cents))]
fn discount(cents: u64) -> u64 {
    tracing::info!("discounted");
    cents - cents / 10
}

#[tracing::instrument(skip_all)]
async fn render(cents: u64) -> String {
    tokio::task::yield_now().await;
    format!("{cents} cents")
}

#[tracing::instrument(skip_all, fields(customer = %customer), err)]
async fn deliver(customer: &str, text: &str) -> Result<(), Unreachable> {
    tokio::task::yield_now().await;
    if customer.is_empty() || text.is_empty() { Err(Unreachable) } else { Ok(()) }
}

#[tracing::instrument(skip_all, fields(sent))]
async fn archive(sent: usize) {
    tokio::task::yield_now().await;
    let _ = sent;
}
