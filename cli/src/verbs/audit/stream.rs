//! The registry's whole audit log, frame by frame.

use crate::connection::Connection;
use crate::error::Failure;
use pm_proto::v1::read_audit_log_response::Frame;
use pm_proto::v1::{ReadAuditLogRequest, ReadAuditLogResponse};
use tonic::Streaming;

pub(super) struct AuditStream {
    connection: Connection,
    frames: Streaming<ReadAuditLogResponse>,
}

const WHAT: &str = "read the audit log";

impl AuditStream {
    pub(super) async fn open(connection: Connection) -> Result<Self, Failure> {
        let mut client = connection.events();
        let frames = connection.call(WHAT, client.read_audit_log(ReadAuditLogRequest::default())).await?;
        Ok(Self { connection, frames })
    }

    /// The next frame. `None` only after the head: a stream that ends before
    /// it is broken off, and must not look complete.
    pub(super) async fn next(&mut self) -> Result<Option<Frame>, Failure> {
        loop {
            match self.frames.message().await {
                Ok(Some(ReadAuditLogResponse { frame: Some(frame) })) => return Ok(Some(frame)),
                // A frame of a newer server that means nothing to us.
                Ok(Some(ReadAuditLogResponse { frame: None })) => {}
                Ok(None) => return Ok(None),
                Err(status) => return Err(self.connection.refused(WHAT, &status)),
            }
        }
    }
}
