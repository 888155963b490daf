//! Who may know whom, over `cargo metadata`: the rules of ARCHITECTURE.md.

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, Package};

use crate::workspace::{members, metadata};

/// The rooms of the house, whom each may know, and whom its tests may know besides.
const ARROWS: [(&str, &[&str], &[&str]); 9] = [
    ("continuo-package", &[], &[]),
    ("continuo-simd", &[], &[]),
    ("continuo-realtime", &[], &[]),
    ("continuo-engine", &["continuo-package", "continuo-simd"], &[]),
    ("continuo", &["continuo-engine", "continuo-realtime"], &["continuo-package", "continuo-testhost"]),
    ("continuo-trainer", &["continuo-engine", "continuo-package", "continuo-simd"], &[]),
    ("continuo-bundler", &["continuo-package"], &[]),
    ("continuo-testhost", &[], &[]),
    ("xtask", &["continuo-bundler", "continuo-testhost"], &[]),
];

/// What a package needs to be built or to run, or what its tests need.
fn needs(package: &Package, for_tests: bool) -> BTreeSet<&str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| (dependency.kind == DependencyKind::Development) == for_tests)
        .map(|dependency| dependency.name.as_str())
        .collect()
}

#[test]
fn the_arrows_between_the_rooms_are_these_and_no_others() {
    let metadata = metadata();
    let members = members(&metadata);
    let names: BTreeSet<&str> = members.iter().map(|package| package.name.as_str()).collect();
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _, _)| *name).collect();
    let unknown: Vec<_> = names.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?}: a room was added; say in ARROWS whom it may know");
    for package in members {
        let (_, may, tests_may) = ARROWS.iter().find(|(name, _, _)| *name == package.name.as_str()).unwrap();
        let may: BTreeSet<&str> = may.iter().copied().collect();
        let tests_may: BTreeSet<&str> = tests_may.iter().copied().chain(may.iter().copied()).collect();
        for (for_tests, allowed) in [(false, may), (true, tests_may)] {
            let more: Vec<&str> = (&needs(package, for_tests) & &names).difference(&allowed).copied().collect();
            let who = if for_tests { "the tests of " } else { "" };
            assert!(more.is_empty(), "{who}{} must not depend on {more:?}", package.name);
        }
    }
}

#[test]
fn each_heavy_crate_is_named_in_one_room_only() {
    type IsHeavy<'a> = &'a dyn Fn(&str) -> bool;
    let metadata = metadata();
    let rooms: [(&str, IsHeavy<'_>); 3] = [
        ("continuo-engine", &|name| name == "ort" || name.starts_with("ort-")),
        ("continuo-trainer", &|name| {
            ["cudarc", "wgpu", "burn"].contains(&name) || name.starts_with("burn-") || name.starts_with("cubecl")
        }),
        ("continuo", &|name| {
            name.starts_with("nice-plug") || name.starts_with("nih") || name.starts_with("egui") || name == "baseview"
        }),
    ];
    for package in members(&metadata) {
        // Here tests count too: a test that names ONNX Runtime would make a second room of it.
        for dependency in package.dependencies.iter().map(|dependency| dependency.name.as_str()) {
            for (room, is_heavy) in rooms {
                assert!(
                    !is_heavy(dependency) || package.name.as_str() == room,
                    "{} names {dependency}, which belongs to {room}",
                    package.name
                );
            }
        }
    }
}

#[test]
fn the_real_time_room_depends_on_nothing_and_forbids_what_could_block() {
    let metadata = metadata();
    let realtime = members(&metadata).into_iter().find(|package| package.name.as_str() == "continuo-realtime").unwrap();
    assert_eq!(needs(realtime, false), BTreeSet::new());
    let source = std::fs::read_to_string(realtime.manifest_path.with_file_name("src").join("lib.rs")).unwrap();
    for attribute in ["#![no_std]", "#![forbid(unsafe_code)]"] {
        assert!(source.contains(attribute), "crates/realtime has lost {attribute}");
    }
    // `alloc` and `std` would have to be named to be used; tests may name `std`.
    let named: Vec<&str> = source.lines().filter(|line| line.trim_start().starts_with("extern crate")).collect();
    assert_eq!(named, ["extern crate std;"]);
    assert!(source.contains("#[cfg(test)]\nextern crate std;"));
}

/// All Rust files in a folder of the plugin's source, or the one file of that name.
fn sources(module: &str) -> Vec<std::path::PathBuf> {
    let base = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).join(module);
    let mut found: Vec<_> = [base.with_extension("rs")].into_iter().filter(|file| file.is_file()).collect();
    let mut folders = vec![base];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

#[test]
fn no_module_of_the_plugin_imports_back() {
    // Each may know those before it, and only these of them.
    let allowed: [(&str, &[&str]); 14] = [
        ("files", &[]),
        ("glibc", &[]),
        ("json", &[]),
        ("resources", &[]),
        ("patch", &["files", "resources"]),
        ("settings", &["patch"]),
        ("threads", &["resources"]),
        ("wildness", &[]),
        ("take", &["json", "resources"]),
        ("session", &["files", "json", "patch", "resources", "settings", "take", "threads"]),
        ("params", &["patch", "session", "settings", "wildness"]),
        ("renderer", &["files", "patch", "resources", "session", "settings", "take", "threads"]),
        ("editor", &["params", "patch", "resources", "session", "settings", "threads"]),
        ("plugin", &["editor", "json", "params", "patch", "renderer", "session", "settings", "take"]),
    ];
    for (place, (module, knows)) in allowed.iter().enumerate() {
        for known in *knows {
            assert!(allowed[..place].iter().any(|(before, _)| before == known), "{module} may not know {known}");
        }
        let files = sources(module);
        assert!(!files.is_empty(), "there is no module {module}");
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for named in code.flat_map(|line| line.split("crate::").skip(1)) {
                let name: String = named.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                // Macros and `use crate::{…}` would hide whom they name.
                assert!(!named.starts_with('{'), "{}: name modules one by one", file.display());
                assert!(name == *module || knows.contains(&name.as_str()), "{} names {name}", file.display());
            }
        }
    }
    let declared = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs")).unwrap();
    for module in declared.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")) {
        let module = module.trim_end_matches(';');
        assert!(allowed.iter().any(|(name, _)| *name == module), "say here whom {module} may know");
    }
}

#[test]
fn every_dependency_is_pinned_exactly() {
    let metadata = metadata();
    for package in members(&metadata) {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_none()) {
            let requirement = dependency.req.to_string();
            assert!(requirement.starts_with('='), "{} asks for {} {requirement}", package.name, dependency.name);
        }
    }
}
