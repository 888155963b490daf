//! The notices of what is linked into the plugin: name, version, licence, and every licence text once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, Package, PackageId};

use crate::workspace::Workspace;

/// Longest text that is taken for a licence, in bytes.
const LONGEST_TEXT: u64 = 256 << 10;

/// The text of `THIRD-PARTY.txt` for the system that this program was built for.
pub fn notices(workspace: &Workspace) -> Result<String> {
    let graph = workspace.dependencies(Some(&host_triple()?))?;
    let linked = linked_into(&graph, "continuo")?;
    // Two crates of one author often carry the same file: text → who carries it.
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut out = String::from("Continuo contains these libraries:\n\n");
    for package in linked {
        let name = format!("{} {}", package.name, package.version);
        let licence = package.license.as_deref().unwrap_or("see its licence text");
        let _ = writeln!(out, "{name}: {licence}");
        for text in licence_files(package)? {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    for (text, names) in texts {
        let _ = write!(out, "\n{}\n{}\n\n{}\n", "-".repeat(100), names.join(", "), text.trim_end());
    }
    Ok(out)
}

/// The packages from outside that are linked into `root`, in name order: normal dependencies, no procedural macros.
fn linked_into<'a>(graph: &'a Metadata, root: &str) -> Result<Vec<&'a Package>> {
    let packages: HashMap<&PackageId, &Package> = graph.packages.iter().map(|package| (&package.id, package)).collect();
    let resolve = graph.resolve.as_ref().context("cargo metadata resolved nothing")?;
    let nodes: HashMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let start = graph.packages.iter().find(|package| package.name.as_str() == root);
    let mut open = vec![&start.with_context(|| format!("no package {root}"))?.id];
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        let macros = packages[id].targets.iter().any(cargo_metadata::Target::is_proc_macro);
        if macros || !seen.insert(id) {
            continue;
        }
        let dependencies = nodes.get(id).map(|node| node.deps.as_slice()).unwrap_or_default();
        open.extend(
            dependencies
                .iter()
                .filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal))
                .map(|dependency| &dependency.pkg),
        );
    }
    let mut linked: Vec<&Package> =
        seen.into_iter().map(|id| packages[id]).filter(|package| package.source.is_some()).collect();
    linked.sort_by(|a, b| (a.name.as_str(), &a.version).cmp(&(b.name.as_str(), &b.version)));
    Ok(linked)
}

/// The texts of the licence files that a package carries, in the order of their names.
fn licence_files(package: &Package) -> Result<Vec<String>> {
    let Some(folder) = package.manifest_path.parent() else { return Ok(Vec::new()) };
    let folder = folder.as_std_path();
    let mut paths: BTreeSet<PathBuf> = package.license_file.iter().map(|file| folder.join(file)).collect();
    // Fonts and bundled C libraries keep their own texts in folders below.
    for place in [folder.to_owned(), folder.join("fonts"), folder.join("LICENSES")] {
        let entries = fs::read_dir(&place).into_iter().flatten().filter_map(Result::ok);
        paths.extend(entries.map(|entry| entry.path()).filter(|path| is_licence_name(path)));
    }
    let mut texts = Vec::new();
    for path in paths {
        let size = fs::metadata(&path).map_or(0, |metadata| if metadata.is_file() { metadata.len() } else { 0 });
        if (1..=LONGEST_TEXT).contains(&size) {
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            texts.push(String::from_utf8_lossy(&bytes).replace("\r\n", "\n"));
        }
    }
    Ok(texts)
}

fn is_licence_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let program = Path::new(&name).extension().is_some_and(|extension| extension == "rs" || extension == "toml");
    let known = ["license", "licence", "copying", "notice", "copyright", "unlicense", "ofl", "ufl"];
    !program && (known.iter().any(|known| name.starts_with(known)) || name.contains("-license."))
}

fn host_triple() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = crate::exec::quiet(std::process::Command::new(rustc).arg("-vV")).context("cannot run rustc -vV")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned).context("rustc -vV names no host")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_files_are_known_by_name() {
        for name in
            ["LICENSE", "LICENSE-MIT", "License.txt", "COPYING", "NOTICE", "OFL.txt", "emoji-font-mit-license.txt"]
        {
            assert!(is_licence_name(Path::new(name)), "{name}");
        }
        for name in ["Cargo.toml", "license.rs", "README.md", "lib.rs"] {
            assert!(!is_licence_name(Path::new(name)), "{name}");
        }
    }
}
