//! What may be named where: the editor's words, and `unsafe`.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};

use crate::modules::is_for_tests;
use crate::workspace::{members, metadata, relative, root, sources};

#[test]
fn the_editor_never_names_the_engine() {
    for path in sources(&root().join("src/editor")) {
        let source = std::fs::read_to_string(&path).unwrap();
        for forbidden in ["continuo_engine", "crate::renderer"] {
            assert!(!source.contains(forbidden), "{} names {forbidden}", path.display());
        }
    }
}

/// Where `unsafe` may stand: the kernels with their instruction sets, and the edges to C and to the system.
const UNSAFE: [&str; 14] = [
    "crates/simd/src/",
    "crates/engine/src/kernels/",
    "trainer/src/kernels/",
    // A memory map.
    "trainer/src/data/dataset/mod.rs",
    // Is there a driver? Asked of its library.
    "trainer/src/device/cuda.rs",
    // Was the program started to outlive its terminal? Asked of the system.
    "trainer/src/training/hangup.rs",
    // Entry points that hosts call, and what they call of the framework's.
    "src/plugin/",
    // The framework sets parameters that are found by name through pointers.
    "src/params.rs",
    // Memory that is all 0, as the system gives it.
    "src/session/link.rs",
    // And gives its parameters' values as pointers, whatever their type.
    "src/params/values.rs",
    // The system's own functions.
    "src/renderer/priority.rs",
    "src/resources.rs",
    "src/threads.rs",
    // Plugins are loaded, and called, as the libraries that they are.
    "crates/testhost/src/",
];

/// Looks for `unsafe` outside of tests.
#[derive(Default)]
struct Unsafe(bool);

impl<'ast> Visit<'ast> for Unsafe {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !module.attrs.iter().any(is_for_tests) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_expr_unsafe(&mut self, _: &'ast syn::ExprUnsafe) {
        self.0 = true;
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.0 |= matches!(signature.safety, syn::Safety::Unsafe(_));
        visit::visit_signature(self, signature);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.0 |= item.unsafety.is_some();
        visit::visit_item_impl(self, item);
    }

    fn visit_item_foreign_mod(&mut self, _: &'ast syn::ItemForeignMod) {
        self.0 = true;
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        let tokens = invocation.tokens.to_string();
        self.0 |= tokens.split(|mark: char| !mark.is_alphanumeric() && mark != '_').any(|word| word == "unsafe");
    }
}

#[test]
fn unsafe_lives_in_the_kernels_and_at_the_edges_only() {
    let metadata = metadata();
    let mut with = BTreeSet::new();
    for package in members(&metadata) {
        for path in sources(package.manifest_path.with_file_name("src").as_std_path()) {
            let mut looks = Unsafe::default();
            looks.visit_file(&syn::parse_file(&std::fs::read_to_string(&path).unwrap()).unwrap());
            let name = relative(&path);
            // Unit tests in files of their own may do what tests do.
            let for_tests = name.ends_with("/tests.rs") || name.contains("/tests/");
            if looks.0 && !for_tests {
                with.insert(name);
            }
        }
    }
    let outside: Vec<_> = with.iter().filter(|name| !UNSAFE.iter().any(|place| name.starts_with(place))).collect();
    assert!(outside.is_empty(), "unsafe code outside of the places that ARCHITECTURE.md names: {outside:#?}");
    let is_idle = |place: &&&str| root().join(place).exists() && !with.iter().any(|name| name.starts_with(**place));
    let idle: Vec<_> = UNSAFE.iter().filter(is_idle).collect();
    assert!(idle.is_empty(), "there is no unsafe code any more in {idle:?}: take them out of this list");
}
