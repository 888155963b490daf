//! ONNX Runtime, loaded from a file of our own when it is first needed.
//!
//! The library is never looked for on the system: a host may already hold another one, and a plugin must not depend on
//! what happens to be installed. Nothing here is touched until [`Runtime::open`] is called, so that scanning a plugin
//! and playing autoregressive models work without the library.

use crate::error::RuntimeError;
use ort::session::Session;
use ort::session::builder::SessionBuilder;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The loaded library. A process has at most one; cloning is cheap.
#[derive(Debug, Clone)]
pub struct Runtime {
    environment: ort::environment::Environment,
    path: PathBuf,
}

/// The one environment that ONNX Runtime allows per process.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

impl Runtime {
    /// Loads the library from `path`, once per process: later calls give what the first one loaded, whatever the path,
    /// since a process can hold only one.
    ///
    /// # Errors
    /// [`RuntimeError`] when the file is missing, is not ONNX Runtime, or is too old. A later call may try again.
    pub fn open(path: &Path) -> Result<Self, RuntimeError> {
        let failed = |reason: String| RuntimeError {
            path: path.to_owned(),
            reason,
            advice: "Reinstall Continuo, or run `cargo xtask fetch-runtime` in its source folder",
        };
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            return Ok(runtime.clone());
        }
        // An absolute path keeps the system's search order out of it.
        let absolute = path.canonicalize().map_err(|error| failed(error.to_string()))?;
        if !absolute.is_file() {
            return Err(failed("it is not a file".into()));
        }
        let builder = ort::init_from(&absolute).map_err(|error| failed(error.to_string()))?;
        let environment =
            builder.with_name("continuo").with_telemetry(false).build().map_err(|error| failed(error.to_string()))?;
        let runtime = Self { environment, path: absolute };
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    /// The file that was loaded.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A session over a serialised graph, for `threads` threads. Threads sleep between runs: spinning would take a core
    /// from the host.
    pub(crate) fn session(&self, graph: &[u8], threads: usize) -> Result<Session, String> {
        let text = |error: ort::Error| error.to_string();
        let recovered = |error: ort::Error<SessionBuilder>| error.to_string();
        Session::builder(&self.environment)
            .map_err(text)?
            .with_intra_threads(threads)
            .map_err(recovered)?
            .with_intra_op_spinning(false)
            .map_err(recovered)?
            .with_inter_op_spinning(false)
            .map_err(recovered)?
            // The number of frames changes from run to run.
            .with_memory_pattern(false)
            .map_err(recovered)?
            .commit_from_memory(graph)
            .map_err(text)
    }
}
