//! One request: reads it, takes the reply of the script, sends it piece by piece.

use crate::account::Account;
use crate::body::{Encoded, encode};
use crate::call::{Call, Endpoint};
use crate::connection::Reset;
use crate::reply::{Fault, Reply};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Method, Request, Response};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) type Body = StreamBody<BoxStream<'static, Result<Frame<Bytes>, io::Error>>>;

type Script = dyn Fn(&Call) -> Reply + Send + Sync;

/// State shared by the connections of a server.
pub(crate) struct Shared {
    script: Box<Script>,
    served: Mutex<Served>,
}

#[derive(Default)]
struct Served {
    account: Account,
    calls: Vec<Call>,
}

impl Shared {
    pub(crate) fn new(script: Box<Script>) -> Self {
        Self { script, served: Mutex::default() }
    }

    fn served(&self) -> MutexGuard<'_, Served> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn account(&self) -> Account {
        self.served().account
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.served().calls.clone()
    }

    /// Numbers and records the call, takes its reply and counts it.
    fn reply(&self, mut call: Call) -> (Call, Reply) {
        {
            let mut served = self.served();
            call.number = served.calls.len() + 1;
            served.calls.push(call.clone());
        }
        // Outside of the lock: a script may read the account.
        let reply = match call.check() {
            Ok(()) => (self.script)(&call).fitted(&call),
            Err(message) => Reply::status(400, message),
        };
        self.served().account.add(reply.counted(&call));
        (call, reply)
    }
}

/// Handles one request. An error closes the connection without a response.
pub(crate) async fn handle(
    shared: Arc<Shared>,
    reset: Reset,
    request: Request<Incoming>,
) -> Result<Response<Body>, io::Error> {
    let (head, body) = request.into_parts();
    let endpoint = match (head.method, head.uri.path()) {
        (Method::POST, "/v1/chat/completions") => Endpoint::Chat,
        (Method::POST, "/v1/embeddings") => Endpoint::Embeddings,
        (method, path) => {
            let message = format!("{method} {path} is not served by this script");
            return respond(not_a_call(&Reply::status(404, message)), &Reply::text(""), reset);
        }
    };
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let Ok(body) = serde_json::from_slice(&body) else {
        let message = "the body of the request is not JSON";
        return respond(not_a_call(&Reply::status(400, message)), &Reply::text(""), reset);
    };
    let (call, reply) = shared.reply(Call { number: 0, endpoint, headers: head.headers, body });
    tokio::time::sleep(reply.delay).await;
    respond(encode(&call, &reply), &reply, reset)
}

/// Encodes an error for a request that is not a call of the API.
fn not_a_call(reply: &Reply) -> Encoded {
    let call = Call {
        number: 0,
        endpoint: Endpoint::Chat,
        headers: hyper::HeaderMap::new(),
        body: serde_json::Value::Null,
    };
    encode(&call, reply)
}

fn respond(encoded: Encoded, reply: &Reply, reset: Reset) -> Result<Response<Body>, io::Error> {
    if let Some(Fault { after: 0, reset: true }) = reply.fault {
        reset.request();
        return Err(io::Error::other("reset by the script"));
    }
    let mut response = Response::builder()
        .status(encoded.status)
        .header("content-type", encoded.media_type)
        .header("x-request-id", "req_scripted");
    if let Some(length) = encoded.length {
        response = response.header("content-length", length);
    }
    if let Some(seconds) = reply.retry_after {
        response = response.header("retry-after", seconds);
    }
    let pieces = pieces(encoded.pieces, reply.pause, reply.fault, reset);
    response.body(StreamBody::new(pieces)).map_err(io::Error::other)
}

/// The pieces of a body, each in a write of its own, and the fault among them.
fn pieces(
    pieces: Vec<String>,
    pause: Duration,
    fault: Option<Fault>,
    reset: Reset,
) -> BoxStream<'static, Result<Frame<Bytes>, io::Error>> {
    let all = pieces.into_iter().enumerate();
    stream::unfold(Some((all, reset)), move |state| async move {
        let (mut all, reset) = state?;
        let next = all.next();
        let number = next.as_ref().map_or(usize::MAX, |(index, _)| *index);
        if number > 0 {
            // A body that is not ready lets the connection write what it has.
            if pause.is_zero() {
                tokio::task::yield_now().await
            } else {
                tokio::time::sleep(pause).await
            }
        }
        if let Some(fault) = fault.filter(|fault| number >= fault.after) {
            if fault.reset {
                reset.request();
            }
            return Some((Err(io::Error::other("cut by the script")), None));
        }
        let (_, piece) = next?;
        Some((Ok(Frame::data(Bytes::from(piece))), Some((all, reset))))
    })
    .boxed()
}
