use super::*;
use crate::{Options, Registry};
use futures::StreamExt;
use pm_proto::error::reason;
use process_model::spec::Command as Program;
use registry_domain::{Apply, Order};
use service_host::secret::Secret;
use tonic::Code;

async fn change(registry: &Registry, round: u32) {
    let specs = (0..60).map(|n| {
        let mut spec =
            process_model::ProcessSpec::new(format!("p{n}").parse().unwrap(), Program::Shell(format!("run {round}")));
        spec.instances = 0;
        spec.into()
    });
    let order = Order::Apply(Apply { specs: specs.collect(), ..Apply::default() });
    registry.inner.driver.note("admin", order).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_watcher_that_does_not_read_is_cut_once_what_it_missed_is_gone() {
    let dir = crate::api::real_disk();
    let token = Secret::new("token").unwrap();
    // It leads, however long the disk of a busy machine takes for a write.
    let election_timeout = Duration::from_secs(60);
    let options = Options { event_retention: 100, election_timeout, ..Options::new(dir.path(), token) };
    let registry = Registry::open(options, None).await.unwrap();
    change(&registry, 0).await;
    let request = v1::WatchEventsRequest { from_revision: 1, follow: true, ..Default::default() };
    let watch = Watch::begin(registry.inner.clone(), CancellationToken::new(), request).await.unwrap();
    let mut frames = watch.frames();
    assert!(frames.next().await.unwrap().is_ok());
    assert_eq!(registry.inner.numbers.watchers.get(), 1);
    for round in 1..4 {
        change(&registry, round).await;
    }
    // What it had taken before still comes, then the end.
    let mut last = frames.next().await.unwrap();
    while last.is_ok() {
        last = frames.next().await.unwrap();
    }
    let status = last.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(pm_proto::error::reason_of(&status).as_deref(), Some(reason::WATCHER_TOO_SLOW));
    drop(frames);
    assert_eq!(registry.inner.numbers.watchers.get(), 0);
    registry.close().await;
}
