//! The seed clip drawn large, to be trimmed: its file, the part that is used between two handles, and room for the continuation behind
//! the second, where the seam is.

use std::sync::Arc;

use egui::{
    Align, Align2, Button, CursorIcon, EventFilter, Key, Layout, Modifiers, Painter, PointerButton, Rect, Response,
    Role, Sense, Stroke, TextEdit, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use super::context::Cx;
use super::peaks::{self, enlarged};
use super::ticks::{Tick, duration, in_stretch};
use super::trimming::{Drag, Ends, Handle, last, moved, typed_seconds};
use super::widgets::elided;
use super::zoom::{self, View};
use super::{listen, theme};
use crate::params::{Mode, SeedSource};
use crate::session::{Command, SeedPreview, Sound};

/// How far an arrow key moves a handle, in seconds.
const STEP: f64 = 0.01;
/// How far with Shift.
const FINE_STEP: f64 = 0.001;
/// How much closer one look through the wheel's hundred pixels brings.
const ZOOM_PER_PIXEL: f64 = 1.0 / 160.0;
/// What there is to choose from beside typing, in seconds.
const LAST: [u8; 4] = [8, 4, 2, 1];

const TOP: f32 = 34.0;
const BOTTOM: f32 = 24.0;
const SIDE: f32 = 12.0;
/// Room for the play button.
const BUTTON: f32 = 22.0;
/// How near a pointer takes a handle.
const GRIP: f32 = 7.0;
/// Pixels a tick's label needs.
const TICK_ROOM: f32 = 72.0;

/// The clip as it is drawn in this frame.
struct Scene {
    clip: Arc<SeedPreview>,
    /// Where the sound is drawn.
    inner: Rect,
    view: View,
    used: Ends,
    /// Seconds of the continuation that there is room for.
    continuation: f64,
    /// Seconds from the file's first frame to the end of what there is to see.
    total: f64,
}

impl Scene {
    fn x(&self, seconds: f64) -> f32 {
        self.view.x(self.inner.left(), self.inner.width(), seconds)
    }

    fn seconds_at(&self, x: f32) -> f64 {
        self.view.seconds_at(self.inner.left(), self.inner.width(), x)
    }

    /// The part of the drawing between two times.
    fn between(&self, from: f64, to: f64) -> Rect {
        let clamped = |seconds| self.x(seconds).clamp(self.inner.left(), self.inner.right());
        Rect::from_x_y_ranges(clamped(from)..=clamped(to), self.inner.y_range())
    }
}

/// The clip that there is to trim: the next render goes on from one, and its drawing is there.
fn clip(cx: &Cx<'_>) -> Option<Arc<SeedPreview>> {
    let goes_on = cx.params.mode.value() == Mode::Continue && cx.params.seed_source.value() == SeedSource::Clip;
    cx.snapshot.seed_preview.clone().filter(|preview| goes_on && preview.frames > 0)
}

/// The button that shows the clip in place of the take, and the take again.
pub fn button(ui: &mut Ui, cx: &mut Cx<'_>, width: f32) {
    let open = cx.state.trim.open;
    let can = clip(cx).is_some() && !cx.snapshot.status.busy();
    let words = if open { "Show take" } else { "Trim…" };
    let button = ui.add_enabled(can, Button::new(words).min_size(vec2(width, theme::ROW)));
    if button.clicked() {
        cx.state.trim.open = !open;
    }
    button
        .on_hover_text(if open {
            "Shows the take again."
        } else {
            "Shows the seed clip, to choose which part of it is used."
        })
        .on_disabled_hover_text("There is no clip to trim yet.");
}

/// Draws the clip in `rect` if it is to be seen there, `room` being where its continuation will be; says whether it did.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect, invite: impl FnOnce(&Painter, Rect, &Cx<'_>)) -> bool {
    let planned = cx.snapshot.take.is_none();
    // A take that is being made is to be seen.
    cx.state.trim.open &= !planned && !cx.snapshot.status.busy();
    let Some(clip) = clip(cx).filter(|_| planned || cx.state.trim.open) else { return false };
    let inner = Rect::from_min_max(rect.min + vec2(SIDE + BUTTON, TOP), rect.max - vec2(SIDE, BOTTOM));
    if inner.width() < 20.0 || inner.height() < 20.0 {
        return true;
    }
    let trim = cx.snapshot.seed_trim;
    cx.state.trim.follow(&clip, trim);
    let continuation = cx.params.settings(cx.session.link.meter()).seconds;
    let used = cx.state.trim.used(&clip, trim);
    // Whatever is cut off, so that nothing jumps when an end is let go.
    let total = clip.seconds() + continuation;
    let view = cx.state.trim.seen(used, continuation, total);
    let mut scene = Scene { clip, inner, view, used, continuation, total };
    look_around(ui, cx, &mut scene);
    for handle in [Handle::Begin, Handle::End] {
        operate(ui, cx, &scene, handle);
    }
    scene.used = cx.state.trim.used(&scene.clip, trim);

    let painter = ui.painter_at(rect);
    draw(&painter, cx, &scene);
    if planned {
        let room = scene.between(scene.used.1, scene.used.1 + scene.continuation);
        invite(&painter, room.shrink2(vec2(theme::MARGIN, 0.0)), cx);
    }
    for handle in [Handle::Begin, Handle::End] {
        draw_handle(ui, &painter, &scene, handle);
    }
    let place = pos2(inner.left() - BUTTON / 2.0 - 3.0, inner.center().y);
    listen::button(
        ui,
        cx,
        Rect::from_center_size(place, vec2(listen::BUTTON, listen::BUTTON)),
        Sound::Seed,
        "the seed clip",
    );
    let head = Rect::from_min_max(pos2(inner.left(), rect.top() + 4.0), pos2(rect.right() - SIDE, inner.top() - 4.0));
    let bar = entries(ui, cx, &scene, head);
    legend(ui, &painter, &scene, head.with_max_x(bar.left() - theme::GAP));
    let from = cx.state.cursor_seconds - scene.used.0;
    listen::space_bar(
        ui,
        cx,
        &Sound::Seed,
        if from > 0.0 && cx.state.cursor_seconds < scene.used.1 { from } else { 0.0 },
    );
    true
}

/// Wheel, middle button and clicks on the drawing.
fn look_around(ui: &Ui, cx: &mut Cx<'_>, scene: &mut Scene) {
    let response = ui.interact(scene.inner, ui.scope_id().with("clip"), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), "Seed clip"));
    if cx.state.trim.drag.is_some() {
        return;
    }
    let mut view = scene.view;
    // Also over a handle, which lies on top.
    let pointer = ui.input(|input| input.pointer.hover_pos()).filter(|_| ui.rect_contains_pointer(scene.inner));
    if let Some(pointer) = pointer {
        let wheel = ui.input(|input| input.smooth_scroll_delta);
        let pinch = ui.input(egui::InputState::zoom_delta);
        let closer = f64::from(pinch) * (f64::from(wheel.y) * ZOOM_PER_PIXEL).exp();
        if (closer - 1.0).abs() > 1e-9 {
            view = view.zoomed(scene.seconds_at(pointer.x), closer, scene.total);
        }
        view = scroll(view, scene, wheel.x);
    }
    if response.dragged_by(PointerButton::Middle) {
        view = scroll(view, scene, response.drag_delta().x);
        ui.set_cursor_icon(CursorIcon::Grabbing);
    }
    if view != scene.view {
        cx.state.trim.view = Some(view);
        scene.view = view;
    }
    if response.double_clicked() {
        // What is at first, and once more all there is.
        let whole = View { from: 0.0, to: scene.total };
        cx.state.trim.view = if cx.state.trim.view.is_none() { Some(whole) } else { None };
        scene.view = cx.state.trim.seen(scene.used, scene.continuation, scene.total);
        cx.session.send(Command::StopListening);
    } else if response.clicked()
        && let Some(pointer) = response.interact_pointer_pos()
    {
        let at = scene.seconds_at(pointer.x);
        if (scene.used.0..scene.used.1).contains(&at) {
            cx.state.cursor_seconds = at;
            listen::play(cx, Sound::Seed, at - scene.used.0);
        }
    }
}

fn scroll(view: View, scene: &Scene, pixels: f32) -> View {
    if pixels == 0.0 {
        return view;
    }
    view.scrolled(-f64::from(pixels / scene.inner.width()) * view.seconds(), scene.total)
}

/// Moves a handle by pointer and keys.
fn operate(ui: &Ui, cx: &mut Cx<'_>, scene: &Scene, handle: Handle) {
    let (name, at) = match handle {
        Handle::Begin => ("Clip begin", scene.used.0),
        Handle::End => ("Clip end", scene.used.1),
    };
    let x = scene.x(at);
    let is_seen = (scene.inner.left() - 1.0..=scene.inner.right() + 1.0).contains(&x);
    let is_dragged = cx.state.trim.drag.is_some_and(|drag| drag.handle == handle);
    if !is_seen && !is_dragged {
        return;
    }
    // What lies outside of the clip is taken from outside, so that both can be taken where they are near each other.
    let (before, behind) = if handle == Handle::Begin { (GRIP, GRIP / 2.0) } else { (GRIP / 2.0, GRIP) };
    let grip = Rect::from_x_y_ranges(x - before..=x + behind, scene.inner.top() - 8.0..=scene.inner.bottom() + 4.0);
    let response = ui.interact(grip, id(ui, handle), Sense::click_and_drag());
    response.widget_info(|| {
        let mut info = WidgetInfo::slider(ui.is_enabled(), at, name);
        info.current_text_value = Some(format!("{at:.3} s"));
        info
    });
    if response.hovered() || response.dragged() {
        ui.set_cursor_icon(CursorIcon::ResizeHorizontal);
    }
    if response.drag_started_by(PointerButton::Primary)
        && let Some(origin) = ui.input(|input| input.pointer.press_origin())
    {
        let offset = at - scene.seconds_at(origin.x);
        cx.state.trim.drag = Some(Drag { handle, offset, before: scene.used, now: scene.used, view: scene.view });
        response.request_focus();
    }
    if let Some(mut drag) = cx.state.trim.drag.filter(|drag| drag.handle == handle) {
        if let Some(pointer) = response.interact_pointer_pos().filter(|_| response.dragged()) {
            drag.now = moved(handle, scene.seconds_at(pointer.x) + drag.offset, drag.before, scene.clip.seconds());
            cx.state.trim.drag = Some(drag);
        }
        if !response.dragged() {
            // Also when the drag was taken away without a release.
            cx.state.trim.drag = None;
            ask(cx, scene, drag.now);
        }
    } else if response.clicked() {
        response.request_focus();
    }
    if response.has_focus() {
        keys(ui, cx, scene, handle, &response);
    }
    response.on_hover_text(match handle {
        Handle::Begin => "What is used of the clip begins here. Drag, or click and press the arrow keys (Shift: 1 ms).",
        Handle::End => "What is used of the clip ends here: this is what gets continued. Drag, or click and press the arrow keys (Shift: 1 ms).",
    });
}

fn id(ui: &Ui, handle: Handle) -> egui::Id {
    ui.scope_id().with(("handle", handle == Handle::End))
}

fn keys(ui: &Ui, cx: &mut Cx<'_>, scene: &Scene, handle: Handle, response: &Response) {
    let arrows = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
    let by = ui.input(|input| {
        let presses = |key| input.num_presses(key) as f64;
        let step = if input.modifiers.shift { FINE_STEP } else { STEP };
        (presses(Key::ArrowRight) - presses(Key::ArrowLeft)) * step
    });
    if by != 0.0 {
        let used = cx.state.trim.used(&scene.clip, cx.snapshot.seed_trim);
        let at = if handle == Handle::Begin { used.0 } else { used.1 };
        ask(cx, scene, moved(handle, at + by, used, scene.clip.seconds()));
    }
    // A cut is judged by ear.
    if ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Space)) {
        listen::toggle(cx, &Sound::Seed, 0.0);
    }
}

/// Has this part used from the next render on.
fn ask(cx: &mut Cx<'_>, scene: &Scene, ends: Ends) {
    if let Some(command) = cx.state.trim.ask(&scene.clip, cx.snapshot.seed_trim, ends) {
        cx.session.send(command);
    }
}

/// The last so many seconds, or all; gives the room that they take.
fn entries(ui: &mut Ui, cx: &mut Cx<'_>, scene: &Scene, head: Rect) -> Rect {
    let builder = UiBuilder::new().id_salt("entries").max_rect(head).layout(Layout::right_to_left(Align::Center));
    ui.scope_builder(builder, |ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.spacing_mut().button_padding.x = 7.0;
        let size = vec2(0.0, head.height().min(24.0));
        let small = |text: String| Button::new(egui::RichText::new(text).font(theme::caption())).min_size(size);
        let field = TextEdit::singleline(&mut cx.state.trim.typed)
            .font(theme::caption())
            .hint_text("… s")
            .desired_width(44.0)
            .margin(vec2(6.0, 4.0));
        let field = ui.add(field).on_hover_text("How many seconds to keep before the end; Enter keeps them.");
        let mut wanted = None;
        if field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
            wanted = typed_seconds(&cx.state.trim.typed);
            if wanted.is_some() {
                cx.state.trim.typed.clear();
            }
        }
        let all = ui.add(small("All".to_owned())).on_hover_text("Uses the whole clip; of a long one the last minute.");
        if all.clicked() {
            ask(cx, scene, scene.clip.used(None));
        }
        for seconds in LAST {
            let tip = format!("Keeps the last {seconds} s before the end of what is used.");
            if ui.add(small(format!("{seconds} s"))).on_hover_text(tip).clicked() {
                wanted = Some(f64::from(seconds));
            }
        }
        ui.label(egui::RichText::new("Last").font(theme::caption()).color(theme::MUTED));
        if let Some(seconds) = wanted {
            ask(cx, scene, last(scene.used, seconds));
        }
        ui.min_rect()
    })
    .inner
}

fn draw(painter: &Painter, cx: &Cx<'_>, scene: &Scene) {
    let Scene { inner, view, used, .. } = *scene;
    let most = (inner.width() / TICK_ROOM).max(1.0) as usize;
    let room = scene.between(used.1, used.1 + scene.continuation);
    painter.rect_filled(room, 0.0, theme::CONTINUATION.gamma_multiply(0.05));
    grid(painter, scene, &in_stretch(view.from, view.to, most));
    let pixels = painter.ctx().pixels_per_point();
    let width = (inner.width() * pixels).floor() as usize;
    let columns = zoom::columns(&scene.clip.peaks, scene.clip.seconds_per_column(), view, width);
    let factor = enlarged(&scene.clip.peaks);
    let bounds = scene.between(used.0, used.1);
    peaks::draw(painter, inner, &columns, factor, |x| {
        if bounds.x_range().contains(x) {
            theme::SEED
        } else if room.x_range().contains(x) {
            // What was cut off and what comes in its place.
            theme::FAINT.gamma_multiply(0.22)
        } else {
            theme::FAINT.gamma_multiply(0.45)
        }
    });
    let words = format!("Continuation · {}", duration(scene.continuation));
    let place = Rect::from_min_size(room.left_top() + vec2(8.0, 2.0), vec2(room.width() - 8.0, 16.0));
    if place.width() > 120.0 {
        painter.text(place.left_top(), Align2::LEFT_TOP, words, theme::caption(), theme::CONTINUATION);
    }
    if let Some(at) = listen::seconds_of(cx, &Sound::Seed).map(|at| at + used.0).filter(|at| *at <= used.1) {
        let x = scene.x(at);
        if inner.x_range().contains(x) {
            listen::draw_head(painter, inner, x);
        }
    }
}

fn grid(painter: &Painter, scene: &Scene, ticks: &[Tick]) {
    let inner = scene.inner;
    let seam = seam_label(scene).expand2(vec2(14.0, 0.0));
    for tick in ticks {
        let x = scene.x(tick.seconds);
        let line = Stroke::new(1.0, theme::LINE.gamma_multiply(0.55));
        painter.line_segment([pos2(x, inner.top()), pos2(x, inner.bottom())], line);
        if seam.x_range().contains(x) {
            continue;
        }
        let align = if x > inner.right() - 24.0 {
            Align2::RIGHT_TOP
        } else if x < inner.left() + 12.0 {
            Align2::LEFT_TOP
        } else {
            Align2::CENTER_TOP
        };
        painter.text(pos2(x, inner.bottom() + 5.0), align, &tick.label, theme::caption(), theme::FAINT);
    }
}

/// Where `seam` is written, among the ticks.
fn seam_label(scene: &Scene) -> Rect {
    Rect::from_center_size(pos2(scene.x(scene.used.1), scene.inner.bottom() + 12.0), vec2(38.0, 16.0))
}

fn draw_handle(ui: &Ui, painter: &Painter, scene: &Scene, handle: Handle) {
    let (at, out) = if handle == Handle::Begin { (scene.used.0, -1.0) } else { (scene.used.1, 1.0) };
    let (x, inner) = (scene.x(at), scene.inner);
    if x < inner.left() - 1.0 || x > inner.right() + 1.0 {
        return;
    }
    let active =
        ui.ctx().read_response(id(ui, handle)).is_some_and(|it| it.hovered() || it.dragged() || it.has_focus());
    let color = if active { theme::TEXT } else { theme::SEED };
    let line = [pos2(x, inner.top() - 8.0), pos2(x, inner.bottom() + 4.0)];
    painter.line_segment(line, Stroke::new(if active { 2.0 } else { 1.5 }, color));
    let flag = [pos2(x, inner.top() - 8.0), pos2(x + out * 7.0, inner.top() - 8.0), pos2(x, inner.top() + 3.0)];
    painter.add(egui::Shape::convex_polygon(flag.to_vec(), color, Stroke::NONE));
    if handle == Handle::End {
        let place = seam_label(scene);
        painter.rect_filled(place, 4.0, theme::RAISED);
        painter.text(place.center(), Align2::CENTER_CENTER, "seam", theme::caption(), theme::TEXT);
    }
}

/// What is used of which file, and the time under the pointer.
fn legend(ui: &Ui, painter: &Painter, scene: &Scene, room: Rect) {
    let (begin, end) = scene.used;
    let file = scene.clip.seconds();
    let words = if end - begin >= file - 1e-6 {
        format!("Seed clip · {}", duration(file))
    } else {
        format!("Seed clip · {} · {begin:.2}–{end:.2} s of {}", duration(end - begin), duration(file))
    };
    let words = elided(ui, &words, theme::caption(), theme::SEED, room.width());
    let (width, height) = (words.size().x, words.size().y);
    let top = room.center().y - height / 2.0;
    painter.galley(pos2(room.left(), top), words, theme::SEED);
    let pointer = ui.input(|input| input.pointer.hover_pos()).filter(|at| scene.inner.contains(*at));
    if let Some(pointer) = pointer {
        let at = elided(ui, &format!("{:.3} s", scene.seconds_at(pointer.x)), theme::caption(), theme::TEXT, 80.0);
        if width + 16.0 + at.size().x <= room.width() {
            painter.galley(pos2(room.left() + width + 16.0, top), at, theme::TEXT);
        }
    }
}
