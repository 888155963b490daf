//! No file imports back: within a crate, what a file imports never leads to that file again.
//!
//! An import is a path in a file to what another file defines. Re-exports are followed to where the item is defined, so a
//! parent that declares a child and re-exports from it imports nothing; one that uses its child's items while the child
//! uses its own is a circle of two. Methods need no import, and tests within a file's crate may look wherever they like.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use crate::modules::Crate;
use crate::resolve::Target;
use crate::workspace::{members, metadata, relative};

/// File → file that it imports from → what it imports.
type Imports = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// What the files of the crate at `root` import from each other.
fn imports(root: &Path, name: impl Fn(&Path) -> String) -> Imports {
    let read = Crate::read(root);
    let files: Vec<String> = read.modules.iter().map(|module| name(&module.file)).collect();
    let mut all = Imports::new();
    for (index, module) in read.modules.iter().enumerate() {
        let mut note = |path: &[String], re_export: bool| {
            if let Some(Target::Item(origin)) = read.resolve(index, path)
                && files[origin] != files[index]
                && !(re_export && read.is_within(origin, index))
            {
                let names = all.entry(files[index].clone()).or_default().entry(files[origin].clone()).or_default();
                names.extend(path.last().cloned());
            }
        };
        module
            .imports
            .iter()
            .filter(|import| import.name.is_some())
            .for_each(|import| note(&import.path, import.public));
        module.mentions.iter().for_each(|path| note(path, false));
    }
    all
}

/// The shortest way from a file back to itself, if there is one; the file stands at both ends.
fn way_back(imports: &Imports, file: &str) -> Option<Vec<String>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open = VecDeque::from([file]);
    while let Some(here) = open.pop_front() {
        for next in imports.get(here).into_iter().flat_map(BTreeMap::keys) {
            if next == file {
                let mut way = vec![file.to_owned(), here.to_owned()];
                let mut at = here;
                while at != file {
                    at = before[at];
                    way.push(at.to_owned());
                }
                way.reverse();
                return Some(way);
            }
            if !before.contains_key(next.as_str()) {
                before.insert(next, here);
                open.push_back(next);
            }
        }
    }
    None
}

/// Every circle once, file by file, with what is imported at each step.
fn circles(imports: &Imports) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for file in imports.keys() {
        let Some(way) = way_back(imports, file) else { continue };
        let members: BTreeSet<&String> = way.iter().collect();
        if seen.insert(members.into_iter().cloned().collect::<Vec<_>>()) {
            let steps = way.windows(2).map(|pair| {
                let names: Vec<&str> = imports[&pair[0]][&pair[1]].iter().map(String::as_str).collect();
                format!("  {} imports {} from {}", pair[0], names.join(", "), pair[1])
            });
            found.push(steps.collect::<Vec<_>>().join("\n"));
        }
    }
    found
}

#[test]
fn no_file_imports_back() {
    let metadata = metadata();
    let mut found = Vec::new();
    for package in members(&metadata) {
        for target in &package.targets {
            let imports = imports(target.src_path.as_std_path(), relative);
            let name = format!("{}, {}", package.name, target.name);
            for circle in circles(&imports) {
                found.push(format!("{name}:\n{circle}"));
            }
        }
    }
    assert!(found.is_empty(), "{} circles between files:\n\n{}\n", found.len(), found.join("\n\n"));
}

/// The circles of a crate of these files.
fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let name = |path: &Path| path.strip_prefix(folder.path()).unwrap().to_str().unwrap().replace('\\', "/");
    circles(&imports(&folder.path().join("lib.rs"), name))
}

#[test]
fn a_circle_is_told_file_by_file() {
    let told = circles_of(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        ("b.rs", "use super::c::{self, C as Sea}; pub struct B(Sea, c::D);"),
        ("c.rs", "pub struct C; pub struct D; fn f() -> [crate::a::A; 0] { [] }"),
    ]);
    let wanted = "  a.rs imports B from b.rs\n  b.rs imports C, D, Sea from c.rs\n  c.rs imports A from a.rs";
    assert_eq!(told, [wanted]);
}

#[test]
fn a_parent_that_declares_and_re_exports_imports_nothing() {
    let parent = "mod child; mod other; pub use child::Child; pub(crate) use other::*;";
    let child = "use super::Other; pub struct Child(Other);";
    let other = "pub struct Other;";
    let with = |parent: &str| {
        circles_of(&[
            ("lib.rs", "mod family;"),
            ("family/mod.rs", parent),
            ("family/child.rs", child),
            ("family/other.rs", other),
        ])
    };
    assert_eq!(with(parent), Vec::<String>::new());
    // Its own items are another matter, in both directions.
    assert_eq!(with(&format!("{parent} fn make() -> Child {{ loop {{}} }}")), Vec::<String>::new());
    let both = "mod child; use child::Child; pub struct Other(Child); mod other {}";
    assert_eq!(with(both).len(), 1);
}

#[test]
fn imports_hide_in_macros_functions_and_globs_but_not_in_tests() {
    let with =
        |b: &str| circles_of(&[("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::f;\n pub fn g() {}"), ("b.rs", b)]);
    let plain = "pub fn f() {}";
    assert_eq!(with(plain), Vec::<String>::new());
    for back in [
        "pub fn f() { assert!(x.g() == crate::a::g()); }",
        "pub fn f() { use crate::a::g; g() }",
        "use crate::a::*; pub fn f() { g() }",
        "pub fn f() -> Vec<[u8; crate::a::g()]> {}",
        "pub fn f() {} mod inner { use super::super::a::g; }",
        "pub fn f() {} #[error(\"{n}\", n = crate::a::g())] struct E;",
        "macro_rules! m { () => { $crate::a::g() } } pub fn f() {}",
    ] {
        assert_eq!(with(back).len(), 1, "{back}");
    }
    for fine in [
        "pub fn f() {} #[cfg(test)] mod tests { use crate::a::g; }",
        "#[cfg(test)] use crate::a::g; pub fn f() {}",
        "use crate::a; pub fn f() { a.g() }",
        "use std::fs as g; pub fn f() { println!(\"{}\", x.g()) }",
    ] {
        assert_eq!(with(fine), Vec::<String>::new(), "{fine}");
    }
}
