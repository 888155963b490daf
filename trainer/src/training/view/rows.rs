//! Rows of a label and what it says, laid into the width that there is.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

/// Columns of the labels.
const LABEL: u16 = 12;
/// Columns below which what runs over begins at the edge and not below what it goes on from.
const ROOMY: u16 = 44;

/// A row.
#[derive(Debug, Clone)]
pub struct Row {
    /// What is left out first where there is little room has the highest rank.
    pub rank: u8,
    /// Whether it stands below the chart.
    pub below: bool,
    label: &'static str,
    /// What is never torn apart, unless it is wider than the view.
    parts: Vec<Line<'static>>,
    /// Columns between parts.
    gap: u16,
    /// Lines at most.
    most_lines: usize,
}

impl Row {
    /// A row of figures.
    pub fn new(rank: u8, label: &'static str, parts: Vec<Line<'static>>) -> Self {
        Self { rank, below: false, label, parts, gap: 3, most_lines: 3 }
    }

    /// A row of words.
    pub fn text(rank: u8, label: &'static str, text: &str, style: Style) -> Self {
        let parts = text.split_whitespace().map(|word| Line::from(Span::styled(word.to_owned(), style))).collect();
        Self { rank, below: false, label, parts, gap: 1, most_lines: 3 }
    }

    /// The same row, below the chart.
    #[must_use]
    pub fn below(self) -> Self {
        Self { below: true, ..self }
    }

    /// The row in lines of a width. Parts that are wider are cut when they are drawn.
    pub fn lines(&self, width: u16) -> Vec<Line<'static>> {
        let (label, indent) = if width >= ROOMY {
            (format!("{:1$}", self.label, usize::from(LABEL)), LABEL)
        } else {
            (format!("{} ", self.label), 2)
        };
        let mut line = Line::from(dim(label));
        let mut lines = Vec::new();
        let mut empty = true;
        for part in &self.parts {
            let gap = if empty { 0 } else { self.gap };
            if !empty && line.width() + usize::from(gap) + part.width() > usize::from(width) {
                if lines.len() + 1 == self.most_lines {
                    line.push_span("…");
                    break;
                }
                let next = Line::from(" ".repeat(usize::from(indent)));
                lines.push(std::mem::replace(&mut line, next));
            } else if gap > 0 {
                line.push_span(" ".repeat(usize::from(gap)));
            }
            line.spans.extend(part.spans.iter().cloned());
            empty = false;
        }
        lines.push(line);
        lines
    }
}

/// A value that is looked for.
pub fn bold(text: impl Into<String>) -> Span<'static> {
    Span::styled(text.into(), Style::new().add_modifier(Modifier::BOLD))
}

/// What explains a value.
pub fn dim(text: impl Into<String>) -> Span<'static> {
    Span::styled(text.into(), Style::new().add_modifier(Modifier::DIM))
}

/// A value, and before it what it is.
pub fn named(name: &str, value: impl Into<String>) -> Line<'static> {
    Line::from(vec![dim(format!("{name} ")), bold(value)])
}

/// What is wrong.
pub fn alarm() -> Style {
    Style::new().fg(Color::Red).add_modifier(Modifier::BOLD)
}
