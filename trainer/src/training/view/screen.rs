//! The bottom of a terminal, drawn over and over, and what is said above it.
//!
//! Nothing is ever switched on that would have to be switched off again: no raw mode, no other screen, no hidden cursor. The
//! cursor rests at the beginning of an empty line below the picture, so whatever ends the program leaves a clean line there.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::ansi::Written;

/// The bottom of a terminal.
#[derive(Debug)]
pub struct Screen<W> {
    out: W,
    /// Columns of each line that is drawn.
    drawn: Vec<u16>,
    /// Whether the terminal breaks long lines anew when it gets narrower.
    rewraps: bool,
}

impl<W: Write> Screen<W> {
    /// With nothing drawn, and the cursor at the beginning of a line.
    pub fn new(out: W, rewraps: bool) -> Self {
        Self { out, drawn: Vec::new(), rewraps }
    }

    /// Leaves what is drawn where it is: somebody else has written since, or will.
    pub fn leave(&mut self) {
        self.drawn.clear();
    }

    /// Replaces what is drawn by `lines`, and writes `said` above them, to stay. `columns` is the terminal's present width.
    ///
    /// # Errors
    /// Those of writing.
    pub fn draw(&mut self, said: &[String], lines: &[Written], columns: u16) -> io::Result<()> {
        // With nothing drawn before and nothing to draw, it is a program's output like any other.
        let mut text = String::from(if self.drawn.is_empty() && lines.is_empty() { "" } else { "\r" });
        let rows = |width: u16| if self.rewraps { width.max(1).div_ceil(columns.max(1)).into() } else { 1_usize };
        let up: usize = self.drawn.iter().map(|&width| rows(width)).sum();
        if up > 0 {
            let _ = write!(text, "\x1b[{up}A");
        }
        if up > 0 && !said.is_empty() {
            text += "\x1b[J";
        }
        for line in said {
            text += &line.replace('\n', "\r\n");
            text += "\r\n";
        }
        for line in lines {
            text += &line.text;
            // Clears to the end of the line, then the next; in one go with the rest, so nothing flickers.
            text += "\x1b[K\r\n";
        }
        if up > 0 {
            text += "\x1b[J";
        }
        self.drawn = lines.iter().map(|line| line.width).collect();
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As much of a terminal as the screen needs: a window of some rows, below all that has left it at the top.
    #[derive(Default)]
    struct Paper {
        rows: Vec<String>,
        row: usize,
        column: usize,
        window: usize,
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
            let mut rest = text;
            while let Some(sign) = rest.chars().next() {
                rest = &rest[sign.len_utf8()..];
                self.rows.resize(self.rows.len().max(self.row + 1), String::new());
                match sign {
                    '\r' => self.column = 0,
                    '\n' => self.row += 1,
                    '\x1b' => {
                        let end =
                            rest.find(|sign: char| sign.is_ascii_alphabetic()).ok_or(io::ErrorKind::InvalidData)?;
                        match &rest[end..=end] {
                            "A" => {
                                let top = self.rows.len().saturating_sub(self.window);
                                let up: usize = rest[1..end].parse().map_err(io::Error::other)?;
                                self.row = self.row.saturating_sub(up).max(top);
                            }
                            "K" => self.rows[self.row].truncate(self.column),
                            "J" => {
                                self.rows[self.row].truncate(self.column);
                                self.rows.truncate(self.row + 1);
                            }
                            other => return Err(io::Error::other(other.to_owned())),
                        }
                        rest = &rest[end + 1..];
                    }
                    sign => {
                        let row = &mut self.rows[self.row];
                        row.replace_range(self.column..row.len().min(self.column + 1), &sign.to_string());
                        self.column += 1;
                    }
                }
            }
            self.rows.resize(self.rows.len().max(self.row + 1), String::new());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(lines: &[&str]) -> Vec<Written> {
        lines.iter().map(|line| Written { text: (*line).into(), width: line.len() as u16 }).collect()
    }

    fn said(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|&line| line.to_owned()).collect()
    }

    #[test]
    fn what_is_said_stays_above_what_is_drawn() {
        let mut screen = Screen::new(Paper { window: 6, ..Paper::default() }, true);
        screen.draw(&said(&["hello"]), &written(&["one", "two", "three"]), 80).unwrap();
        screen.draw(&[], &written(&["1", "two"]), 80).unwrap();
        assert_eq!(screen.out.rows, ["hello", "1", "two", ""]);
        screen.draw(&said(&["an alarm", "of two\nlines"]), &written(&["1", "2", "3"]), 80).unwrap();
        screen.draw(&[], &written(&["1", "22", "3"]), 80).unwrap();
        assert_eq!(screen.out.rows, ["hello", "an alarm", "of two", "lines", "1", "22", "3", ""]);
        assert_eq!((screen.out.row, screen.out.column), (7, 0), "the cursor is below");
    }

    #[test]
    fn what_others_write_is_not_drawn_over() {
        let mut screen = Screen::new(Paper { window: 20, ..Paper::default() }, true);
        screen.draw(&[], &written(&["1", "2"]), 80).unwrap();
        screen.out.write_all(b"stopped\r\n$ fg\r\n").unwrap();
        screen.leave();
        screen.draw(&[], &written(&["3", "4"]), 80).unwrap();
        screen.draw(&[], &written(&["5", "6"]), 80).unwrap();
        assert_eq!(screen.out.rows, ["1", "2", "stopped", "$ fg", "5", "6", ""]);
    }

    #[test]
    fn lines_that_the_terminal_broke_are_drawn_over_whole() {
        for (rewraps, up) in [(true, "\x1b[5A"), (false, "\x1b[3A")] {
            let mut screen = Screen::new(Vec::new(), rewraps);
            screen.draw(&[], &written(&["0123456789", "01234567", ""]), 20).unwrap();
            screen.out.clear();
            screen.draw(&[], &written(&["0"]), 5).unwrap();
            let text = String::from_utf8(screen.out).unwrap();
            assert!(text.starts_with(&format!("\r{up}")), "{text:?}");
        }
    }
}
