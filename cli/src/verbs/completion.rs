//! `pmctl completion`: a shell's completion script.

use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use clap_complete::Shell;

/// Arguments of `completion`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  source <(pmctl completion bash)
  pmctl completion zsh > ~/.zfunc/_pmctl
  pmctl completion fish > ~/.config/fish/completions/pmctl.fish")]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script for the whole command line of `pmctl`.
///
/// # Errors
/// It cannot be written.
pub fn run(context: &Context, args: &Args, pmctl: &mut clap::Command) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, pmctl, "pmctl", &mut script);
    context.terminal.bytes(&script)?;
    Ok(Exit::Done)
}
