//! The workspace as Cargo and the disk know it.

use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand, Package};

/// What Cargo says of the workspace, without its dependencies.
pub fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(vec!["--offline".to_owned()])
        .exec()
        .unwrap()
}

/// The packages of the workspace.
pub fn members(metadata: &Metadata) -> Vec<&Package> {
    metadata.packages.iter().filter(|package| metadata.workspace_members.contains(&package.id)).collect()
}

/// The repository's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder, in the order of names.
pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A path below the repository's folder, with `/` on every system.
pub fn relative(path: &Path) -> String {
    // `#[path]` may lead through `..`.
    let path = path.canonicalize().unwrap();
    let root = root().canonicalize().unwrap();
    path.strip_prefix(&root).unwrap_or(&path).to_str().unwrap().replace('\\', "/")
}
