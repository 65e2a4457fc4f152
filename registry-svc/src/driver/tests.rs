use super::*;
use crate::{Options, Registry};
use process_model::spec::Command as Program;
use registry_domain::Apply;
use service_host::secret::Secret;

#[tokio::test]
async fn what_the_leader_of_another_term_says_is_not_written_and_what_anybody_may_say_is() {
    let dir = crate::api::real_disk();
    // It leads, however long the disk of a busy machine takes for a write.
    let election_timeout = Duration::from_secs(60);
    let options = Options { election_timeout, ..Options::new(dir.path(), Secret::new("token").unwrap()) };
    let registry = Registry::open(options, None).await.unwrap();
    let driver = registry.inner.driver.clone();
    let term = registry.inner.consensus.standing().borrow().leading().unwrap();
    let apply = |name: &str| {
        let mut spec = process_model::ProcessSpec::new(name.parse().unwrap(), Program::Shell("run".to_owned()));
        spec.instances = 0;
        driver.noted("admin", Order::Apply(Apply { specs: vec![spec.into()], ..Apply::default() }))
    };
    // Together, as they would be in one batch.
    let old = driver.submit_as_leader(term - 1, apply("old"), 0).await.unwrap();
    let any = driver.submit(apply("any"), 0).await.unwrap();
    let own = driver.submit_as_leader(term, apply("own"), 0).await.unwrap();
    let later = driver.submit_as_leader(term + 1, apply("later"), 0).await.unwrap();
    assert!(matches!(old.answer().await, Err(ProposeError::NoLeader { .. })));
    assert!(any.answer().await.unwrap().is_ok() && own.answer().await.unwrap().is_ok());
    assert!(matches!(later.answer().await, Err(ProposeError::NoLeader { .. })));
    let processes: Vec<String> = registry.inner.view.read().state.processes().keys().map(ToString::to_string).collect();
    assert_eq!(processes, ["any", "own"]);
    registry.close().await;
}
