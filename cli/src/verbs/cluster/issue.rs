//! `pmctl cluster issue`: one certificate of the built-in CA, new or in the place of another.

use super::certificates::Certificates;
use super::init::{hosts, life};
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use service_host::identity::Role;
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `issue`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl cluster issue --dir pki gateway/gateway --host pm.example.com
  pmctl cluster issue --dir pki registry/registry-4     for a replica that joins
  pmctl cluster issue --dir pki runner/db-1             for a node that cannot ask the registry
  pmctl cluster issue --dir /ca --cluster prod --out /data/tls --unique --keep registry/registry-0    for a container

Copy key and certificate to where the old ones are: the service takes them up without a restart.")]
pub(super) struct Args {
    /// Folder of the CA
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// For whom: registry/NAME, gateway/NAME, monitor/NAME, runner/NODE or operator/NAME
    #[arg(value_name = "ROLE/NAME")]
    who: String,
    /// The cluster's name [default: as the file `cluster` beside the CA says]
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Folder for key, certificate and CA [default: one with the name, beside the CA]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Leave what --out holds if two thirds of its life are not over; what is renewed keeps its name
    #[arg(long, requires = "out")]
    keep: bool,
    /// A name that nobody had before: with random letters at its end. A replica's name is that of its directory
    #[arg(long, requires = "out")]
    unique: bool,
    /// Names and addresses under which people reach it, beside localhost
    #[arg(long, value_delimiter = ',', value_name = "HOST,…")]
    host: Vec<String>,
    /// How long it counts
    #[arg(long, default_value = "365d", value_name = "DURATION", value_parser = life)]
    life: Duration,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let named = args.who.split_once('/').ok_or_else(|| Failure::usage(format!("{:?} is not ROLE/NAME", args.who)))?;
    let role: Role = named.0.parse().map_err(|error| Failure::usage(format!("{error}")))?;
    let made = Certificates::open(&args.dir, args.cluster.as_deref())?;
    let hosts = if role == Role::Gateway || !args.host.is_empty() { hosts(&args.host) } else { Vec::new() };
    let is_called = |name: &str| is_called(name, named.1, args.unique);
    let held = args.out.as_deref().filter(|_| args.keep).and_then(|out| made.held(out, role, is_called));
    if held.as_ref().is_some_and(Certificates::is_fresh) {
        context.terminal.line(args.out.as_deref().unwrap_or(&args.dir).display())?;
        return Ok(Exit::Done);
    }
    let name = match held {
        Some(held) => held.id().name().to_owned(),
        None if args.unique => format!("{}-{}", named.1, suffix()),
        None => named.1.to_owned(),
    };
    let id = made.id(role, &name)?;
    let folder = args.out.clone().unwrap_or_else(|| made.folder(&id));
    made.issue(&folder, &id, &hosts, args.life)?;
    context.terminal.line(folder.display())?;
    Ok(Exit::Done)
}

/// Whether a certificate has the name that is wanted.
fn is_called(name: &str, wanted: &str, unique: bool) -> bool {
    match unique {
        true => name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('-')),
        false => name == wanted,
    }
}

/// 48 random bits: no two of a cluster's certificates have the same.
fn suffix() -> String {
    uuid::Uuid::new_v4().simple().to_string().chars().take(12).collect()
}
