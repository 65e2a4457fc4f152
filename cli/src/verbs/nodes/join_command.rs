//! `pmctl nodes join-command`: one line that makes another server a node.

use super::package::Package;
use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::human;
use pm_proto::convert::duration_to_wire;
use pm_proto::v1::{CreateJoinTokenRequest, CreateJoinTokenResponse};
use process_model::NodeName;
use service_host::transport::Endpoints;
use std::time::Duration;

/// Arguments of `join-command`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  pmctl nodes join-command --node db-1 --ttl 15m
  pmctl nodes join-command --install /srv/pm-runner_0.1.0_amd64.deb    the line installs the package, too

The line holds a secret that is good once: paste it on the new server, do not mail it. It is read from the
environment there, so that no other user of the server sees it in the list of processes.")]
pub(super) struct Args {
    /// Name of the node; without it the server's own name, if no node has that
    #[arg(long, value_name = "NAME")]
    node: Option<NodeName>,
    /// How long the command works, at most 24h
    #[arg(long, default_value = "1h", value_name = "DURATION", value_parser = humantime::parse_duration)]
    ttl: Duration,
    /// Where the new node finds the monitor
    #[arg(long, value_name = "URL")]
    monitor: Option<Endpoints>,
    /// The package that the line installs: its address, or its path, which is the same there
    #[arg(long, value_name = "URL|PATH")]
    install: Option<String>,
    /// SHA-256 of that package, from SHA256SUMS [default for a path: that of the file here]
    #[arg(long, value_name = "SHA256", requires = "install")]
    sha256: Option<String>,
    /// Why, for the audit log
    #[arg(long, default_value = "", value_name = "TEXT", hide_default_value = true)]
    reason: String,
}

pub(super) async fn run(context: &Context, connection: &Connection, args: &Args) -> Result<Exit, Failure> {
    // Before there is a token that nobody could use.
    let package = args.install.as_deref().map(|place| Package::at(place, args.sha256.as_deref())).transpose()?;
    let mut tokens = connection.join_tokens();
    let request = CreateJoinTokenRequest {
        node: args.node.as_ref().map(ToString::to_string).unwrap_or_default(),
        ttl: Some(duration_to_wire(args.ttl)),
        reason: args.reason.clone(),
    };
    let made = connection.call("make a join token", tokens.create_join_token(request)).await?;
    let until = human::time(made.expire_time.as_ref()).map(|until| human::clock(until, human::now()));
    let who = if package.is_some() { "as root of the new server" } else { "on the new server" };
    context.terminal.note(format_args!("{who}, until {}, once:", until.unwrap_or_default()));
    context.terminal.line(line(&made, args, package.as_ref()))?;
    Ok(Exit::Done)
}

/// The line. Nothing in it needs quoting: hexadecimal digits, names and addresses.
fn line(made: &CreateJoinTokenResponse, args: &Args, package: Option<&Package>) -> String {
    let CreateJoinTokenResponse { token, ca_fingerprint, registries, .. } = made;
    let node = args.node.as_ref().map(|node| format!(" --node {node}")).unwrap_or_default();
    let monitor = args.monitor.as_ref().map(|monitor| format!(" --monitor {monitor}")).unwrap_or_default();
    let registries = registries.join(",");
    let join =
        format!("runner-svc join --registry {registries} --ca-fingerprint sha256:{ca_fingerprint}{node}{monitor}");
    match package {
        Some(package) => package.line(token, &join),
        None => format!("PM_JOIN_TOKEN={token} {join}"),
    }
}
