//! `continuo-trainer`: see `continuo-trainer help`.

use clap::Parser as _;
use continuo_trainer::cli::{Cli, Command};

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Prepare(_)
        | Command::Train(_)
        | Command::Resume(_)
        | Command::Render(_)
        | Command::Export(_)
        | Command::Inspect(_) => anyhow::bail!("this build has no subcommands yet"),
    }
}
