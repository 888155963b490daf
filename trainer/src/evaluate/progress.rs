//! How far an evaluation is: a bar with the time left on a terminal, a line for every tenth elsewhere.

use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::names::printable;
use crate::training::log::duration;

/// Progress in frames, from any thread.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    what: String,
    total: u64,
    started: Instant,
    /// Where no terminal is: the next tenth to print; none where nobody looks.
    next_tenth: Option<Mutex<u64>>,
}

impl Progress {
    /// Progress that shows itself on standard error.
    pub fn visible(what: &str, total: u64) -> Self {
        let plain = !std::io::stderr().is_terminal();
        let target = if plain { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(8) };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        // A template of our own that is written down here and cannot be wrong.
        if let Ok(style) = ProgressStyle::with_template("{prefix}: [{bar:32}] {percent:>3} %, {eta} left") {
            bar.set_style(style.progress_chars("=> "));
        }
        let what = printable(what).into_owned();
        bar.set_prefix(what.clone());
        Self { bar, what, total, started: Instant::now(), next_tenth: plain.then(|| Mutex::new(1)) }
    }

    /// Progress that nobody sees.
    pub fn hidden() -> Self {
        let bar = ProgressBar::hidden();
        Self { bar, what: String::new(), total: 0, started: Instant::now(), next_tenth: None }
    }

    /// So many more frames are done.
    pub fn add(&self, frames: u64) {
        self.bar.inc(frames);
        let Some(next) = &self.next_tenth else { return };
        let done = self.bar.position();
        let tenth = done.saturating_mul(10) / self.total.max(1);
        let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
        if tenth >= *next && tenth < 10 {
            *next = tenth + 1;
            let left = self.started.elapsed().as_secs_f64() * (self.total - done) as f64 / done as f64;
            eprintln!("{}: {} %, about {} left", self.what, 10 * tenth, duration(left));
        }
    }

    /// All is done.
    pub fn done(&self) {
        self.bar.finish_and_clear();
    }
}
