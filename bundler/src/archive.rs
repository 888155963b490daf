//! The archive that is handed to a person, and the SHA-256 sums of what is in it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use continuo_package::hash::sha256_hex_of;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::place::{entries, replace, write_text};
use crate::{BundleError, Bundles, Platform};

/// The name of the file with the sums, in the bundles' folder and in the archive.
pub const SUMS: &str = "SHA256SUMS";

/// Extensions of files that are compressed already.
const PACKED: [&str; 2] = ["continuo", "png"];

/// Writes `SHA256SUMS` beside the bundles: one line a file, as `sha256sum --check` reads it, in path order.
pub fn write_sums(bundles: &Bundles) -> Result<PathBuf, BundleError> {
    let mut lines = Vec::new();
    for path in files(bundles)? {
        let mut file = File::open(&path).map_err(|source| BundleError::io(&path, "reading", source))?;
        let hash = sha256_hex_of(&mut file).map_err(|source| BundleError::io(&path, "reading", source))?;
        lines.push(format!("{hash}  {}\n", relative(&path, &bundles.folder)));
    }
    let lines = lines.concat();
    let sums = bundles.folder.join(SUMS);
    replace(&sums, |staging| write_text(staging, &lines))?;
    Ok(sums)
}

/// Packs the bundles and their sums into `continuo-VERSION-PLATFORM.zip` beside them, and the archive's own sum into a
/// file of the same name with `.sha256`. The same bundles give the same bytes: order and times are fixed.
pub fn pack(bundles: &Bundles, version: &str, platform: Platform) -> Result<PathBuf, BundleError> {
    let sums = write_sums(bundles)?;
    let name = format!("continuo-{version}-{platform}.zip");
    let archive = bundles.folder.join(&name);
    let failed = |error: zip::result::ZipError| BundleError::Archive {
        path: archive.clone(),
        reason: error.to_string(),
        advice: "Check the disk and try again",
    };
    let hash = replace(&archive, |staging| {
        let file = File::create(staging).map_err(|source| BundleError::io(staging, "writing", source))?;
        let mut zip = ZipWriter::new(file);
        for path in files(bundles)?.into_iter().chain([sums.clone()]) {
            let packed = path.extension().is_some_and(|found| PACKED.iter().any(|known| found == *known));
            let method = if packed { CompressionMethod::Stored } else { CompressionMethod::Deflated };
            let options = SimpleFileOptions::default()
                .compression_method(method)
                .last_modified_time(zip::DateTime::default())
                .unix_permissions(mode(&path));
            zip.start_file(relative(&path, &bundles.folder), options).map_err(failed)?;
            let mut file = File::open(&path).map_err(|source| BundleError::io(&path, "reading", source))?;
            io::copy(&mut file, &mut zip).map_err(|source| BundleError::io(&path, "packing", source))?;
        }
        let mut file = zip.finish().map_err(failed)?;
        file.flush().map_err(|source| BundleError::io(staging, "writing", source))?;
        let mut written = File::open(staging).map_err(|source| BundleError::io(staging, "reading", source))?;
        sha256_hex_of(&mut written).map_err(|source| BundleError::io(staging, "reading", source))
    })?;
    write_text(&bundles.folder.join(format!("{name}.sha256")), format!("{hash}  {name}\n"))?;
    Ok(archive)
}

/// Every file of the bundles, in path order.
fn files(bundles: &Bundles) -> Result<Vec<PathBuf>, BundleError> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = bundles.members().into_iter().map(Path::to_owned).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() { open.extend(entries(&path)?) } else { found.push(path) }
    }
    found.sort();
    Ok(found)
}

/// `path` below `folder` with `/` between the parts, on every system.
fn relative(path: &Path, folder: &Path) -> String {
    let below = path.strip_prefix(folder).unwrap_or(path);
    below.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    let executable = fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o100 != 0);
    if executable { 0o755 } else { 0o644 }
}

#[cfg(not(unix))]
fn mode(path: &Path) -> u32 {
    let library = path.extension().is_some_and(|found| found == "dll" || found == "vst3" || found == "clap");
    if library { 0o755 } else { 0o644 }
}
