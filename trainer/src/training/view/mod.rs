//! Seeing a run: where it stands, at the bottom of a terminal, for days.
//!
//! `status` is what is shown, with the `history` of its figures and the `pace`; `draw` makes a picture of it for any size, out
//! of `rows` and a `chart`; `ansi` turns the picture into text; `screen` puts that below what was said; `painter` is the thread
//! that does so, since a terminal may take its time and training may not wait.

mod ansi;
mod chart;
mod draw;
mod history;
mod pace;
mod painter;
mod rows;
mod screen;
mod status;
mod terminal;
pub mod words;

use std::sync::Arc;
use std::time::{Duration, Instant};

use painter::Shared;
use screen::Screen;
use status::Status;
pub use status::{Facts, Moment};
use terminal::Terminal;

use super::stop;
use crate::names::printable_lines;

/// How long the end of a sitting waits for a terminal.
const PATIENCE: Duration = Duration::from_secs(2);

/// A view of a run on the terminal that standard error is connected to.
#[derive(Debug)]
pub struct View {
    shared: Arc<Shared>,
}

impl View {
    /// A view of a sitting that begins at `moment`, on a run with this log. `None` where there is no terminal for it.
    pub fn open(facts: Facts, moment: Moment, log: &str) -> Option<Self> {
        let terminal = Terminal::of_standard_error()?;
        let mut screen = Screen::new(terminal.out().ok()?, terminal.rewraps);
        let shared = Shared::new(Status::new(facts, moment, log, Instant::now()));
        let painter = Arc::clone(&shared);
        terminal::mind_panics();
        let thread = std::thread::Builder::new().name("view".into());
        thread.spawn(move || painter.paint(&terminal, &mut screen)).ok()?;
        stop::let_others_tell(true);
        Some(Self { shared })
    }

    /// Training has come to a moment.
    pub fn stands(&self, moment: Moment) {
        let mut board = self.shared.board();
        board.status.doing = None;
        board.status.stands(moment, Instant::now());
    }

    /// Takes in a line of the log.
    pub fn event(&self, line: &str) {
        self.shared.board().status.event(line, Instant::now());
    }

    /// What training waits for until it has come to its next moment.
    pub fn doing(&self, what: &'static str) {
        self.shared.board().status.doing = Some(what);
    }

    /// Shows a line that stays, above the view.
    pub fn say(&self, line: &str) {
        self.shared.say(printable_lines(line).into_owned());
    }

    /// Leaves a last picture; afterwards others may write below it. Gives back whether the terminal takes anything.
    pub fn close(self) -> bool {
        self.end(true)
    }

    fn end(&self, last_picture: bool) -> bool {
        stop::let_others_tell(false);
        self.shared.end(last_picture, PATIENCE)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // A panic's message stands below the picture already.
        self.end(!std::thread::panicking());
    }
}
