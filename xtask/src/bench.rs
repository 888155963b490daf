//! `cargo xtask bench`: what the machine can do, how near the engine comes, Criterion's benchmarks, what a saved state, a block and an open
//! editor cost, and the trainer's operations.

use std::fs;
use std::path::PathBuf;

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
    /// What a project with 8 takes of 60 s costs: bytes per second of audio and milliseconds per save.
    State {
        /// Only sounds whose name has this in it: noise, tones or model.
        #[arg(default_value = "")]
        only: String,
    },
    /// How long `process()` takes at 64 frames with 16 voices, at rest and while a render saturates every core; allocations and system calls.
    Process,
    /// What an open editor costs in processor time, drawn in software on an X server without a screen.
    Editor,
    /// The trainer's convolutions and recurrent layers on the CPU, beside PyTorch's in the same run; a table and JSON.
    Operations {
        /// A Python that has PyTorch; without one, ours alone are measured.
        #[arg(long)]
        peer: Option<PathBuf>,
        /// Threads of ours and of the peer.
        #[arg(long, default_value_t = 1)]
        threads: usize,
        /// Only rows whose name has this in it.
        #[arg(long, default_value = "")]
        only: String,
    },
}

/// Runs the command.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if let Some(What::Operations { peer, threads, only }) = &options.what {
        return operations(workspace, peer.as_ref(), *threads, only);
    }
    match &options.what {
        Some(What::State { only }) => return plugin(workspace, "state", only),
        Some(What::Process) => return plugin(workspace, "process", ""),
        Some(What::Editor) => return plugin(workspace, "editor", ""),
        _ => {}
    }
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
        Some(What::State { .. } | What::Process | What::Editor | What::Operations { .. }) => return Ok(()),
    };
    let mut cargo = workspace.cargo();
    cargo.args(["bench", "--package", "continuo-engine", "--bench", bench]).env("CONTINUO_ONNXRUNTIME", library);
    cargo.arg("--").args(arguments);
    exec::run(&mut cargo, "See the output above")
}

/// One of the plugin's own. The factory model needs no ONNX Runtime.
fn plugin(workspace: &Workspace, bench: &str, only: &str) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["bench", "--package", "continuo", "--bench", bench, "--"]);
    cargo.args(Some(only).filter(|only| !only.is_empty())).env("CONTINUO_RESOURCES", &workspace.root);
    exec::run(&mut cargo, "See the output above")
}

/// The trainer's operations, built without CUDA, which they do not need.
fn operations(workspace: &Workspace, peer: Option<&PathBuf>, threads: usize, only: &str) -> Result<()> {
    let folder = workspace.measurements();
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut cargo = workspace.cargo();
    cargo.args(["bench", "--package", "continuo-trainer", "--no-default-features", "--bench", "operations", "--"]);
    cargo.arg("--json").arg(folder.join("operations.json"));
    cargo.args(["--threads", &threads.to_string(), "--only", only]);
    if let Some(python) = peer {
        cargo.arg("--peer").arg(python);
    }
    exec::run(&mut cargo, "See the output above")
}
