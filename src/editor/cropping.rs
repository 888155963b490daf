//! Two handles at the ends of the lane that plays: what is dragged away is left out of a take of its own, and the old one stays.
//!
//! Nothing happens before a handle is let go, or before Enter where it was moved with the arrow keys; Escape puts it back.

use egui::{
    Align2, CursorIcon, EventFilter, Key, PointerButton, Rect, Response, Sense, Stroke, Ui, WidgetInfo, pos2, vec2,
};

use super::context::Cx;
use super::geometry::Axis;
use super::theme;
use super::trimming::Handle;
use super::widgets::elided;
use crate::session::{Command, TakeId};

/// How far an arrow key moves a handle, in seconds.
const STEP: f64 = 0.01;
/// How far with Shift.
const FINE_STEP: f64 = 0.001;
/// Least that is left of the continuation, in seconds, as the session asks for.
const LEAST: f64 = 0.05;
/// How near a pointer takes a handle, inside and outside of the lane.
const GRIP: (f32, f32) = (6.0, 3.0);

/// The lane that plays.
#[derive(Debug, Clone, Copy)]
pub struct Lane {
    /// What is seen of it.
    pub rect: Rect,
    /// Its time.
    pub axis: Axis,
    /// The take.
    pub take: TakeId,
    /// Which variation it is.
    pub variation: usize,
    /// Seconds of the seed clip before its continuation.
    pub seed_seconds: f64,
}

impl Lane {
    /// Where a handle lies while nothing is cropped.
    fn end(&self, handle: Handle) -> f64 {
        if handle == Handle::Begin { 0.0 } else { self.axis.seconds }
    }

    /// The nearest second at which something of the continuation is left.
    fn within(&self, handle: Handle, seconds: f64) -> f64 {
        let whole = self.axis.seconds;
        match handle {
            Handle::Begin => seconds.clamp(0.0, (whole - LEAST).max(0.0)),
            Handle::End => seconds.clamp((self.seed_seconds + LEAST).min(whole), whole),
        }
    }
}

/// A handle that was moved and not yet let go.
#[derive(Debug, Clone, Copy)]
struct Cut {
    take: TakeId,
    variation: usize,
    handle: Handle,
    seconds: f64,
    /// It hangs on the pointer.
    dragged: bool,
}

/// What the editor remembers of cropping.
#[derive(Debug, Default)]
pub struct Cropping {
    cut: Option<Cut>,
}

/// The handles of the lane that plays. To be called behind everything else of the lane, which lies under them.
pub fn handles(ui: &Ui, cx: &mut Cx<'_>, lane: Lane) {
    let same = |cut: &Cut| cut.take == lane.take && cut.variation == lane.variation;
    cx.state.cropping.cut = cx.state.cropping.cut.filter(same);
    for handle in [Handle::Begin, Handle::End] {
        let response = operate(ui, cx, lane, handle);
        draw(ui, cx, lane, handle, &response);
        response.on_hover_text(
            "Drag this to crop: what is left becomes a take of its own, and this one stays. Or click and press the arrow keys \
             (Shift: 1 ms), then Enter; Escape puts it back.",
        );
    }
}

/// Moves a handle by pointer and keys.
fn operate(ui: &Ui, cx: &mut Cx<'_>, lane: Lane, handle: Handle) -> Response {
    let moved = |cx: &Cx<'_>| cx.state.cropping.cut.filter(|cut| cut.handle == handle);
    let at = moved(cx).map_or(lane.end(handle), |cut| cut.seconds);
    let x = lane.axis.x(at);
    let (inside, outside) = GRIP;
    let (before, behind) = if handle == Handle::Begin { (outside, inside) } else { (inside, outside) };
    let grip = Rect::from_x_y_ranges(x - before..=x + behind, lane.rect.y_range());
    let response = ui.interact(grip, ui.scope_id().with(("crop", handle == Handle::End)), Sense::click_and_drag());
    response.widget_info(|| {
        let name = if handle == Handle::Begin { "Crop begin" } else { "Crop end" };
        let mut info = WidgetInfo::slider(ui.is_enabled(), at, name);
        info.current_text_value = Some(format!("{at:.3} s"));
        info
    });
    if response.hovered() || response.dragged() {
        ui.set_cursor_icon(CursorIcon::ResizeHorizontal);
    }
    let cut = |seconds: f64, dragged: bool| {
        let seconds = lane.within(handle, seconds);
        Some(Cut { take: lane.take, variation: lane.variation, handle, seconds, dragged })
    };
    if response.drag_started_by(PointerButton::Primary) {
        cx.state.cropping.cut = cut(at, true);
        response.request_focus();
    }
    if let Some(hangs) = moved(cx).filter(|cut| cut.dragged) {
        if ui.input(|input| input.key_pressed(Key::Escape)) {
            cx.state.cropping.cut = None;
            ui.ctx().stop_dragging();
        } else if let Some(pointer) = response.interact_pointer_pos().filter(|_| response.dragged()) {
            let part = f64::from((pointer.x - lane.axis.left) / lane.axis.width);
            cx.state.cropping.cut = cut(part * lane.axis.seconds, true);
        } else if !response.dragged() {
            // Also when the drag was taken away without a release.
            finish(cx, lane, hangs);
        }
    } else if response.clicked_by(PointerButton::Primary) {
        response.request_focus();
    }
    if response.has_focus() {
        keys(ui, cx, lane, handle, &response);
    } else {
        // Who turns to something else has not cropped.
        cx.state.cropping.cut = cx.state.cropping.cut.filter(|cut| cut.dragged || cut.handle != handle);
    }
    response
}

fn keys(ui: &Ui, cx: &mut Cx<'_>, lane: Lane, handle: Handle, response: &Response) {
    let moved = cx.state.cropping.cut.filter(|cut| cut.handle == handle && !cut.dragged);
    // Escape first puts the handle back, and leaves it then.
    let filter = EventFilter { horizontal_arrows: true, escape: moved.is_some(), ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    let (by, enter, escape) = ui.input(|input| {
        let presses = |key| input.num_presses(key) as f64;
        let step = if input.modifiers.shift { FINE_STEP } else { STEP };
        let by = (presses(Key::ArrowRight) - presses(Key::ArrowLeft)) * step;
        (by, input.key_pressed(Key::Enter), input.key_pressed(Key::Escape))
    });
    if by != 0.0 {
        let seconds = lane.within(handle, moved.map_or(lane.end(handle), |cut| cut.seconds) + by);
        let (take, variation) = (lane.take, lane.variation);
        cx.state.cropping.cut = Some(Cut { take, variation, handle, seconds, dragged: false });
    } else if let Some(cut) = moved.filter(|_| enter) {
        finish(cx, lane, cut);
    } else if escape {
        cx.state.cropping.cut = None;
    }
}

/// Crops where the handle is, unless it is back where it was.
fn finish(cx: &mut Cx<'_>, lane: Lane, cut: Cut) {
    cx.state.cropping.cut = None;
    if (cut.seconds - lane.end(cut.handle)).abs() < FINE_STEP / 2.0 {
        return;
    }
    let (begin_seconds, end_seconds) = match cut.handle {
        Handle::Begin => (Some(cut.seconds), None),
        Handle::End => (None, Some(cut.seconds)),
    };
    cx.session.send(Command::CropTake { variation: cut.variation, begin_seconds, end_seconds });
}

fn draw(ui: &Ui, cx: &Cx<'_>, lane: Lane, handle: Handle, response: &Response) {
    let cut = cx.state.cropping.cut.filter(|cut| cut.handle == handle);
    let x = lane.axis.x(cut.map_or(lane.end(handle), |cut| cut.seconds));
    let active = cut.is_some() || response.hovered() || response.has_focus();
    let (painter, rect) = (ui.painter(), lane.rect);
    if cut.is_some() {
        let away = match handle {
            Handle::Begin => rect.with_max_x(x),
            Handle::End => rect.with_min_x(x),
        };
        painter.rect_filled(away, 0.0, theme::FIELD.gamma_multiply(0.8));
    }
    let color = if active { theme::TEXT } else { theme::FAINT };
    painter.line_segment(
        [pos2(x, rect.top()), pos2(x, rect.bottom())],
        Stroke::new(if active { 2.0 } else { 1.0 }, color),
    );
    // Both point at what stays.
    let inwards = if handle == Handle::Begin { 6.0 } else { -6.0 };
    let flag = [pos2(x, rect.top()), pos2(x + inwards, rect.top()), pos2(x, rect.top() + 6.0)];
    painter.add(egui::Shape::convex_polygon(flag.to_vec(), color, Stroke::NONE));
    if let Some(cut) = cut {
        let words = match (handle, cut.dragged) {
            (Handle::Begin, true) => format!("from {:.2} s", cut.seconds),
            (Handle::End, true) => format!("up to {:.2} s", cut.seconds),
            (Handle::Begin, false) => format!("from {:.3} s: Enter crops", cut.seconds),
            (Handle::End, false) => format!("up to {:.3} s: Enter crops", cut.seconds),
        };
        let words = elided(ui, &words, theme::caption(), theme::TEXT, f32::INFINITY);
        // On the side that stays, where there is room for it.
        let side = if handle == Handle::Begin { Align2::LEFT_TOP } else { Align2::RIGHT_TOP };
        let place = side.anchor_size(pos2(x + 2.0 * inwards, rect.top() + 2.0), words.size());
        let room = rect.x_range();
        let left = place.left().min(room.max - place.width()).max(room.min);
        let place = Rect::from_min_size(pos2(left, place.top()), place.size());
        painter.rect_filled(place.expand2(vec2(4.0, 1.0)), 3.0, theme::RAISED);
        painter.galley(place.min, words, theme::TEXT);
    }
}
