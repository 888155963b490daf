//! What is operated on a lane of the waveform: which one plays, its star, scrolling where there are many.

use egui::{
    Align2, Color32, CursorIcon, Key, Modifiers, Painter, Pos2, Rect, Response, Role, Sense, Shape, Stroke, Ui,
    WidgetInfo, pos2, vec2,
};

use super::context::Cx;
use super::geometry::Axis;
use super::gesture::gesture;
use super::listen;
use super::render_bar::from_take;
use super::theme;
use super::widgets::{elided, focus_ring, menu_padding};
use super::{carry, placing};
use crate::session::{Collapse, CollapseKind, Command, Sound, TakeEntry, level_words};

/// Room for the lanes' numbers, where there are several.
pub const NUMBERS: f32 = 24.0;
/// Room for their stars.
pub const STARS: f32 = 20.0;

/// A click on a lane makes it the one that plays, and plays it to the user from there. Says whether the pointer is on it.
pub fn choose(
    ui: &Ui,
    cx: &mut Cx<'_>,
    (lane, axis, there): (Rect, Axis, f64),
    index: usize,
    plays: bool,
    sound: &Sound,
) -> bool {
    let response = ui.interact(lane, ui.scope_id().with(("lane", index)), Sense::click());
    let name = format!("Variation {}", index + 1);
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, plays, &name));
    if response.clicked() {
        select(cx, index);
        // Without a pointer, as from a keyboard, there is no place.
        let clicked = response.interact_pointer_pos().and_then(|at| axis.seconds_at(at.x));
        if let Some(seconds) = clicked.filter(|seconds| *seconds < there) {
            cx.state.cursor_seconds = seconds;
            listen::play(cx, sound.clone(), seconds);
        }
    }
    if response.hovered() {
        ui.set_cursor_icon(CursorIcon::PointingHand);
    }
    focus_ring(ui, lane, &response);
    if response.has_focus() && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Space)) {
        listen::toggle(cx, sound, cx.state.cursor_seconds.min(there));
    }
    let hovered = response.hovered();
    if matches!(sound, Sound::Take { .. }) && cx.snapshot.live != Some(true) {
        menu(cx, &response, axis, index);
    }
    hovered
}

/// What else can be done at a place in a take.
fn menu(cx: &mut Cx<'_>, lane: &Response, axis: Axis, index: usize) {
    if lane.secondary_clicked() {
        cx.state.menu_seconds = lane.interact_pointer_pos().and_then(|at| axis.seconds_at(at.x));
        select(cx, index);
    }
    lane.context_menu(|ui| {
        let Some(seconds) = cx.state.menu_seconds else { return ui.close() };
        menu_padding(ui);
        ui.set_min_width(240.0);
        let mut entry = |text: String| ui.button(text).clicked();
        if entry(format!("Branch off at {seconds:.2} s")) {
            from_take(cx, index, Some(seconds), true);
            ui.close();
        } else if entry(format!("Use as seed clip up to {seconds:.2} s")) {
            from_take(cx, index, Some(seconds), false);
            ui.close();
        } else if entry("Use all of it as seed clip".to_owned()) {
            from_take(cx, index, None, false);
            ui.close();
        } else if entry(format!("Crop: a take from {seconds:.2} s on")) {
            crop(cx, index, Some(seconds), None);
            ui.close();
        } else if entry(format!("Crop: a take up to {seconds:.2} s")) {
            crop(cx, index, None, Some(seconds));
            ui.close();
        } else if entry("Add to the arrangement (A)".to_owned()) {
            placing::add(cx, index);
            ui.close();
        } else if carry::HERE && entry("Copy as a file (Ctrl+C)".to_owned()) {
            carry::copy(cx, index);
            ui.close();
        }
    });
}

/// Makes a take of a part of a variation. The old one stays.
fn crop(cx: &Cx<'_>, variation: usize, begin_seconds: Option<f64>, end_seconds: Option<f64>) {
    cx.session.send(Command::CropTake { variation, begin_seconds, end_seconds });
}

/// A word above the lanes that is on or off. Says whether it was clicked.
pub fn word(ui: &Ui, place: Rect, name: &str, on: bool, tip: &str) -> bool {
    let response = ui.interact(place, ui.scope_id().with(("word", name)), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, on, name));
    let color = match (on, response.hovered() || response.has_focus()) {
        (_, true) => theme::TEXT,
        (true, false) => theme::CONTINUATION,
        (false, false) => theme::FAINT,
    };
    // The seam's line may run through here.
    ui.painter().rect_filled(place, 3.0, theme::FIELD);
    ui.painter().text(place.center(), Align2::CENTER_CENTER, name, theme::caption(), color);
    focus_ring(ui, place, &response);
    if response.hovered() {
        ui.set_cursor_icon(CursorIcon::PointingHand);
    }
    let clicked = response.clicked();
    response.on_hover_text(tip);
    clicked
}

/// Makes a variation the one that plays.
fn select(cx: &Cx<'_>, index: usize) {
    let param = &cx.params.variation;
    let number = i32::try_from(index + 1).unwrap_or(1);
    if param.value() != number {
        gesture(&cx.setter, param, |setter| setter.set_parameter(param, number));
    }
}

/// The number of a lane.
pub fn badge(painter: &Painter, middle: Pos2, lane: Rect, index: usize, plays: bool) {
    let place = Rect::from_center_size(middle, vec2(18.0, lane.height().min(17.0)));
    let (fill, color) = if plays { (theme::TEXT, theme::FIELD) } else { (theme::RAISED, theme::MUTED) };
    painter.rect_filled(place, 4.0, fill);
    painter.text(place.center(), Align2::CENTER_CENTER, (index + 1).to_string(), theme::caption(), color);
}

/// The star of a variation: a click gives one or takes it away.
pub fn star(ui: &Ui, cx: &Cx<'_>, place: Rect, entry: &TakeEntry, variation: usize) {
    let on = entry.has_star(variation);
    let response = ui.interact(place, ui.scope_id().with(("star", variation)), Sense::click());
    let name = format!("Star variation {}", variation + 1);
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, on, &name));
    let color = match (on, response.hovered() || response.has_focus()) {
        (true, _) => theme::SEED,
        (false, true) => theme::MUTED,
        (false, false) => theme::LINE,
    };
    draw_star(ui.painter(), place.center(), 6.0, color, on);
    focus_ring(ui, place, &response);
    if response.hovered() {
        ui.set_cursor_icon(CursorIcon::PointingHand);
    }
    if response.clicked() {
        cx.session.send(Command::Star { take: entry.id, variation, on: !on });
    }
    response.on_hover_text("A take with a star is not given up when the list is full. S does the same for what plays.");
}

/// How unlikely a variation is under the model, at the lane's end.
pub fn likelihood(ui: &Ui, lane: Rect, bits: f32, strong: bool) {
    let color = if strong { theme::MUTED } else { theme::FAINT };
    let place = Rect::from_min_max(pos2(lane.right() - 44.0, lane.bottom() - 15.0), lane.max);
    let response = ui.interact(place, ui.scope_id().with(("likelihood", lane.top().to_bits())), Sense::hover());
    let words = format!("{bits:.2} bits per frame");
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &words));
    let galley = elided(ui, &format!("{bits:.2} b"), theme::caption(), color, f32::INFINITY);
    let at = place.right_bottom() - vec2(2.0, 1.0) - galley.size();
    let behind = Rect::from_min_size(at, galley.size()).expand2(vec2(3.0, 0.0));
    ui.painter().rect_filled(behind, 3.0, theme::FIELD.gamma_multiply(0.8));
    ui.painter().galley(at, galley, color);
    response.on_hover_text(format!(
        "{words}: how much the model itself is surprised by this variation. Low is close to what it has learnt, and may be dull; high is daring, or noise."
    ));
}

/// By how much a variation is turned up to be as loud as its seed clip, at the seam.
pub fn level(ui: &Ui, (lane, seam): (Rect, f32), index: usize, decibels: f32, strong: bool) {
    let color = if strong { theme::MUTED } else { theme::FAINT };
    let galley = elided(ui, &level_words(decibels), theme::caption(), color, f32::INFINITY);
    let at = pos2(seam + 4.0, lane.bottom() - 1.0 - galley.size().y);
    let place = Rect::from_min_size(at, galley.size()).expand2(vec2(3.0, 0.0));
    // At the end of a lane the likelihood has its place.
    if place.right() > lane.right() - 46.0 {
        return;
    }
    let response = ui.interact(place, ui.scope_id().with(("level", index)), Sense::hover());
    let words = format!("Variation {} at {}", index + 1, level_words(decibels));
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &words));
    ui.painter().rect_filled(place, 3.0, theme::FIELD.gamma_multiply(0.8));
    ui.painter().galley(at, galley, color);
    response.on_hover_text(
        "By how much the continuation is turned up or down so that it begins as loud as the seed clip ends, wherever it is heard and in exports. Timeline… switches this off.",
    );
}

/// Where a variation stops being music. A click renders on from just before.
pub fn collapse(ui: &Ui, cx: &Cx<'_>, (lane, axis): (Rect, Axis), index: usize, found: &Collapse, seed_seconds: f64) {
    let at = seed_seconds + found.at_seconds;
    let x = axis.x(at);
    let top = pos2(x, lane.top());
    ui.painter().line_segment([top, pos2(x, lane.bottom())], Stroke::new(1.0, theme::ERROR.gamma_multiply(0.7)));
    let what = match found.kind {
        CollapseKind::Silence => "silence",
        CollapseKind::Noise => "noise",
    };
    let galley = elided(ui, what, theme::caption(), theme::ERROR, f32::INFINITY);
    let place = Rect::from_min_size(top + vec2(2.0, 1.0), galley.size() + vec2(6.0, 0.0));
    let response = ui.interact(place, ui.scope_id().with(("collapse", index)), Sense::click());
    let name = format!("Variation {} is {what} from {at:.1} s on", index + 1);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    ui.painter().rect_filled(place, 3.0, theme::FIELD);
    ui.painter().galley(place.min + vec2(3.0, 0.0), galley, theme::ERROR);
    focus_ring(ui, place, &response);
    // A second before, it still is music, where there is so much of it.
    let good = (at - 1.0).max(seed_seconds.min(at));
    if response.clicked() && good > 0.0 {
        select(cx, index);
        from_take(cx, index, Some(good), true);
    }
    response.on_hover_text(format!("{name}. Click to render on from {good:.1} s, the last good second."));
}

/// A star of five points; full or as an outline.
pub fn draw_star(painter: &Painter, middle: Pos2, radius: f32, color: Color32, full: bool) {
    let point = |index: u8| {
        let angle = f32::from(index) * std::f32::consts::PI / 5.0 - std::f32::consts::FRAC_PI_2;
        let radius = if index.is_multiple_of(2) { radius } else { radius * 0.42 };
        middle + radius * vec2(angle.cos(), angle.sin())
    };
    let points: Vec<Pos2> = (0..10).map(point).collect();
    if full {
        // A star is not convex, its five points and its middle are.
        let inner: Vec<Pos2> = points.iter().skip(1).step_by(2).copied().collect();
        painter.add(Shape::convex_polygon(inner, color, Stroke::NONE));
        for tip in (0..10).step_by(2) {
            let corner = vec![points[(tip + 9) % 10], points[tip], points[(tip + 1) % 10]];
            painter.add(Shape::convex_polygon(corner, color, Stroke::NONE));
        }
    } else {
        painter.add(Shape::closed_line(points, Stroke::new(1.2, color)));
    }
}

/// How far lanes of `whole` height are scrolled in `inner`; the one that plays is brought into view when it changes.
pub fn scroll(ui: &Ui, cx: &mut Cx<'_>, inner: Rect, whole: f32, shown: Option<(f32, f32)>) -> f32 {
    let most = (whole - inner.height()).max(0.0);
    let place = &mut cx.state.lanes;
    if most > 0.0 && ui.rect_contains_pointer(inner) {
        place.offset -= ui.input(|input| input.smooth_scroll_delta.y);
    }
    if let Some((top, bottom)) = shown.filter(|_| place.shown != shown) {
        // Of a lane that is higher than the room, the top is shown.
        place.offset = place.offset.max(bottom - inner.height()).min(top);
        place.shown = shown;
    }
    place.offset = place.offset.clamp(0.0, most);
    if most > 0.0 {
        let part = inner.height() / whole;
        let top = inner.top() + place.offset * part;
        let bar = Rect::from_min_size(pos2(inner.right() + 4.0, top), vec2(3.0, inner.height() * part));
        ui.painter().rect_filled(bar, 1.5, theme::RAISED_HOVER);
    }
    place.offset
}

/// The arrow keys go through the variations as they are listed, S gives the one that plays a star, A places it in the song, while nothing
/// else has the keyboard.
pub fn keys(ui: &Ui, cx: &mut Cx<'_>, chosen: Option<&TakeEntry>, shown: usize, order: &[usize]) {
    if ui.ctx().egui_wants_keyboard_input() || ui.ctx().memory(|memory| memory.focused().is_some()) {
        return;
    }
    let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    let at = order.iter().position(|index| *index == shown).unwrap_or(0);
    let next = match (pressed(Key::ArrowUp), pressed(Key::ArrowDown)) {
        (true, false) => at.checked_sub(1),
        (false, true) => Some(at + 1),
        _ => None,
    };
    if let Some(next) = next.and_then(|at| order.get(at)) {
        select(cx, *next);
    }
    if let Some(entry) = chosen
        && pressed(Key::S)
    {
        cx.session.send(Command::Star { take: entry.id, variation: shown, on: !entry.has_star(shown) });
    }
    if chosen.is_some() && pressed(Key::A) {
        placing::add(cx, shown);
    }
}
