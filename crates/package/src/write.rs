//! Writing a package that is whole, or not there.

use crate::archive::{LICENCE, MANIFEST, PREVIEW};
use crate::error::PackageError;
use crate::files;
use crate::graph::GraphId;
use crate::hash::sha256_hex;
use crate::manifest::Manifest;
use crate::onnx;
use std::collections::BTreeMap;
use std::io::{Cursor, Seek, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Collects the parts of a package and writes them in one piece.
#[derive(Debug)]
pub struct PackageWriter {
    manifest: Manifest,
    licence: String,
    graphs: BTreeMap<GraphId, Vec<u8>>,
    preview: Option<Vec<u8>>,
}

impl PackageWriter {
    /// Begins a package. Hashes in the manifest are filled in by [`PackageWriter::graph`].
    pub fn new(manifest: Manifest, licence: impl Into<String>) -> Self {
        Self { manifest, licence: licence.into(), graphs: BTreeMap::new(), preview: None }
    }

    /// Adds a serialised graph that the manifest describes, and notes its hash there.
    #[must_use]
    pub fn graph(mut self, id: GraphId, model: Vec<u8>) -> Self {
        if let Some(spec) = self.manifest.graphs.iter_mut().find(|spec| spec.id == id) {
            spec.sha256 = sha256_hex(&model);
        }
        self.graphs.insert(id, model);
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
        if let Some(id) = self.graphs.keys().find(|&&id| self.manifest.graph(id).is_none()) {
            let (field, reason) = (format!("graphs.{id}"), "is missing, but there is such a graph".to_owned());
            return Err(PackageError::Field { path: path.to_owned(), field, reason });
        }
        for spec in &self.manifest.graphs {
            let missing = || PackageError::MissingEntry { path: path.to_owned(), entry: spec.file.clone() };
            let bytes = self.graphs.get(&spec.id).ok_or_else(missing)?;
            onnx::decode(bytes).map_err(|reason| PackageError::Graph {
                path: path.to_owned(),
                entry: spec.file.clone(),
                reason,
            })?;
        }
        // In memory first: a writer that breaks off on a full disk complains on the terminal by itself.
        let packed = || -> std::io::Result<Vec<u8>> {
            let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
            self.write_entries(&mut zip)?;
            Ok(zip.finish()?.into_inner())
        };
        let written = packed().and_then(|bytes| files::replace_with(path, bytes));
        written.map_err(|source| PackageError::Io {
            path: path.to_owned(),
            action: "writing",
            source,
            advice: "Check that the folder exists and may be written and that the disk has room",
        })
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
        for spec in &self.manifest.graphs {
            if let Some(bytes) = self.graphs.get(&spec.id) {
                zip.start_file(spec.file.as_str(), stored)?;
                zip.write_all(bytes)?;
            }
        }
        Ok(())
    }
}
