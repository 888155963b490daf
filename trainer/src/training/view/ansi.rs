//! A picture as lines of text with escape sequences.

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use ratatui::text::Span;

/// A line as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The text; what it changes in the terminal's style it takes back.
    pub text: String,
    /// Columns that it takes.
    pub width: u16,
}

/// The lines of a picture, without the blanks at their ends.
pub fn lines(buffer: &Buffer, colours: bool) -> Vec<Written> {
    let width = usize::from(buffer.area.width);
    if width == 0 {
        return Vec::new();
    }
    buffer.content().chunks(width).map(|cells| line(cells, colours)).collect()
}

fn line(cells: &[Cell], colours: bool) -> Written {
    let used = cells.iter().rposition(|cell| cell.symbol() != " ").map_or(0, |last| last + 1);
    let (mut text, mut style) = (String::new(), String::new());
    let mut at = 0;
    while at < used {
        let cell = &cells[at];
        let wanted = codes(cell, colours);
        if wanted != style {
            text += "\x1b[0";
            text += &wanted;
            text.push('m');
            style = wanted;
        }
        text += cell.symbol();
        // A wide sign hides the cells behind it.
        at += Span::raw(cell.symbol()).width().max(1);
    }
    if !style.is_empty() {
        text += "\x1b[0m";
    }
    Written { text, width: at.min(cells.len()) as u16 }
}

/// What follows a reset to get a cell's style.
fn codes(cell: &Cell, colours: bool) -> String {
    let mut codes = String::new();
    for (modifier, code) in [(Modifier::BOLD, ";1"), (Modifier::DIM, ";2")] {
        if cell.modifier.contains(modifier) {
            codes += code;
        }
    }
    if colours {
        codes += match cell.fg {
            Color::Red => ";31",
            Color::Yellow => ";33",
            Color::Cyan => ";36",
            _ => "",
        };
    }
    codes
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;
    use ratatui::text::Line;

    use super::*;

    #[test]
    fn styles_begin_and_end_in_their_line() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 3));
        let red = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
        buffer.set_line(0, 0, &Line::from(vec![Span::styled("oh", red), Span::raw(" ピ")]), 12);
        buffer.set_line(0, 1, &Line::from(Span::styled("no", red)), 12);
        let written = lines(&buffer, true);
        assert_eq!(written[0], Written { text: "\x1b[0;1;31moh\x1b[0m ピ".into(), width: 5 });
        assert_eq!(written[1].text, "\x1b[0;1;31mno\x1b[0m");
        assert_eq!(written[2], Written { text: String::new(), width: 0 });
        assert_eq!(lines(&buffer, false)[1].text, "\x1b[0;1mno\x1b[0m");
        assert_eq!(lines(&Buffer::empty(Rect::ZERO), true), []);
    }
}
