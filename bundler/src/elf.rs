//! What a Linux library says of itself: its own name, and which versions of the system's libraries it needs.

use std::fs;
use std::ops::Range;
use std::path::Path;

use object::LittleEndian;
use object::elf::{self, VER_FLG_BASE};
use object::read::elf::{ElfFile64, SectionHeader as _, Sym as _};

use crate::BundleError;

type Elf<'a> = ElfFile64<'a, LittleEndian>;

/// Where a library's name stands in its file, and what else depends on that name.
struct Place {
    /// The name's bytes, without the zero that ends it.
    name: Range<usize>,
    /// Four bytes of hash of that name, in the entry that names the library's own interface.
    hashes: Vec<usize>,
}

/// Gives the library in the file `path` another SONAME, in place: one that is no longer than its own.
///
/// # Errors
/// [`BundleError::Io`]; [`BundleError::Library`] for what is no 64-bit library with a SONAME that stands by itself.
pub fn rename(path: &Path, soname: &str) -> Result<(), BundleError> {
    let mut bytes = fs::read(path).map_err(|source| BundleError::io(path, "reading", source))?;
    rename_in(&mut bytes, soname).map_err(|reason| BundleError::Library { path: path.to_owned(), reason })?;
    fs::write(path, bytes).map_err(|source| BundleError::io(path, "writing", source))
}

/// The name that the library in the file `path` gives itself.
///
/// # Errors
/// As [`rename`].
pub fn soname(path: &Path) -> Result<String, BundleError> {
    let bytes = fs::read(path).map_err(|source| BundleError::io(path, "reading", source))?;
    let place = place_of_name(&bytes).map_err(|reason| BundleError::Library { path: path.to_owned(), reason })?;
    Ok(String::from_utf8_lossy(&bytes[place.name]).into_owned())
}

/// What the library or program in the file `path` imports under a version: pairs of function and version (`pow`,
/// `GLIBC_2.29`). A system whose library lacks one of the versions does not load it.
///
/// # Errors
/// [`BundleError::Io`]; [`BundleError::Library`] for what is no 64-bit ELF file.
pub fn versioned_imports(path: &Path) -> Result<Vec<(String, String)>, BundleError> {
    let bytes = fs::read(path).map_err(|source| BundleError::io(path, "reading", source))?;
    imports_of(&bytes).map_err(|error| BundleError::Library { path: path.to_owned(), reason: error.to_string() })
}

fn rename_in(bytes: &mut [u8], soname: &str) -> Result<(), String> {
    let Place { name, hashes } = place_of_name(bytes)?;
    if soname.len() > name.len() {
        let own = String::from_utf8_lossy(&bytes[name.clone()]).into_owned();
        return Err(format!("its name {own:?} has no room for {soname:?}"));
    }
    let (new, rest) = bytes[name].split_at_mut(soname.len());
    new.copy_from_slice(soname.as_bytes());
    rest.fill(0);
    for at in hashes {
        bytes[at..at + 4].copy_from_slice(&elf::hash(soname.as_bytes()).to_le_bytes());
    }
    Ok(())
}

fn place_of_name(bytes: &[u8]) -> Result<Place, String> {
    let failed = |error: object::Error| error.to_string();
    let file = Elf::parse(bytes).map_err(failed)?;
    let (endian, sections) = (file.endian(), file.elf_section_table());
    let table = sections.dynamic_table(endian, bytes).map_err(failed)?;
    let soname = table.iter().find(|entry| entry.tag == elf::DT_SONAME).ok_or("it has no SONAME")?;
    let name = table.string(soname).map_err(failed)?;
    let (_, strings) = sections.dynamic(endian, bytes).map_err(failed)?.ok_or("it has no dynamic section")?;
    let strings = sections.section(strings).map_err(failed)?;
    let (start, _) = strings.file_range(endian).ok_or("its strings are not in the file")?;

    // A linker lets strings share their ends: whatever else lies in these bytes would be overwritten with them.
    let own = soname.val..=soname.val + name.len() as u64;
    let mut others: Vec<u64> =
        table.iter().filter(|entry| entry.is_string() && entry.tag != elf::DT_SONAME).map(|entry| entry.val).collect();
    let symbols = sections.symbols(endian, bytes, elf::SHT_DYNSYM).map_err(failed)?;
    others.extend(symbols.iter().map(|symbol| u64::from(symbol.st_name(endian))));
    let mut hashes = Vec::new();
    for section in sections.iter() {
        let Some((mut definitions, _)) = section.gnu_verdef(endian, bytes).map_err(failed)? else { continue };
        let (mut at, _) = section.file_range(endian).ok_or("its versions are not in the file")?;
        while let Some((definition, mut names)) = definitions.next().map_err(failed)? {
            let base = definition.vd_flags.get(endian).0 & VER_FLG_BASE.0 != 0;
            while let Some(name) = names.next().map_err(failed)? {
                let name = u64::from(name.vda_name.get(endian));
                if base && name == soname.val {
                    hashes.push(at as usize + std::mem::offset_of!(elf::Verdef<LittleEndian>, vd_hash));
                } else {
                    others.push(name);
                }
            }
            at += u64::from(definition.vd_next.get(endian));
        }
    }
    if let Some((mut needs, _)) = sections.gnu_verneed(endian, bytes).map_err(failed)? {
        while let Some((need, mut versions)) = needs.next().map_err(failed)? {
            others.push(u64::from(need.vn_file.get(endian)));
            while let Some(version) = versions.next().map_err(failed)? {
                others.push(u64::from(version.vna_name.get(endian)));
            }
        }
    }
    let begin = (start + soname.val) as usize;
    // A string that begins before it and ends with it shares it too.
    let alone = begin > 0 && bytes[begin - 1] == 0 && !others.iter().any(|other| own.contains(other));
    if !alone {
        return Err("its SONAME shares its bytes with another name".to_owned());
    }
    Ok(Place { name: begin..begin + name.len(), hashes })
}

fn imports_of(bytes: &[u8]) -> object::Result<Vec<(String, String)>> {
    let file = Elf::parse(bytes)?;
    let (endian, sections) = (file.endian(), file.elf_section_table());
    let symbols = sections.symbols(endian, bytes, elf::SHT_DYNSYM)?;
    let Some(versions) = sections.versions(endian, bytes)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for (index, symbol) in symbols.enumerate().filter(|(_, symbol)| symbol.is_undefined(endian)) {
        if let Some(version) = versions.version(versions.version_index(endian, index).index())? {
            let name = symbol.name(endian, symbols.strings())?;
            found.push([name, version.name()].map(|name| String::from_utf8_lossy(name).into_owned()).into());
        }
    }
    Ok(found)
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;

    /// A library with this SONAME, whose interface has a version as ONNX Runtime's has.
    pub(crate) fn library(folder: &Path, soname: &str) -> PathBuf {
        let (code, versions, made) = (folder.join("one.c"), folder.join("one.map"), folder.join("one.so"));
        fs::write(&code, "#include <math.h>\ndouble one(double x) { return pow(x, 0.5); }\n").unwrap();
        fs::write(&versions, "VERS_1 { global: one; local: *; };\n").unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(&made).arg(&code).arg("-lm");
        compiler.arg(format!("-Wl,-soname,{soname}")).arg(format!("-Wl,--version-script,{}", versions.display()));
        assert!(compiler.status().unwrap().success());
        made
    }

    #[test]
    fn a_library_gets_another_name_and_is_otherwise_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = library(folder.path(), "libonnxruntime.so.1");
        let (before, imports) = (fs::read(&path).unwrap(), versioned_imports(&path).unwrap());
        assert_eq!(soname(&path).unwrap(), "libonnxruntime.so.1");
        rename(&path, "libcontinuo_ort.so").unwrap();
        assert_eq!(soname(&path).unwrap(), "libcontinuo_ort.so");
        assert_eq!(versioned_imports(&path).unwrap(), imports);
        let after = fs::read(&path).unwrap();
        assert_eq!(after.len(), before.len());
        // Eighteen letters in place of nineteen, and the hash of the name in the version that stands for the library.
        let changed = before.iter().zip(&after).filter(|(old, new)| old != new).count();
        assert!(changed <= 19 + 4, "{changed} bytes have changed");
        let [old, new] =
            ["libonnxruntime.so.1", "libcontinuo_ort.so"].map(|name| elf::hash(name.as_bytes()).to_le_bytes());
        assert!(!after.windows(4).any(|four| four == old) && after.windows(4).any(|four| four == new));
        // The linker reads it under its new name.
        let program = folder.path().join("uses.so");
        let mut linker = Command::new("cc");
        linker.args(["-shared", "-Wl,--no-as-needed", "-o"]).arg(&program).arg(&path);
        assert!(linker.status().unwrap().success());
        let used = fs::read(&program).unwrap();
        assert!(used.windows(18).any(|name| name == b"libcontinuo_ort.so"));
    }

    #[test]
    fn a_name_without_room_or_of_its_own_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = library(folder.path(), "libonnxruntime.so.1");
        let before = fs::read(&path).unwrap();
        let error = rename(&path, "libcontinuo_onnxruntime.so").unwrap_err().to_string();
        assert!(error.contains("no room") && error.contains("one.so"), "{error}");
        // A symbol that ends as the library's name does: the linker keeps one string for both.
        fs::write(folder.path().join("two.c"), "int ab_one = 1;\n").unwrap();
        let shared = folder.path().join("two.so");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-Wl,-O2", "-Wl,-soname,one", "-o"]).arg(&shared);
        assert!(compiler.arg(folder.path().join("two.c")).status().unwrap().success());
        assert!(rename(&shared, "two").unwrap_err().to_string().contains("shares its bytes"));
        assert_eq!(fs::read(&path).unwrap(), before);
        for text in [&b""[..], b"not a library", &before[..before.len() - 1]] {
            fs::write(&path, text).unwrap();
            assert!(matches!(rename(&path, "x"), Err(BundleError::Library { .. })));
            assert!(matches!(versioned_imports(&path), Err(BundleError::Library { .. })));
        }
    }

    #[test]
    fn imports_have_names_and_versions() {
        let folder = tempfile::tempdir().unwrap();
        let imports = versioned_imports(&library(folder.path(), "libone.so.1")).unwrap();
        assert!(imports.iter().any(|(name, version)| name == "pow" && version.starts_with("GLIBC_2.")), "{imports:?}");
    }
}
