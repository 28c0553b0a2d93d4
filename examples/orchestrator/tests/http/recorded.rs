//! The recorded requests of a running Grafana.

use std::path::Path;

use serde_json::Value;

/// One recorded request.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    /// File name without extension.
    pub(crate) case: String,
    /// POST or PUT.
    pub(crate) method: String,
    /// Headers, in the order of the wire.
    pub(crate) headers: Vec<(String, String)>,
    /// Bytes of the body.
    pub(crate) body: String,
    /// Secret of the signature.
    pub(crate) hmac_secret: Option<String>,
}

impl Recorded {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Every recorded request, by name.
pub(crate) fn all() -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/grafana");
    let mut recorded: Vec<Recorded> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(|path| read(&path))
        .collect();
    recorded.sort_by(|one, other| one.case.cmp(&other.case));
    assert_eq!(recorded.len(), 27, "every recording is there");
    recorded
}

fn read(path: &Path) -> Recorded {
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Recorded {
        case: path.file_stem().unwrap().to_string_lossy().into_owned(),
        method: text(&file["method"]),
        headers: file["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| (text(&pair[0]), text(&pair[1])))
            .collect(),
        body: text(&file["body"]),
        hmac_secret: file["secure_settings"]["hmacConfig.secret"].as_str().map(str::to_owned),
    }
}
