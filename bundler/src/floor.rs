//! The oldest C library that a bundle's libraries may need on Linux.
//!
//! A library is linked against the newest version of every function that the building machine's glibc has, and loads nowhere
//! where one of them is missing: the host then lists no plug-in and says nothing. So what was built is read before it is
//! bundled.

use std::fmt;
use std::path::Path;

use crate::{BundleError, elf};

/// The oldest glibc that Continuo runs on (2021: Debian 12, Ubuntu 22.04, RHEL 9). Rust's own standard library asks for it when
/// it is linked on a glibc of 2.34 or newer, where threads and the loader moved into one library.
pub const OLDEST_GLIBC: Glibc = Glibc(2, 34);

/// A version of glibc: 2.34.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glibc(pub u32, pub u32);

impl Glibc {
    /// What a versioned import (`GLIBC_2.2.5`) asks for; none for what is not glibc's.
    fn of(version: &str) -> Option<Self> {
        let mut numbers = version.strip_prefix("GLIBC_")?.split('.').map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Some(Self(major, minor)),
            _ => None,
        }
    }
}

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// Refuses a library that would not load on a glibc of `oldest`; gives the oldest one that it does load on.
///
/// # Errors
/// [`BundleError::TooNew`] with every function that is too new; [`BundleError::Library`] for what is no library.
pub fn check(library: &Path, oldest: Glibc) -> Result<Glibc, BundleError> {
    let imports = elf::versioned_imports(library)?;
    let needs: Vec<(Glibc, String)> =
        imports.into_iter().filter_map(|(name, version)| Some((Glibc::of(&version)?, name))).collect();
    let mut newer: Vec<String> =
        needs.iter().filter(|(needs, _)| *needs > oldest).map(|(needs, name)| format!("{name} ({needs})")).collect();
    if !newer.is_empty() {
        newer.sort();
        return Err(BundleError::TooNew {
            path: library.to_owned(),
            oldest: oldest.to_string(),
            functions: newer.join(", "),
        });
    }
    Ok(needs.into_iter().map(|(needs, _)| needs).max().unwrap_or(Glibc(2, 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(Glibc::of("GLIBC_2.2.5"), Some(Glibc(2, 2)));
        assert!(Glibc::of("GLIBC_2.34") > Glibc::of("GLIBC_2.4"));
        for other in ["GCC_3.0", "GLIBC_PRIVATE", "GLIBC_", "VERS_1"] {
            assert_eq!(Glibc::of(other), None, "{other}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_library_that_needs_more_is_refused_with_the_function() {
        let folder = tempfile::tempdir().unwrap();
        let library = elf::tests::library(folder.path(), "libone.so.1");
        let needs = check(&library, Glibc(99, 0)).unwrap();
        assert!(needs > Glibc(2, 1), "{needs}");
        assert_eq!(check(&library, needs).unwrap(), needs);
        let error = check(&library, Glibc(2, 1)).unwrap_err().to_string();
        assert!(error.contains("pow (2.") && error.contains("glibc 2.1"), "{error}");
    }
}
