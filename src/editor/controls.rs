//! The two rows of values: what the next render does, and how the take plays.

use egui::{Align2, Popup, PopupCloseBehavior, Response, RichText, Role, Sense, Ui, UiBuilder, WidgetInfo, vec2};

use super::bar::{param_bar, typed_bar};
use super::context::Cx;
use super::gesture::gesture;
use super::keys;
use super::theme;
use super::timeline;
use super::widgets::{
    CAPTION_GAP, CAPTION_HEIGHT, captioned, captioned_segments, draw_chevron, draw_die, draw_lock, focus_ring,
    icon_button, switch,
};
use crate::session::Setting;
use crate::settings::{LengthUnit, Playback};

/// Width of the names of the rows.
const NAME: f32 = 58.0;
/// Height of a row: caption, bar.
pub const HEIGHT: f32 = CAPTION_HEIGHT + CAPTION_GAP + theme::ROW;
const UNIT: f32 = 132.0;
/// Width of the button that opens the numbers behind the wildness.
const NUMBERS: f32 = 22.0;
const PLAYBACK: f32 = 150.0;
const SWITCH: f32 = 64.0;

/// What the next render does.
pub fn generate(ui: &mut Ui, cx: &mut Cx<'_>) {
    row(ui, "Generate", |ui| {
        let classes = cx.snapshot.card.as_ref().map(|card| card.classes().to_vec()).unwrap_or_default();
        let bar = bar_width(ui, UNIT + 2.0 * (theme::ROW + 4.0) + NUMBERS, if classes.is_empty() { 4 } else { 5 }, 2);
        let params = cx.params;
        let unit = params.length_unit.value();
        heeded(ui, cx, Setting::Length, |ui, cx| {
            let words = |number: &str| length_words(unit, number);
            let typed = |text: &str| follow_unit(cx, text);
            typed_bar(
                ui,
                &cx.setter,
                &params.length,
                ("Length", "How much the model plays."),
                bar,
                Some(&words),
                &typed,
            )
        });
        let length_counts = cx.snapshot.card.as_ref().is_none_or(|card| card.why_not(Setting::Length).is_none());
        ui.add_enabled_ui(length_counts, |ui| {
            captioned_segments(
                ui,
                &cx.setter,
                &params.length_unit,
                "Unit",
                &["Length counts seconds.", "Length counts bars at the host's tempo when the render starts."],
                UNIT,
            );
        });
        heeded(ui, cx, Setting::Temperature, |ui, cx| {
            let tip = "How daring the model is: low stays close to what is likeliest, high wanders.";
            param_bar(ui, &cx.setter, &params.wildness, "Wildness", tip, bar, None)
        });
        numbers(ui, cx);
        // Few models have a choice, so there is no room for one that means nothing.
        if !classes.is_empty() {
            class(ui, cx, &classes, bar);
        }
        heeded(ui, cx, Setting::RngSeed, |ui, cx| rng_seed(ui, cx, bar));
        heeded(ui, cx, Setting::Variations, |ui, cx| {
            param_bar(
                ui,
                &cx.setter,
                &params.variations,
                "Variations",
                "How many versions one render makes, each with random choices of its own.",
                bar,
                None,
            )
        });
    });
}

/// The button behind which temperature and top-k are.
fn numbers(ui: &mut Ui, cx: &mut Cx<'_>) {
    let button = captioned(ui, "  ", NUMBERS, |ui| {
        let (rect, response) = ui.allocate_exact_size(vec2(NUMBERS, theme::ROW), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Temperature and top-k"));
        let color = if response.hovered() || response.has_focus() { theme::TEXT } else { theme::MUTED };
        draw_chevron(ui.painter(), rect.center(), color);
        focus_ring(ui, rect, &response);
        response
    });
    Popup::menu(&button).width(260.0).close_behavior(PopupCloseBehavior::CloseOnClickOutside).show(|ui| {
        ui.set_width(260.0);
        let params = cx.params;
        ui.horizontal(|ui| {
            let bar = (ui.available_width() - theme::GAP) / 2.0;
            heeded(ui, cx, Setting::Temperature, |ui, cx| {
                let tip = "How even the choice is at a wildness of 50 %: 1 as the model has learnt, 0 always the likeliest.";
                param_bar(ui, &cx.setter, &params.temperature, "Temperature", tip, bar, None)
            });
            heeded(ui, cx, Setting::TopK, |ui, cx| {
                let tip = "At a wildness of 50 %, only the k likeliest values are ever chosen; off leaves all of them possible.";
                param_bar(ui, &cx.setter, &params.top_k, "Top-k", tip, bar, None)
            });
        });
        // Most models have no codes, and then there is no word of them.
        if cx.snapshot.card.as_ref().is_some_and(|card| card.why_not(Setting::CodeTemperature).is_none()) {
            codes(ui, cx);
        }
        let now = params.settings(cx.session.link.meter());
        let top_k = if now.top_k == 0 { "off".to_owned() } else { now.top_k.to_string() };
        let words = format!("With this wildness: temperature {:.2}, top-k {top_k}.", now.temperature);
        ui.label(RichText::new(words).font(theme::caption()).color(theme::FAINT));
    });
    button.on_hover_text("The two numbers behind the wildness: temperature and top-k.");
}

/// The two numbers for the codes that the sound is made after.
fn codes(ui: &mut Ui, cx: &mut Cx<'_>) {
    let params = &cx.params.codes;
    ui.horizontal(|ui| {
        let bar = (ui.available_width() - theme::GAP) / 2.0;
        let tip = "The same for the codes that the sound is made after: what is played, not how it sounds.";
        param_bar(ui, &cx.setter, &params.temperature, "Code temperature", tip, bar, None);
        let tip = "At a wildness of 50 %, only the k likeliest codes are ever chosen; off leaves all of them possible.";
        param_bar(ui, &cx.setter, &params.top_k, "Code top-k", tip, bar, None);
    });
}

/// A control that is disabled where it means nothing to the chosen model; hovering says why.
fn heeded(ui: &mut Ui, cx: &mut Cx<'_>, setting: Setting, control: impl FnOnce(&mut Ui, &mut Cx<'_>) -> Response) {
    let why_not = cx.snapshot.card.as_ref().and_then(|card| card.why_not(setting));
    let response = ui.add_enabled_ui(why_not.is_none(), |ui| control(ui, cx)).inner;
    if let Some(reason) = why_not {
        response.on_disabled_hover_text(reason);
    }
}

/// Which of the kinds of recordings that the model knows it plays like.
fn class(ui: &mut Ui, cx: &mut Cx<'_>, names: &[String], width: f32) {
    let param = &cx.params.class;
    let chosen = (param.value().max(1).unsigned_abs() as usize).min(names.len()) - 1;
    captioned(ui, "Class", width, |ui| {
        let list = egui::ComboBox::from_id_salt("class").width(width).truncate().selected_text(&names[chosen]);
        let list = list.show_ui(ui, |ui| {
            for (number, name) in (1..).zip(names) {
                if ui.selectable_label(number == param.value(), name).clicked() {
                    gesture(&cx.setter, param, |setter| setter.set_parameter(param, number));
                }
            }
        });
        list.response.on_hover_text("Which of the kinds of recordings that the model knows it plays like.")
    });
}

/// How the take plays.
pub fn play(ui: &mut Ui, cx: &mut Cx<'_>) {
    row(ui, "Play", |ui| {
        let params = cx.params;
        let by_keys = params.playback.value() == Playback::Midi;
        let taken = PLAYBACK + SWITCH + timeline::WIDTH + if by_keys { keys::WIDTH } else { 0.0 };
        let bar = bar_width(ui, taken, 2, if by_keys { 5 } else { 3 }).min(170.0);
        captioned_segments(
            ui,
            &cx.setter,
            &params.playback,
            "Playback",
            &[
                "The take is pinned to a bar and follows the host's position.",
                "Each note plays the take from its start.",
            ],
            PLAYBACK,
        );
        if by_keys {
            keys::keys(ui, cx, bar);
        } else {
            let tip = "The bar of the song at which the take begins.";
            param_bar(ui, &cx.setter, &params.start, "Start", tip, bar, Some(&|number| format!("Bar {number}")));
        }
        switch(
            ui,
            &cx.setter,
            &params.play_seed,
            "Play seed",
            "On: the take begins with the seed clip. Off: the continuation itself begins at the start bar or the note.",
            SWITCH,
        );
        param_bar(ui, &cx.setter, &params.gain, "Gain", "Output level.", bar, None);
        timeline::button(ui, cx);
    });
}

fn row(ui: &mut Ui, name: &str, content: impl FnOnce(&mut Ui)) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    let middle = rect.bottom() - theme::ROW / 2.0;
    ui.painter().text(egui::pos2(rect.left(), middle), Align2::LEFT_CENTER, name, theme::body(), theme::FAINT);
    let rest = rect.with_min_x(rect.left() + NAME + theme::GAP);
    let builder = UiBuilder::new().max_rect(rest).layout(egui::Layout::left_to_right(egui::Align::Min)).id_salt(name);
    ui.scope_builder(builder, |ui| {
        ui.spacing_mut().item_spacing.x = theme::GAP + 2.0;
        content(ui);
    });
}

/// Width that is left for each of `bars` bars beside `others` things that are `taken` wide together.
fn bar_width(ui: &Ui, taken: f32, bars: usize, others: usize) -> f32 {
    let gaps = ui.spacing().item_spacing.x * (bars + others - 1) as f32;
    ((ui.available_width() - taken - gaps) / bars as f32).clamp(56.0, 200.0)
}

fn length_words(unit: LengthUnit, number: &str) -> String {
    match (unit, number) {
        (LengthUnit::Seconds, _) => format!("{number} s"),
        (LengthUnit::Bars, "1") => "1 bar".to_owned(),
        (LengthUnit::Bars, _) => format!("{number} bars"),
    }
}

/// A length that is typed with its unit is meant in that unit: "4 bars".
fn follow_unit(cx: &Cx<'_>, text: &str) {
    let param = &cx.params.length_unit;
    let unit = match text.trim_end_matches(char::is_alphabetic).len() {
        len if text[len..].to_ascii_lowercase().starts_with("bar") => LengthUnit::Bars,
        len if text[len..].to_ascii_lowercase().starts_with('s') => LengthUnit::Seconds,
        _ => return,
    };
    if param.value() != unit {
        gesture(&cx.setter, param, |setter| setter.set_parameter(param, unit));
    }
}

fn rng_seed(ui: &mut Ui, cx: &mut Cx<'_>, width: f32) -> Response {
    let param = &cx.params.rng_seed;
    let tip = "The number that fixes the random choices: the same number gives the same take again.";
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let bar = param_bar(ui, &cx.setter, param, "RNG seed", tip, width, None);
        captioned(ui, "", theme::ROW, |ui| {
            let die = icon_button(ui, "New RNG seed", theme::ROW, draw_die);
            if die.clicked() {
                let number = another_number(param.value());
                gesture(&cx.setter, param, |setter| setter.set_parameter(param, number));
            }
            die.on_hover_text("Picks another number.");
        });
        captioned(ui, " ", theme::ROW, |ui| {
            let lock = &cx.params.rng_lock;
            let on = lock.value();
            let name = if on { "Unlock RNG seed" } else { "Lock RNG seed" };
            let button = icon_button(ui, name, theme::ROW, |painter, rect, color| {
                draw_lock(painter, rect, if on { theme::CONTINUATION } else { color }, on);
            });
            if button.clicked() {
                gesture(&cx.setter, lock, |setter| setter.set_parameter(lock, !on));
            }
            button.on_hover_text(if on {
                "Locked: the next render has the same number, so the same settings give the same take."
            } else {
                "Not locked: each render picks another number, so it makes new variations."
            });
        });
        bar
    })
    .inner
}

/// A number of the RNG seed's range that is not `now`.
pub fn another_number(now: i32) -> i32 {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    const NUMBERS: u64 = 1_000_000;
    // The standard library keys its hash maps with random numbers; one of those is as good as a generator of our own.
    let random = RandomState::new().build_hasher().finish();
    let offset = random % (NUMBERS - 1) + 1;
    ((u64::from(now.unsigned_abs()) + offset) % NUMBERS) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_die_never_falls_on_the_same_number() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1_000 {
            let number = another_number(999_999);
            assert!((0..999_999).contains(&number));
            seen.insert(number);
        }
        assert!(seen.len() > 900);
    }
}
