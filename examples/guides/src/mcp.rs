//! Tool calls of the Model Context Protocol as units on both sides, in one trace: to copy.
//!
//! The client's call and the server's execution are tools named `tools/call {name}`, with the
//! attributes of the semantic conventions for MCP. The context travels in `_meta` of the request
//! (SEP-414), which crosses stdio and HTTP alike.

use hub_otel::otel::opentelemetry::trace::get_active_span;
use hub_otel::propagation::{RemoteContext, extract_run, inject_run};
use hub_otel::{SpanKind, Tool, current, tool};
use rmcp::ErrorData;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, RequestMetaObject, RequestParamsMeta,
};
use rmcp::service::{Peer, RequestContext, RoleClient, RoleServer, ServiceError};
use std::collections::HashMap;

/// The error type of a result with `isError`.
const TOOL_ERROR: &str = "tool_error";

/// Describes the call of a tool by MCP. `transport` is `pipe` for stdio, and `tcp` for HTTP.
fn tools_call(name: &str, kind: SpanKind, transport: &str) -> Tool {
    tool(name.to_owned())
        .kind(kind)
        .field("mcp.method.name", "tools/call")
        .field("network.transport", transport.to_owned())
}

/// Names the span of the current unit as the conventions for MCP do.
fn name_span(tool: &str) {
    let name = format!("tools/call {tool}");
    get_active_span(|span| span.update_name(name));
}

/// Calls a tool. The server's part of the trace is below the call.
///
/// # Errors
/// Those of rmcp. A result with `isError` is a failure of the unit and no error.
pub async fn call_tool(
    peer: &Peer<RoleClient>,
    mut params: CallToolRequestParams,
    transport: &str,
) -> Result<CallToolResult, ServiceError> {
    let call = tools_call(&params.name, SpanKind::Client, transport);
    let request = async {
        name_span(&params.name);
        let mut headers = HashMap::new();
        inject_run(&mut headers);
        let header = |name: &str| headers.get(name).cloned();
        if let Some(traceparent) = header("traceparent") {
            params.set_traceparent(&traceparent);
        }
        if let Some(tracestate) = header("tracestate") {
            params.set_tracestate(&tracestate);
        }
        if let Some(baggage) = header("baggage") {
            params.set_baggage(&baggage);
        }
        if let Some(version) = peer.peer_info().map(|info| info.protocol_version.to_string()) {
            current().record("mcp.protocol.version", version);
        }
        if let Some(arguments) = &params.arguments {
            current().tool_arguments(serde_json::to_string(arguments).unwrap_or_default());
        }
        let result = peer.call_tool(params).await;
        if let Ok(result) = &result {
            record_result(result);
        }
        result
    };
    call.run_with(request, |result, unit| unit.by_error_type(result)).await
}

fn record_result(result: &CallToolResult) {
    if result.is_error == Some(true) {
        current().set_failed(TOOL_ERROR);
    }
    if current().captures_content() {
        current().tool_call_result(serde_json::to_string(&result.content).unwrap_or_default());
    }
}

/// Runs `call`, the call of a tool in a server, as a unit below the client's call.
///
/// # Errors
/// Those of `call`.
pub async fn serve_tool(
    name: String,
    transport: &str,
    context: &RequestContext<RoleServer>,
    call: impl Future<Output = Result<CallToolResponse, ErrorData>>,
) -> Result<CallToolResponse, ErrorData> {
    let unit = tools_call(&name, SpanKind::Server, transport)
        .parent(caller(&context.meta))
        .field("jsonrpc.request.id", context.id.to_string());
    let served = async {
        name_span(&name);
        let response = call.await;
        if let Ok(CallToolResponse::Complete(result)) = &response {
            record_result(result);
        }
        response
    };
    unit.run_with(served, |result, unit| unit.by_error_type(result)).await
}

/// Reads the context and the run that the client sent.
fn caller(meta: &RequestMetaObject) -> RemoteContext {
    let fields = [
        ("traceparent", meta.get_traceparent()),
        ("tracestate", meta.get_tracestate()),
        ("baggage", meta.get_baggage()),
    ];
    let headers: HashMap<String, String> = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    extract_run(&headers)
}
