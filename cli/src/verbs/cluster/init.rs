//! `pmctl cluster init`: a CA, and certificates for every service.

use super::certificates::Certificates;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use service_host::identity::Role;
use std::path::PathBuf;
use std::time::Duration;

/// Names and addresses of this machine, for a gateway that is tried out here.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  pmctl cluster init --dir pki --name prod --replicas 3 --host pm.example.com

Nothing is sent anywhere. A CA of your own does as well: only the files matter (docs/security.md).")]
pub(super) struct Args {
    /// Folder for the CA and the certificates; made when it is missing
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The cluster's name, in every certificate
    #[arg(long, value_name = "CLUSTER")]
    name: String,
    /// How many replicas the registry has
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=9))]
    replicas: u32,
    /// Nodes that get their certificate here, so that they need not join
    #[arg(long, value_delimiter = ',', value_name = "NODE,…")]
    runner: Vec<String>,
    /// Make a token as well, in DIR/admin.token: for the gateway's --admin-token-file
    #[arg(long)]
    admin_token: bool,
    /// Leave the CA that DIR holds, and what it has certified, unless two thirds of its life are over; make what is missing
    #[arg(long)]
    keep: bool,
    /// Names and addresses under which people reach the gateway, beside localhost
    #[arg(long, value_delimiter = ',', value_name = "HOST,…")]
    host: Vec<String>,
    /// How long the certificates count
    #[arg(long, default_value = "365d", value_name = "DURATION", value_parser = life)]
    life: Duration,
}

/// A length of time that is worth a certificate.
pub(super) fn life(text: &str) -> Result<Duration, String> {
    let life = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let (least, most) = (Duration::from_secs(1), Duration::from_secs(3650 * 24 * 3600));
    if (least..=most).contains(&life) { Ok(life) } else { Err("is out of range; write 1s to 3650d".to_owned()) }
}

/// Under which names a gateway serves people.
pub(super) fn hosts(given: &[String]) -> Vec<String> {
    let mut hosts: Vec<String> = LOCAL.map(str::to_owned).to_vec();
    hosts.extend(given.iter().filter(|host| !LOCAL.contains(&host.as_str())).cloned());
    hosts
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let made = match args.keep && Certificates::is_there(&args.dir) {
        true => Certificates::open(&args.dir, None)?,
        false => Certificates::create(&args.dir, &args.name)?,
    };
    if made.cluster != args.name {
        let text = format!("{} is of the cluster {}, not of {}", args.dir.display(), made.cluster, args.name);
        return Err(Failure::failed(text).help("--name has to be the same each time, or --dir another one"));
    }
    let terminal = &context.terminal;
    terminal.line(format_args!("CA of cluster {}, sha256:{}", made.cluster, made.fingerprint()))?;
    let key = made.key();
    terminal.line(format_args!(
        "  {}    keep it away from everything but the registry's replicas (--tls-ca-key), which certify nodes with it",
        key.display()
    ))?;
    let replicas = (1..=args.replicas).map(|n| (Role::Registry, format!("registry-{n}")));
    let others = [Role::Monitor, Role::Gateway, Role::Operator].map(|role| (role, role.as_str().to_owned()));
    let runners = args.runner.iter().map(|node| (Role::Runner, node.clone()));
    for (role, name) in replicas.chain(others).chain(runners) {
        let hosts = if role == Role::Gateway { hosts(&args.host) } else { Vec::new() };
        let id = made.id(role, &name)?;
        let folder = made.folder(&id);
        if made.held(&folder, role, |held| held == name).as_ref().is_some_and(Certificates::is_fresh) {
            continue;
        }
        made.issue(&folder, &id, &hosts, args.life)?;
        let use_of = match role {
            Role::Registry => format!("to the machine of replica {name}: registry-svc --tls-dir"),
            Role::Monitor => "to the monitor's machine: monitor-svc --tls-dir".to_owned(),
            Role::Gateway => "to the gateway's machine: gateway --tls-dir".to_owned(),
            Role::Operator => "to yourself: pmctl --endpoint https://… --tls-dir".to_owned(),
            Role::Runner => format!("to the node {name}: runner-svc --tls-dir"),
        };
        terminal.line(format_args!("  {}    {use_of}", folder.display()))?;
    }
    if args.admin_token
        && let Some(token) = made.admin_token()?
    {
        terminal.line(format_args!("  {}    to the gateway's machine: gateway --admin-token-file", token.display()))?;
    }
    terminal.note("nodes get theirs from the registry: `pmctl nodes join-command`");
    Ok(Exit::Done)
}
