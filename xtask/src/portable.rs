//! Linking for an older C library than this machine's, with Zig's linker and its stubs of every glibc.
//!
//! Rust's standard library asks for the newest version of a function that the linker finds; where the stubs are those of glibc
//! 2.28, it finds no newer one. Zig is fetched through the ordinary Python package client, verified against pinned hashes;
//! nothing but the last step of the build changes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use continuo_bundler::floor::Glibc;

use crate::exec::run;
use crate::require::{self, Need};
use crate::workspace::Workspace;

/// The oldest glibc that a portable bundle runs on (2018: Debian 10, Ubuntu 20.04, RHEL 8). ONNX Runtime asks for as much.
pub const OLDEST_GLIBC: Glibc = Glibc(2, 28);

/// The Python package that Zig comes in, with the SHA-256 of its wheels for x86-64 and ARM64.
const ZIG: &str = "ziglang==0.17.1 \
    --hash=sha256:ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54 --hash=sha256:b7c5f02fccd40f89b999ee16a1f5ddced56e6182370f8affe494bcf8a28cf07e\n";

/// Where a portable build goes, below the workspace's target folder: its libraries differ from the others in nothing that Cargo
/// knows of.
const FOLDER: &str = "portable";

/// What makes a build portable.
#[derive(Debug)]
pub struct Portable {
    linker: PathBuf,
    target: PathBuf,
    variable: String,
}

impl Portable {
    /// Fetches Zig, if it is not there yet.
    pub fn prepare(workspace: &Workspace) -> Result<Self> {
        if !cfg!(all(target_os = "linux", target_env = "gnu")) {
            bail!("--portable is for Linux with glibc; other systems' bundles need nothing of the kind");
        }
        require::check(&[Need::Python, Need::Pip])?;
        let folder = workspace.cache().join("zig");
        let (wanted, packages) = (folder.join("requirements.txt"), folder.join("packages"));
        if fs::read_to_string(&wanted).ok().as_deref() != Some(ZIG) || !packages.is_dir() {
            let failed = || format!("cannot write to {}", folder.display());
            fs::create_dir_all(&folder).with_context(failed)?;
            let asked = folder.join("requirements.new");
            fs::write(&asked, ZIG).with_context(failed)?;
            let mut pip = Command::new(require::python_name());
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]);
            pip.args(["--only-binary=:all:", "--require-hashes", "--upgrade", "--target"]).arg(&packages);
            run(pip.arg("--requirement").arg(&asked), "Check the network and the package index that pip uses")?;
            // Only now is it what this says.
            fs::rename(&asked, &wanted).with_context(failed)?;
        }
        let linker = folder.join("link");
        let script = format!(
            "#!/bin/sh\nPYTHONPATH='{}' exec {} -m ziglang cc -target {}-linux-gnu.{OLDEST_GLIBC} \"$@\"\n",
            packages.display(),
            require::python_name(),
            std::env::consts::ARCH,
        );
        fs::write(&linker, script).with_context(|| format!("cannot write {}", linker.display()))?;
        make_executable(&linker)?;
        Ok(Self {
            linker,
            target: workspace.target.join(FOLDER),
            variable: format!("CARGO_TARGET_{}_UNKNOWN_LINUX_GNU_LINKER", std::env::consts::ARCH.to_uppercase()),
        })
    }

    /// Makes `cargo` link so.
    pub fn apply(&self, cargo: &mut Command) {
        cargo.env(&self.variable, &self.linker).env("CARGO_TARGET_DIR", &self.target);
    }
}

#[cfg(unix)]
fn make_executable(path: &std::path::Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", path.display()))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
fn make_executable(_: &std::path::Path) -> Result<()> {
    Ok(())
}
