//! [`NobodyAnswers`]: everybody who was tried, and why each did not answer.

use std::fmt;
use std::sync::Arc;

use tonic::Status;

/// No member of a cluster answered. The source of the `UNAVAILABLE` that the caller gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NobodyAnswers {
    tried: Vec<(Arc<str>, Arc<str>)>,
}

impl NobodyAnswers {
    /// Address and reason of each, in the order in which they were first tried.
    pub fn tried(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tried.iter().map(|(address, why)| (&**address, &**why))
    }

    /// What a status was made from, if it was this.
    #[must_use]
    pub fn of(status: &Status) -> Option<&Self> {
        std::error::Error::source(status)?.downcast_ref()
    }

    /// It was tried; the newest reason counts.
    pub(super) fn note(&mut self, address: &Arc<str>, why: impl Into<Arc<str>>) {
        match self.tried.iter_mut().find(|(known, _)| known == address) {
            Some((_, reason)) => *reason = why.into(),
            None => self.tried.push((address.clone(), why.into())),
        }
    }

    /// The same as a status.
    pub(super) fn into_status(self) -> Status {
        let mut status = Status::unavailable(self.to_string());
        status.set_source(Arc::new(self));
        status
    }
}

impl fmt::Display for NobodyAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (address, why)) in self.tried.iter().enumerate() {
            write!(f, "{}{address}: {why}", if at == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for NobodyAnswers {}
