//! `cargo xtask licences`: every dependency's licence against `deny.toml`, and the notices that go into a bundle.
//!
//! `deny.toml` is the one list; cargo-deny reads it too where it is installed. This check needs nothing but Cargo.

mod notices;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, Package};
use spdx::{Expression, LicenseReq, ParseMode};

use crate::workspace::Workspace;
pub use notices::notices;

/// What `deny.toml` allows.
#[derive(Debug)]
struct Policy {
    allowed: BTreeSet<String>,
    /// Licences allowed for one crate only.
    exceptions: BTreeMap<String, BTreeSet<String>>,
}

impl Policy {
    fn parse(text: &str) -> Result<Self> {
        let table: toml::Table = text.parse().context("deny.toml is not TOML")?;
        let licences = table.get("licenses").context("deny.toml has no [licenses]")?;
        let strings = |value: Option<&toml::Value>| -> BTreeSet<String> {
            let items = value.and_then(toml::Value::as_array).into_iter().flatten();
            items.filter_map(toml::Value::as_str).map(str::to_owned).collect()
        };
        let allowed = strings(licences.get("allow"));
        let mut exceptions = BTreeMap::new();
        for entry in licences.get("exceptions").and_then(toml::Value::as_array).into_iter().flatten() {
            let name = entry.get("crate").or_else(|| entry.get("name")).and_then(toml::Value::as_str);
            let name = name.context("an entry of licenses.exceptions in deny.toml names no crate")?;
            exceptions.insert(name.to_owned(), strings(entry.get("allow")));
        }
        if allowed.is_empty() {
            bail!("licenses.allow in deny.toml is empty");
        }
        Ok(Self { allowed, exceptions })
    }

    /// Why this package is refused; `None` if it is fine.
    fn refusal(&self, name: &str, licence: Option<&str>) -> Option<String> {
        let Some(licence) = licence else { return Some("states no licence".to_owned()) };
        // As older crates write it: `/` for OR, names that SPDX has replaced since.
        let expression = match Expression::parse_mode(licence, ParseMode::LAX) {
            Ok(expression) => expression,
            Err(error) => return Some(format!("has a licence that cannot be read ({licence:?}: {})", error.reason)),
        };
        let own = self.exceptions.get(name);
        let listed = |id: &str| self.allowed.contains(id) || own.is_some_and(|own| own.contains(id));
        // What is granted beyond a licence, by an exception or by a later version, takes nothing from it.
        let allowed = |wanted: &LicenseReq| {
            listed(&wanted.to_string()) || wanted.license.id().is_some_and(|licence| listed(licence.name))
        };
        if expression.evaluate(allowed) {
            None
        } else {
            Some(format!("is under {licence}, which deny.toml does not allow"))
        }
    }
}

/// Checks every package of the graph: all platforms, all kinds of dependencies.
pub fn run(workspace: &Workspace, notices_to: Option<&Path>) -> Result<()> {
    let path = workspace.root.join("deny.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let policy = Policy::parse(&text)?;
    let graph = workspace.dependencies(None)?;
    let refused: Vec<String> = foreign(&graph)
        .filter_map(|package| {
            let reason = policy.refusal(&package.name, package.license.as_deref())?;
            Some(format!("{} {} {reason}", package.name, package.version))
        })
        .collect();
    for line in &refused {
        eprintln!("{line}");
    }
    if !refused.is_empty() {
        bail!("{} dependencies have licences that deny.toml does not allow", refused.len());
    }
    println!("licences: {} dependencies, all allowed by deny.toml", foreign(&graph).count());
    if let Some(path) = notices_to {
        fs::write(path, notices(workspace)?).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// The packages that are not the workspace's own.
fn foreign(graph: &Metadata) -> impl Iterator<Item = &Package> {
    graph.packages.iter().filter(|package| package.source.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0"]
        [[licenses.exceptions]]
        crate = "fonts"
        allow = ["OFL-1.1"]
    "#;

    #[test]
    fn the_policy_knows_its_exceptions() {
        let policy = Policy::parse(POLICY).unwrap();
        assert_eq!(policy.refusal("a", Some("MIT OR GPL-3.0-only")), None);
        assert_eq!(policy.refusal("a", Some("MIT/Apache-2.0")), None);
        assert_eq!(policy.refusal("a", Some("Apache-2.0 WITH LLVM-exception")), None);
        assert_eq!(policy.refusal("fonts", Some("(MIT OR Apache-2.0) AND OFL-1.1")), None);
        assert!(policy.refusal("other", Some("MIT AND OFL-1.1")).is_some());
        assert!(policy.refusal("gpl", Some("GPL-3.0-or-later")).unwrap().contains("GPL-3.0-or-later"));
        assert!(policy.refusal("gpl", Some("GPL-3.0-only WITH Classpath-exception-2.0")).is_some());
        // AND binds tighter than OR.
        assert_eq!(policy.refusal("a", Some("GPL-3.0-only AND Zlib OR MIT")), None);
        assert!(policy.refusal("a", Some("GPL-3.0-only AND (Zlib OR MIT)")).is_some());
        assert!(policy.refusal("silent", None).is_some());
        for odd in ["", "MIT OR", "(MIT", "MIT)", "AND MIT", "MIT Apache-2.0", "GPL-3.0-only WITH", "Our own"] {
            assert!(policy.refusal("odd", Some(odd)).unwrap().contains("cannot be read"), "{odd:?}");
        }
    }

    #[test]
    fn a_policy_that_allows_nothing_is_a_mistake() {
        assert!(Policy::parse("[licenses]\nallow = []").is_err());
        assert!(Policy::parse("").is_err());
    }
}
