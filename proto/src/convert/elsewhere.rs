//! What a node is told of other nodes.

use super::WireFault;
use crate::v1;
use process_model::spec::Dependency;
use process_model::{Elsewhere, Unmet};

impl From<(&Dependency, &Elsewhere)> for v1::DependencyStanding {
    fn from((dependency, elsewhere): (&Dependency, &Elsewhere)) -> Self {
        Self {
            dependency: Some(dependency.into()),
            exists: elsewhere.exists,
            unmet: elsewhere.unmet.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<&v1::DependencyStanding> for (Dependency, Elsewhere) {
    type Error = WireFault;
    fn try_from(wire: &v1::DependencyStanding) -> Result<Self, WireFault> {
        let dependency = wire.dependency.as_ref().ok_or_else(|| WireFault::missing("dependency"))?;
        let unmet = wire.unmet.as_ref().map(Unmet::try_from).transpose()?;
        Ok((dependency.try_into()?, Elsewhere { exists: wire.exists, unmet }))
    }
}

impl From<&Unmet> for v1::UnmetInstance {
    fn from(unmet: &Unmet) -> Self {
        Self {
            instance_id: unmet.instance.to_string(),
            node: unmet.node.as_ref().map(ToString::to_string).unwrap_or_default(),
            phase: v1::InstancePhase::from(unmet.phase).into(),
            comes_again: unmet.comes_again,
        }
    }
}

impl TryFrom<&v1::UnmetInstance> for Unmet {
    type Error = WireFault;
    fn try_from(wire: &v1::UnmetInstance) -> Result<Self, WireFault> {
        let instance = wire.instance_id.parse();
        let node = Some(&wire.node).filter(|node| !node.is_empty()).map(|node| node.parse()).transpose();
        Ok(Self {
            instance: instance.map_err(|error: process_model::InvalidInstanceId| {
                WireFault::new("unmet.instance_id", error.to_string())
            })?,
            node: node.map_err(|error: process_model::InvalidName| WireFault::new("unmet.node", error.to_string()))?,
            phase: wire.phase().try_into()?,
            comes_again: wire.comes_again,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_model::Phase;
    use process_model::spec::Condition;

    #[test]
    fn what_is_told_of_other_nodes_is_the_same_after_the_wire() {
        let unmet = Unmet {
            instance: "db-1".parse().unwrap(),
            node: Some("alpha".parse().unwrap()),
            phase: Phase::Stopped,
            comes_again: true,
        };
        let conditions = [Condition::Started, Condition::CompletedOk, Condition::Log("up$".into())];
        let nowhere = Unmet { node: None, ..unmet.clone() };
        for (condition, unmet) in conditions.into_iter().zip([None, Some(unmet), Some(nowhere)]) {
            let told = (Dependency { process: "db".parse().unwrap(), condition }, Elsewhere { exists: true, unmet });
            let wire = v1::DependencyStanding::from((&told.0, &told.1));
            assert_eq!(<(Dependency, Elsewhere)>::try_from(&wire), Ok(told));
        }
        let nameless = v1::DependencyStanding::default();
        assert!(<(Dependency, Elsewhere)>::try_from(&nameless).unwrap_err().to_string().contains("dependency"));
        let known = v1::Dependency { process: "db".into(), ..v1::Dependency::default() };
        let unmet = Some(v1::UnmetInstance { instance_id: "db-1".into(), ..v1::UnmetInstance::default() });
        let wire = v1::DependencyStanding { dependency: Some(known), exists: true, unmet };
        assert!(<(Dependency, Elsewhere)>::try_from(&wire).unwrap_err().to_string().contains("phase"));
    }
}
