//! Threads for what takes long: reading a clip, listing a folder, writing a file, a dialog. They hold up neither a host's
//! windows nor another instance.
//!
//! A host may unload the plugin's code as soon as its last instance is gone. What ends by itself is waited for then
//! ([`join_all`]); what ends when the user likes keeps the code in memory instead ([`start_unbounded`]), and so does what
//! hangs: a disk that does not answer must not keep a host from closing.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Threads that somebody will wait for.
static RUNNING: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());

/// Also after a fault while it was held: the list itself is never half written.
fn running() -> MutexGuard<'static, Vec<JoinHandle<()>>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a thread for work that comes to an end by itself.
///
/// # Errors
/// What the system says when it starts no more threads.
pub fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let mut running = running();
    join_ended(&mut running);
    running.push(Builder::new().name(name.to_owned()).spawn(work)?);
    Ok(())
}

/// Starts a thread that nobody can end, a dialog for one: from here on the plugin's code stays in memory.
///
/// # Errors
/// What the system says when it starts no more threads or does not keep the code.
pub fn start_unbounded(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    code::keep()?;
    Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// How long a host waits for its last instance's threads.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until every thread of [`start`] has ended. Called when the last instance goes; never from such a thread.
pub(crate) fn join_all() {
    join_within(PATIENCE);
}

fn join_within(patience: Duration) {
    let since = Instant::now();
    loop {
        let mut running = running();
        join_ended(&mut running);
        if running.is_empty() {
            return;
        }
        if since.elapsed() >= patience {
            tracing::warn!("{} threads do not end; the plugin's code stays in memory for them", running.len());
            if let Err(error) = code::keep() {
                tracing::error!("and it cannot ({error})");
            }
            running.clear();
            return;
        }
        drop(running);
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn join_ended(running: &mut Vec<JoinHandle<()>>) {
    for thread in running.extract_if(.., |thread| thread.is_finished()) {
        // Joined all the same: what ends a thread is code too. A fault in it was its own.
        let _ = thread.join();
    }
}

/// The plugin's code in memory.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod code {
    /// Nothing to do: the library is linked with `-z nodelete` (`build.rs`).
    #[allow(clippy::unnecessary_wraps, reason = "other systems may refuse")]
    pub(super) fn keep() -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
mod code {
    use std::io::{Error, ErrorKind};

    /// Opens the library once more, to be never closed.
    pub(super) fn keep() -> std::io::Result<()> {
        use std::os::unix::ffi::OsStrExt as _;
        let path = crate::resources::library_path().ok_or_else(|| Error::from(ErrorKind::NotFound))?;
        let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: the path is a C string, and the library is loaded already, so none of its initialisers runs.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE) };
        // The program itself, which the standalone is, is no library; it stays anyway.
        if handle.is_null() {
            tracing::debug!("the plugin's code is no library of its own")
        }
        Ok(())
    }
}

#[cfg(windows)]
mod code {
    use std::io::Error;

    use windows_sys::Win32::System::LibraryLoader::{
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW,
    };

    /// Pins the library until the process ends.
    pub(super) fn keep() -> std::io::Result<()> {
        let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN;
        let here = keep as *const ();
        let mut module = std::ptr::null_mut();
        // SAFETY: `here` is an address in this library and `module` has room for the handle.
        let kept = unsafe { GetModuleHandleExW(flags, here.cast(), &raw mut module) };
        if kept == 0 { Err(Error::last_os_error()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn whoever_joins_has_waited_for_all_also_for_those_that_others_started() {
        let ended = Arc::new(AtomicUsize::new(0));
        for _ in 0..3 {
            let ended = Arc::clone(&ended);
            start("first", move || {
                std::thread::sleep(Duration::from_millis(30));
                let later = Arc::clone(&ended);
                start("second", move || {
                    std::thread::sleep(Duration::from_millis(30));
                    later.fetch_add(1, Ordering::AcqRel);
                })
                .unwrap();
                ended.fetch_add(1, Ordering::AcqRel);
            })
            .unwrap();
        }
        start("faulty", || panic!("a fault of its own")).unwrap();
        join_all();
        assert_eq!(ended.load(Ordering::Acquire), 6);
        // What hangs is not waited for for ever.
        let hang = Arc::new(Mutex::new(()));
        let held = hang.lock().unwrap();
        let hanging = Arc::clone(&hang);
        start("hanging", move || drop(hanging.lock())).unwrap();
        let since = Instant::now();
        join_within(Duration::from_millis(50));
        assert!(since.elapsed() < Duration::from_secs(5));
        drop(held);
    }
}
