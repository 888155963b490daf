//! How far it is: a bar with the time left on a terminal, a line now and then in a log.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Progress through one pass over the files, in bytes of the sources.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    what: &'static str,
    total: u64,
    /// Where no terminal is: the next tenth to print.
    next_tenth: AtomicU64,
    plain: bool,
}

impl Progress {
    /// Progress that shows itself on standard error.
    pub fn visible(what: &'static str, total: u64) -> Self {
        let plain = !std::io::stderr().is_terminal();
        let target = if plain { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(8) };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let template = "{prefix:>9} [{bar:32}] {percent:>3} %  {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(what);
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar, what, total, next_tenth: AtomicU64::new(1), plain }
    }

    /// Progress that nobody sees.
    pub fn hidden() -> Self {
        Self { bar: ProgressBar::hidden(), what: "", total: 0, next_tenth: AtomicU64::new(u64::MAX), plain: false }
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
        if !self.plain || self.total == 0 {
            return;
        }
        let tenth = self.bar.position().saturating_mul(10) / self.total;
        if tenth < 10 && tenth >= self.next_tenth.load(Ordering::Relaxed) {
            let before = self.next_tenth.fetch_max(tenth + 1, Ordering::Relaxed);
            if before <= tenth {
                eprintln!("{} {} %, {} s left", self.what, tenth * 10, self.bar.eta().as_secs());
            }
        }
    }

    pub(crate) fn done(&self) {
        self.bar.finish_and_clear();
    }
}
