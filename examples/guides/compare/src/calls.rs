//! A call, a stream and a dropped call of each framework, without telemetry of our own.

use crate::{MODEL, TOKENS};
use async_openai::config::OpenAIConfig;
use async_openai::types::chat::{
    ChatCompletionRequestUserMessageArgs, ChatCompletionStreamOptions, CreateChatCompletionRequest,
    CreateChatCompletionRequestArgs,
};
use futures_util::StreamExt;
use genai::adapter::AdapterKind;
use genai::chat::{ChatMessage, ChatOptions, ChatRequest};
use genai::resolver::{AuthData, Endpoint};
use rig::prelude::*;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::model::{CallToolRequestParams, ServerCapabilities, ServerConfig};
use rmcp::{ServerHandler, ServiceExt, tool, tool_handler, tool_router};
use scripted_openai::{Reply, Server, Usage};
use std::error::Error;
use std::pin::Pin;
use std::time::Duration;

/// The use itself.
pub type Work = Pin<Box<dyn Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send>>;

/// Least duration of a stream from its request to its end.
pub(crate) const STREAM: Duration = Duration::from_millis(150);

/// Use of a framework.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Call,
    /// Read to its end by the function that is annotated.
    Stream,
    /// Dropped while the call waits for its reply.
    Drop,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Stream => "stream",
            Self::Drop => "drop",
        }
    }
}

/// One use of a framework.
pub struct Case {
    pub framework: &'static str,
    pub kind: Kind,
}

/// A server whose replies are slow where the last message of the user is `drop`.
async fn server() -> std::io::Result<Server> {
    Server::start(|call| {
        let usage = Usage { input: TOKENS, output: 4, cached: 0, reasoning: 0 };
        let reply = Reply::text("one two three four").usage(usage);
        if call.last("user") == "drop" {
            reply.delay(Duration::from_secs(30))
        } else {
            reply.pause(Duration::from_millis(30))
        }
    })
    .await
}

/// All cases, and the server that they call.
pub async fn cases() -> std::io::Result<(Vec<(Case, Work)>, Server)> {
    let server = server().await?;
    let mut cases: Vec<(Case, Work)> = Vec::new();
    let mut add = |framework, kind, work| cases.push((Case { framework, kind }, work));
    for kind in [Kind::Call, Kind::Stream, Kind::Drop] {
        let url = server.url();
        add("rig", kind, Box::pin(by_rig(url.clone(), kind)) as Work);
        add("genai", kind, Box::pin(by_genai(url.clone(), kind)));
        add(
            "async-openai",
            kind,
            Box::pin(async move { by_async_openai(url, kind).await.map(drop) }),
        );
    }
    for kind in [Kind::Call, Kind::Drop] {
        add("rmcp", kind, Box::pin(by_rmcp(kind)));
        add("apalis", kind, Box::pin(async { Ok(()) }));
    }
    Ok((cases, server))
}

async fn by_rig(url: String, kind: Kind) -> Result<(), Box<dyn Error + Send + Sync>> {
    let openai = rig::providers::openai::OpenAIConfig::new("key").with_base_url(url).client();
    let agent = AgentBuilder::new(openai.chat(MODEL)).build();
    if kind == Kind::Stream {
        let mut items = agent.prompt("stream").stream();
        while let Some(item) = items.next().await {
            item?;
        }
    } else {
        agent.prompt(kind.name()).await?;
    }
    Ok(())
}

async fn by_genai(url: String, kind: Kind) -> Result<(), Box<dyn Error + Send + Sync>> {
    let provider = (Endpoint::from_owned(format!("{url}/")), AuthData::from_single("key"));
    let client = genai::Client::builder()
        .with_adapter_kind(AdapterKind::OpenAI)
        .append_provider_config(AdapterKind::OpenAI, provider)
        .build()?;
    let question = ChatRequest::new(vec![ChatMessage::user(kind.name())]);
    if kind == Kind::Stream {
        let options = ChatOptions::default().with_capture_usage(true);
        let mut events = client.exec_chat_stream(MODEL, question, Some(&options)).await?.stream;
        while let Some(event) = events.next().await {
            event?;
        }
    } else {
        client.exec_chat(MODEL, question, None).await?;
    }
    Ok(())
}

fn request(kind: Kind) -> Result<CreateChatCompletionRequest, Box<dyn Error + Send + Sync>> {
    let message = ChatCompletionRequestUserMessageArgs::default().content(kind.name()).build()?;
    let mut request = CreateChatCompletionRequestArgs::default();
    request.model(MODEL).messages([message.into()]);
    if kind == Kind::Stream {
        let usage =
            ChatCompletionStreamOptions { include_usage: Some(true), include_obfuscation: None };
        request.stream_options(usage);
    }
    Ok(request.build()?)
}

/// Returns the tokens of input and output.
pub async fn by_async_openai(
    url: String,
    kind: Kind,
) -> Result<(u64, u64), Box<dyn Error + Send + Sync>> {
    let config = OpenAIConfig::new().with_api_base(url).with_api_key("key");
    let client = async_openai::Client::with_config(config);
    let mut usage = None;
    if kind == Kind::Stream {
        let mut chunks = client.chat().create_stream(request(kind)?).await?;
        while let Some(chunk) = chunks.next().await {
            usage = chunk?.usage.or(usage);
        }
    } else {
        usage = client.chat().create(request(kind)?).await?.usage;
    }
    let usage = usage.ok_or("no usage")?;
    Ok((usage.prompt_tokens.into(), usage.completion_tokens.into()))
}

/// A server of MCP with a quick and a slow tool.
#[derive(Debug, Clone)]
struct Tools {
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl Tools {
    #[tool(description = "Returns at once")]
    async fn call(&self) -> String {
        "done".to_owned()
    }

    #[tool(description = "Returns late")]
    async fn drop(&self) -> String {
        tokio::time::sleep(Duration::from_secs(30)).await;
        "done".to_owned()
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

async fn by_rmcp(kind: Kind) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let serve = Tools { tool_router: Tools::tool_router() }.serve(theirs);
    let (server, client) = tokio::join!(serve, ().serve(ours));
    let (_server, client) = (server?, client?);
    client.call_tool(CallToolRequestParams::new(kind.name())).await?;
    Ok(())
}

/// The job of the cases of apalis: quick, or dropped while it waits.
pub async fn rename(kind: Kind) {
    if kind == Kind::Drop {
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
}
