//! `cargo xtask bundle`: build the plugin and lay out what a host loads.

use std::fs;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use cargo_metadata::Message;
use continuo_bundler::floor::{self, Glibc, OLDEST_GLIBC};
use continuo_bundler::install::{PluginFolders, install};
use continuo_bundler::platform::System;
use continuo_bundler::{Bundles, Parts, Platform, archive, lay_out, place};

use crate::portable::Portable;
use crate::require::{self, Need};
use crate::workspace::Workspace;
use crate::{licences, portable, runtime};

/// How to bundle.
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Copy the bundles into your own plugin folders, replacing older ones.
    #[arg(long)]
    install: bool,
    /// Bundle a development build.
    #[arg(long)]
    debug: bool,
    /// Also build the standalone program (on Linux it needs ALSA's and JACK's development packages).
    #[arg(long)]
    standalone: bool,
    /// Link for glibc 2.28 and newer instead of 2.34 (Linux; fetches Zig's linker, 100 MB, and builds everything anew).
    #[arg(long, conflicts_with = "standalone")]
    portable: bool,
    /// Skip the archive.
    #[arg(long)]
    no_archive: bool,
}

/// Runs the command.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut needs = vec![Need::Compiler, Need::Python, Need::Pip];
    if options.standalone {
        needs.push(Need::AudioLibraries);
    }
    require::check(&needs)?;
    let build = Build {
        debug: options.debug,
        portable: if options.portable { Some(Portable::prepare(workspace)?) } else { None },
    };
    let bundles = lay_out_build(workspace, &build)?;
    println!("{}\n{}", bundles.clap.display(), bundles.vst3.display());
    if options.standalone {
        println!("{}", standalone(workspace, &build)?.display());
    }
    println!("{} factory model(s), {} seed clip(s), {} patch(es)", bundles.models, bundles.seeds, bundles.patches);
    if !options.no_archive {
        let archive = archive::pack(&bundles, &workspace.version, Platform::current()?)?;
        println!("{}\n{}", archive.display(), bundles.folder.join(archive::SUMS).display());
    }
    if options.install {
        let folders = PluginFolders::of_user(Platform::current()?.system())?;
        for path in install(&bundles, &folders)? {
            println!("installed {}", path.display());
        }
    }
    Ok(())
}

/// How to compile and link.
struct Build {
    debug: bool,
    portable: Option<Portable>,
}

impl Build {
    /// The oldest glibc that what is built must load with.
    fn oldest_glibc(&self) -> Glibc {
        if self.portable.is_some() { portable::OLDEST_GLIBC } else { OLDEST_GLIBC }
    }
}

/// Fetches the runtime, builds the plugin and lays the bundles out in `target/bundled`.
pub fn build(workspace: &Workspace, debug: bool) -> Result<Bundles> {
    lay_out_build(workspace, &Build { debug, portable: None })
}

fn lay_out_build(workspace: &Workspace, build: &Build) -> Result<Bundles> {
    let platform = Platform::current()?;
    let runtime = runtime::fetch(workspace, platform)?;
    let library = build_target(workspace, build, &["--lib"], platform.cdylib())?;
    if platform.system() == System::Linux {
        for library in [&library, &runtime.library] {
            floor::check(library, build.oldest_glibc())?;
        }
    }
    let parts = Parts {
        platform,
        library,
        runtime,
        presets: workspace.root.join("presets"),
        licences: licence_texts(workspace)?,
        version: workspace.version.clone(),
    };
    Ok(lay_out(&parts, &workspace.bundled())?)
}

/// Builds the standalone program and puts it beside `Continuo.resources`, where it looks for what ships with it.
fn standalone(workspace: &Workspace, build: &Build) -> Result<PathBuf> {
    let name = format!("continuo{}", std::env::consts::EXE_SUFFIX);
    let program = build_target(workspace, build, &["--bin", "continuo", "--features", "standalone"], &name)?;
    let target = workspace.bundled().join(name);
    place::replace(&target, |staging| place::copy_file(&program, staging))?;
    Ok(target)
}

/// Builds one target of the plugin's package and returns the path that Cargo reports for its file `name`.
fn build_target(workspace: &Workspace, build: &Build, target: &[&str], name: &str) -> Result<PathBuf> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--package", "continuo", "--message-format", "json-render-diagnostics"]).args(target);
    if !build.debug {
        cargo.arg("--release");
    }
    if let Some(portable) = &build.portable {
        portable.apply(&mut cargo);
    }
    eprintln!("$ cargo build --package continuo {}{}", target.join(" "), if build.debug { "" } else { " --release" });
    let mut child = cargo.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let mut built = None;
    for message in Message::parse_stream(BufReader::new(output)) {
        if let Message::CompilerArtifact(artifact) = message.context("cannot read cargo's output")?
            && artifact.target.name == "continuo"
        {
            let found = artifact.filenames.into_iter().find(|path| path.file_name() == Some(name));
            built = found.map(cargo_metadata::camino::Utf8PathBuf::into_std_path_buf).or(built);
        }
    }
    let status = child.wait().context("cannot wait for cargo")?;
    if !status.success() {
        bail!("the plugin does not build ({status})");
    }
    built.with_context(|| format!("cargo built no {name}"))
}

/// Continuo's own licences and the notices of the crates that are linked into it.
fn licence_texts(workspace: &Workspace) -> Result<Vec<(String, String)>> {
    let mut texts = Vec::new();
    for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
        let path = workspace.root.join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        texts.push((name.to_owned(), text));
    }
    texts.push(("THIRD-PARTY.txt".to_owned(), licences::notices(workspace)?));
    Ok(texts)
}
