//! `cargo xtask bench`: what the machine can do, how near the engine comes, and Criterion's benchmarks.

use std::fs;

use anyhow::{Context, Result};
use continuo_bundler::Platform;

use crate::workspace::Workspace;
use crate::{exec, runtime};

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// This machine's peak of multiply-adds in each precision, and its read bandwidth from each level of memory.
    Roofline,
    /// The engine's figures beside ONNX Runtime's in the same run, as shares of the roofline; a table and JSON.
    Engine {
        /// Render 8 takes of 60 s again and again for so many minutes, to see whether memory grows.
        #[arg(long, default_value_t = 0.0)]
        minutes: f64,
    },
    /// Criterion's benchmarks of single steps, to compare one commit with another.
    Step {
        /// Arguments for Criterion, such as a filter.
        #[arg(trailing_var_arg = true)]
        arguments: Vec<String>,
    },
}

/// Runs the command.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let library = runtime::fetch(workspace, Platform::current()?)?.library;
    let folder = workspace.measurements();
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let json = |name: &str| folder.join(format!("{name}.json")).display().to_string();
    let (bench, arguments) = match &options.what {
        Some(What::Roofline) => ("engine", vec!["roofline".to_owned(), "--json".to_owned(), json("roofline")]),
        None => ("engine", vec!["engine".to_owned(), "--json".to_owned(), json("engine")]),
        Some(What::Engine { minutes }) => {
            let minutes = ["--minutes".to_owned(), minutes.to_string()];
            let named = vec!["engine".to_owned(), "--json".to_owned(), json("engine")];
            ("engine", [named, minutes.to_vec()].concat())
        }
        Some(What::Step { arguments }) => ("step", arguments.clone()),
    };
    let mut cargo = workspace.cargo();
    cargo.args(["bench", "--package", "continuo-engine", "--bench", bench]).env("CONTINUO_ONNXRUNTIME", library);
    cargo.arg("--").args(arguments);
    exec::run(&mut cargo, "See the output above")
}
