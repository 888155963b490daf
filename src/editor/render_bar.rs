//! The button that renders, and how far it is.

use egui::{Button, Rect, RichText, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::context::Cx;
use super::controls::another_number;
use super::gesture::gesture;
use super::ticks::duration;
use super::widgets::elided;
use super::{chooser, theme};
use crate::params::{LengthUnit, Mode, SeedSource};
use crate::session::{Command, Setting, Status};

const BUTTON: egui::Vec2 = vec2(128.0, 34.0);
const EXPORT: f32 = 96.0;
const EXTEND: f32 = 76.0;

/// Render or Cancel, progress, export.
pub fn render_bar(ui: &mut Ui, cx: &mut Cx<'_>) {
    ui.horizontal_centered(|ui| {
        let status = cx.snapshot.status;
        if status.busy() {
            let cancel = Button::new(RichText::new("Cancel").color(theme::TEXT)).min_size(BUTTON);
            let tip = "Stops between two frames; the take before comes back.";
            if ui.add(cancel.stroke(Stroke::new(1.0, theme::FAINT))).on_hover_text(tip).clicked() {
                cx.session.send(Command::Cancel);
            }
        } else {
            let words = RichText::new("Render").color(theme::ON_ACCENT).strong();
            let tip = match cx.params.mode.value() {
                Mode::Continue => "Makes a new take that carries on from the seed clip.",
                Mode::Unconditional => "Makes a new take out of nothing.",
            };
            if ui.add(Button::new(words).fill(theme::CONTINUATION).min_size(BUTTON)).on_hover_text(tip).clicked() {
                cx.session.send(Command::Render);
                roll(cx);
            }
            extend(ui, cx);
        }
        ui.add_space(theme::GAP);
        let room = ui.available_width() - EXPORT - theme::MARGIN;
        let (rect, _) = ui.allocate_exact_size(vec2(room, BUTTON.y), Sense::hover());
        show_status(ui, cx, rect);
        ui.add_space(theme::GAP);
        chooser::export(ui, cx, EXPORT);
    });
}

/// The render that was asked for has its number; the next one gets another, unless the user holds on to it.
fn roll(cx: &Cx<'_>) {
    let param = &cx.params.rng_seed;
    let heeded = cx.snapshot.card.as_ref().is_none_or(|card| card.why_not(Setting::RngSeed).is_none());
    if heeded && !cx.params.rng_lock.value() {
        let number = another_number(param.value());
        gesture(&cx.setter.unnoted(), param, |setter| setter.set_parameter(param, number));
    }
}

/// Renders on from where the take that is shown stops.
fn extend(ui: &mut Ui, cx: &Cx<'_>) {
    let can = cx.snapshot.takes.iter().any(|entry| entry.chosen) && cx.snapshot.take.is_some();
    let goes_on = cx.snapshot.card.as_ref().is_none_or(|card| card.why_not_mode(Mode::Continue).is_none());
    if !can || !goes_on {
        return;
    }
    let button = ui.add(Button::new("Extend").min_size(vec2(EXTEND, BUTTON.y)));
    if button.on_hover_text("Goes on from where the variation that plays stops: it becomes the seed clip.").clicked() {
        let variation = cx.params.variation.value().unsigned_abs().saturating_sub(1) as usize;
        from_take(cx, variation, None, true);
    }
}

/// Makes a variation the seed clip, up to a second in it, and renders on from there if `render`.
pub fn from_take(cx: &Cx<'_>, variation: usize, until_seconds: Option<f64>, render: bool) {
    let params = cx.params;
    cx.session.send(Command::SeedFromTake { variation, until_seconds, render });
    if params.mode.value() != Mode::Continue {
        gesture(&cx.setter, &params.mode, |setter| setter.set_parameter(&params.mode, Mode::Continue));
    }
    if params.seed_source.value() != SeedSource::Clip {
        gesture(&cx.setter, &params.seed_source, |setter| setter.set_parameter(&params.seed_source, SeedSource::Clip));
    }
    if render {
        roll(cx);
    }
}

fn show_status(ui: &Ui, cx: &Cx<'_>, rect: Rect) {
    let (left, right, progress) = words(cx);
    let right = elided(ui, &right, theme::body(), theme::MUTED, rect.width() * 0.5);
    let left = elided(ui, &left, theme::body(), theme::TEXT, rect.width() - right.size().x - theme::MARGIN);
    let line = if progress.is_some() { rect.top() + 2.0 } else { rect.center().y - left.size().y / 2.0 };
    ui.painter().galley(pos2(rect.right() - right.size().x, line), right, theme::MUTED);
    ui.painter().galley(pos2(rect.left(), line), left, theme::TEXT);
    let Some(progress) = progress else { return };

    let slot = Rect::from_min_max(pos2(rect.left(), rect.bottom() - 9.0), pos2(rect.right(), rect.bottom() - 3.0));
    ui.painter().rect_filled(slot, 3.0, theme::FIELD);
    let done = if let Some(part) = progress {
        slot.with_max_x(slot.left() + slot.width() * part.clamp(0.0, 1.0))
    } else {
        // How long this takes is not known: a piece that wanders.
        let phase = (ui.input(|input| input.time) * 0.6).fract() as f32;
        let left = slot.left() + slot.width() * 0.8 * (0.5 - 0.5 * (phase * std::f32::consts::TAU).cos());
        Rect::from_min_max(pos2(left, slot.top()), pos2(left + slot.width() * 0.2, slot.bottom()))
    };
    ui.painter().rect_filled(done, 3.0, theme::CONTINUATION);
    let bar = ui.interact(slot, ui.scope_id().with("progress"), Sense::hover());
    bar.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, "Progress");
        info.value = progress.map(|part| f64::from(part) * 100.0);
        info
    });
}

/// What to say on the left, on the right, and how far the bar is (`Some(None)`: nobody knows; `None`: no bar).
#[allow(clippy::option_option)]
fn words(cx: &Cx<'_>) -> (String, String, Option<Option<f32>>) {
    match cx.snapshot.status {
        Status::Waiting { ahead } => {
            let others = if ahead == 1 { "1 other render".to_owned() } else { format!("{ahead} other renders") };
            (format!("Waiting for {others}"), String::new(), Some(None))
        }
        Status::Loading => ("Opening model and seed clip".to_owned(), String::new(), Some(None)),
        Status::Rendering { progress, seconds_left, speed } => {
            let mut left = format!("{:.0} %", (progress * 100.0).floor());
            if let Some(seconds) = seconds_left {
                left = format!("{left} · {} left", duration(f64::from(seconds)));
            }
            let right = if speed > 0.0 { times(speed) } else { String::new() };
            (left, right, Some(Some(progress)))
        }
        Status::Idle => (plan(cx), String::new(), None),
        Status::Finished { seconds } => (plan(cx), format!("Rendered in {}", duration(f64::from(seconds))), None),
        Status::Cancelled => (plan(cx), "Cancelled".to_owned(), None),
        Status::Failed => (plan(cx), "Not rendered".to_owned(), None),
    }
}

/// A speed in words.
pub fn times(speed: f32) -> String {
    if speed < 0.095 { format!("{speed:.2}× real time") } else { format!("{speed:.1}× real time") }
}

/// What pressing Render would make.
fn plan(cx: &Cx<'_>) -> String {
    let meter = cx.session.link.meter();
    let settings = cx.params.settings(meter);
    let mut words = duration(settings.seconds);
    if cx.params.length_unit.value() == LengthUnit::Bars {
        words = format!("{words} at {} BPM", (meter.tempo * 10.0).round() / 10.0);
    }
    if settings.variations > 1 {
        words = format!("{} variations of {words}", settings.variations);
    }
    match cx.snapshot.forecast_seconds {
        Some(seconds) => format!("Makes {words} · about {} to render", duration(f64::from(seconds))),
        None => format!("Makes {words}"),
    }
}
