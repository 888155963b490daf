//! `cargo xtask …`: everything that a developer or a newcomer types.
//!
//! `cargo xtask demo` runs the main job from nothing to a phrase in a file; `cargo xtask test` runs every check. Both say
//! first, in one line each, what the machine lacks. This program knows bundles and hosts, never the engine: it sees the
//! plugin as a producer's host does.

mod bench;
mod bundle;
mod demo;
mod exec;
mod gpu_pack;
mod licences;
mod portable;
mod require;
mod runtime;
mod test;
mod validate;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use continuo_bundler::Platform;

use crate::workspace::Workspace;

/// Build, bundle, test and try Continuo.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Fetch the ONNX Runtime library through the Python package client, verified against a pinned hash.
    FetchRuntime {
        /// Fetch for another platform than this one.
        #[arg(long, value_parser = platform)]
        platform: Option<Platform>,
    },
    /// Build the plugin and lay out Continuo.clap and Continuo.vst3 in target/bundled.
    Bundle(bundle::Options),
    /// The main job: build, load the plugin in a headless host, continue a clip, write phrase.wav and phrase.png.
    Demo(demo::Options),
    /// Run every check: format, lints, tests, licences, the bundle in real hosts.
    Test(test::Options),
    /// Measure the engine and this machine.
    Bench(bench::Options),
    /// Lay out a folder for training on a GPU machine that has neither Rust nor a network.
    GpuPack(gpu_pack::Options),
    /// Check the licences of every dependency against deny.toml.
    Licences {
        /// Also write the notices that go into a bundle to this file.
        #[arg(long)]
        notices: Option<PathBuf>,
    },
    /// Load the bundled CLAP in a host and fuzz its parameters, transport, notes and state; run installed validators.
    Validate(validate::Options),
}

fn platform(name: &str) -> Result<Platform, String> {
    Platform::named(name).ok_or_else(|| format!("known platforms: {}", Platform::names()))
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", told_once(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes in one line, leaving out causes that are already in the text before them.
fn told_once(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            let between = if text.is_empty() { "" } else { ": " };
            text = format!("{text}{between}{cause}");
        }
    }
    text
}

fn run(task: Task) -> anyhow::Result<()> {
    let workspace = Workspace::load()?;
    match task {
        Task::FetchRuntime { platform } => {
            let platform = platform.map_or_else(Platform::current, Ok)?;
            let files = runtime::fetch(&workspace, platform)?;
            println!("ONNX Runtime {}: {}", continuo_bundler::runtime::VERSION, files.library.display());
            Ok(())
        }
        Task::Bundle(options) => bundle::run(&workspace, &options),
        Task::Demo(options) => demo::run(&workspace, &options),
        Task::Test(options) => test::run(&workspace, &options),
        Task::Bench(options) => bench::run(&workspace, &options),
        Task::GpuPack(options) => gpu_pack::run(&workspace, &options),
        Task::Licences { notices } => licences::run(&workspace, notices.as_deref()),
        Task::Validate(options) => validate::run(&workspace, &options),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let io = std::io::Error::other("the disk is full");
        let error = anyhow::Error::new(io).context("cannot write: the disk is full").context("bundling");
        assert_eq!(told_once(&error), "bundling: cannot write: the disk is full");
    }
}
