//! The zip file: reading one that may be hostile, writing one that is whole or not there.

use crate::error::PackageError;
use crate::hash::sha256_hex_of;
use crate::manifest::{GraphRole, Manifest};
use crate::{hash::sha256_hex, onnx};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

const MANIFEST: &str = "model.json";
const LICENCE: &str = "LICENCE";
const PREVIEW: &str = "preview.wav";

/// Most bytes of each part, unpacked. Memory is taken as bytes arrive, never by what a header promises.
mod limits {
    pub const ENTRIES: usize = 64;
    pub const MANIFEST: u64 = 4 << 20;
    pub const LICENCE: u64 = 1 << 20;
    pub const PREVIEW: u64 = 64 << 20;
    pub const GRAPH: u64 = 1 << 30;
    pub const FILE: u64 = 2 << 30;
}

/// A model package, read and verified.
#[derive(Debug, Clone)]
pub struct Package {
    /// Where it was read from.
    pub path: PathBuf,
    /// SHA-256 of the file, hexadecimal: the identity of the model.
    pub content_hash: String,
    /// The manifest.
    pub manifest: Manifest,
    /// The graphs as serialised ONNX models. Hashes are verified; [`onnx::decode`] accepts each.
    pub graphs: BTreeMap<GraphRole, Vec<u8>>,
    /// The preview as a WAV file, where there is one.
    pub preview: Option<Vec<u8>>,
    /// The licence's text.
    pub licence: String,
}

impl Package {
    /// Reads and verifies a package.
    ///
    /// # Errors
    /// A [`PackageError`] for anything that is not exactly a package.
    pub fn open(path: &Path) -> Result<Self, PackageError> {
        let mut opened = OpenPackage::new(path)?;
        let manifest = opened.manifest()?;
        let licence = opened.text(LICENCE, limits::LICENCE)?;
        let preview = match opened.entry(PREVIEW, limits::PREVIEW) {
            Ok(bytes) => Some(bytes),
            Err(PackageError::MissingEntry { .. }) => None,
            Err(error) => return Err(error),
        };
        let mut graphs = BTreeMap::new();
        for (&role, spec) in &manifest.graphs {
            let bytes = opened.entry(&spec.file, limits::GRAPH)?;
            let found = sha256_hex(&bytes);
            if !found.eq_ignore_ascii_case(&spec.sha256) {
                let (path, entry, expected) = (path.to_owned(), spec.file.clone(), spec.sha256.clone());
                return Err(PackageError::HashMismatch { path, entry, expected, found });
            }
            onnx::decode(&bytes).map_err(|reason| PackageError::Graph {
                path: path.to_owned(),
                entry: spec.file.clone(),
                reason,
            })?;
            graphs.insert(role, bytes);
        }
        let content_hash = opened.content_hash()?;
        Ok(Self { path: path.to_owned(), content_hash, manifest, graphs, preview, licence })
    }

    /// Reads and checks only the manifest: enough to list a model, without unpacking its weights.
    ///
    /// # Errors
    /// As [`Package::open`].
    pub fn read_manifest(path: &Path) -> Result<Manifest, PackageError> {
        OpenPackage::new(path)?.manifest()
    }
}

/// An archive whose directory has been checked.
struct OpenPackage<'a> {
    path: &'a Path,
    archive: ZipArchive<BufReader<File>>,
}

impl<'a> OpenPackage<'a> {
    fn new(path: &'a Path) -> Result<Self, PackageError> {
        let file = File::open(path).map_err(|source| PackageError::Io {
            path: path.to_owned(),
            action: "opening",
            source,
            advice: "Check that the file exists and may be read, or choose another model",
        })?;
        let size = file.metadata().map_err(|source| reading(path, source))?.len();
        if size > limits::FILE {
            let (path, entry) = (path.to_owned(), "(the whole file)".to_owned());
            return Err(PackageError::TooLarge { path, entry, size, limit: limits::FILE });
        }
        let archive = ZipArchive::new(BufReader::new(file))
            .map_err(|error| PackageError::NotAnArchive { path: path.to_owned(), reason: error.to_string() })?;
        let mut opened = Self { path, archive };
        opened.check_directory()?;
        Ok(opened)
    }

    /// Refuses, before anything is unpacked, names that leave the archive and entries that no package has.
    fn check_directory(&mut self) -> Result<(), PackageError> {
        let path = self.path;
        let forbidden = |entry: &str, reason| PackageError::ForbiddenEntry {
            path: path.to_owned(),
            entry: entry.chars().take(200).collect(),
            reason,
        };
        if self.archive.len() > limits::ENTRIES {
            return Err(forbidden("(directory)", "there are more entries than any package has"));
        }
        for index in 0..self.archive.len() {
            let entry = self.archive.by_index_raw(index).map_err(|error| not_an_archive(path, &error))?;
            let name = entry.name().map_err(|error| not_an_archive(path, &error))?;
            let name = name.as_ref();
            if !is_plain_file_name(name) {
                return Err(forbidden(name, "its name is not a plain file name"));
            }
            if entry.encrypted() {
                return Err(forbidden(name, "it is encrypted"));
            }
            if entry.is_symlink() {
                return Err(forbidden(name, "it is a link"));
            }
        }
        Ok(())
    }

    /// Unpacks an entry of at most `limit` bytes.
    fn entry(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, PackageError> {
        let path = self.path;
        let entry = match self.archive.by_name(name) {
            Ok(entry) => entry,
            Err(zip::result::ZipError::FileNotFound) => {
                return Err(PackageError::MissingEntry { path: path.to_owned(), entry: name.to_owned() });
            }
            Err(error) => return Err(not_an_archive(path, &error)),
        };
        let too_large = |size| PackageError::TooLarge { path: path.to_owned(), entry: name.to_owned(), size, limit };
        if entry.size() > limit {
            return Err(too_large(entry.size()));
        }
        let mut bytes = Vec::new();
        entry.take(limit + 1).read_to_end(&mut bytes).map_err(|error| PackageError::NotAnArchive {
            path: path.to_owned(),
            reason: format!("{name}: {error}"),
        })?;
        if bytes.len() as u64 > limit {
            return Err(too_large(bytes.len() as u64));
        }
        Ok(bytes)
    }

    fn text(&mut self, name: &str, limit: u64) -> Result<String, PackageError> {
        let bytes = self.entry(name, limit)?;
        String::from_utf8(bytes).map_err(|_| PackageError::NotAnArchive {
            path: self.path.to_owned(),
            reason: format!("{name} is not text in UTF-8"),
        })
    }

    fn manifest(&mut self) -> Result<Manifest, PackageError> {
        let json = self.text(MANIFEST, limits::MANIFEST)?;
        Manifest::from_json(&json, self.path)
    }

    fn content_hash(self) -> Result<String, PackageError> {
        let mut file = self.archive.into_inner();
        file.rewind().map_err(|source| reading(self.path, source))?;
        sha256_hex_of(&mut file).map_err(|source| reading(self.path, source))
    }
}

fn is_plain_file_name(name: &str) -> bool {
    let plain = |character: char| !character.is_control() && !matches!(character, '/' | '\\' | ':');
    !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.chars().all(plain)
}

fn not_an_archive(path: &Path, error: &zip::result::ZipError) -> PackageError {
    PackageError::NotAnArchive { path: path.to_owned(), reason: error.to_string() }
}

fn reading(path: &Path, source: std::io::Error) -> PackageError {
    let advice = "Check the disk, or copy the file again";
    PackageError::Io { path: path.to_owned(), action: "reading", source, advice }
}

/// Collects the parts of a package and writes them in one piece.
#[derive(Debug)]
pub struct PackageWriter {
    manifest: Manifest,
    licence: String,
    graphs: BTreeMap<GraphRole, Vec<u8>>,
    preview: Option<Vec<u8>>,
}

impl PackageWriter {
    /// Begins a package. Hashes in the manifest are filled in by [`PackageWriter::graph`].
    pub fn new(manifest: Manifest, licence: impl Into<String>) -> Self {
        Self { manifest, licence: licence.into(), graphs: BTreeMap::new(), preview: None }
    }

    /// Adds the serialised graph of a role that the manifest describes, and notes its hash there.
    #[must_use]
    pub fn graph(mut self, role: GraphRole, model: Vec<u8>) -> Self {
        if let Some(spec) = self.manifest.graphs.get_mut(&role) {
            spec.sha256 = sha256_hex(&model);
        }
        self.graphs.insert(role, model);
        self
    }

    /// Adds a preview: a WAV file.
    #[must_use]
    pub fn preview(mut self, wav: Vec<u8>) -> Self {
        self.preview = Some(wav);
        self
    }

    /// Writes the package beside `path` and moves it there once it is complete, so that a full disk or a killed process
    /// leaves what was there before.
    ///
    /// # Errors
    /// [`PackageError::Io`] when the folder cannot be written; the manifest's errors when it does not describe the parts.
    pub fn write(self, path: &Path) -> Result<(), PackageError> {
        self.manifest.validate(path)?;
        if let Some(role) = self.graphs.keys().find(|role| !self.manifest.graphs.contains_key(role)) {
            let (field, reason) = (format!("graphs.{role}"), "is missing, but there is such a graph".to_owned());
            return Err(PackageError::Field { path: path.to_owned(), field, reason });
        }
        for (role, spec) in &self.manifest.graphs {
            let missing = || PackageError::MissingEntry { path: path.to_owned(), entry: spec.file.clone() };
            let bytes = self.graphs.get(role).ok_or_else(missing)?;
            onnx::decode(bytes).map_err(|reason| PackageError::Graph {
                path: path.to_owned(),
                entry: spec.file.clone(),
                reason,
            })?;
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let writing = |source| PackageError::Io {
            path: path.to_owned(),
            action: "writing",
            source,
            advice: "Check that the folder exists and may be written and that the disk has room",
        };
        let temporary = tempfile::Builder::new().prefix(".continuo-").tempfile_in(folder).map_err(writing)?;
        let mut zip = ZipWriter::new(temporary);
        let result = self.write_entries(&mut zip);
        result.map_err(|error| writing(std::io::Error::other(error)))?;
        let temporary = zip.finish().map_err(|error| writing(std::io::Error::other(error)))?;
        temporary.as_file().sync_all().map_err(writing)?;
        make_readable(temporary.as_file()).map_err(writing)?;
        temporary.persist(path).map_err(|error| writing(error.error))?;
        Ok(())
    }

    fn write_entries(&self, zip: &mut ZipWriter<impl Write + Seek>) -> zip::result::ZipResult<()> {
        // A fixed time makes equal content an equal file, and so an equal content hash.
        let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
        let packed = options.compression_method(CompressionMethod::Deflated);
        // Weights are noise to a compressor: storing them makes loading a plain read.
        let stored = options.compression_method(CompressionMethod::Stored);
        zip.start_file(MANIFEST, packed)?;
        let json = serde_json::to_string_pretty(&self.manifest).map_err(std::io::Error::other)?;
        zip.write_all(json.as_bytes())?;
        zip.start_file(LICENCE, packed)?;
        zip.write_all(self.licence.as_bytes())?;
        if let Some(preview) = &self.preview {
            zip.start_file(PREVIEW, packed)?;
            zip.write_all(preview)?;
        }
        for (role, bytes) in &self.graphs {
            if let Some(spec) = self.manifest.graphs.get(role) {
                zip.start_file(spec.file.as_str(), stored)?;
                zip.write_all(bytes)?;
            }
        }
        Ok(())
    }
}

/// Temporary files are private; a package is not.
#[cfg(unix)]
fn make_readable(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
fn make_readable(_file: &File) -> std::io::Result<()> {
    Ok(())
}

/// Whether an archive entry of this name is a plain file of the package; the manifest may name no other.
pub(crate) fn is_graph_file_name(name: &str) -> bool {
    is_plain_file_name(name) && Path::new(name).extension().is_some_and(|extension| extension == "onnx")
}
