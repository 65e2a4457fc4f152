//! Phases and endings.

use super::WireFault;
use crate::v1;
use process_model::{ExitStatus, Phase};

impl From<Phase> for v1::InstancePhase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Pending => Self::Pending,
            Phase::Starting => Self::Starting,
            Phase::Running => Self::Running,
            Phase::Backoff => Self::Backoff,
            Phase::Stopping => Self::Stopping,
            Phase::Stopped => Self::Stopped,
            Phase::Exited => Self::Exited,
            Phase::Failed => Self::Failed,
            Phase::Lost => Self::Lost,
        }
    }
}

impl TryFrom<v1::InstancePhase> for Phase {
    type Error = WireFault;
    fn try_from(phase: v1::InstancePhase) -> Result<Self, WireFault> {
        match phase {
            v1::InstancePhase::Pending => Ok(Self::Pending),
            v1::InstancePhase::Starting => Ok(Self::Starting),
            v1::InstancePhase::Running => Ok(Self::Running),
            v1::InstancePhase::Backoff => Ok(Self::Backoff),
            v1::InstancePhase::Stopping => Ok(Self::Stopping),
            v1::InstancePhase::Stopped => Ok(Self::Stopped),
            v1::InstancePhase::Exited => Ok(Self::Exited),
            v1::InstancePhase::Failed => Ok(Self::Failed),
            v1::InstancePhase::Lost => Ok(Self::Lost),
            v1::InstancePhase::Unspecified => Err(WireFault::new("phase", "is missing or unknown")),
        }
    }
}

impl From<&ExitStatus> for v1::ExitStatus {
    fn from(exit: &ExitStatus) -> Self {
        let status = match exit {
            ExitStatus::Code(code) => v1::exit_status::Status::Code(*code),
            ExitStatus::Signal(signal) => v1::exit_status::Status::Signal(*signal),
            ExitStatus::Unknown(why) => v1::exit_status::Status::Unknown(why.clone()),
        };
        Self { status: Some(status) }
    }
}

impl TryFrom<&v1::ExitStatus> for ExitStatus {
    type Error = WireFault;
    fn try_from(exit: &v1::ExitStatus) -> Result<Self, WireFault> {
        match &exit.status {
            Some(v1::exit_status::Status::Code(code)) => Ok(Self::Code(*code)),
            Some(v1::exit_status::Status::Signal(signal)) => Ok(Self::Signal(*signal)),
            Some(v1::exit_status::Status::Unknown(why)) => Ok(Self::Unknown(why.clone())),
            None => Err(WireFault::missing("exit.status")),
        }
    }
}
