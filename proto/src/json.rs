//! Proto3's canonical JSON, by descriptor: timestamps with `Z`, 64-bit numbers
//! as strings, enums by name, unknown enum numbers kept.

use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use std::sync::OnceLock;

/// What can go wrong between a message and its JSON.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The contract has no message of that name.
    #[error("there is no message {0} in the contract")]
    UnknownMessage(String),
    /// The bytes or the JSON do not fit the message.
    #[error("{0}")]
    Mismatch(String),
}

/// The descriptors of the whole contract, decoded once.
///
/// # Errors
/// The embedded descriptors are damaged, which only a broken build can cause.
pub fn pool() -> Result<&'static DescriptorPool, JsonError> {
    static POOL: OnceLock<Result<DescriptorPool, String>> = OnceLock::new();
    POOL.get_or_init(|| DescriptorPool::decode(crate::DESCRIPTORS).map_err(|e| e.to_string()))
        .as_ref()
        .map_err(|e| JsonError::Mismatch(e.clone()))
}

fn descriptor(name: &str) -> Result<MessageDescriptor, JsonError> {
    pool()?.get_message_by_name(name).ok_or_else(|| JsonError::UnknownMessage(name.to_owned()))
}

/// How we write JSON: `lowerCamelCase` names, fields with default values
/// written out, so that a reader sees every field.
#[must_use]
pub fn options() -> SerializeOptions {
    SerializeOptions::new().skip_default_fields(false)
}

/// The canonical JSON of a dynamic message.
///
/// # Errors
/// The message holds what JSON cannot express, as a timestamp out of range.
pub fn dynamic_to_value(message: &DynamicMessage) -> Result<serde_json::Value, JsonError> {
    message
        .serialize_with_options(serde_json::value::Serializer, &options())
        .map_err(|e| JsonError::Mismatch(e.to_string()))
}

/// The canonical JSON of a message.
///
/// # Errors
/// As [`dynamic_to_value`].
pub fn to_value<M: Message + Name>(message: &M) -> Result<serde_json::Value, JsonError> {
    let name = M::full_name();
    let dynamic = DynamicMessage::decode(descriptor(&name)?, message.encode_to_vec().as_slice())
        .map_err(|e| JsonError::Mismatch(e.to_string()))?;
    dynamic_to_value(&dynamic)
}

/// Reads a message from its canonical JSON.
///
/// # Errors
/// A field is unknown or of the wrong type; the text says which and where.
pub fn from_value<M: Message + Name + Default>(value: serde_json::Value) -> Result<M, JsonError> {
    let dynamic = DynamicMessage::deserialize(descriptor(&M::full_name())?, value)
        .map_err(|e| JsonError::Mismatch(e.to_string()))?;
    M::decode(dynamic.encode_to_vec().as_slice()).map_err(|e| JsonError::Mismatch(e.to_string()))
}
