//! `cargo xtask bench`: the engine's Criterion benchmarks.

use anyhow::Result;
use continuo_bundler::Platform;

use crate::workspace::Workspace;
use crate::{exec, runtime};

/// Runs them, handing `arguments` to Criterion.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let library = runtime::fetch(workspace, Platform::current()?)?.library;
    let mut cargo = workspace.cargo();
    cargo.args(["bench", "--package", "continuo-engine", "--benches"]).env("CONTINUO_ONNXRUNTIME", library);
    if !arguments.is_empty() {
        cargo.arg("--").args(arguments);
    }
    exec::run(&mut cargo, "See the output above")
}
