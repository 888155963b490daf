//! The thread that draws. Training leaves its status and never waits: not for a terminal that is stopped with Ctrl-S, a
//! connection that hangs, or a window that is gone.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::ansi;
use super::draw::{Place, picture};
use super::screen::Screen;
use super::status::Status;
use super::terminal::{self, Terminal};
use super::words::clock;
use crate::training::stop;

/// How often the thread looks whether something has changed, and how often it draws at the latest.
const LOOK: Duration = Duration::from_millis(200);
const DRAW: Duration = Duration::from_secs(1);
/// If a look comes so much later, the program was stopped (Ctrl-Z), and a shell has written below the picture.
const STOPPED: Duration = Duration::from_secs(1);
/// Lines that wait for a terminal which takes none.
const MOST_LINES: usize = 1_000;

/// What training leaves for the thread.
#[derive(Debug)]
pub struct Board {
    /// What is shown.
    pub status: Status,
    /// What was said since.
    said: VecDeque<String>,
    /// Whether the thread is to end: after a last picture, or without one.
    end: Option<bool>,
    /// Whether it has ended.
    ended: bool,
}

/// The board, and what wakes the thread.
#[derive(Debug)]
pub struct Shared {
    board: Mutex<Board>,
    changed: Condvar,
}

impl Shared {
    /// A board with a first status.
    pub fn new(status: Status) -> Arc<Self> {
        let board = Board { status, said: VecDeque::new(), end: None, ended: false };
        Arc::new(Self { board: Mutex::new(board), changed: Condvar::new() })
    }

    /// The board, for a moment.
    pub fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a line.
    pub fn say(&self, line: String) {
        let mut board = self.board();
        if !board.ended {
            board.said.push_back(line);
            if board.said.len() > MOST_LINES {
                board.said.pop_front();
            }
            self.changed.notify_all();
        }
    }

    /// Ends the thread, and waits for it for a while: a terminal that takes nothing keeps nobody. Gives back whether it has
    /// ended.
    pub fn end(&self, last_picture: bool, patience: Duration) -> bool {
        let mut board = self.board();
        board.end.get_or_insert(last_picture);
        self.changed.notify_all();
        let waited = self.changed.wait_timeout_while(board, patience, |board| !board.ended);
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    /// Draws until the end, or until the terminal is gone.
    pub fn paint(&self, terminal: &Terminal, screen: &mut Screen<impl std::io::Write>) {
        let mut drawn: Option<(Instant, (u16, u16), bool)> = None;
        loop {
            let began = Instant::now();
            let board = self.board();
            let mut board = if board.said.is_empty() && board.end.is_none() {
                self.changed.wait_timeout(board, LOOK).unwrap_or_else(PoisonError::into_inner).0
            } else {
                board
            };
            let end = board.end;
            let stopping = stop::requested();
            if began.elapsed() >= LOOK + STOPPED || terminal::was_disturbed() {
                screen.leave();
            }
            let size = terminal.size();
            let due =
                drawn.is_none_or(|(at, before, stopped)| at.elapsed() >= DRAW || before != size || stopped != stopping);
            if !due && board.said.is_empty() && end.is_none() {
                continue;
            }
            let mut status = board.status.clone();
            let said: Vec<String> = board.said.drain(..).collect();
            drop(board);
            (status.stopping, status.over) = (stopping, end.is_some());
            let written = if end == Some(false) || !terminal.is_ours() {
                screen.leave();
                if said.is_empty() { Ok(()) } else { screen.draw(&said, &[], size.0) }
            } else {
                let now = Instant::now();
                let (width, height) = terminal::room(size);
                let place = Place { width, height, simple: terminal.simple, now, clock };
                screen.draw(&said, &ansi::lines(&picture(&status, &place), terminal.colours), size.0)
            };
            if written.is_err_and(|error| terminal::is_gone(&error)) || end.is_some() {
                break;
            }
            drawn = Some((Instant::now(), size, stopping));
        }
        let mut board = self.board();
        board.ended = true;
        board.said.clear();
        self.changed.notify_all();
    }
}
