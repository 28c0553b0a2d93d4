//! Tools that the model can call: two that read, one that writes after an approval.

use crate::error::AssistantError;
use crate::questions::Questions;
use hub_otel::approval::{self, Decision};
use hub_otel::{current, instrument_tool};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::fs;

/// A call of a tool, as the model wrote it.
pub(crate) struct ToolCall {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: String,
}

impl ToolCall {
    /// Returns an argument of that name, empty if the model wrote none.
    pub(crate) fn argument(&self, name: &str) -> String {
        let arguments: Value = serde_json::from_str(&self.arguments).unwrap_or_default();
        arguments[name].as_str().unwrap_or_default().to_owned()
    }
}

/// Approval of writes.
pub(crate) enum Permission {
    Given,
    /// By the user.
    Asked(Arc<Questions>),
}

/// The folder of the user. No tool leaves it.
pub(crate) struct Folder {
    path: PathBuf,
    permission: Permission,
}

impl Folder {
    pub(crate) fn new(path: &Path, permission: Permission) -> std::io::Result<Self> {
        Ok(Self { path: path.canonicalize()?, permission })
    }

    /// Returns the path of a file in the folder. The file need not exist, its parent must.
    fn resolve(&self, name: &str) -> Result<PathBuf, AssistantError> {
        let outside = || AssistantError::OutsideOfFolder(name.to_owned());
        let path = self.path.join(name);
        let file = path.file_name().ok_or_else(outside)?;
        let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
        let parent = parent.filter(|parent| parent.starts_with(&self.path)).ok_or_else(outside)?;
        let path = parent.join(file);
        if path.is_symlink() { Err(outside()) } else { Ok(path) }
    }

    #[instrument_tool(call_id = call.id)]
    pub(crate) async fn list_files(&self, call: &ToolCall) -> Result<String, AssistantError> {
        let mut entries = fs::read_dir(&self.path).await?;
        let mut names = Vec::new();
        while let Some(entry) = entries.next_entry().await? {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        current().record("files", names.len());
        Ok(names.join("\n"))
    }

    #[instrument_tool(call_id = call.id)]
    pub(crate) async fn read_file(&self, call: &ToolCall) -> Result<String, AssistantError> {
        let text = fs::read_to_string(self.resolve(&call.argument("path"))?).await?;
        current().record("bytes", text.len());
        Ok(text)
    }

    /// Writes after the approval of the user, whose wait does not count as execution time.
    #[instrument_tool(call_id = call.id)]
    pub(crate) async fn write_file(&self, call: &ToolCall) -> Result<String, AssistantError> {
        let (name, text) = (call.argument("path"), call.argument("text"));
        let path = self.resolve(&name)?;
        let decision = async {
            match &self.permission {
                Permission::Given => true,
                Permission::Asked(questions) => questions.approves(&call.id, &name, &text).await,
            }
        };
        let decision = approval::wait(call.id.as_str(), decision).await;
        if decision != Decision::Approved {
            return Err(AssistantError::NotApproved);
        }
        fs::write(&path, &text).await?;
        current().record("bytes", text.len());
        Ok(format!("{} bytes written", text.len()))
    }
}

/// Tools in the form of the API.
pub(crate) fn definitions() -> Value {
    let tool = |name: &str, description: &str, parameters: &[&str]| {
        let properties =
            parameters.iter().map(|name| ((*name).to_owned(), json!({ "type": "string" })));
        json!({ "type": "function", "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": properties.collect::<serde_json::Map<_, _>>(),
                "required": parameters,
            },
        } })
    };
    json!([
        tool("list_files", "Lists the files of the folder", &[]),
        tool("read_file", "Reads a file of the folder", &["path"]),
        tool("summarize", "Summarizes a file of the folder in one sentence", &["path"]),
        tool("write_file", "Writes a file of the folder, after approval", &["path", "text"]),
    ])
}
