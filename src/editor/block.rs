//! A block of the arrangement strip: dragged, moved with the keyboard, removed.

use egui::{
    Align2, Color32, CursorIcon, EventFilter, Id, Key, Modifiers, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui,
    WidgetInfo, pos2, vec2,
};

use super::block_menu;
use super::blocks::{Drag, Song, beat_at};
use super::context::Cx;
use super::geometry::Axis;
use super::peaks;
use super::placing::change;
use super::theme;
use super::widgets::{elided, focus_ring};
use crate::session::{Arranging, Block, Command, MOST_TIMES, Peak, Placement, Repeat};

/// Pixels at a block's right end by which its length is dragged.
const EDGE: f32 = 7.0;

/// One block, the `at`th of all.
pub fn block(ui: &mut Ui, cx: &mut Cx<'_>, (row, axis, song): (Rect, Axis, Song), blocks: &[Block], at: usize) {
    let block = &blocks[at];
    let shown = cx.state.strip.shown(&block.placement).clone();
    // What is dragged lies over the others: where it ends then is not decided yet.
    let dragged = cx.state.strip.drags(shown.id);
    let next = blocks.get(at + 1).filter(|_| !dragged).map(|next| cx.state.strip.shown(&next.placement).begin);
    let (begin, end) = song.extent(block, &shown, next, axis.seconds);
    let rect =
        Rect::from_min_max(pos2(axis.x(begin), row.top()), pos2(axis.x(end).max(axis.x(begin) + 4.0), row.bottom()));
    let response = ui.interact(rect, Id::unique(("placement", shown.id)), Sense::click_and_drag());
    let name = format!("{} in the arrangement at {}", block.title, place_words(begin, song.per_bar));
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    paint(ui, rect, (axis, song), block, &shown, &response);

    drag(ui, cx, (axis, song), block, rect, &response);
    if response.has_focus() {
        keys(ui, cx, song, block, &response);
    }
    // A click takes the keyboard there; Enter, a double or the right button opens the menu.
    let by_keyboard = response.clicked() && response.interact_pointer_pos().is_none();
    if response.clicked() {
        response.request_focus();
    }
    let opens = by_keyboard || response.double_clicked() || response.secondary_clicked();
    block_menu::menu(cx, &response, song, block, opens);
    response.on_hover_text(format!(
        "{name}: {}.\n\nDrag to move (Shift: to beats), drag the right end for the length. Arrow keys do the same, Enter opens more, Delete removes.",
        words(&shown)
    ));
}

/// Where something begins, as people count.
fn place_words(beat: f64, per_bar: f64) -> String {
    let bar = (beat / per_bar + 1e-9).floor();
    let rest = beat - bar * per_bar;
    if rest < 1e-6 {
        format!("bar {}", bar + 1.0)
    } else {
        format!("bar {}, beat {}", bar + 1.0, (rest * 100.0).round() / 100.0 + 1.0)
    }
}

/// How a placement is played.
pub fn words(placement: &Placement) -> String {
    let length = match placement.bars {
        Some(1) => "1 bar".to_owned(),
        Some(bars) => format!("{bars} bars"),
        None => "its own length".to_owned(),
    };
    let repeat = match placement.repeat {
        Repeat::Once => String::new(),
        Repeat::Times(times) => format!(", {times} times"),
        Repeat::UntilNext => ", until the next one".to_owned(),
    };
    let gain = if placement.gain_db == 0.0 { String::new() } else { format!(", {:+.1} dB", placement.gain_db) };
    format!("variation {}, {length}{repeat}{gain}", placement.variation + 1)
}

fn drag(ui: &Ui, cx: &mut Cx<'_>, (axis, song): (Axis, Song), block: &Block, rect: Rect, response: &Response) {
    let edge = |x: f32| x > rect.right() - EDGE.min(rect.width() / 3.0);
    let pointer = response.interact_pointer_pos();
    if response.drag_started()
        && let Some(at) = ui.input(|input| input.pointer.press_origin()).or(pointer)
    {
        let to = block.placement.clone();
        let edge = edge(at.x);
        let from = if edge { beat_at(axis, rect.right()) } else { to.begin };
        cx.state.strip.drag = Some(Drag { grip: beat_at(axis, at.x) - from, to, edge });
        response.request_focus();
    }
    if cx.state.strip.drags(block.placement.id) {
        if let Some((drag, at)) = cx.state.strip.drag.as_mut().zip(pointer) {
            let beat = beat_at(axis, at.x) - drag.grip;
            drag.to = if drag.edge {
                song.ending_at(&block.placement, beat)
            } else {
                let begin = song.snapped(beat, ui.input(|input| input.modifiers.shift));
                Placement { begin, ..block.placement.clone() }
            };
        }
        if response.drag_stopped()
            && let Some(drag) = cx.state.strip.drag.take()
            && drag.to != block.placement
        {
            change(cx, drag.to);
        }
    }
    let resizes = cx.state.strip.drag.as_ref().is_some_and(|drag| drag.edge && drag.to.id == block.placement.id);
    if resizes || response.hover_pos().is_some_and(|at| edge(at.x)) {
        ui.set_cursor_icon(CursorIcon::ResizeHorizontal);
    } else if response.dragged() {
        ui.set_cursor_icon(CursorIcon::Grabbing);
    } else if response.hovered() {
        ui.set_cursor_icon(CursorIcon::Grab);
    }
}

/// What a block does that has the keyboard.
fn keys(ui: &Ui, cx: &mut Cx<'_>, song: Song, block: &Block, response: &Response) {
    let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    let presses = |modifiers, key| ui.input_mut(|input| input.count_and_consume_key(modifiers, key)) as f64;
    let beats = presses(Modifiers::SHIFT, Key::ArrowRight) - presses(Modifiers::SHIFT, Key::ArrowLeft);
    let bars = presses(Modifiers::NONE, Key::ArrowRight) - presses(Modifiers::NONE, Key::ArrowLeft);
    let longer = presses(Modifiers::NONE, Key::ArrowUp) - presses(Modifiers::NONE, Key::ArrowDown);
    let removes = presses(Modifiers::NONE, Key::Delete) + presses(Modifiers::NONE, Key::Backspace) > 0.0;
    if removes {
        cx.session.send(Command::Arrange(Arranging::Remove(block.placement.id)));
        return;
    }
    let now = cx.state.strip.shown(&block.placement).clone();
    let mut to = now.clone();
    if beats != 0.0 {
        to.begin = song.snapped(now.begin + beats, true);
    }
    if bars != 0.0 {
        to.begin = song.snapped(now.begin + bars * song.per_bar, false);
    }
    if longer != 0.0 {
        let own = (song.own_beats(block) / song.per_bar).round();
        let bars = now.bars.map_or(own, f64::from) + longer;
        to.bars = Some(bars.clamp(1.0, f64::from(MOST_TIMES)) as u32);
    }
    if to != now {
        change(cx, to);
    }
}

fn paint(ui: &Ui, rect: Rect, (axis, song): (Axis, Song), block: &Block, shown: &Placement, response: &Response) {
    let painter = ui.painter_at(rect.expand(1.0));
    let raised = response.hovered() || response.dragged();
    painter.rect_filled(rect, 4.0, if raised { theme::RAISED_HOVER } else { theme::RAISED });
    let pixels = ui.ctx().pixels_per_point();
    let lane = rect.shrink2(vec2(1.0, 2.0)).with_min_y(rect.top() + 15.0);
    let count = (lane.width() * pixels).max(0.0) as usize;
    let step = axis.seconds / f64::from(axis.width.max(1.0) * pixels);
    let columns: Vec<Option<Peak>> =
        (0..count).map(|at| song.peak(block, shown, at as f64 * step, (at + 1) as f64 * step)).collect();
    if let Some(peaks) = block.drawn.as_ref().and_then(|drawn| drawn.peaks.first()) {
        let factor = peaks::enlarged(peaks);
        peaks::draw(&painter, lane, &columns, factor, |_| theme::CONTINUATION.gamma_multiply(0.8));
    }
    let outline = if block.silent { theme::ERROR } else { theme::LINE };
    painter.rect_stroke(rect, 4.0, Stroke::new(1.0, outline), StrokeKind::Inside);
    let color = if block.silent { theme::ERROR } else { theme::TEXT };
    label(ui, rect, block, shown, color);
    focus_ring(ui, rect, response);
}

fn label(ui: &Ui, rect: Rect, block: &Block, shown: &Placement, color: Color32) {
    let mut text = block.title.clone();
    if block.variations > 1 {
        text = format!("{text} · {}", shown.variation + 1);
    }
    match shown.repeat {
        Repeat::Once => {}
        Repeat::Times(times) => text = format!("{text} ×{times}"),
        Repeat::UntilNext => text = format!("{text} …"),
    }
    let state = if block.silent {
        "silent"
    } else if block.drawn.is_none() {
        "unpacking"
    } else {
        ""
    };
    let galley = elided(ui, &text, theme::caption(), color, rect.width() - 8.0);
    let end = rect.left() + 4.0 + galley.size().x;
    ui.painter().galley(pos2(rect.left() + 4.0, rect.top() + 1.0), galley, color);
    if !state.is_empty() && rect.right() - end > 60.0 {
        ui.painter().text(
            pos2(rect.right() - 4.0, rect.top() + 8.0),
            Align2::RIGHT_CENTER,
            state,
            theme::caption(),
            color,
        );
    }
}
