//! The take drawn large: seed clip, seam, continuation; one lane per variation.

use egui::epaint::{Mesh, Vertex, WHITE_UV};
use egui::text::LayoutJob;
use egui::{Align, Align2, Color32, FontId, Painter, Rect, Sense, Shape, Stroke, StrokeKind, Ui, pos2, vec2};

use super::context::Cx;
use super::cropping;
use super::geometry::{Axis, columns, emphasis, enlargement, lanes, least_height};
use super::lane;
use super::peaks::column;
use super::ticks::{Bars, Tick, duration, in_bars, in_seconds};
use super::widgets::elided;
use super::{carry, listen, order, spectrogram, theme, trim};
use crate::params::{LengthUnit, Mode, Playback, SeedSource, TempoMode};
use crate::session::{Peak, Sound, Status, TakeEntry, TakeOverview};

const TOP: f32 = 28.0;
const BOTTOM: f32 = 24.0;
const SIDE: f32 = 12.0;
const LANE_GAP: f32 = 4.0;
/// Room for the lanes' play buttons.
const BUTTONS: f32 = 22.0;
/// The lane that plays is this much higher than the others.
const EMPHASIS: f32 = 2.5;
/// As much where its spectrum is shown.
const SPECTRUM_EMPHASIS: f32 = 8.0;
/// Room for a time at the right of the headline.
const TIME: f32 = 60.0;
/// Pixels a tick's label needs.
const TICK_ROOM: f32 = 72.0;

/// Fills what is left of `ui` with the take.
pub fn waveform(ui: &mut Ui, cx: &mut Cx<'_>) {
    let (rect, response) = ui.allocate_exact_size(ui.available_size(), Sense::hover());
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, 8.0, theme::FIELD);
    painter.rect_stroke(rect, 8.0, Stroke::new(1.0, theme::LINE), StrokeKind::Inside);
    if trim::show(ui, cx, rect, invite) {
        return;
    }
    let Some(take) = cx.snapshot.take.clone() else {
        return invite(&painter, rect.shrink(SIDE), cx);
    };
    let chosen = chosen_take(cx).cloned();
    let several = take.peaks.len() > 1;
    let numbers = BUTTONS
        + if several { lane::NUMBERS } else { 0.0 }
        + if chosen.is_some() { lane::STARS + carry::GRIP } else { 0.0 };
    let inner = Rect::from_min_max(rect.min + vec2(SIDE + numbers, TOP), rect.max - vec2(SIDE, BOTTOM));
    let seconds = take.seed_seconds + take.continuation_seconds;
    if inner.width() < 20.0 || inner.height() < 20.0 || seconds <= 0.0 {
        return;
    }
    let axis = Axis { left: inner.left(), width: inner.width(), seconds };
    let shown = cx.params.variation.value().unsigned_abs().saturating_sub(1) as usize;
    let shown = shown.min(take.peaks.len().saturating_sub(1));

    let covered = (take.seed_seconds > 0.0).then(|| seam_label(inner, axis, &take).expand2(vec2(14.0, 0.0)));
    grid(&painter, inner, axis, &ticks(cx, &take, axis), covered);
    let factor = enlargement(&take.peaks);
    // More lanes than can be read are scrolled.
    let most = if cx.state.spectra.on { SPECTRUM_EMPHASIS } else { EMPHASIS };
    let emphasis = emphasis(inner.height(), take.peaks.len(), LANE_GAP, EMPHASIS, most);
    let whole = inner.height().max(least_height(take.peaks.len(), LANE_GAP, emphasis));
    let bits = chosen.as_ref().map(|entry| entry.bits_per_frame.as_slice()).unwrap_or_default();
    let order = order::variations(take.peaks.len(), bits, cx.state.likeliest_first);
    let at = order.iter().position(|index| *index == shown).unwrap_or(0);
    let places = lanes(whole, take.peaks.len(), at, LANE_GAP, emphasis);
    let offset = lane::scroll(ui, cx, inner, whole, places.get(at).copied());
    let lane_painter = ui.painter_at(inner.with_min_x(rect.left()));
    for (index, (top, bottom)) in order.iter().copied().zip(places) {
        let peaks = &take.peaks[index];
        let [top, bottom] = [top, bottom].map(|y| inner.top() + y - offset);
        let whole = Rect::from_min_max(pos2(inner.left(), top), pos2(inner.right(), bottom));
        let visible = whole.intersect(inner);
        if visible.height() < 6.0 {
            continue;
        }
        let plays = index == shown;
        let sound = Sound::Take { variation: index };
        let hovered = lane::choose(ui, cx, (visible, axis, seconds), index, plays, &sound);
        let strength = if plays {
            1.0
        } else if hovered {
            0.6
        } else {
            0.36
        };
        let entry = chosen.as_ref().filter(|_| plays);
        match entry.and_then(|entry| spectrogram::picture(ui, cx, entry, index, take.seam)) {
            Some(picture) => {
                if let Some(shown) = cx.snapshot.spectrogram.as_deref() {
                    spectrogram::draw(&lane_painter, whole, &picture, shown);
                }
            }
            None => draw_lane(&lane_painter, whole, axis, &take, peaks, factor, strength),
        }
        let mut left = inner.left() - numbers;
        let what = format!("variation {}", index + 1);
        let side = listen::BUTTON.min(visible.height());
        let place =
            Rect::from_center_size(pos2(left + BUTTONS / 2.0 - 3.0, visible.center().y), vec2(listen::BUTTON, side));
        listen::button(ui, cx, place, sound.clone(), &what);
        left += BUTTONS;
        if several {
            lane::badge(
                &lane_painter,
                pos2(left + lane::NUMBERS / 2.0 - 1.0, visible.center().y),
                visible,
                index,
                plays,
            );
            left += lane::NUMBERS;
        }
        if let Some(entry) = &chosen {
            let place = Rect::from_center_size(
                pos2(left + lane::STARS / 2.0 - 2.0, visible.center().y),
                vec2(lane::STARS, side),
            );
            lane::star(ui, cx, place, entry, index);
            left += lane::STARS;
            let place = pos2(left + carry::GRIP / 2.0 - 3.0, visible.center().y);
            carry::grip(ui, cx, Rect::from_center_size(place, vec2(carry::GRIP, side)), index);
        }
        if let Some(Some(collapse)) = take.collapses.get(index) {
            lane::collapse(ui, cx, (visible, axis), index, collapse, take.seed_seconds);
        }
        if let Some(Some(decibels)) = take.levels.get(index).filter(|_| cx.params.timeline.level_match.value()) {
            lane::level(ui, (visible, axis.x(take.seed_seconds)), index, *decibels, plays || hovered);
        }
        if let Some(bits) = chosen.as_ref().and_then(|entry| entry.bits_per_frame.get(index)) {
            lane::likelihood(ui, visible, *bits, plays || hovered);
        }
        if let Some(at) = listen::seconds_of(cx, &sound).filter(|at| *at <= seconds) {
            listen::draw_head(&lane_painter, whole, axis.x(at));
        }
        if let Some(entry) = entry {
            let seed_seconds = take.seed_seconds;
            cropping::handles(
                ui,
                cx,
                cropping::Lane { rect: visible, axis, take: entry.id, variation: index, seed_seconds },
            );
        }
    }
    lane::keys(ui, cx, chosen.as_ref(), shown, &order);
    if chosen.is_some() {
        carry::shortcut(ui, cx, shown);
    }
    carry::cursor(ui, cx);
    let sound = Sound::Take { variation: shown };
    let from = if cx.state.cursor_seconds < seconds { cx.state.cursor_seconds } else { 0.0 };
    listen::space_bar(ui, cx, &sound, from);
    seam(&painter, inner, axis, &take);
    frontier(&painter, inner, axis, &take, cx.snapshot.status);

    let playhead = cx.session.playhead_seconds().filter(|at| *at <= seconds);
    if let Some(at) = playhead {
        let x = axis.x(at);
        painter
            .line_segment([pos2(x, inner.top() - 4.0), pos2(x, inner.bottom() + 2.0)], Stroke::new(1.5, theme::TEXT));
    }
    let pointed =
        response.hover_pos().or_else(|| ui.input(|input| input.pointer.hover_pos())).filter(|at| inner.contains(*at));
    let pointed = pointed.and_then(|at| axis.seconds_at(at.x));
    let left = match &chosen {
        Some(entry) => words(ui, cx, inner, several && !entry.bits_per_frame.is_empty()),
        None => inner.right() - TIME,
    };
    headline(ui, &painter, inner, axis, &take, pointed.or(playhead), left);
}

/// What of a finished take is shown, and in which order. Gives back where it begins.
fn words(ui: &Ui, cx: &mut Cx<'_>, inner: Rect, sorts: bool) -> f32 {
    let middle = inner.top() - TOP / 2.0 - 1.0;
    let place = |right: f32, width: f32| Rect::from_center_size(pos2(right - width / 2.0, middle), vec2(width, 18.0));
    let mut left = inner.right() - TIME;
    let spectrum = place(left, 66.0);
    let tip = "Shows the frequencies of the variation that plays in place of its waveform.";
    if lane::word(ui, spectrum, "Spectrum", cx.state.spectra.on, tip) {
        cx.state.spectra.on = !cx.state.spectra.on;
    }
    left = spectrum.left();
    if sorts {
        let likeliest = place(left - 4.0, 88.0);
        let tip = "Lists the variations by how likely they are under the model, not by their numbers.";
        if lane::word(ui, likeliest, "Likeliest first", cx.state.likeliest_first, tip) {
            cx.state.likeliest_first = !cx.state.likeliest_first;
        }
        left = likeliest.left();
    }
    left
}

/// The chosen take's entry in the list, while it is that one that is shown.
fn chosen_take<'a>(cx: &'a Cx<'_>) -> Option<&'a TakeEntry> {
    let shown = cx.snapshot.take.is_some() && cx.snapshot.live != Some(true);
    cx.snapshot.takes.iter().find(|entry| shown && entry.chosen)
}

/// What to do while there is no take, in the middle of `room`.
fn invite(painter: &Painter, room: Rect, cx: &Cx<'_>) {
    let (first, second) = match (cx.snapshot.status, cx.params.mode.value(), cx.params.seed_source.value()) {
        (status, ..) if status.busy() => ("Preparing the take", "It appears here as it is made."),
        (_, Mode::Unconditional, _) => {
            ("Press Render for a phrase out of nothing", "Set the mode to Continue to start from a clip.")
        }
        (_, Mode::Continue, SeedSource::Sidechain) => {
            ("Capture the sidechain, then press Render", "The phrase goes on where the captured sound stops.")
        }
        (_, Mode::Continue, SeedSource::Clip) => {
            ("Press Render to carry on from the clip", "The phrase begins on the very next frame.")
        }
    };
    let line = |text: &str, size: f32, color: Color32| {
        let mut job = LayoutJob::simple(text.to_owned(), FontId::proportional(size), color, room.width());
        job.halign = Align::Center;
        painter.ctx().fonts_mut(|fonts| fonts.layout_job(job))
    };
    let (first, second) = (line(first, 17.0, theme::MUTED), line(second, theme::BODY, theme::FAINT));
    let height = first.size().y + 6.0 + second.size().y;
    if room.width() < 130.0 || height > room.height() {
        return;
    }
    let behind = Rect::from_center_size(room.center(), vec2(first.size().x.max(second.size().x) + 16.0, height + 8.0));
    painter.rect_filled(behind, 4.0, theme::FIELD);
    let top = room.center() - vec2(0.0, height / 2.0);
    let below = top + vec2(0.0, first.size().y + 6.0);
    painter.galley(top, first, theme::MUTED);
    painter.galley(below, second, theme::FAINT);
}

fn ticks(cx: &Cx<'_>, take: &TakeOverview, axis: Axis) -> Vec<Tick> {
    let most = (axis.width / TICK_ROOM).max(1.0) as usize;
    if cx.params.length_unit.value() == LengthUnit::Seconds {
        return in_seconds(axis.seconds, most);
    }
    let meter = cx.session.link.meter();
    // In bars, the take's own time is that of the tempo at which it was made.
    let stays = cx.params.timeline.tempo.value() == TempoMode::StayInBars;
    let seconds = meter.beats_per_bar * 60.0 / take.tempo.filter(|_| stays).unwrap_or(meter.tempo);
    let pinned = if cx.params.playback.value() == Playback::Timeline { cx.params.pin_bars() + 1.0 } else { 1.0 };
    // Without the seed clip, the continuation is what lies at the pin.
    let before = if cx.params.play_seed.value() { 0.0 } else { take.seed_seconds / seconds };
    in_bars(axis.seconds, Bars { first: pinned - before, seconds }, most)
}

/// Lines at the ticks, and their labels except where one is `covered`.
fn grid(painter: &Painter, inner: Rect, axis: Axis, ticks: &[Tick], covered: Option<Rect>) {
    let line = Stroke::new(1.0, theme::LINE.gamma_multiply(0.55));
    for tick in ticks {
        let x = axis.x(tick.seconds);
        painter.line_segment([pos2(x, inner.top()), pos2(x, inner.bottom())], line);
        if covered.is_some_and(|covered| covered.x_range().contains(x)) {
            continue;
        }
        let near_end = x > inner.right() - 24.0;
        let near_begin = x < inner.left() + 12.0;
        let align = if near_end {
            Align2::RIGHT_TOP
        } else if near_begin {
            Align2::LEFT_TOP
        } else {
            Align2::CENTER_TOP
        };
        painter.text(pos2(x, inner.bottom() + 5.0), align, &tick.label, theme::caption(), theme::FAINT);
    }
}

fn draw_lane(
    painter: &Painter,
    lane: Rect,
    axis: Axis,
    take: &TakeOverview,
    peaks: &[Peak],
    factor: f32,
    strength: f32,
) {
    let middle = lane.center().y;
    painter.line_segment([pos2(lane.left(), middle), pos2(lane.right(), middle)], Stroke::new(1.0, theme::LINE));
    let pixels = painter.ctx().pixels_per_point();
    let width = (lane.width() * pixels).floor() as usize;
    let seam = axis.x(take.seed_seconds);
    let half = lane.height() / 2.0;
    let thin = 0.6 / pixels;
    let mut mesh = Mesh::default();
    for (index, peak) in columns(peaks, take.columns, width).into_iter().enumerate() {
        let x = lane.left() + (index as f32 + 0.5) / pixels;
        let hue = if x < seam { theme::SEED } else { theme::CONTINUATION };
        let top = middle - (peak.max * factor).clamp(-1.0, 1.0) * half - thin;
        let bottom = middle - (peak.min * factor).clamp(-1.0, 1.0) * half + thin;
        column(&mut mesh, x, 0.5 / pixels, top, middle, bottom, hue.gamma_multiply(strength));
    }
    painter.add(Shape::mesh(mesh));
}

/// Where the seed clip ends and the continuation begins.
fn seam(painter: &Painter, inner: Rect, axis: Axis, take: &TakeOverview) {
    if take.seed_seconds <= 0.0 {
        return;
    }
    let x = axis.x(take.seed_seconds);
    let line = [pos2(x, inner.top() - TOP + 8.0), pos2(x, inner.bottom() + 4.0)];
    painter.extend(Shape::dashed_line(&line, Stroke::new(1.0, theme::TEXT.gamma_multiply(0.8)), 4.0, 3.0));
    let place = seam_label(inner, axis, take);
    painter.rect_filled(place, 4.0, theme::RAISED);
    painter.text(place.center(), Align2::CENTER_CENTER, "seam", theme::caption(), theme::TEXT);
}

/// Where `seam` is written, among the ticks.
fn seam_label(inner: Rect, axis: Axis, take: &TakeOverview) -> Rect {
    Rect::from_center_size(pos2(axis.x(take.seed_seconds), inner.bottom() + 12.0), vec2(38.0, 16.0))
}

/// While it grows: where the take has got to.
fn frontier(painter: &Painter, inner: Rect, axis: Axis, take: &TakeOverview, status: Status) {
    if !matches!(status, Status::Rendering { .. }) || take.ready_seconds >= take.continuation_seconds {
        return;
    }
    let x = axis.x(take.seed_seconds + take.ready_seconds);
    painter.line_segment([pos2(x, inner.top()), pos2(x, inner.bottom())], Stroke::new(1.0, theme::CONTINUATION));
    let glow = Rect::from_min_max(pos2((x - 28.0).max(inner.left()), inner.top()), pos2(x, inner.bottom()));
    let mut mesh = Mesh::default();
    for (at, strength) in [(glow.left(), 0.0), (glow.right(), 0.22)] {
        for y in [glow.top(), glow.bottom()] {
            let color = theme::CONTINUATION.gamma_multiply(strength);
            mesh.vertices.push(Vertex { pos: pos2(at, y), uv: WHITE_UV, color });
        }
    }
    mesh.indices.extend([0, 1, 2, 2, 1, 3]);
    painter.add(Shape::mesh(mesh));
}

/// What the two colours are, and a time: the pointer's, else the playhead's.
fn headline(ui: &Ui, painter: &Painter, inner: Rect, axis: Axis, take: &TakeOverview, time: Option<f64>, right: f32) {
    let y = inner.top() - TOP / 2.0 - 1.0;
    let time = time.map(|seconds| format!("{seconds:.2} s")).unwrap_or_default();
    let time = elided(ui, &time, theme::caption(), theme::TEXT, 80.0);
    painter.galley(pos2(inner.right() - time.size().x, y - time.size().y / 2.0), time, theme::TEXT);

    let seam = axis.x(take.seed_seconds);
    let legend = |text: String, hue: Color32, left: f32, right: f32| {
        let galley = elided(ui, &text, theme::caption(), hue, f32::INFINITY);
        if galley.size().x <= right - left {
            painter.galley(pos2(left, y - galley.size().y / 2.0), galley, hue);
        }
    };
    if take.seed_seconds > 0.0 {
        let text = format!("Seed clip · {}", duration(take.seed_seconds));
        legend(text, theme::SEED, inner.left(), (seam - 6.0).min(right));
    }
    let name = if take.seed_seconds > 0.0 { "Continuation" } else { "Phrase" };
    let left = if take.seed_seconds > 0.0 { seam + 8.0 } else { inner.left() };
    let text = format!("{name} · {}", duration(take.continuation_seconds));
    legend(text, theme::CONTINUATION, left, right - 4.0);
}
