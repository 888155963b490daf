//! An evaluation as text.

use std::fmt::Write as _;

use super::measured::Measured;
use super::results::{Evaluation, ModelResult};
use super::table::{Row, rows};
use crate::names::printable;

/// Widest column of words.
const MOST: usize = 52;

/// Everything that a report's tables say, one table per rate. Names are safe for a terminal.
pub fn text(evaluation: &Evaluation) -> String {
    let mut text = String::new();
    for corpus in &evaluation.corpus {
        let models: Vec<&ModelResult> =
            evaluation.models.iter().filter(|model| model.rate_hz == corpus.rate_hz).collect();
        let rows = rows(corpus, &models);
        let _ = writeln!(
            text,
            "\n{} Hz, {} held-out clips (± one standard error, * best)",
            corpus.rate_hz,
            corpus.clips.len()
        );
        table(&mut text, &rows, &models);
        for warning in warnings(evaluation, &models) {
            let _ = writeln!(text, "{}", printable(&warning));
        }
    }
    text
}

fn table(text: &mut String, rows: &[Row], models: &[&ModelResult]) {
    let shown = |row: &Row, at: usize| {
        let figure = &row.models[at];
        let star = if figure.best { " *" } else { "" };
        if figure.is_reason { "—".to_owned() } else { format!("{}{star}", figure.text) }
    };
    let width =
        |texts: &mut dyn Iterator<Item = String>| texts.map(|text| text.chars().count()).max().unwrap_or(0).min(MOST);
    let first = width(&mut rows.iter().map(|row| row.measure.clone()));
    let second = width(&mut rows.iter().map(|row| row.corpus.clone()).chain(["held-out audio".to_owned()]));
    let names: Vec<String> = models.iter().map(|model| printable(&model.name).into_owned()).collect();
    let widths: Vec<usize> = (0..models.len())
        .map(|at| width(&mut rows.iter().map(|row| shown(row, at)).chain([names[at].clone()])))
        .collect();
    let mut line = |a: &str, b: &str, cells: &[String]| {
        let mut whole = format!("{a:<first$}  {b:>second$}");
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(whole, "  {cell:>width$}");
        }
        let _ = writeln!(text, "{}", whole.trim_end());
    };
    line("", "held-out audio", &names);
    for row in rows {
        let cells: Vec<String> = (0..models.len()).map(|at| shown(row, at)).collect();
        line(&row.measure, &row.corpus, &cells);
    }
}

/// What a reader should not miss, as sentences.
pub fn warnings(evaluation: &Evaluation, models: &[&ModelResult]) -> Vec<String> {
    let mut warnings = Vec::new();
    for model in models {
        let name = &model.name;
        let mut say = |text: String| warnings.push(format!("{name}: {text}"));
        if model.collapsed.silence + model.collapsed.noise > 0 {
            let found = model.collapsed;
            say(format!("of {} sounds {} are silence and {} are noise", found.of, found.silence, found.noise));
        }
        let chance = evaluation.corpus_of(model).and_then(|corpus| corpus.memory.as_ref());
        if let (Measured::Value(memory), Some(chance)) = (&model.memory, chance) {
            let beyond: Vec<_> =
                memory.found.iter().filter(|found| found.waveform > chance.waveform_largest.max(COPY)).collect();
            if let Some(found) = beyond.first() {
                say(format!(
                    "{} of {} seconds are copies of training audio beyond chance; the likest (r = {:.2}) of {} at {:.1} s",
                    beyond.len(),
                    memory.windows,
                    found.waveform,
                    found.recording,
                    found.seconds
                ));
            }
        }
        for (what, reason) in reasons(model) {
            say(format!("no {what}, because {reason}"));
        }
    }
    warnings
}

/// A correlation of waveforms under which nothing is called a copy, however little chance finds.
const COPY: f64 = 0.8;

fn reasons(model: &ModelResult) -> Vec<(&'static str, &str)> {
    fn reason<T>(measured: &Measured<T>) -> Option<&str> {
        match measured {
            Measured::Value(_) => None,
            Measured::NotApplicable(reason) => Some(reason),
        }
    }
    let all = [
        ("likelihood", reason(&model.likelihood)),
        ("squared error", reason(&model.squared_error)),
        ("error of single frames", reason(&model.one_step)),
        ("Fréchet distance", reason(&model.frechet)),
        ("drift", reason(&model.drift)),
        ("search for copies", reason(&model.memory)),
    ];
    all.into_iter().filter_map(|(what, reason)| Some((what, reason?))).collect()
}
