//! ONNX Runtime, loaded from a file of our own when it is first needed.
//!
//! The library is never looked for on the system: a host may already hold another one, and a plugin must not depend on
//! what happens to be installed. Nothing here is touched until [`Runtime::open`] is called, so that scanning a plugin
//! and playing autoregressive models work without the library.
//!
//! A damaged library does not fail to load, it kills the process: so the file is compared with the note that was laid
//! beside it, and one without a note, of the user's own, must at least be whole and export what is needed.

use crate::error::RuntimeError;
use continuo_package::runtime_file;
use object::{Object as _, ObjectSegment as _};
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
    /// [`RuntimeError`] when the file is missing, damaged, not ONNX Runtime, or too old. A later call may try again.
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
        let noted = runtime_file::check(&absolute).map_err(|error| failed(error.to_string()))?;
        if !noted {
            check_unnoted(&absolute).map_err(failed)?;
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

/// The function that every ONNX Runtime library exports.
const ENTRY: &[u8] = b"OrtGetApiBase";

/// No library is larger; the largest is 33 MB.
const LARGEST_LIBRARY: u64 = 1 << 30;

/// Refuses a file that is not a whole library with ONNX Runtime's entry: as much as can be said of one that nobody left a
/// note about. The tables that are read here lie at a library's end on Linux, so one that breaks off is found out.
fn check_unnoted(path: &Path) -> Result<(), String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > LARGEST_LIBRARY {
        return Err(format!("{size} bytes are too many for a library"));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let damaged = |error: object::Error| format!("it is no whole library ({error})");
    let file = object::File::parse(bytes.as_slice()).map_err(damaged)?;
    for segment in file.segments() {
        segment.data().map_err(damaged)?;
    }
    for export in file.exports().map_err(damaged)? {
        let export = export.map_err(damaged)?;
        // macOS puts an underscore before a function's name.
        if export.name().name().is_some_and(|name| name == ENTRY || name.strip_prefix(b"_") == Some(ENTRY)) {
            return Ok(());
        }
    }
    Err("it exports no OrtGetApiBase, so it is not ONNX Runtime, or it is damaged".to_owned())
}
