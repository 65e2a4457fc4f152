//! Whole lists: page after page until the last. The revision is the first
//! page's, so that following from there misses nothing of any page.

use crate::connection::Connection;
use crate::error::Failure;
use pm_proto::v1::{
    ListInstancesRequest, ListInstancesResponse, ListNodesRequest, ListNodesResponse, ListProcessesRequest,
    ListProcessesResponse,
};

/// All processes that a request selects.
///
/// # Errors
/// As the call; `what` says for what it was.
pub async fn processes(
    connection: &Connection,
    what: &str,
    mut request: ListProcessesRequest,
) -> Result<ListProcessesResponse, Failure> {
    let mut client = connection.processes();
    let mut all = connection.call(what, client.list_processes(request.clone())).await?;
    while !all.next_page_token.is_empty() {
        request.page_token = std::mem::take(&mut all.next_page_token);
        let page = connection.call(what, client.list_processes(request.clone())).await?;
        all.processes.extend(page.processes);
        all.next_page_token = page.next_page_token;
    }
    Ok(all)
}

/// All instances that a request selects.
///
/// # Errors
/// As [`processes`].
pub async fn instances(
    connection: &Connection,
    what: &str,
    mut request: ListInstancesRequest,
) -> Result<ListInstancesResponse, Failure> {
    let mut client = connection.instances();
    let mut all = connection.call(what, client.list_instances(request.clone())).await?;
    while !all.next_page_token.is_empty() {
        request.page_token = std::mem::take(&mut all.next_page_token);
        let page = connection.call(what, client.list_instances(request.clone())).await?;
        all.instances.extend(page.instances);
        all.next_page_token = page.next_page_token;
    }
    Ok(all)
}

/// All nodes.
///
/// # Errors
/// As [`processes`].
pub async fn nodes(
    connection: &Connection,
    what: &str,
    mut request: ListNodesRequest,
) -> Result<ListNodesResponse, Failure> {
    let mut client = connection.nodes();
    let mut all = connection.call(what, client.list_nodes(request.clone())).await?;
    while !all.next_page_token.is_empty() {
        request.page_token = std::mem::take(&mut all.next_page_token);
        let page = connection.call(what, client.list_nodes(request.clone())).await?;
        all.nodes.extend(page.nodes);
        all.next_page_token = page.next_page_token;
    }
    Ok(all)
}
