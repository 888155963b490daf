//! A status as a picture of a size. Nothing here knows a terminal.

use std::time::Instant;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::chart;
use super::rows::{Row, alarm, bold, dim, named};
use super::status::Status;
use super::words::{about, count, figure};
use crate::task::Figures;

/// Below this there is one line.
const LEAST_WIDTH: u16 = 30;
const LEAST_HEIGHT: u16 = 5;

/// Where and when a picture is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Columns at most.
    pub width: u16,
    /// Lines at most.
    pub height: u16,
    /// Whether the terminal has no more than the oldest signs.
    pub simple: bool,
    /// When it is.
    pub now: Instant,
    /// The time of day so many seconds from now.
    pub clock: fn(f64) -> Option<String>,
}

/// The picture of a status: never larger than its place.
pub fn picture(status: &Status, place: &Place) -> Buffer {
    if place.width < LEAST_WIDTH || place.height < LEAST_HEIGHT {
        return one_line(status, place);
    }
    let mut rows = rows(status, place);
    let laid = |rows: &[Row]| rows.iter().map(|row| row.lines(place.width)).collect::<Vec<_>>();
    let mut texts = laid(&rows);
    let height = |texts: &[Vec<Line>]| texts.iter().map(Vec::len).sum::<usize>();
    while height(&texts) + 1 > usize::from(place.height) && rows.len() > 1 {
        let last = (0..rows.len()).max_by_key(|&row| rows[row].rank).unwrap_or(0);
        rows.remove(last);
        texts = laid(&rows);
    }
    let used = (height(&texts) + 1).min(usize::from(place.height)) as u16;
    let room = (place.height - used).min(chart::MOST_HEIGHT);
    let charted = if room >= chart::LEAST_HEIGHT && chart::is_worth_it(status) { room } else { 0 };
    let mut buffer = Buffer::empty(Rect::new(0, 0, place.width, used + charted));
    set(&mut buffer, 0, &title(status, place.width));
    let mut y = 1;
    let mut to_be_charted = charted > 0;
    for (row, text) in rows.iter().zip(&texts) {
        if row.below && std::mem::take(&mut to_be_charted) {
            chart::draw(status, Rect::new(0, y, place.width, charted), place.simple, &mut buffer);
            y += charted;
        }
        for line in text {
            set(&mut buffer, y, line);
            y += 1;
        }
    }
    if to_be_charted {
        chart::draw(status, Rect::new(0, y, place.width, charted), place.simple, &mut buffer);
    }
    buffer
}

/// Writes a line; what is too long for it ends in dots.
fn set(buffer: &mut Buffer, y: u16, line: &Line<'_>) {
    let width = buffer.area.width;
    if y >= buffer.area.height || width == 0 {
    } else if line.width() <= usize::from(width) {
        buffer.set_line(0, y, line, width);
    } else {
        let (x, _) = buffer.set_line(0, y, line, width - 1);
        buffer.set_line(x, y, &Line::from("…"), 1);
    }
}

/// `── piano-2 ── cpu ─────`
fn title(status: &Status, width: u16) -> Line<'static> {
    let (rule, facts) = ("─", &status.facts);
    let mut line = Line::from(vec![dim(rule.repeat(2)), bold(format!(" {} ", facts.name))]);
    let device = format!(" {} ", facts.device);
    if line.width() + Span::raw(&device).width() + 4 <= usize::from(width) {
        line.spans.extend([dim(rule.repeat(2)), Span::raw(device)]);
    }
    let rest = usize::from(width).saturating_sub(line.width());
    line.push_span(dim(rule.repeat(rest)));
    line
}

fn rows(status: &Status, place: &Place) -> Vec<Row> {
    let (facts, moment) = (&status.facts, &status.moment);
    let mut rows = vec![
        Row::text(9, "model", &facts.model, Style::new()),
        Row::new(0, "step", vec![steps(status, place)]),
        Row::new(1, "time", time(status, place)),
        Row::new(7, "speed", speed(status)),
    ];
    if !moment.losses.is_empty() {
        rows.push(Row::new(2, "training", figures(&moment.losses, &status.training.0, 4)));
    }
    rows.push(Row::new(3, "held-out", heldout(status)));
    let learning: Vec<Line> =
        each("rate", &status.learning_rate).chain(each("gradient norm", &status.gradient_norm)).collect();
    if !learning.is_empty() {
        rows.push(Row::new(8, "learning", learning));
    }
    rows.push(Row::new(5, "checkpoint", checkpoint(status, place)).below());
    if let Some(reason) = &status.not_saved {
        rows.push(
            Row::text(1, "alarm", &format!("the newest checkpoint could not be written: {reason}"), alarm()).below(),
        );
    }
    let alarmed = status.preview.as_ref().and_then(|preview| preview.alarm.as_ref());
    if facts.preview_every_steps > 0 || status.preview.is_some() {
        rows.push(Row::new(6, "preview", preview(status)).below());
    }
    if let Some(words) = alarmed {
        rows.push(Row::text(2, "alarm", words, alarm()).below());
    }
    if status.stopping && !status.over {
        let words = "after this step, with a checkpoint; Ctrl-C once more: at once";
        rows.push(Row::text(1, "stopping", words, alarm()).below());
    } else if !status.over {
        let words = "Ctrl-C writes a checkpoint and stops; a second one stops at once";
        rows.push(Row::text(4, "stop", words, Style::new()).below());
    }
    rows
}

/// `1 234 of 11 000  ━━━━───── 11.2 %`
fn steps(status: &Status, place: &Place) -> Line<'static> {
    let (step, steps) = (status.moment.step, status.facts.steps.max(1));
    let share = (step as f64 / steps as f64).min(1.0);
    let mut line = Line::from(vec![bold(count(step)), Span::raw(format!(" of {}  ", count(steps)))]);
    let percent = format!(" {:.1} %", share * 100.0);
    let room = usize::from(place.width).saturating_sub(12 + line.width() + percent.len());
    if room >= 8 {
        let full = (share * room as f64).round() as usize;
        let (done, open) = if place.simple { ("=", "-") } else { ("━", "─") };
        line.push_span(Span::styled(done.repeat(full), Style::new().fg(chart::TRAINING)));
        line.push_span(dim(open.repeat(room - full)));
    }
    line.push_span(Span::raw(percent));
    line
}

fn time(status: &Status, place: &Place) -> Vec<Line<'static>> {
    let since = place.now.saturating_duration_since(status.at).as_secs_f64();
    let ran = status.moment.wall_seconds + if status.over { 0.0 } else { since };
    let mut parts = vec![Line::from(vec![bold(about(ran)), dim(" so far")])];
    if status.over {
        return parts;
    }
    match status.pace.seconds_left(status.facts.steps) {
        Some(left) => {
            let left = (left - since).max(0.0);
            parts.push(Line::from(vec![bold(about(left)), dim(" left")]));
            parts.extend((place.clock)(left).map(|clock| Line::from(vec![dim("done at "), bold(clock)])));
        }
        None => parts.push(Line::from(dim("time left: not known yet"))),
    }
    if let Some(until) = status.facts.until {
        let left = until.saturating_duration_since(place.now).as_secs_f64();
        parts.push(Line::from(dim(format!("this sitting ends in {}", about(left)))));
    }
    parts
}

fn speed(status: &Status) -> Vec<Line<'static>> {
    let hours = status.moment.frames_seen as f64 / f64::from(status.facts.sample_rate_hz.max(1)) / 3600.0;
    let speed = status.pace.frames_per_second().map(|frames| count(frames.round() as u64));
    let mut parts: Vec<Line> =
        speed.map(|frames| Line::from(vec![bold(frames), dim(" frames/s")])).into_iter().collect();
    parts.push(Line::from(vec![bold(format!("{hours:.2} h")), dim(" of audio seen")]));
    parts.extend(status.doing.map(|doing| Line::from(dim(format!("({doing})")))));
    parts
}

/// Figures with the one that counts in front, and so many at most.
fn figures(figures: &Figures, first: &str, most: usize) -> Vec<Line<'static>> {
    let counts = figures.iter().filter(|(name, _)| *name == first);
    let others = figures.iter().filter(|(name, _)| *name != first);
    counts.chain(others).take(most).map(|(name, &value)| named(name, figure(value))).collect()
}

fn heldout(status: &Status) -> Vec<Line<'static>> {
    let (moment, name) = (&status.moment, status.facts.judged_by);
    let Some(&now) = moment.heldout.get(name) else { return vec![Line::from(dim("not measured yet"))] };
    let mut newest = named(name, figure(now));
    newest.spans.extend(status.heldout.last().map(|last| dim(format!(" at {}", count(last.step)))));
    let mut parts = vec![newest];
    if let Some((step, best)) = moment.best {
        let since = moment.step.saturating_sub(step);
        let since = match since {
            0 => "just now".to_owned(),
            1 => "1 step ago".to_owned(),
            _ => format!("{} steps ago", count(since)),
        };
        let at = dim(format!(" at {}, {since}", count(step)));
        parts.push(Line::from(vec![dim("best "), bold(figure(best)), at]));
    }
    parts
}

/// A figure of each network; the name of the only one says nothing.
fn each(what: &'static str, figures: &Figures) -> impl Iterator<Item = Line<'static>> {
    let alone = figures.len() == 1;
    figures.iter().take(3).map(move |(name, &value)| {
        named(&if alone { what.to_owned() } else { format!("{what} of {name}") }, figure(value))
    })
}

fn checkpoint(status: &Status, place: &Place) -> Vec<Line<'static>> {
    let mut parts = Vec::new();
    if let Some(saved) = status.saved {
        let age = about(place.now.saturating_duration_since(saved.at).as_secs_f64());
        let what = if saved.gone_on_from { format!(", gone on from {age} ago") } else { format!(", {age} ago") };
        parts.push(Line::from(vec![dim("step "), bold(count(saved.step)), dim(what)]));
    }
    if !status.over {
        let waited = place.now.saturating_duration_since(status.waiting_since);
        let wait = status.facts.checkpoint_every.saturating_sub(waited).as_secs_f64();
        parts.push(Line::from(dim(if wait < 1.0 {
            "next after this step".to_owned()
        } else {
            format!("next in {}", about(wait))
        })));
    }
    parts
}

fn preview(status: &Status) -> Vec<Line<'static>> {
    let mut parts = Vec::new();
    if let Some(preview) = &status.preview {
        let said = if preview.alarm.is_some() { "" } else { ", no alarm" };
        parts.push(Line::from(vec![dim("step "), bold(count(preview.step)), dim(said)]));
    }
    let every = status.facts.preview_every_steps;
    if every > 0 && !status.over {
        let next = (status.moment.step / every + 1).saturating_mul(every).min(status.facts.steps);
        parts.push(Line::from(dim(format!("next at step {}", count(next)))));
    }
    parts
}

/// What fits of step, loss and time left.
fn one_line(status: &Status, place: &Place) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, place.width, place.height.min(1)));
    let (facts, moment) = (&status.facts, &status.moment);
    let mut parts = vec![Line::from(bold(format!("{}/{}", moment.step, facts.steps)))];
    if status.stopping {
        parts.push(Line::from(Span::styled("stopping", alarm())));
    }
    if status.is_alarmed() {
        parts.push(Line::from(Span::styled("alarm", alarm())));
    }
    parts.extend(moment.losses.get(&status.training.0).map(|&loss| Line::from(figure(loss))));
    if !status.over {
        parts.extend(status.pace.seconds_left(facts.steps).map(|left| Line::from(format!("{} left", about(left)))));
    }
    let mut line = Line::default();
    for part in parts {
        let gap = if line.spans.is_empty() { "" } else { "  " };
        if !gap.is_empty() && line.width() + gap.len() + part.width() > usize::from(place.width) {
            break;
        }
        line.push_span(gap);
        line.spans.extend(part.spans);
    }
    set(&mut buffer, 0, &line);
    buffer
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::ansi::lines;
    use super::super::status::Preview;
    use super::super::status::tests::{example, log};
    use super::*;

    fn place(width: u16, height: u16) -> Place {
        Place { width, height, simple: false, now: Instant::now(), clock: |_| Some("14:35".into()) }
    }

    fn text(status: &Status, place: &Place) -> Vec<String> {
        lines(&picture(status, place), false)
            .into_iter()
            .map(|line| {
                line.text
                    .split('\x1b')
                    .map(|part| part.split_once('m').filter(|_| part.starts_with('[')).map_or(part, |(_, text)| text))
                    .collect()
            })
            .collect()
    }

    /// Two minutes of training up to step 2 400, after a log of the steps before.
    fn underway() -> Status {
        let mut status = example(&log(2_400), 2_300);
        let moment = super::super::status::Moment { step: 2_400, frames_seen: 2_400 * 16_384, ..status.moment.clone() };
        status.stands(moment, status.at + Duration::from_secs(50));
        status
    }

    fn all() -> Vec<Status> {
        let mut alarmed = underway();
        let word = "x".repeat(400);
        alarmed.facts.name = format!("/runs/ピアノの連弾ソナタ/{word}");
        alarmed.facts.device = word.clone();
        alarmed.preview =
            Some(Preview { step: 2_000, alarm: Some(format!("the phrase is silence {word} after all {word}")) });
        alarmed.not_saved = Some("No space left on device (os error 28)".into());
        alarmed.stopping = true;
        let mut over = underway();
        over.over = true;
        let mut odd = example("", 0);
        odd.facts.steps = 0;
        odd.moment.losses = (0..40).map(|n| (format!("loss_{n}"), f64::MAX / f64::from(n))).collect();
        for (step, value) in [(1, f64::MAX), (2, -f64::MAX), (u64::MAX, 0.0)] {
            odd.training.1.push(step, value);
            odd.heldout.push(step, value);
        }
        odd.moment.step = u64::MAX;
        let mut units = underway();
        units.training.0 = "critic".into();
        vec![underway(), alarmed, over, odd, units, example("", 0)]
    }

    #[test]
    fn a_picture_is_never_larger_than_its_place() {
        for status in all() {
            for width in (0..48).chain([75, 76, 79, 120, 300]) {
                for height in (0..26).chain([60, 100]) {
                    for simple in [false, true] {
                        let written = lines(&picture(&status, &Place { simple, ..place(width, height) }), true);
                        assert!(written.len() <= usize::from(height), "{width}x{height}: {} lines", written.len());
                        for line in &written {
                            let bare: String = line
                                .text
                                .split("\x1b[")
                                .map(|part| part.split_once('m').map_or(part, |(_, text)| text))
                                .collect();
                            assert!(
                                line.width <= width
                                    && Span::raw(&bare).width() <= usize::from(width).max(bare.len() / 400),
                                "{width}x{height}: {bare}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_counts_is_there_on_an_ordinary_terminal() {
        let lines = text(&underway(), &place(79, 20));
        let all = lines.join("\n");
        println!("{all}");
        for wanted in [
            "── piano-2 ── cpu, 2 threads ──",
            "2 400 of 11 000",
            "21.8 %",
            "1 h 11 min left",
            "done at 14:35",
            "0.68 h of audio seen",
            "loss_nats 2.7",
            "nll_nats 2.7500 at 2 250   best 2.7301 at 2 000, 400 steps ago",
            "rate 0.0030",
            "gradient norm 0.42",
            "gone on from 0 s ago",
            "next in 10 min",
            "next at step 3 000",
            "Ctrl-C writes a checkpoint",
            "over steps",
            "1 200",
            "└──",
        ] {
            assert!(all.contains(wanted), "{wanted:?} is missing in\n{all}");
        }
        assert_eq!(lines.len(), 20);
    }

    #[test]
    fn alarms_come_before_the_rest() {
        let [_, alarmed, ..] = &all()[..] else { panic!("there are some") };
        let lines = text(alarmed, &place(79, 12)).join("\n");
        for wanted in ["the phrase is silence", "No space left", "stopping", "2 400 of 11 000", "…"] {
            assert!(lines.contains(wanted), "{wanted:?} is missing in\n{lines}");
        }
    }

    #[test]
    fn little_room_has_one_line() {
        assert_eq!(text(&underway(), &place(19, 4)), ["2400/11000  2.7010"]);
        assert_eq!(text(&underway(), &place(60, 1)), ["2400/11000  2.7010  1 h 11 min left"]);
        assert_eq!(text(&underway(), &place(7, 1)), ["2400/1…"]);
        assert!(text(&underway(), &place(0, 9)).concat().is_empty());
    }

    #[test]
    fn wide_signs_are_measured_by_their_columns() {
        let mut status = underway();
        status.facts.name = "ピアノの連弾".repeat(2);
        let title = text(&status, &place(40, 20)).remove(0);
        assert_eq!(Span::raw(&title).width(), 40, "{title}");
        status.facts.name = "ピアノの連弾".repeat(9);
        let title = text(&status, &place(40, 20)).remove(0);
        assert!(Span::raw(&title).width() <= 40 && title.ends_with('…'), "{title}");
    }
}
