//! The arrangement strip: takes one after another over the bars of the song, in a row that can be closed.

use egui::{Align2, CursorIcon, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use super::block;
use super::blocks::Song;
use super::context::Cx;
use super::geometry::Axis;
use super::gesture::gesture;
use super::placing::{add, chosen};
use super::ticks::{Bars, in_bars};
use super::widgets::{draw_chevron, elided, focus_ring};
use super::{lane, theme};
use crate::settings::{Playback, TempoMode};

/// Height of the row of words.
const HEAD: f32 = 24.0;
/// Height of the ruler.
const RULER: f32 = 16.0;
/// Height of the blocks.
const BLOCKS: f32 = 44.0;
/// Pixels a bar's number needs.
const NUMBER: f32 = 44.0;

/// Whether there is anything that could be placed, or is.
pub fn wanted(cx: &Cx<'_>) -> bool {
    !cx.snapshot.takes.is_empty() || !cx.snapshot.arrangement.is_empty()
}

/// Height of all of it.
pub fn height(cx: &Cx<'_>) -> f32 {
    if is_open(cx) { HEAD + RULER + BLOCKS } else { HEAD }
}

fn is_open(cx: &Cx<'_>) -> bool {
    cx.state.strip.open.unwrap_or(!cx.snapshot.arrangement.is_empty())
}

/// Fills `ui` with the strip.
pub fn arrangement(ui: &mut Ui, cx: &mut Cx<'_>) {
    let (rect, _) = ui.allocate_exact_size(ui.available_size(), Sense::hover());
    forget_what_came_back(cx);
    // It has the room that was wanted when the frame began.
    let open = is_open(cx) && rect.height() > HEAD + RULER + BLOCKS / 2.0;
    head(ui, cx, rect.with_max_y(rect.top() + HEAD));
    if !open {
        return;
    }
    let field = Rect::from_min_max(pos2(rect.left(), rect.top() + HEAD), rect.max);
    ui.painter().rect_filled(field, 6.0, theme::FIELD);
    ui.painter().rect_stroke(field, 6.0, Stroke::new(1.0, theme::LINE), StrokeKind::Inside);
    let meter = cx.session.link.meter();
    let song = Song {
        per_bar: meter.beats_per_bar,
        tempo: meter.tempo,
        plays_seed: cx.params.play_seed.value(),
        in_bars: cx.params.timeline.tempo.value() == TempoMode::StayInBars,
    };
    let blocks = std::sync::Arc::clone(&cx.snapshot.arrangement);
    let inner = field.shrink2(vec2(6.0, 0.0));
    let axis = Axis { left: inner.left(), width: inner.width(), seconds: song.shown(&blocks) };
    ruler(ui, inner, axis, song.per_bar);
    let row = Rect::from_min_max(pos2(inner.left(), inner.top() + RULER), inner.max - vec2(0.0, 4.0));
    if blocks.is_empty() {
        let words = "Nothing is placed yet. Add puts the variation that plays at its bar; so does A.";
        let words = elided(ui, words, theme::caption(), theme::FAINT, row.width());
        ui.painter().galley(row.center() - words.size() / 2.0, words, theme::FAINT);
    }
    for at in 0..blocks.len() {
        block::block(ui, cx, (row, axis, song), &blocks, at);
    }
    if let Some(beats) = cx.session.song_beats().filter(|beats| (0.0..=axis.seconds).contains(beats)) {
        let x = axis.x(beats);
        ui.painter().line_segment([pos2(x, inner.top()), pos2(x, row.bottom())], Stroke::new(1.5, theme::TEXT));
    }
}

/// What was sent is shown until the session has it.
fn forget_what_came_back(cx: &mut Cx<'_>) {
    let strip = &mut cx.state.strip;
    let now = |id| cx.snapshot.arrangement.iter().map(|block| &block.placement).find(|placement| placement.id == id);
    let revision = cx.session.revision();
    strip.sent =
        strip.sent.take().filter(|(sent, then)| *then == revision && now(sent.id).is_some_and(|now| now != sent));
    strip.edited = strip.edited.take().filter(|edited| now(edited.id).is_some());
    strip.drag = strip.drag.take().filter(|drag| now(drag.to.id).is_some());
}

/// The word that opens it, the switch, and what there is to say.
fn head(ui: &Ui, cx: &mut Cx<'_>, rect: Rect) {
    let open = is_open(cx);
    let place =
        |left: f32, width: f32| Rect::from_min_size(pos2(left, rect.top() + 2.0), vec2(width, rect.height() - 4.0));
    let title = place(rect.left(), 108.0);
    let response = ui.interact(title, ui.scope_id().with("arrangement"), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, open, "Arrangement"));
    let color = if response.hovered() || response.has_focus() { theme::TEXT } else { theme::MUTED };
    triangle(ui, pos2(title.left() + 8.0, title.center().y), open, color);
    ui.painter().text(
        pos2(title.left() + 20.0, title.center().y),
        Align2::LEFT_CENTER,
        "Arrangement",
        theme::caption(),
        color,
    );
    finish(ui, title, &response);
    if response.clicked() {
        cx.state.strip.open = Some(!open);
    }
    response.on_hover_text("Takes one after another in the song. Click to open or close.");

    let param = &cx.params.timeline.arrangement;
    let on = param.value();
    let tip = "On: the takes that are placed here play in the song, in place of the pinned one. The crossfade from one to the next is behind Timeline….";
    let switch = place(title.right(), 52.0);
    if lane::word(ui, switch, if on { "Plays" } else { "Play it" }, on, tip) {
        gesture(&cx.setter, param, |setter| setter.set_parameter(param, !on));
    }
    let mut left = switch.right() + 4.0;
    if let Some((entry, variation)) = chosen(cx) {
        let tip = format!("Places {}, variation {}, after what is there (A).", entry.title, variation + 1);
        let button = place(left, 36.0);
        if lane::word(ui, button, "Add", false, &tip) {
            add(cx, variation);
        }
        left = button.right() + 4.0;
    }
    let words = words(cx, on);
    let galley = elided(ui, &words, theme::caption(), theme::FAINT, rect.right() - left);
    ui.painter().galley(
        pos2(rect.right() - galley.size().x, rect.center().y - galley.size().y / 2.0),
        galley,
        theme::FAINT,
    );
}

fn words(cx: &Cx<'_>, on: bool) -> String {
    let count = cx.snapshot.arrangement.len();
    if count == 0 {
        return String::new();
    }
    let memory = (cx.snapshot.arrangement_bytes as f64 / f64::from(1 << 20)).ceil();
    let mut words = format!("{count} placed · {memory} MB of memory");
    if on && cx.params.playback.value() == Playback::Midi {
        words = format!("plays when Playback is Timeline · {words}");
    } else if let Some(beats) = cx.session.song_beats() {
        let bar = (beats / cx.session.link.meter().beats_per_bar).floor() + 1.0;
        words = format!("bar {bar} · {words}");
    }
    words
}

/// Points down where it is open, to the right where it is not.
fn triangle(ui: &Ui, middle: egui::Pos2, open: bool, color: egui::Color32) {
    if open {
        return draw_chevron(ui.painter(), middle, color);
    }
    let stroke = Stroke::new(1.4, color);
    ui.painter().line_segment([middle + vec2(-2.0, -4.0), middle + vec2(2.0, 0.0)], stroke);
    ui.painter().line_segment([middle + vec2(2.0, 0.0), middle + vec2(-2.0, 4.0)], stroke);
}

fn finish(ui: &Ui, rect: Rect, response: &Response) {
    focus_ring(ui, rect, response);
    if response.hovered() {
        ui.set_cursor_icon(CursorIcon::PointingHand);
    }
}

/// Bars and their numbers.
fn ruler(ui: &Ui, inner: Rect, axis: Axis, per_bar: f64) {
    let most = (axis.width / NUMBER).max(1.0) as usize;
    let line = Stroke::new(1.0, theme::LINE.gamma_multiply(0.7));
    for tick in in_bars(axis.seconds, Bars { first: 1.0, seconds: per_bar }, most) {
        let x = axis.x(tick.seconds);
        ui.painter().line_segment([pos2(x, inner.top() + 2.0), pos2(x, inner.bottom() - 2.0)], line);
        if x < inner.right() - 16.0 {
            let at = pos2(x + 3.0, inner.top() + RULER / 2.0);
            ui.painter().text(at, Align2::LEFT_CENTER, &tick.label, theme::caption(), theme::FAINT);
        }
    }
}
