//! What clients of a cluster rely on: the id of a call counts where the message
//! has none, and a runner is told who orders and where the replicas are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test fails by panicking.

mod place;
mod town;

use pm_proto::{metadata, v1};
use tonic::Request;
use town::{Town, spec};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_comes_again_with_the_same_id_of_the_call_has_one_effect() {
    let town = Town::open().await;
    let _runner = town.runner("alpha").await;
    town.apply(vec![spec("web", 1)]).await;
    let restart = |id: &str| {
        let body = v1::RestartProcessesRequest { selectors: vec!["web".into()], ..Default::default() };
        let mut request = Request::new(body);
        request.metadata_mut().insert(metadata::REQUEST_ID, id.parse().unwrap());
        request
    };
    let mut client = town.processes();
    let first = client.restart_processes(restart("one")).await.unwrap().into_inner();
    let again = client.restart_processes(restart("one")).await.unwrap().into_inner();
    assert_eq!((first.revision, &first.actions[0].id), (again.revision, &again.actions[0].id));
    let other = client.restart_processes(restart("two")).await.unwrap().into_inner();
    assert_ne!(first.actions[0].id, other.actions[0].id);
    let actions = town.actions().list_actions(v1::ListActionsRequest::default()).await.unwrap().into_inner();
    assert_eq!(actions.actions.len(), 2);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runner_hears_in_which_term_it_is_welcomed_and_ordered_and_where_the_replicas_are() {
    let advertise = "http://192.0.2.1:7481";
    let advertised = |options| registry_svc::Options { advertise: advertise.to_owned(), ..options };
    let town = Town::open_in(place::real_disk(), advertised).await;
    let mut runner = town.runner("alpha").await;
    let leads = town.cluster().get_cluster_status(v1::GetClusterStatusRequest {}).await.unwrap().into_inner();
    assert!(leads.term > 0);
    assert_eq!((runner.welcome.epoch, runner.welcome.term), (1, leads.term));
    assert_eq!(runner.welcome.registries, [advertise]);
    assert_eq!(runner.assignments().await.term, leads.term);
    town.apply(vec![spec("web", 1)]).await;
    assert_eq!(runner.assignments().await.term, leads.term);
    let restart = v1::RestartProcessesRequest { selectors: vec!["web".into()], ..Default::default() };
    town.processes().restart_processes(restart).await.unwrap();
    assert_eq!(runner.action().await.term, leads.term);

    // Leadership is not resumed: the same replica leads in a higher term.
    drop(runner);
    let dir = town.close().await;
    let town = Town::open_in(dir, advertised).await;
    let again = town.runner("alpha").await;
    assert!(again.welcome.term > leads.term, "{} after {}", again.welcome.term, leads.term);
    town.close().await;
}
