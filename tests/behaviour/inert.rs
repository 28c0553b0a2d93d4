//! Annotated functions without installed telemetry.

struct Worker {
    model: String,
}

impl Worker {
    #[hub_otel::instrument_agent(id = node, action = "scan", fields(model = self.model, attempt, plan = ?plan))]
    async fn scan(&self, node: &str, attempt: u32, plan: Vec<u8>) -> Result<usize, std::io::Error> {
        Ok(node.len() + attempt as usize + plan.len())
    }
}

#[hub_otel::instrument_workflow]
async fn nightly() -> u32 {
    7
}

#[tokio::test]
async fn without_telemetry_values_are_what_they_were() {
    let worker = Worker { model: "m".to_owned() };
    assert_eq!(worker.scan("node", 1, vec![1, 2]).await.unwrap(), 7);
    assert_eq!(nightly().await, 7);
}
