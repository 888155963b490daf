//! What the view has to know of the terminal.

use std::env;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal as _};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

/// A terminal that standard error is connected to.
#[derive(Debug)]
pub struct Terminal {
    /// A handle of its own, so that a write that waits holds up nobody else's standard error.
    out: File,
    /// Whether colours are wanted: there is no `NO_COLOR`.
    pub colours: bool,
    /// Whether it has the oldest signs only, as a text console.
    pub simple: bool,
    /// Whether it breaks long lines anew when it gets narrower.
    pub rewraps: bool,
}

impl Terminal {
    /// Standard error, if it is a terminal that obeys.
    pub fn of_standard_error() -> Option<Self> {
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let kind = env::var("TERM").unwrap_or_default();
        if !io::stderr().is_terminal() || kind == "dumb" || !obeys(&kind) {
            return None;
        }
        let simple = kind == "linux";
        let rewraps = !simple && !set("STY") && !set("XTERM_VERSION");
        Some(Self { out: own_handle().ok()?, colours: !set("NO_COLOR"), simple, rewraps })
    }

    /// Where to write.
    pub fn out(&self) -> io::Result<File> {
        self.out.try_clone()
    }

    /// Columns and rows. A terminal that does not know is taken for one of 80 by 24.
    pub fn size(&self) -> (u16, u16) {
        match terminal_size::terminal_size_of(&self.out) {
            Some((width, height)) if width.0 > 0 && height.0 > 0 => (width.0, height.0),
            _ => (80, 24),
        }
    }

    /// Whether this program is in front: one in the background would write over what a user types.
    #[cfg(unix)]
    pub fn is_ours(&self) -> bool {
        // A terminal that is not this session's own has no front.
        rustix::termios::tcgetpgrp(&self.out).map_or(true, |front| front == rustix::process::getpgrp())
    }

    /// There is no background here.
    #[cfg(not(unix))]
    pub fn is_ours(&self) -> bool {
        true
    }
}

#[cfg(unix)]
fn own_handle() -> io::Result<File> {
    use std::os::fd::AsFd as _;
    io::stderr().as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(windows)]
fn own_handle() -> io::Result<File> {
    use std::os::windows::io::AsHandle as _;
    io::stderr().as_handle().try_clone_to_owned().map(File::from)
}

#[cfg(not(any(unix, windows)))]
fn own_handle() -> io::Result<File> {
    Err(ErrorKind::Unsupported.into())
}

/// Whether a terminal of this kind knows escape sequences.
#[cfg(not(windows))]
fn obeys(kind: &str) -> bool {
    !kind.is_empty()
}

#[cfg(windows)]
fn obeys(_: &str) -> bool {
    anstyle_query::windows::enable_ansi_colors() == Some(true)
}

/// The part of a terminal that a picture may fill: what was said before stays in sight above it, and the line below it is
/// the cursor's. The last column is left free, since terminals differ in what happens behind it.
pub fn room((columns, rows): (u16, u16)) -> (u16, u16) {
    let above = if rows >= 12 { rows / 8 } else { 0 };
    (columns.saturating_sub(1), rows.saturating_sub(1 + above))
}

/// Whether nobody will read any more what is written after an error.
pub fn is_gone(error: &io::Error) -> bool {
    !matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock)
}

static DISTURBED: AtomicBool = AtomicBool::new(false);

/// Whether a panic's message was written since the last time.
pub fn was_disturbed() -> bool {
    DISTURBED.swap(false, Ordering::Relaxed)
}

/// Sees to it that a panic's message is not drawn over.
pub fn mind_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            DISTURBED.store(true, Ordering::Relaxed);
            usual(info);
        }));
    });
}
