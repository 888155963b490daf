//! `cargo xtask test`: every check, in the order in which a failure is cheapest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use continuo_bundler::{Platform, sha256_hex};

use crate::exec::{quiet, run as execute};
use crate::require::{self, Need};
use crate::workspace::Workspace;
use crate::{bundle, licences, runtime, validate};

/// How much to test.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Only what needs no release build: format, lints, licences and Rust's tests.
    #[arg(long, conflicts_with = "only")]
    fast: bool,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Seconds of fuzzing.
    #[arg(long, default_value_t = 30)]
    fuzz_seconds: u64,
}

/// A part of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// cargo fmt --check.
    Format,
    /// Licences against deny.toml, and cargo-deny where it is installed.
    Licences,
    /// cargo clippy, warnings refused.
    Lints,
    /// cargo test on the whole workspace.
    Rust,
    /// The trainer's GPU passes, over software Vulkan: no GPU is needed. Only when it is asked for: it takes long to build.
    Gpu,
    /// Fuzzing the bundled CLAP in a headless host, and any validators that are installed.
    Validate,
    /// The bundled VST3 in DawDreamer and pedalboard.
    Hosts,
    /// Editors on an X server without a screen: opened and closed, and operated with a mouse in a host. Only when it is asked for.
    Windows,
}

const ALL: [Part; 6] = [Part::Format, Part::Licences, Part::Lints, Part::Rust, Part::Validate, Part::Hosts];
const FAST: [Part; 4] = [Part::Format, Part::Licences, Part::Lints, Part::Rust];

/// Runs the command.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let parts: Vec<Part> = match (options.fast, options.only.as_slice()) {
        (true, _) => FAST.to_vec(),
        (false, []) => ALL.to_vec(),
        (false, only) => ALL.into_iter().chain([Part::Gpu, Part::Windows]).filter(|part| only.contains(part)).collect(),
    };
    let bundled = parts.iter().any(|part| matches!(part, Part::Validate | Part::Hosts | Part::Windows));
    let mut needs = vec![Need::Compiler, Need::Python, Need::Pip];
    if parts.contains(&Part::Validate) && cfg!(target_os = "linux") {
        needs.push(Need::CppCompiler);
    }
    if parts.contains(&Part::Lints) {
        needs.push(Need::AudioLibraries);
    }
    if parts.contains(&Part::Gpu) {
        needs.push(Need::Vulkan);
    }
    if parts.contains(&Part::Windows) {
        needs.push(Need::Display);
    }
    if parts.contains(&Part::Hosts) || parts.contains(&Part::Windows) {
        needs.extend([Need::Venv, Need::HostLibraries]);
    }
    require::check(&needs)?;
    let library = runtime::fetch(workspace, Platform::current()?)?.library;

    for part in parts.iter().filter(|part| !matches!(part, Part::Validate | Part::Hosts)) {
        timed(&format!("{part:?}"), || match part {
            Part::Format => execute(workspace.cargo().args(["fmt", "--all", "--check"]), "Run cargo fmt --all"),
            Part::Licences => check_licences(workspace),
            Part::Lints => lint(workspace),
            Part::Gpu => test_gpu(workspace),
            Part::Windows => {
                execute(
                    workspace
                        .cargo()
                        .args(["test", "--package", "continuo", "--locked", "--no-default-features"])
                        .args(["--test", "windows", "--", "--ignored"]),
                    "See the failures above",
                )
            }
            // Without the trainer's GPUs, which take minutes to build; clippy has checked them.
            _ => execute(
                workspace
                    .cargo()
                    .args(["test", "--workspace", "--locked", "--no-default-features"])
                    .env("CONTINUO_ONNXRUNTIME", &library),
                "See the failures above",
            ),
        })?;
    }
    if bundled {
        timed("Bundle", || bundle::build(workspace, false).map(drop))?;
    }
    if parts.contains(&Part::Validate) {
        timed("Validate", || validate::check(workspace, options.fuzz_seconds))?;
    }
    if parts.contains(&Part::Hosts) {
        timed("Hosts", || hosts(workspace))?;
    }
    if parts.contains(&Part::Windows) {
        timed("Walk", || walk(workspace))?;
    }
    println!("all parts passed: {parts:?}");
    Ok(())
}

/// The trainer's passes on a GPU, or on what plays one. CUDA's kernels come from the same source, so most of what runs there is
/// tested here as well. A profile of its own builds them as quickly as can be.
fn test_gpu(workspace: &Workspace) -> Result<()> {
    let mut test = workspace.cargo();
    test.args(["test", "--profile", "gpu-tests", "--package", "continuo-trainer", "--locked", "--no-default-features"]);
    execute(test.args(["--features", "gpu", "--test", "gpu", "--test", "gpu_memory"]), "See the failures above")
}

/// Clippy over everything, with what the tests leave out: the trainer's GPUs, and the standalone program. In one go, so that no
/// dependency is checked twice with other features.
fn lint(workspace: &Workspace) -> Result<()> {
    let mut clippy = workspace.cargo();
    clippy.args(["clippy", "--workspace", "--all-targets", "--features", "continuo/standalone", "--locked"]);
    execute(clippy.args(["--", "-D", "warnings"]), "Mend what clippy names")
}

/// cargo-deny knows more (advisories, sources, bans), but takes minutes to build, so it runs only where it is there.
fn check_licences(workspace: &Workspace) -> Result<()> {
    licences::run(workspace, None)?;
    if quiet(Command::new("cargo-deny").arg("--version")).is_none() {
        eprintln!("cargo-deny is not installed (cargo install cargo-deny): bans and sources were not checked");
        return Ok(());
    }
    let deny = |checks: &[&str]| {
        let mut command = workspace.cargo();
        command.args(["deny", "--offline", "check"]).args(checks);
        command
    };
    execute(&mut deny(&["licenses", "bans", "sources"]), "Mend deny.toml or the dependency")?;
    // The advisories come from a repository that not every machine reaches; cargo-deny keeps the copy it last saw.
    let home = |name| std::env::var_os(name).map(PathBuf::from);
    let cargo = home("CARGO_HOME").or_else(|| home("HOME").map(|home| home.join(".cargo")));
    if cargo.is_some_and(|cargo| cargo.join("advisory-dbs").is_dir()) {
        execute(&mut deny(&["advisories"]), "Update the dependency that is named")?;
    } else {
        eprintln!("there is no copy of the advisory database: advisories were not checked");
    }
    Ok(())
}

/// The Python tests, in a virtual environment of their own.
fn hosts(workspace: &Workspace) -> Result<()> {
    let folder = workspace.root.join("tests").join("hosts");
    let python = environment(workspace, &folder)?;
    let mut pytest = Command::new(python);
    pytest.current_dir(&workspace.root).args(["-m", "pytest", "-v", "-p", "no:cacheprovider"]).arg(&folder);
    pytest.env("CONTINUO_BUNDLE", workspace.bundled()).env("PYTHONDONTWRITEBYTECODE", "1");
    execute(&mut pytest, "See the failures above")
}

/// A hand with a mouse goes through the built plugin's editor, in a host on a screen of its own.
fn walk(workspace: &Workspace) -> Result<()> {
    let tests = workspace.root.join("tests").join("hosts");
    let mut walk = Command::new(environment(workspace, &tests)?);
    walk.arg(tests.join("walk_by_hand.py")).arg(workspace.bundled().join("Continuo.vst3"));
    execute(walk.env("PYTHONDONTWRITEBYTECODE", "1"), "See the failure above")
}

/// Python in an environment with exactly `requirements.txt`, made anew when that file or Python changes.
fn environment(workspace: &Workspace, tests: &Path) -> Result<PathBuf> {
    let requirements = tests.join("requirements.txt");
    let wanted = fs::read(&requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    let version =
        quiet(Command::new(require::python_name()).args(["-c", "import sys; print(sys.version, sys.prefix)"]))
            .context("python3 does not run")?;
    let stamp_text = sha256_hex(&[wanted, version.stdout].concat());
    let environment = workspace.cache().join("hosts-venv");
    let (stamp, binaries) = (environment.join("stamp"), if cfg!(windows) { "Scripts" } else { "bin" });
    let python = environment.join(binaries).join(require::python_name());
    if fs::read_to_string(&stamp).is_ok_and(|found| found == stamp_text) {
        return Ok(python);
    }
    let mut venv = Command::new(require::python_name());
    execute(venv.args(["-m", "venv", "--clear"]).arg(&environment), "Is the cache folder writable?")?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:", "-r"]);
    execute(pip.arg(&requirements), "Check the network and the package index that pip uses")?;
    fs::write(&stamp, stamp_text).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(python)
}

fn timed(what: &str, task: impl FnOnce() -> Result<()>) -> Result<()> {
    eprintln!("== {what}");
    let began = Instant::now();
    task().with_context(|| format!("{what} failed"))?;
    eprintln!("== {what}: {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}
