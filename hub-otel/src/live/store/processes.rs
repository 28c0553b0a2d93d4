//! Other processes that sent spans: the resource of each, once.

use crate::export::encode::redact_wire_attributes;
use crate::live::row::cut;
use crate::telemetry::redaction::DenyList;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1::Resource as WireResource;
use opentelemetry_semantic_conventions::resource as r;
use prost::Message as _;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Limit of the processes with spans in the store.
pub(crate) const MAX_PROCESSES: usize = 256;
/// Limit of the encoded resource of one process. Further attributes are dropped.
const MAX_RESOURCE_BYTES: usize = 4 * 1024;
/// Longest name of a service or an instance in characters.
const MAX_NAME: usize = 120;

/// A process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(super) service: String,
    pub(super) instance: String,
    pub(crate) resource: WireResource,
}

impl Process {
    fn new(resource: WireResource) -> Self {
        let text = |key| cut(&text(&resource, key).unwrap_or_default(), MAX_NAME);
        let (service, instance) = (text(r::SERVICE_NAME), text(r::SERVICE_INSTANCE_ID));
        Self { service, instance, resource }
    }
}

/// Returns the text of an attribute.
fn text(resource: &WireResource, key: &str) -> Option<String> {
    let found = resource.attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

/// Returns whether two resources are of one process: an instance id is unique for the name and the
/// namespace of its service.
pub(crate) fn is_same_process(left: &WireResource, right: &WireResource) -> bool {
    let names = [r::SERVICE_NAME, r::SERVICE_NAMESPACE];
    text(left, r::SERVICE_INSTANCE_ID).is_some_and(|id| !id.is_empty())
        && text(left, r::SERVICE_INSTANCE_ID) == text(right, r::SERVICE_INSTANCE_ID)
        && names.into_iter().all(|key| text(left, key) == text(right, key))
}

/// Processes by their encoded resource.
#[derive(Debug, Default)]
pub(super) struct Processes {
    known: FxHashMap<Vec<u8>, Arc<Process>>,
    pub(super) bytes: usize,
}

impl Processes {
    /// Returns the process of a resource. `None` if there are too many.
    pub(super) fn share(
        &mut self,
        mut resource: WireResource,
        deny: &DenyList,
    ) -> Option<Arc<Process>> {
        redact_wire_attributes(&mut resource.attributes, deny);
        resource.entity_refs.clear();
        let mut room = MAX_RESOURCE_BYTES;
        // The names first: they are shown beside each span.
        resource.attributes.sort_by_key(|attribute| !attribute.key.starts_with("service."));
        resource.attributes.retain(|attribute| {
            let size = attribute.encoded_len();
            let fits = size <= room;
            room -= if fits { size } else { 0 };
            fits
        });
        let key = resource.encode_to_vec();
        if let Some(known) = self.known.get(&key) {
            return Some(Arc::clone(known));
        }
        if self.known.len() >= MAX_PROCESSES {
            // Those without a span in the store.
            self.known.retain(|_, process| Arc::strong_count(process) > 1);
            self.bytes = self.known.keys().map(|key| 2 * key.len()).sum();
        }
        if self.known.len() >= MAX_PROCESSES {
            return None;
        }
        self.bytes += 2 * key.len();
        let process = Arc::new(Process::new(resource));
        self.known.insert(key, Arc::clone(&process));
        Some(process)
    }
}
