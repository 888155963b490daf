//! Where the workspace lies and where it builds to.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand};

/// The workspace that this program belongs to.
#[derive(Debug)]
pub struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    pub root: PathBuf,
    /// Where Cargo builds to. Asked of Cargo, since the environment or a configuration file may move it.
    pub target: PathBuf,
    /// The plugin's version.
    pub version: String,
}

impl Workspace {
    /// Asks Cargo.
    pub fn load() -> Result<Self> {
        let metadata = MetadataCommand::new()
            .manifest_path(manifest())
            .no_deps()
            .exec()
            .context("cargo metadata failed; run this inside the repository")?;
        let version = metadata
            .packages
            .iter()
            .find(|package| package.name.as_str() == "continuo")
            .map(|package| package.version.to_string())
            .context("the workspace has no package `continuo`")?;
        Ok(Self {
            root: metadata.workspace_root.into_std_path_buf(),
            target: metadata.target_directory.into_std_path_buf(),
            version,
        })
    }

    /// The whole dependency graph, as locked; `platform` keeps only what is built for that target triple.
    pub fn dependencies(&self, platform: Option<&str>) -> Result<Metadata> {
        let mut arguments = vec!["--locked".to_owned()];
        if let Some(platform) = platform {
            arguments.extend(["--filter-platform".to_owned(), platform.to_owned()]);
        }
        MetadataCommand::new()
            .manifest_path(self.root.join("Cargo.toml"))
            .other_options(arguments)
            .exec()
            .context("cargo metadata --locked failed; is Cargo.lock up to date?")
    }

    /// `cargo`, in the workspace, building to the folder that this program reads from.
    pub fn cargo(&self) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// Where downloads and test environments are kept: `CONTINUO_CACHE`, else `.cache` in the workspace.
    pub fn cache(&self) -> PathBuf {
        match std::env::var_os("CONTINUO_CACHE").filter(|folder| !folder.is_empty()) {
            // Relative to where the command was typed, and then the same wherever a child runs.
            Some(folder) => std::path::absolute(&folder).unwrap_or_else(|_| folder.into()),
            None => self.root.join(".cache"),
        }
    }

    /// Where ONNX Runtime is kept.
    pub fn runtime_folder(&self) -> PathBuf {
        self.cache().join("runtime")
    }

    /// Where measurements go.
    pub fn measurements(&self) -> PathBuf {
        self.target.join("bench")
    }

    /// Where bundles are laid out.
    pub fn bundled(&self) -> PathBuf {
        self.target.join("bundled")
    }
}

/// The workspace's manifest: two levels above this program's when Cargo runs it, else the one around the working folder.
fn manifest() -> PathBuf {
    let own = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    own.as_deref()
        .and_then(Path::parent)
        .map(|root| root.join("Cargo.toml"))
        .filter(|path| path.is_file())
        .unwrap_or_else(|| PathBuf::from("Cargo.toml"))
}
