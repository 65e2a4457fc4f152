//! Flags of every verb.

use crate::output::Format;
use clap::Args;
use std::path::PathBuf;

/// Flags of every verb.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The gateway, or several with commas between; found by itself when `pmctl up` runs
    #[arg(long, global = true, env = "PM_ENDPOINT", value_name = "URL,…")]
    pub endpoint: Option<String>,
    /// File that holds the token
    #[arg(long, global = true, env = "PM_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Certificate of the CA behind an https:// endpoint, in PEM
    #[arg(long, global = true, env = "PM_CA_FILE", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Folder with an operator's certificate (tls.crt, tls.key, ca.crt): instead of a token
    #[arg(long, global = true, env = "PM_OPERATOR_TLS_DIR", value_name = "DIR")]
    pub tls_dir: Option<PathBuf>,
    /// Where `pmctl up` keeps its state [default: $XDG_STATE_HOME/pm]
    #[arg(long, global = true, env = "PM_STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Output format
    #[arg(short = 'o', long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
    /// No words beside the answer
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Show what the embedded services log (also PM_LOG)
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// No colour (also NO_COLOR)
    #[arg(long, global = true)]
    pub no_color: bool,
}
