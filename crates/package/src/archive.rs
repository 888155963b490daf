//! Reading a package that may be hostile.

use crate::error::PackageError;
use crate::family::Families;
use crate::graph::{GraphId, GraphSpec};
use crate::hash::sha256_hex_of;
use crate::manifest::Manifest;
use crate::name::is_plain_file_name;
use crate::onnx;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use zip::ZipArchive;

pub(crate) const MANIFEST: &str = "model.json";
pub(crate) const LICENCE: &str = "LICENCE";
pub(crate) const PREVIEW: &str = "preview.wav";

/// Most bytes of each part, unpacked. Memory is taken as bytes arrive, never by what a header promises.
mod limits {
    pub const ENTRIES: usize = 64;
    pub const MANIFEST: u64 = 4 << 20;
    pub const LICENCE: u64 = 1 << 20;
    pub const PREVIEW: u64 = 64 << 20;
    pub const GRAPH: u64 = 1 << 30;
    pub const FILE: u64 = 2 << 30;
    /// A graph's bytes for each of its weights, with room for one that is stored in a wasteful way.
    pub const GRAPH_PER_WEIGHT: u64 = 8;
    /// A graph's bytes for each byte that it takes in the archive: trained weights hardly shrink.
    pub const GRAPH_PER_STORED: u64 = 8;
    /// A graph's bytes besides: nodes and names.
    pub const GRAPH_BESIDE: u64 = 16 << 20;
    /// What opening a graph takes for each of its bytes: the graph itself, and what it is decoded into.
    pub const MEMORY_PER_BYTE: u64 = 3;
    /// And besides.
    pub const MEMORY_BESIDE: u64 = 4 << 20;
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
    /// The graphs as serialised ONNX models. Hashes are verified; [`onnx::decode`] accepts each, and its boundary is the
    /// manifest's.
    pub graphs: BTreeMap<GraphId, Vec<u8>>,
    /// The preview as a WAV file, where there is one.
    pub preview: Option<Vec<u8>>,
    /// The licence's text.
    pub licence: String,
}

impl Package {
    /// Reads and verifies a package of a family that this version has.
    ///
    /// # Errors
    /// A [`PackageError`] for anything that is not exactly a package.
    pub fn open(path: &Path) -> Result<Self, PackageError> {
        Self::open_with(path, &Families::default())
    }

    /// As [`Package::open`], of these families.
    ///
    /// # Errors
    /// As [`Package::open`].
    pub fn open_with(path: &Path, families: &Families) -> Result<Self, PackageError> {
        let mut opened = OpenPackage::new(path)?;
        let manifest = opened.manifest(families)?;
        let licence = opened.text(LICENCE, limits::LICENCE)?;
        let preview = opened.preview()?;
        let weights = manifest.architecture.shape().parameters();
        let limit =
            weights.saturating_mul(limits::GRAPH_PER_WEIGHT).saturating_add(limits::GRAPH_BESIDE).min(limits::GRAPH);
        let mut graphs = BTreeMap::new();
        for spec in &manifest.graphs {
            graphs.insert(spec.id, opened.graph(spec, limit)?);
        }
        let content_hash = opened.content_hash()?;
        Ok(Self { path: path.to_owned(), content_hash, manifest, graphs, preview, licence })
    }

    /// Reads and checks only the manifest: enough to list a model, without unpacking its weights.
    ///
    /// # Errors
    /// As [`Package::open`].
    pub fn read_manifest(path: &Path) -> Result<Manifest, PackageError> {
        OpenPackage::new(path)?.manifest(&Families::default())
    }

    /// Reads only the preview, a WAV file; `None` where there is none.
    ///
    /// # Errors
    /// As [`Package::open`].
    pub fn read_preview(path: &Path) -> Result<Option<Vec<u8>>, PackageError> {
        OpenPackage::new(path)?.preview()
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

    /// The preview, where there is one.
    fn preview(&mut self) -> Result<Option<Vec<u8>>, PackageError> {
        match self.entry(PREVIEW, limits::PREVIEW) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(PackageError::MissingEntry { .. }) => Ok(None),
            Err(error) => Err(error),
        }
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

    /// Finds an entry of at most `limit` bytes, gives `read` its unpacked content, and says how many bytes that are.
    fn read<T>(
        &mut self,
        name: &str,
        limit: u64,
        read: impl FnOnce(&mut dyn Read) -> std::io::Result<T>,
    ) -> Result<(T, u64), PackageError> {
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
        let mut bounded = entry.take(limit + 1);
        let content = read(&mut bounded).map_err(|error| PackageError::NotAnArchive {
            path: path.to_owned(),
            reason: format!("{name}: {error}"),
        })?;
        if bounded.limit() == 0 {
            return Err(too_large(limit + 1));
        }
        Ok((content, limit + 1 - bounded.limit()))
    }

    /// Unpacks an entry of at most `limit` bytes.
    fn entry(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, PackageError> {
        let unpack = |entry: &mut dyn Read| {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        self.read(name, limit, unpack).map(|(bytes, _)| bytes)
    }

    /// Bytes that an entry takes in the archive.
    fn stored(&mut self, name: &str) -> u64 {
        self.archive.by_name(name).map_or(0, |entry| entry.compressed_size())
    }

    /// A graph that is what the manifest says. Its hash is found while it passes by: what has another one takes no memory.
    fn graph(&mut self, spec: &GraphSpec, limit: u64) -> Result<Vec<u8>, PackageError> {
        let limit = limit.min(self.stored(&spec.file).saturating_mul(limits::GRAPH_PER_STORED) + limits::GRAPH_BESIDE);
        let (found, size) = self.read(&spec.file, limit, |mut entry| sha256_hex_of(&mut entry))?;
        let (path, entry) = (self.path.to_owned(), spec.file.clone());
        if !found.eq_ignore_ascii_case(&spec.sha256) {
            return Err(PackageError::HashMismatch { path, entry, expected: spec.sha256.clone(), found });
        }
        // Memory that runs out half-way takes the host down, so it is asked for beforehand.
        let needed = limits::MEMORY_PER_BYTE * size + limits::MEMORY_BESIDE;
        if Vec::<u8>::new().try_reserve_exact(usize::try_from(needed).unwrap_or(usize::MAX)).is_err() {
            return Err(PackageError::Memory { path, entry, needed });
        }
        let bytes = self.entry(&spec.file, limit)?;
        let checked = onnx::decode(&bytes).and_then(|model| {
            let graph = model.graph.as_ref().ok_or("has no graph")?;
            onnx::check_boundary(spec, graph)
        });
        checked.map_err(|reason| PackageError::Graph { path, entry, reason })?;
        Ok(bytes)
    }

    fn text(&mut self, name: &str, limit: u64) -> Result<String, PackageError> {
        let bytes = self.entry(name, limit)?;
        String::from_utf8(bytes).map_err(|_| PackageError::NotAnArchive {
            path: self.path.to_owned(),
            reason: format!("{name} is not text in UTF-8"),
        })
    }

    fn manifest(&mut self, families: &Families) -> Result<Manifest, PackageError> {
        let json = self.text(MANIFEST, limits::MANIFEST)?;
        Manifest::from_json(&json, families, self.path)
    }

    fn content_hash(self) -> Result<String, PackageError> {
        let mut file = self.archive.into_inner();
        file.rewind().map_err(|source| reading(self.path, source))?;
        sha256_hex_of(&mut file).map_err(|source| reading(self.path, source))
    }
}

fn not_an_archive(path: &Path, error: &zip::result::ZipError) -> PackageError {
    PackageError::NotAnArchive { path: path.to_owned(), reason: error.to_string() }
}

fn reading(path: &Path, source: std::io::Error) -> PackageError {
    let advice = "Check the disk, or copy the file again";
    PackageError::Io { path: path.to_owned(), action: "reading", source, advice }
}
