//! The files of the page, compiled in. Compressed once, with an ETag.

use super::body::LiveBody;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_types::header::{self, HeaderMap, HeaderValue};
use http_types::{Response, StatusCode};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::sync::OnceLock;

/// A file of the page.
pub(super) struct Asset {
    name: &'static str,
    mime: &'static str,
    content: &'static [u8],
    packed: OnceLock<Packed>,
}

struct Packed {
    gzip: Bytes,
    etag: HeaderValue,
}

macro_rules! assets {
    ($($name:literal $mime:expr),* $(,)?) => {
        [$(Asset {
            name: $name,
            mime: $mime,
            content: include_bytes!(concat!("page/", $name)),
            packed: OnceLock::new(),
        }),*]
    };
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

static ASSETS: [Asset; 15] = assets![
    "app.js" SCRIPT,
    "approvals.js" SCRIPT,
    "chart.js" SCRIPT,
    "connection.js" SCRIPT,
    "details.js" SCRIPT,
    "dom.js" SCRIPT,
    "find.js" SCRIPT,
    "format.js" SCRIPT,
    "health.js" SCRIPT,
    "rows.js" SCRIPT,
    "run.js" SCRIPT,
    "runs.js" SCRIPT,
    "tree.js" SCRIPT,
    "style.css" "text/css; charset=utf-8",
    "icon.svg" "image/svg+xml",
];

/// Returns the file of a name.
pub(super) fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

impl Asset {
    /// Responds with the file, or with 304 if the client has it.
    pub(super) fn respond(&self, headers: &HeaderMap) -> Response<LiveBody> {
        let packed = self.packed.get_or_init(|| pack(self.content));
        let has = headers.get(header::IF_NONE_MATCH).is_some_and(|etag| *etag == packed.etag);
        let accepts_gzip = headers
            .get(header::ACCEPT_ENCODING)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.contains("gzip"));
        let mut response = if has {
            let mut response = Response::new(LiveBody::Full(None));
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else if accepts_gzip && !packed.gzip.is_empty() {
            let mut response = Response::new(LiveBody::from(packed.gzip.clone()));
            let gzip = HeaderValue::from_static("gzip");
            response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
            response
        } else {
            Response::new(LiveBody::from(Bytes::from_static(self.content)))
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.mime));
        headers.insert(header::ETAG, packed.etag.clone());
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        // Compared at each load: the files change with the program.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

fn pack(content: &[u8]) -> Packed {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    let etag = format!("\"{:016x}\"", hasher.finish());
    let etag = HeaderValue::from_str(&etag).unwrap_or(HeaderValue::from_static("\"0\""));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to a vector cannot fail; an empty one is not sent.
    let written = encoder.write_all(content).and_then(|()| encoder.finish());
    Packed { gzip: written.unwrap_or_default().into(), etag }
}

/// Responds with the page.
pub(super) fn page() -> Response<LiveBody> {
    html(StatusCode::OK, include_str!("page/index.html").into())
}

/// Responds with a form for the token. `is_invalid`: the request had another one.
pub(super) fn sign_in(is_invalid: bool) -> Response<LiveBody> {
    let form = include_str!("page/sign-in.html");
    let form = if is_invalid { form.replace(" hidden>", ">") } else { form.to_owned() };
    html(StatusCode::UNAUTHORIZED, form.into())
}

fn html(status: StatusCode, content: Bytes) -> Response<LiveBody> {
    let mut response = Response::new(LiveBody::from(content));
    *response.status_mut() = status;
    let mime = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, mime);
    response
}
