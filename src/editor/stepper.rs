//! How the model steps on this machine, and the renderer's settings behind it.

use egui::{CursorIcon, Popup, PopupCloseBehavior, Rect, RichText, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::context::Cx;
use super::render_bar::times;
use super::theme;
use super::widgets::{elided, focus_ring, menu_padding};
use super::words::capitalised;
use crate::session::{Command, Preferences, Priority, Setting};

/// Width of the popup.
const WIDTH: f32 = 372.0;

/// The words at the right of the header; a click opens the settings.
pub fn stepper(ui: &mut Ui, cx: &mut Cx<'_>) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), theme::ROW), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Renderer"));
    let stepper = cx.snapshot.stepper.as_deref();
    let words = speed(cx).map_or_else(|| "Renderer".to_owned(), |speed| format!("Renderer · {}", times(speed)));
    // At the right there is the triangle.
    let end = rect.right() - theme::GAP - 6.0;
    let room = end - rect.left();
    let hue = if response.hovered() { theme::TEXT } else { theme::FAINT };
    let galley = elided(ui, &words, theme::caption(), hue, room);
    let at = pos2(end - galley.size().x, rect.center().y - galley.size().y / 2.0);
    ui.painter().galley(at, galley, hue);
    triangle(ui, rect);
    focus_ring(ui, rect, &response);
    if response.hovered() {
        ui.set_cursor_icon(CursorIcon::PointingHand);
    }
    if let Some(preferences) = cx.snapshot.preferences {
        Popup::menu(&response).width(WIDTH).close_behavior(PopupCloseBehavior::CloseOnClickOutside).show(|ui| {
            menu_padding(ui);
            if let Some(stepper) = stepper {
                heading(ui, "How the model makes its frames here");
                ui.label(RichText::new(capitalised(stepper)).font(theme::caption()).color(theme::TEXT));
            }
            settings(ui, cx, preferences);
        });
    }
    response.on_hover_text(
        "How fast a render with these settings is on this machine. Click to choose precision, threads and priority.",
    );
}

/// How many seconds of sound a second of rendering makes with the present settings; `None` until that was measured.
fn speed(cx: &Cx<'_>) -> Option<f32> {
    let forecast = cx.snapshot.forecast_seconds.filter(|seconds| *seconds > 0.0)?;
    Some(cx.params.settings(cx.session.link.meter()).seconds as f32 / forecast)
}

/// Something to open lies behind the words.
fn triangle(ui: &Ui, rect: Rect) {
    let tip = pos2(rect.right() - 4.0, rect.center().y + 2.0);
    let points = vec![pos2(tip.x - 4.0, tip.y - 4.0), pos2(tip.x + 4.0, tip.y - 4.0), tip];
    ui.painter().add(egui::Shape::convex_polygon(points, theme::FAINT, egui::Stroke::NONE));
}

fn settings(ui: &mut Ui, cx: &Cx<'_>, now: Preferences) {
    heading(ui, "Precision");
    let card = cx.snapshot.card.as_ref();
    if let Some(reason) = card.and_then(|card| card.why_not(Setting::Precision)) {
        // The choice holds for all instances, so it stays open.
        ui.label(RichText::new(reason).font(theme::caption()).color(theme::MUTED));
    }
    for choice in now.by_precision() {
        let (name, what) = match choice.precision_name() {
            "auto" => ("Automatic", "the fastest that keeps the quality"),
            "f32" => ("32-bit", "as trained; slowest"),
            "bf16" => ("16-bit", "half of the memory to read"),
            "int8" => ("8-bit", "a quarter of it; fastest"),
            other => (other, ""),
        };
        choose(ui, cx, now, choice, name, what);
    }
    heading(ui, "Threads");
    for choice in now.by_threads() {
        let name = match choice.threads {
            0 => format!("Automatic: {}", threads(choice.threads_used())),
            some => threads(some),
        };
        choose(ui, cx, now, choice, &name, "");
    }
    heading(ui, "Priority");
    for (priority, name, what) in [
        (Priority::Low, "Low", "gives way to the host"),
        (Priority::Normal, "Normal", "faster beside others, may disturb playback"),
    ] {
        choose(ui, cx, now, Preferences { priority, ..now }, name, what);
    }
    ui.add_space(theme::GAP);
    ui.label(
        RichText::new("For every project and instance. A render in progress goes on as it began.")
            .font(theme::caption())
            .color(theme::FAINT),
    );
}

fn threads(number: usize) -> String {
    if number == 1 { "1 thread".to_owned() } else { format!("{number} threads") }
}

fn heading(ui: &mut Ui, words: &str) {
    ui.add_space(theme::GAP / 2.0);
    ui.label(RichText::new(words).font(theme::caption()).color(theme::MUTED));
}

fn choose(ui: &mut Ui, cx: &Cx<'_>, now: Preferences, choice: Preferences, name: &str, what: &str) {
    let mut words = egui::text::LayoutJob::default();
    let mut add = |text: &str, font, color| words.append(text, 0.0, egui::TextFormat::simple(font, color));
    add(name, theme::body(), theme::TEXT);
    if !what.is_empty() {
        add(&format!("  {what}"), theme::caption(), theme::MUTED);
    }
    if ui.selectable_label(now == choice, words).clicked() && now != choice {
        cx.session.send(Command::Prefer(choice));
    }
}
