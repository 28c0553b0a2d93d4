//! rmcp 3.11 under hub-otel: a client and two servers, over stdio and over HTTP, in one trace.
//!
//! - `guides::mcp` has both sides to copy: `call_tool` for the client, `serve_tool` for the server.
//! - rmcp carries `traceparent`, `tracestate` and `baggage` in `_meta`: the spans of the servers
//!   are below the client's calls, and belong to its run.
//! - The standard output of a server by stdio belongs to the protocol. hub-otel writes to the
//!   standard error.
//!
//! Run: `OTEL_TRACES_EXPORTER=console cargo run --bin rmcp` prints the trace on stderr.

use guides::mcp::{call_tool, serve_tool};
use hub_otel::{instrument_agent, instrument_workflow};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ServerCapabilities, ServerConfig,
};
use rmcp::service::{Peer, RequestContext, RoleClient, RoleServer, ServiceError};
use rmcp::transport::streamable_http_server::StreamableHttpService;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess, stdio};
use rmcp::{ErrorData, ServerHandler, ServiceExt, tool, tool_handler, tool_router};
use std::error::Error;
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;

type AnyError = Box<dyn Error + Send + Sync>;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Bird {
    name: String,
}

#[derive(Clone)]
struct Birds {
    tool_router: ToolRouter<Self>,
    /// `pipe` or `tcp`.
    transport: &'static str,
}

#[tool_router]
impl Birds {
    fn new(transport: &'static str) -> Self {
        Self { tool_router: Self::tool_router(), transport }
    }

    #[tool(description = "Wingspan of a bird")]
    async fn wingspan(&self, Parameters(bird): Parameters<Bird>) -> Result<String, String> {
        look_up(&bird.name).await.ok_or_else(|| format!("{} is not known", bird.name))
    }
}

#[tool_handler]
impl ServerHandler for Birds {
    /// The method that `tool_handler` writes, as a unit.
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name.to_string();
        let call = ToolCallContext::new(self, request, context.clone());
        serve_tool(name, self.transport, &context, self.tool_router.call(call)).await
    }

    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

/// Runs in the server, inside of the client's trace and run.
#[instrument_agent(id = "catalogue", action = "look_up")]
async fn look_up(bird: &str) -> Option<String> {
    (bird == "heron").then(|| "1.9 m".to_owned())
}

async fn serve_stdio() -> Result<(), AnyError> {
    Birds::new("pipe").serve(stdio()).await?.waiting().await?;
    Ok(())
}

/// Serves until the standard input is closed. Prints the URL.
async fn serve_http() -> Result<(), AnyError> {
    let service = StreamableHttpService::new(
        || Ok(Birds::new("tcp")),
        Arc::new(LocalSessionManager::default()),
        Default::default(),
    );
    let router = axum::Router::new().nest_service("/mcp", service);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/mcp", listener.local_addr()?);
    let server = axum::serve(listener, router);
    let closed = async { tokio::io::stdin().read_to_end(&mut Vec::new()).await };
    tokio::select! {
        served = async { server.await } => served?,
        read = closed => drop(read?),
    }
    Ok(())
}

fn server_program(mode: &str) -> Result<Command, AnyError> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(mode);
    Ok(command)
}

#[instrument_agent(id = "ornithologist", action = "measure")]
async fn measure(
    server: &Peer<RoleClient>,
    bird: &str,
    transport: &str,
) -> Result<CallToolResult, ServiceError> {
    let arguments = serde_json::json!({ "name": bird });
    let arguments = arguments.as_object().cloned().unwrap_or_default();
    let params = CallToolRequestParams::new("wingspan").with_arguments(arguments);
    call_tool(server, params, transport).await
}

#[instrument_workflow(id = "birds")]
async fn birds(
    over_stdio: &Peer<RoleClient>,
    over_http: &Peer<RoleClient>,
) -> Result<(), ServiceError> {
    hub_otel::current().conversation("thread-7");
    let text = |result: &CallToolResult| {
        let text = result.content.first().and_then(|content| content.as_text());
        text.map(|text| text.text.clone()).unwrap_or_default()
    };
    println!("{}", text(&measure(over_stdio, "heron", "pipe").await?));
    println!("{}", text(&measure(over_http, "heron", "tcp").await?));
    // A result that is an error of the tool: its units fail, and the program continues.
    println!("{}", text(&measure(over_http, "dodo", "tcp").await?));
    Ok(())
}

async fn client() -> Result<(), AnyError> {
    let over_stdio = ().serve(TokioChildProcess::new(server_program("stdio")?)?).await?;
    let mut http = server_program("http")?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut url = String::new();
    BufReader::new(http.stdout.as_mut().ok_or("no stdout")?).read_line(&mut url).await?;
    let over_http = ().serve(StreamableHttpClientTransport::from_uri(url.trim())).await?;
    birds(&over_stdio, &over_http).await?;
    over_stdio.cancel().await?;
    over_http.cancel().await?;
    // Its end exports what it recorded.
    drop(http.stdin.take());
    http.wait().await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let telemetry = hub_otel::init!()?;
    let result = match std::env::args().nth(1).as_deref() {
        Some("stdio") => serve_stdio().await,
        Some("http") => serve_http().await,
        _ => client().await,
    };
    telemetry.shutdown().await;
    result
}
