//! How things are written down: MessagePack with field names, so that a later
//! version that has more fields reads what an earlier one wrote.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why something could not be written down or read back.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// It cannot be written.
    #[error("cannot encode {what}")]
    Encode {
        /// What it is.
        what: &'static str,
        /// Why.
        #[source]
        source: rmp_serde::encode::Error,
    },
    /// It does not read as what it should be.
    #[error("cannot decode {what}")]
    Decode {
        /// What it is.
        what: &'static str,
        /// Why.
        #[source]
        source: rmp_serde::decode::Error,
    },
}

pub(crate) fn encode<T: Serialize>(what: &'static str, value: &T) -> Result<Vec<u8>, CodecError> {
    rmp_serde::to_vec_named(value).map_err(|source| CodecError::Encode { what, source })
}

pub(crate) fn decode<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, CodecError> {
    rmp_serde::from_slice(bytes).map_err(|source| CodecError::Decode { what, source })
}
