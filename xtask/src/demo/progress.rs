//! How far the phrase is, on the terminal.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// A line that says how much of the phrase there is and how long the rest takes.
pub struct Progress {
    total: u64,
    began: Instant,
    /// When the first frame arrived: before it the model is loaded and checked, which says nothing of the pace.
    first: Option<(Instant, u64)>,
    shown: Option<Instant>,
    terminal: bool,
}

impl Progress {
    /// For a phrase of `total` frames.
    pub fn new(total: u64) -> Self {
        Self { total, began: Instant::now(), first: None, shown: None, terminal: std::io::stderr().is_terminal() }
    }

    /// Says where things stand, several times a second on a terminal, every few seconds in a log.
    pub fn show(&mut self, played: u64) {
        let pause = Duration::from_millis(if self.terminal { 200 } else { 5_000 });
        if self.shown.is_some_and(|shown| shown.elapsed() < pause) {
            return;
        }
        self.shown = Some(Instant::now());
        if played > 0 && self.first.is_none() {
            self.first = Some((Instant::now(), played));
        }
        let line = match self.first {
            None => format!("rendering: waiting for the first frame ({:.0} s)", self.began.elapsed().as_secs_f64()),
            Some((since, at)) => {
                let share = 100 * played / self.total.max(1);
                match left(since.elapsed(), played.saturating_sub(at), self.total.saturating_sub(played)) {
                    Some(left) => format!("rendering: {share} %, {:.0} s left", left.as_secs_f64().ceil()),
                    None => format!("rendering: {share} %"),
                }
            }
        };
        self.print(&line);
    }

    /// Ends the line.
    pub fn finish(&self) {
        self.print(&format!("rendering: done after {:.1} s", self.began.elapsed().as_secs_f64()));
        if self.terminal {
            eprintln!();
        }
    }

    fn print(&self, line: &str) {
        if self.terminal {
            eprint!("\r{line:<60}");
            // A terminal that went away is no reason to stop a render.
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{line}");
        }
    }
}

/// Time for `todo` frames at the pace of `done` frames in `spent`; none before there is a pace.
fn left(spent: Duration, done: u64, todo: u64) -> Option<Duration> {
    if done == 0 || spent < Duration::from_millis(500) {
        return None;
    }
    Some(spent.mul_f64(todo as f64 / done as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_takes_as_long_as_the_pace_says() {
        assert_eq!(left(Duration::from_secs(2), 100, 300), Some(Duration::from_secs(6)));
        assert_eq!(left(Duration::from_secs(2), 0, 300), None);
        assert_eq!(left(Duration::from_millis(1), 100, 300), None);
    }
}
