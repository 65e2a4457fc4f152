//! Lists through the gRPC services, page by page.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod place;
mod town;

use pm_proto::v1;
use pm_proto::v1::instance_service_client::InstanceServiceClient;
use pm_proto::v1::node_service_client::NodeServiceClient;
use prost::Message;
use service_host::client::ServiceChannel;
use tonic::{Code, Status};
use town::*;

type Processes = v1::process_service_client::ProcessServiceClient<ServiceChannel>;

async fn page(client: &mut Processes, size: u32, token: &str) -> Result<(Vec<String>, String), Status> {
    let request = v1::ListProcessesRequest { page_size: size, page_token: token.into(), ..Default::default() };
    let answer = client.list_processes(request).await?.into_inner();
    let names = answer.processes.into_iter().map(|process| process.spec.unwrap().name).collect();
    Ok((names, answer.next_page_token))
}

async fn delete(town: &Town, names: &[&str]) {
    let selectors = names.iter().map(|name| (*name).to_owned()).collect();
    let request = v1::DeleteProcessesRequest { selectors, ..Default::default() };
    town.processes().delete_processes(request).await.unwrap();
}

fn name(n: usize) -> String {
    format!("p{n:04}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_hold_every_process_once_while_others_come_and_go() {
    let town = Town::open().await;
    town.apply((0..2_500).map(|n| spec(&name(n), 0)).collect()).await;
    let mut client = town.processes();
    let (first, token) = page(&mut client, 0, "").await.unwrap();
    assert_eq!((first.len(), first[0].as_str(), first[999].as_str()), (1_000, "p0000", "p0999"));
    // Before the place, at it, and behind it.
    delete(&town, &["p0500", "p0999", "p1000", "p2400"]).await;
    town.apply(vec![spec("a-new-one", 0), spec("p1200-new", 0)]).await;
    let (second, token) = page(&mut client, 700, &token).await.unwrap();
    assert_eq!((second.len(), second[0].as_str()), (700, "p1001"));
    assert!(second.contains(&"p1200-new".to_owned()));
    let (third, token) = page(&mut client, 1_000, &token).await.unwrap();
    assert_eq!(token, "", "the last page");
    let seen: Vec<String> = [first, second, third].concat();
    let mut expected: Vec<String> =
        (0..2_500).filter(|n| ![1_000, 2_400].contains(n)).map(name).chain(["p1200-new".to_owned()]).collect();
    expected.sort();
    assert_eq!(seen, expected);
    // As many as there are, and not one more: the page is the last.
    let (all, token) = page(&mut client, 2, "p.p2497").await.unwrap();
    assert_eq!((all, token), (vec![name(2_498), name(2_499)], String::new()));
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_another_list_and_a_wrong_size_are_refused() {
    let town = Town::open().await;
    let _runners = (town.runner("alpha").await, town.runner("beta").await, town.runner("gamma").await);
    town.apply(vec![spec("web", 3)]).await;
    let mut nodes = NodeServiceClient::new(town.channel.clone());
    let mut instances = InstanceServiceClient::new(town.channel.clone());
    let request = v1::ListNodesRequest { page_size: 2, ..Default::default() };
    let first = nodes.list_nodes(request).await.unwrap().into_inner();
    assert_eq!((first.nodes.len(), first.nodes[1].name.as_str()), (2, "beta"));
    let request = v1::ListNodesRequest { page_token: first.next_page_token.clone(), ..Default::default() };
    let rest = nodes.list_nodes(request).await.unwrap().into_inner();
    assert_eq!((rest.nodes.len(), rest.nodes[0].name.as_str(), rest.next_page_token.as_str()), (1, "gamma", ""));
    for token in [first.next_page_token.as_str(), "i.web", "i.", "x", "\u{e4}", "5"] {
        let request = v1::ListInstancesRequest { page_token: token.into(), ..Default::default() };
        let status = instances.list_instances(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{token}");
        assert!(status.message().contains("page_token"), "{status}");
    }
    let status = page(&mut town.processes(), 1_001, "").await.unwrap_err();
    assert!(status.message().contains("page_size"), "{status}");
    town.close().await;
}

async fn instances(town: &Town, request: v1::ListInstancesRequest) -> Vec<String> {
    let mut client = InstanceServiceClient::new(town.channel.clone());
    let (mut request, mut ids) = (request, Vec::new());
    loop {
        let answer = client.list_instances(request.clone()).await.unwrap().into_inner();
        assert!(answer.instances.len() <= request.page_size as usize, "more than were asked for");
        ids.extend(answer.instances.into_iter().map(|instance| instance.id));
        request.page_token = answer.next_page_token;
        if request.page_token.is_empty() {
            return ids;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_are_found_by_name_pattern_and_node_on_whatever_page() {
    let town = Town::open().await;
    let _runners = (town.runner("alpha").await, town.runner("beta").await);
    town.apply(vec![spec("db", 5), spec("web", 12), spec("web-3", 2)]).await;
    let all = instances(&town, v1::ListInstancesRequest { page_size: 1_000, ..Default::default() }).await;
    assert_eq!(all.len(), 19);
    let some = |wanted: &dyn Fn(&str) -> bool| all.iter().filter(|id| wanted(id)).cloned().collect::<Vec<_>>();
    for size in [1, 2, 3, 50] {
        for (selectors, expected) in [
            (vec!["web-3"], some(&|id| id == "web-3" || id.starts_with("web-3-"))),
            (
                vec!["web-3-2", "db", "web-12", "nothing"],
                some(&|id| ["web-3-2", "web-12"].contains(&id) || id.starts_with("db")),
            ),
            (vec!["w*"], some(&|id| id.starts_with('w'))),
            (vec!["nothing"], vec![]),
        ] {
            let selectors: Vec<String> = selectors.into_iter().map(str::to_owned).collect();
            let request = v1::ListInstancesRequest { selectors, page_size: size, ..Default::default() };
            assert_eq!(instances(&town, request.clone()).await, expected, "{request:?}");
            let on = |node: &str| v1::ListInstancesRequest { node: node.into(), ..request.clone() };
            let (alpha, beta) = (instances(&town, on("alpha")).await, instances(&town, on("beta")).await);
            assert_eq!(alpha.len() + beta.len(), expected.len());
            assert!(expected.iter().all(|id| alpha.contains(id) != beta.contains(id)), "{alpha:?} {beta:?}");
            assert!(instances(&town, on("no/name")).await.is_empty());
        }
        let of_alpha = v1::ListInstancesRequest { node: "alpha".into(), page_size: size, ..Default::default() };
        let of_alpha = instances(&town, of_alpha).await;
        assert!(of_alpha.len() >= 9 && of_alpha == some(&|id| of_alpha.iter().any(|one| one == id)));
    }
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_few_rows_match_is_found_behind_thousands_that_do_not() {
    let town = Town::open().await;
    town.apply((0..210).map(|n| spec(&name(n), 100)).chain([spec("zoo", 3)]).collect()).await;
    let request = v1::ListInstancesRequest { selectors: vec!["z*".into()], page_size: 2, ..Default::default() };
    assert_eq!(instances(&town, request).await, ["zoo-1", "zoo-2", "zoo-3"]);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_large_specs_ends_before_it_is_too_large_for_a_message() {
    let town = Town::open().await;
    for n in 0..12 {
        let mut large = spec(&name(n), 0);
        large.env.extend((0..4).map(|v| (format!("V{v}"), "x".repeat(60_000))));
        town.apply(vec![large, spec(&format!("{}-small", name(n)), 0)]).await;
    }
    let mut client = town.processes();
    let (mut request, mut names, mut pages) = (v1::ListProcessesRequest::default(), Vec::new(), 0);
    loop {
        let answer = client.list_processes(request.clone()).await.unwrap().into_inner();
        assert!(answer.encoded_len() < 4 << 20 && !answer.processes.is_empty());
        names.extend(answer.processes.into_iter().map(|p| p.spec.unwrap().name));
        pages += 1;
        request.page_token = answer.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    let expected: Vec<String> = (0..12).flat_map(|n| [name(n), format!("{}-small", name(n))]).collect();
    assert_eq!(names, expected);
    assert!((2..=3).contains(&pages), "{pages} pages");
    town.close().await;
}
