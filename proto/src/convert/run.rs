//! Runs: reported by runners, and as they are kept.

use super::{WireFault, timestamp_from_wire, timestamp_to_wire};
use crate::v1;
use process_model::{ExitStatus, InstanceId, Run, RunOutcome, RunReport, RunTrigger, Timestamp};

impl From<RunTrigger> for v1::RunTrigger {
    fn from(trigger: RunTrigger) -> Self {
        match trigger {
            RunTrigger::Schedule => Self::Schedule,
            RunTrigger::CatchUp => Self::CatchUp,
            RunTrigger::Request => Self::Request,
            RunTrigger::Restart => Self::Restart,
        }
    }
}

impl TryFrom<v1::RunTrigger> for RunTrigger {
    type Error = WireFault;
    fn try_from(trigger: v1::RunTrigger) -> Result<Self, WireFault> {
        match trigger {
            v1::RunTrigger::Schedule => Ok(Self::Schedule),
            v1::RunTrigger::CatchUp => Ok(Self::CatchUp),
            v1::RunTrigger::Request => Ok(Self::Request),
            v1::RunTrigger::Restart => Ok(Self::Restart),
            v1::RunTrigger::Unspecified => Err(WireFault::new("trigger", "is missing or unknown")),
        }
    }
}

/// What, how it ended, and why it did not begin.
type Outcome = (v1::RunOutcome, Option<v1::ExitStatus>, String);

fn outcome_to_wire(outcome: &RunOutcome) -> Outcome {
    match outcome {
        RunOutcome::Running => (v1::RunOutcome::Running, None, String::new()),
        RunOutcome::Ended(exit) => (v1::RunOutcome::Ended, Some(exit.into()), String::new()),
        RunOutcome::NotStarted(why) => (v1::RunOutcome::NotStarted, None, why.clone()),
        RunOutcome::Skipped(why) => (v1::RunOutcome::Skipped, None, why.clone()),
        RunOutcome::Missed => (v1::RunOutcome::Missed, None, String::new()),
        RunOutcome::Lost => (v1::RunOutcome::Lost, None, String::new()),
    }
}

fn outcome_from_wire(wire: &v1::RunReport) -> Result<RunOutcome, WireFault> {
    match wire.outcome() {
        v1::RunOutcome::Running => Ok(RunOutcome::Running),
        v1::RunOutcome::Ended => {
            let exit = wire.exit.as_ref().ok_or_else(|| WireFault::missing("exit"))?;
            Ok(RunOutcome::Ended(ExitStatus::try_from(exit)?))
        }
        v1::RunOutcome::NotStarted => Ok(RunOutcome::NotStarted(wire.message.clone())),
        v1::RunOutcome::Skipped => Ok(RunOutcome::Skipped(wire.message.clone())),
        v1::RunOutcome::Missed => Ok(RunOutcome::Missed),
        v1::RunOutcome::Lost => Ok(RunOutcome::Lost),
        v1::RunOutcome::Unspecified => Err(WireFault::new("outcome", "is missing or unknown")),
    }
}

impl From<&RunReport> for v1::RunReport {
    fn from(report: &RunReport) -> Self {
        let (outcome, exit, message) = outcome_to_wire(&report.outcome);
        Self {
            instance_id: report.instance.to_string(),
            seq: report.seq,
            generation: report.generation,
            run: report.run,
            due_time: report.due.map(timestamp_to_wire),
            trigger: v1::RunTrigger::from(report.trigger).into(),
            start_time: report.began.map(timestamp_to_wire),
            end_time: report.ended.map(timestamp_to_wire),
            outcome: outcome.into(),
            exit,
            message,
            next_due_time: report.next_due.map(timestamp_to_wire),
        }
    }
}

impl TryFrom<&v1::RunReport> for RunReport {
    type Error = WireFault;
    fn try_from(wire: &v1::RunReport) -> Result<Self, WireFault> {
        let time = |field, time: &Option<prost_types::Timestamp>| -> Result<Option<Timestamp>, WireFault> {
            time.as_ref().map(|time| timestamp_from_wire(field, time)).transpose()
        };
        Ok(Self {
            instance: wire
                .instance_id
                .parse()
                .map_err(|e: process_model::InvalidInstanceId| WireFault::new("instance_id", e.to_string()))?,
            seq: wire.seq,
            generation: wire.generation,
            run: wire.run,
            due: time("due_time", &wire.due_time)?,
            trigger: wire.trigger().try_into()?,
            began: time("start_time", &wire.start_time)?,
            ended: time("end_time", &wire.end_time)?,
            outcome: outcome_from_wire(wire)?,
            next_due: time("next_due_time", &wire.next_due_time)?,
        })
    }
}

impl From<(&InstanceId, &Run)> for v1::Run {
    fn from((instance, run): (&InstanceId, &Run)) -> Self {
        let (outcome, exit, message) = outcome_to_wire(&run.outcome);
        Self {
            instance_id: instance.to_string(),
            number: run.number,
            node: run.node.to_string(),
            due_time: run.due.map(timestamp_to_wire),
            trigger: v1::RunTrigger::from(run.trigger).into(),
            start_time: run.began.map(timestamp_to_wire),
            end_time: run.ended.map(timestamp_to_wire),
            outcome: outcome.into(),
            exit,
            message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_the_same_on_both_ends() {
        let ends = [
            RunOutcome::Running,
            RunOutcome::Ended(ExitStatus::Signal(9)),
            RunOutcome::NotStarted("exec: no such file".into()),
            RunOutcome::Skipped("the run before goes on".into()),
            RunOutcome::Missed,
            RunOutcome::Lost,
        ];
        for (n, outcome) in ends.into_iter().enumerate() {
            let report = RunReport {
                instance: "backup-1".parse().unwrap(),
                seq: 9,
                generation: 2,
                run: 7,
                due: Some(Timestamp(1_500_000_000)),
                trigger: RunTrigger::ALL[n % 4],
                began: Some(Timestamp(2_000_000_000)),
                ended: None,
                outcome,
                next_due: Some(Timestamp(61_500_000_000)),
            };
            assert_eq!(RunReport::try_from(&v1::RunReport::from(&report)), Ok(report));
        }
    }

    #[test]
    fn a_report_that_lacks_what_it_tells_of_is_refused() {
        let whole = v1::RunReport {
            instance_id: "backup-1".into(),
            trigger: v1::RunTrigger::Schedule.into(),
            outcome: v1::RunOutcome::Missed.into(),
            ..v1::RunReport::default()
        };
        assert!(RunReport::try_from(&whole).is_ok());
        let field = |wire: v1::RunReport| RunReport::try_from(&wire).unwrap_err().field;
        assert_eq!(field(v1::RunReport { outcome: 99, ..whole.clone() }), "outcome");
        assert_eq!(field(v1::RunReport { trigger: 0, ..whole.clone() }), "trigger");
        assert_eq!(field(v1::RunReport { outcome: v1::RunOutcome::Ended.into(), ..whole.clone() }), "exit");
        assert_eq!(field(v1::RunReport { instance_id: "?".into(), ..whole }), "instance_id");
    }
}
