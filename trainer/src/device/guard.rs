//! What a device's runtime says by panicking, as an error.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;

/// How a runtime failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Something does not fit into the device's memory.
    Memory(String),
    /// Anything else.
    Other(String),
}

/// What runtimes say when memory runs out, in lower case: CUDA's driver, Vulkan, and `CubeCL`.
const OUT_OF_MEMORY: [&str; 6] =
    ["out of memory", "out_of_memory", "outofmemory", "not enough memory", "can't allocate buffer", "buffertoobig"];
/// A message is cut after so many characters: some carry a backtrace.
const LONGEST: usize = 300;

impl Failure {
    /// A failure in the words of a runtime, of which the first line is kept.
    pub fn of(said: &str) -> Self {
        let lower = said.to_lowercase();
        let said = said.strip_prefix("called `Result::unwrap()` on an `Err` value: ").unwrap_or(said);
        let line = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it does not say why");
        let line = line.chars().take(LONGEST).collect();
        if OUT_OF_MEMORY.iter().any(|words| lower.contains(words)) { Self::Memory(line) } else { Self::Other(line) }
    }
}

thread_local! {
    /// Whether a panic of this thread becomes an error, which is told where it ends up.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// What a device has said since somebody asked last, on a thread of its own.
static REPORTED: Mutex<Option<Failure>> = Mutex::new(None);

/// `CubeCL` runs a device's work on a thread of this name, and a panic there reaches the caller as a `CallError` without words,
/// or not at all.
fn is_device_thread(name: &str) -> bool {
    name.starts_with("DSU-") || name.starts_with("DSD-")
}

/// Keeps what a device says on a thread of its own until [`guarded`] ends. Running out of memory comes before what follows
/// from it, and the first failure before later ones.
pub fn report(failure: Failure) {
    let mut reported = REPORTED.lock().unwrap_or_else(PoisonError::into_inner);
    let graver = matches!((&*reported, &failure), (Some(Failure::Other(_)), Failure::Memory(_)));
    if reported.is_none() || graver {
        *reported = Some(failure);
    }
}

fn said(payload: &(dyn Any + Send)) -> Failure {
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
    Failure::of(text.unwrap_or("it panicked"))
}

/// Runs `f`; a panic in it is a [`Failure`], and nothing of it is printed.
///
/// # Errors
/// What the panic said.
pub fn caught<T>(f: impl FnOnce() -> T) -> Result<T, Failure> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if thread::current().name().is_some_and(is_device_thread) {
                report(said(info.payload()));
            } else if !GUARDED.get() {
                usual(info);
            }
        }));
    });
    let before = GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    GUARDED.set(before);
    result.map_err(|payload| said(&*payload))
}

/// The same for work on a device: what it [reports](report) on its own threads counts as well, and before a panic here, which
/// mostly follows from it. After a panic `settle` waits until the device is done, so that it has said what there is to say, and
/// nothing of it is taken for another's later.
///
/// # Errors
/// What the device or the panic said.
pub fn guarded<S, T>(state: &mut S, f: impl FnOnce(&mut S) -> T, settle: impl FnOnce(&mut S)) -> Result<T, Failure> {
    let result = caught(|| f(state));
    if result.is_err() {
        // It may well fail again; that is only told if there is nothing else.
        let _ = caught(|| settle(state));
    }
    let reported = REPORTED.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (reported, result) {
        (None, result) => result,
        (Some(Failure::Other(_)), Err(memory @ Failure::Memory(_))) => Err(memory),
        (Some(failure), _) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_are_failures_in_their_own_words() {
        let panics = |words: &str| caught(|| assert!(words.is_empty(), "{words}"));
        assert_eq!(panics(""), Ok(()));
        let failed = panics("kernel 3 does not compile\nbacktrace");
        assert_eq!(failed, Err(Failure::Other("kernel 3 does not compile".into())));
        assert_eq!(panics("CUDA_ERROR_OUT_OF_MEMORY"), Err(Failure::Memory("CUDA_ERROR_OUT_OF_MEMORY".into())));
        let odd: Result<(), Failure> = caught(|| panic::panic_any(7));
        assert_eq!(odd, Err(Failure::Other("it panicked".into())));
        assert_eq!(Failure::of("\n  "), Failure::Other("it does not say why".into()));
    }

    #[test]
    fn what_a_device_says_on_its_own_thread_comes_first() {
        let says = |words: &'static str| {
            let device = thread::Builder::new().name("DSD-5-0".into()).spawn(move || panic!("{words}"));
            device.map(thread::JoinHandle::join).is_ok_and(|joined| joined.is_err())
        };
        let memory = |words: &str| Err(Failure::Memory(words.into()));
        // Also where nothing else fails.
        let silent = guarded(&mut (), |()| assert!(says("can't allocate buffer of size: 7")), |()| ());
        assert_eq!(silent, memory("can't allocate buffer of size: 7"));
        // Also late, while the device settles; and memory before its consequences.
        let late = guarded(&mut (), |()| assert!(!says("lost"), "CallError"), |()| assert!(says("Out of Memory")));
        assert_eq!(late, memory("Out of Memory"));
        let lost = guarded(&mut (), |()| assert!(says("lost")), |()| ());
        assert_eq!(lost, Err(Failure::Other("lost".into())));
        assert_eq!(guarded(&mut 7, |seven| *seven, |_| ()), Ok(7), "it is told once");
    }
}
