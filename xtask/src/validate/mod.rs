//! `cargo xtask validate`: is the bundle what a host may rely on?
//!
//! Three things run: Steinberg's own VST3 tests (on Linux, from the SDK's sources inside a crate, see
//! `tests/hosts/vst3-validator`), any third-party validator that is installed, and checks and a fuzzer of our own on the
//! CLAP, since the third-party CLAP validator is in no package registry.

mod checks;
mod fuzz;
mod random;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::exec::{quiet, run as execute, summarised};
use crate::require::{self, Need};
use crate::workspace::Workspace;

/// What to validate.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Seconds of fuzzing.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

/// Validators of others: program, arguments before the path, the bundle's file.
const OTHERS: [(&str, &[&str], &str); 2] = [
    ("clap-validator", &["validate"], "Continuo.clap"),
    ("pluginval", &["--strictness-level", "8", "--skip-gui-tests", "--validate"], "Continuo.vst3"),
];

/// Runs the command on what lies in `target/bundled`.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    check(workspace, options.seconds)
}

/// Validates the bundles in `target/bundled`.
pub fn check(workspace: &Workspace, seconds: u64) -> Result<()> {
    let clap = workspace.bundled().join("Continuo.clap");
    if !clap.exists() {
        bail!("{} is missing; make it with: cargo xtask bundle", clap.display());
    }
    if cfg!(target_os = "linux") {
        let validator = steinberg(workspace)?;
        let mut tests = Command::new(validator);
        tests.arg(workspace.bundled().join("Continuo.vst3"));
        summarised(&mut tests, "See the failed tests above")?;
    } else {
        eprintln!("Steinberg's VST3 tests are built on Linux only: skipped");
    }
    for (program, arguments, bundle) in OTHERS {
        // Asking for help starts a program without loading anything.
        if quiet(Command::new(program).arg("--help")).is_some() {
            let mut command = Command::new(program);
            execute(command.args(arguments).arg(workspace.bundled().join(bundle)), "See the report above")?;
        }
    }
    let count = checks::run(&clap)?;
    println!("CLAP checks: {count} passed");
    let tally = fuzz::fuzz(&clap, Duration::from_secs(seconds))?;
    println!(
        "CLAP fuzzing, {seconds} s: {} activations, {} blocks, {} frames, {} parameter changes, {} notes, {} states: no fault",
        tally.activations, tally.blocks, tally.frames, tally.changes, tally.notes, tally.states
    );
    Ok(())
}

/// Builds Steinberg's tests as a program, outside the workspace and its lock file.
fn steinberg(workspace: &Workspace) -> Result<PathBuf> {
    require::check(&[Need::CppCompiler])?;
    let manifest = workspace.root.join("tests").join("hosts").join("vst3-validator").join("Cargo.toml");
    let target = workspace.target.join("validators");
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--quiet", "--locked", "--manifest-path"]).arg(manifest).env("CARGO_TARGET_DIR", &target);
    execute(&mut cargo, "Steinberg's VST3 tests do not build")?;
    let program = target.join("debug").join("vst3-validator");
    program.is_file().then_some(program).context("cargo built no vst3-validator")
}
