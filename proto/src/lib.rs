//! The contract: messages and services generated from `pm/v1/*.proto`, whose
//! comments are the API reference, and the edge between them and
//! [`process_model`].
//!
//! | module | what |
//! |---|---|
//! | [`v1`] | generated messages, clients and servers |
//! | [`convert`] | wire → model (`TryFrom`, an error per cause) and model → wire (`From`) |
//! | [`json`] | proto3's canonical JSON, by descriptor |
//! | [`error`] | gRPC statuses with `google.rpc.ErrorInfo` |

pub mod convert;
pub mod error;
pub mod json;

/// Generated from `pm/v1/*.proto`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used, clippy::wildcard_enum_match_arm)]
pub mod v1 {
    tonic::include_proto!("pm.v1");
}

/// The encoded `FileDescriptorSet` of the contract, for reflection and JSON.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Names of gRPC metadata that our services exchange.
pub mod metadata {
    /// Who asks, as established by the gateway. Believed only next to a valid
    /// service token.
    pub const ACTOR: &str = "pm-actor";
    /// Id of a request whose message has none of its own: a change that comes
    /// twice with the same one is made once.
    pub const REQUEST_ID: &str = "pm-request-id";
    /// Where a change came from: the address of the client as the gateway saw
    /// it. Believed only next to a valid service token.
    pub const SOURCE: &str = "pm-source";
    /// `Bearer TOKEN`.
    pub const AUTHORIZATION: &str = "authorization";
}
