//! How a sitting of a run ends. Ctrl-C: once to write a checkpoint and stop, twice to stop at once.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(unix)]
use super::hangup::is_hangup_ignored;

/// How a sitting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All steps of the configuration are made.
    Finished,
    /// A limit was reached.
    Limit,
    /// Ctrl-C.
    Interrupted,
}

static STOP: AtomicBool = AtomicBool::new(false);
/// Whether somebody else tells that it stops after this step.
static TOLD: AtomicBool = AtomicBool::new(false);

/// Whether nothing is said at all.
static QUIET: AtomicBool = AtomicBool::new(false);

/// What the end of the terminal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hangup {
    /// To stop: nobody would see how it goes on.
    Stops,
    /// Nothing: what is done takes days, and nobody has to see it. It can still be asked to end.
    GoesOn,
}

/// Lets Ctrl-C (and the system's request to end) be noticed by [`requested`]. A second one ends the process.
pub fn listen(hangup: Hangup) {
    // A handler that is already there, or a system without signals: training then simply cannot be stopped gently.
    let _ = handle(hangup);
}

#[cfg(unix)]
fn handle(hangup: Hangup) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    static LISTENS: AtomicBool = AtomicBool::new(false);
    static GOES_ON: AtomicBool = AtomicBool::new(false);
    GOES_ON.store(hangup == Hangup::GoesOn || is_hangup_ignored(), Ordering::Relaxed);
    if LISTENS.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let listen = move || {
        for signal in &mut signals {
            if signal != SIGHUP || !GOES_ON.load(Ordering::Relaxed) {
                request();
            }
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(listen).map(drop)
}

/// A window that is closed ends the program here, whatever is wanted.
#[cfg(not(unix))]
fn handle(_: Hangup) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(request)
}

/// Raises a flag when the program is asked to end, for work that looks at it.
#[cfg(unix)]
pub fn raise(flag: &'static AtomicBool) {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let asked: &[i32] = if is_hangup_ignored() { &[SIGINT, SIGTERM] } else { &[SIGHUP, SIGINT, SIGTERM] };
    // Without it the program is killed, which leaves nothing behind that the next one would not remove.
    let Ok(mut signals) = signal_hook::iterator::Signals::new(asked) else { return };
    let listen = move || signals.forever().for_each(|_| flag.store(true, Ordering::Relaxed));
    let _ = std::thread::Builder::new().name("signals".into()).spawn(listen);
}

/// Raises a flag when the program is asked to end, for work that looks at it.
#[cfg(not(unix))]
pub fn raise(flag: &'static AtomicBool) {
    // Without it the program is killed, which leaves nothing behind that the next one would not remove.
    let _ = ctrlc::set_handler(|| flag.store(true, Ordering::Relaxed));
}

fn request() {
    let quiet = QUIET.load(Ordering::Relaxed);
    if STOP.swap(true, Ordering::Relaxed) {
        if !quiet {
            // A terminal that is gone takes no words.
            let words = "\nstopped at once; `continuo-trainer resume` goes on from the last checkpoint";
            let _ = writeln!(std::io::stderr(), "{words}");
        }
        std::process::exit(130);
    }
    if !quiet && !TOLD.load(Ordering::Relaxed) {
        let _ = writeln!(std::io::stderr(), "\nstopping after this step; once more to stop at once");
    }
}

/// Whether somebody else tells that it stops after this step.
pub fn let_others_tell(others: bool) {
    TOLD.store(others, Ordering::Relaxed);
}

/// The same without a word, for a worker beside one that speaks.
pub fn listen_quietly() {
    QUIET.store(true, Ordering::Relaxed);
    listen(Hangup::GoesOn);
}

/// Whether to stop.
pub fn requested() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// The flag itself, for work that looks at it between frames.
pub fn flag() -> &'static AtomicBool {
    &STOP
}
