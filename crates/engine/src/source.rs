//! Which model, and which of its graphs, an error is about.

use crate::error::EngineError;
use std::path::{Path, PathBuf};

/// A graph of a package.
#[derive(Debug, Clone)]
pub struct Source {
    path: PathBuf,
    entry: String,
}

impl Source {
    /// The entry of a package.
    pub fn new(path: &Path, entry: &str) -> Self {
        Self { path: path.to_owned(), entry: entry.to_owned() }
    }

    /// The graph does not agree with the architecture.
    pub fn disagrees(&self, reason: String) -> EngineError {
        EngineError::Graph { path: self.path.clone(), entry: self.entry.clone(), reason }
    }

    /// ONNX Runtime refused the graph, as it said.
    pub fn not_loaded(&self, reason: String) -> EngineError {
        self.session("loading the graph", reason)
    }

    /// ONNX Runtime failed in running the graph, as it said.
    pub fn failed(&self, reason: String) -> EngineError {
        self.session("running the graph", reason)
    }

    /// The graph cannot be run without ONNX Runtime.
    pub fn needs_runtime(&self, reason: String) -> EngineError {
        EngineError::NeedsRuntime { path: self.path.clone(), reason }
    }

    /// What came out for a frame of a variation is not a number.
    pub fn not_finite(&self, variation: u32, frame: u64) -> EngineError {
        EngineError::NotFinite { path: self.path.clone(), variation, frame }
    }

    fn session(&self, action: &'static str, reason: String) -> EngineError {
        EngineError::Session { path: self.path.clone(), entry: self.entry.clone(), action, reason }
    }
}
