//! The model's button and its popup: shipped models and the user's own, each with a card that says what it is.

use std::path::Path;

use egui::{Align, Layout, RichText, ScrollArea, Ui};

use super::chooser::{choice, explain, file_choices, heading, hover, open_library, popup, shown_name};
use super::context::Cx;
use super::dialog::Purpose;
use super::library::Entry;
use super::theme;
use super::widgets::list_button;
use super::words::capitalised;
use crate::resources::DEFAULT_MODEL;
use crate::session::{Command, ModelFacts, Sound};

/// Width of the popup.
const WIDTH: f32 = 400.0;
/// Most of the popup's height that the models take.
const HEIGHT: f32 = 250.0;

/// The model's button and its popup.
pub fn model(ui: &mut Ui, cx: &mut Cx<'_>, width: f32) {
    let listing = cx.state.library.listing();
    let all: Vec<Entry> = listing.models.iter().chain(&listing.own_models).cloned().collect();
    let shown = shown_name(&cx.snapshot.model, &all);
    let button = list_button(ui, "Model…", &shown, theme::CONTINUATION, width);
    open_library(cx, &button);
    let mut looked_at = Vec::new();
    popup(&button, WIDTH, |ui| {
        // Those that can be played are measured while they are shown.
        let good = |entry: &&Entry| matches!(listing.facts_of(&entry.path), Some(Ok(_)));
        looked_at = all.iter().filter(good).map(|entry| entry.path.clone()).collect();
        ScrollArea::vertical().max_height(HEIGHT).show(ui, |ui| {
            ui.set_width(ui.available_width());
            heading(ui, "Shipped models");
            if let Some(trouble) = &listing.trouble {
                explain(ui, trouble);
            } else if listing.models.is_empty() {
                explain(ui, "None is installed. Open a .continuo file, or install Continuo again.");
            }
            for entry in &listing.models {
                row(ui, cx, entry, true);
            }
            if !listing.own_models.is_empty() {
                heading(ui, "Your own");
            }
            for entry in &listing.own_models {
                row(ui, cx, entry, false);
            }
        });
        let current = cx.snapshot.model.path.as_deref();
        file_choices(ui, cx, Purpose::Model, current, "or paste the path of a .continuo file");
    });
    cx.session.wonder(looked_at);
    hover(cx, button, cx.snapshot.model.path.as_deref(), "The model that makes the next take.");
}

/// A model with its card: all of it for the one that is chosen, a line for the others.
fn row(ui: &mut Ui, cx: &Cx<'_>, entry: &Entry, shipped: bool) {
    let is_default = shipped && entry.path.ends_with(DEFAULT_MODEL);
    let selected = cx.snapshot.model.path.as_deref().map_or(is_default, |path| path == entry.path);
    let facts = cx.state.library.listing().facts_of(&entry.path).cloned();
    let clicked = choice(ui, cx, selected, entry, Sound::Preview(entry.path.clone())).clicked();
    match &facts {
        Some(Ok(facts)) if selected => lines(ui, &card(facts, speed_words(cx, &entry.path)), theme::MUTED),
        Some(Ok(facts)) => lines(ui, &[summary(facts), speed_words(cx, &entry.path)], theme::FAINT),
        // Told here, before anybody renders with it.
        Some(Err(reason)) => lines(ui, &[format!("Cannot be used: {reason}")], theme::ERROR),
        None => {}
    }
    if clicked {
        cx.session.send(if is_default { Command::FactoryModel } else { Command::ChooseModel(entry.path.clone()) });
        ui.close();
    }
}

fn lines(ui: &mut Ui, lines: &[String], hue: egui::Color32) {
    // Not justified as the rest of the popup is, and under the name rather than under the play button.
    ui.horizontal(|ui| {
        ui.add_space(super::listen::BUTTON + theme::GAP);
        ui.with_layout(Layout::top_down(Align::Min), |ui| {
            ui.spacing_mut().item_spacing.y = 1.0;
            for line in lines {
                ui.add(egui::Label::new(RichText::new(line).font(theme::caption()).color(hue)).wrap());
            }
        });
    });
}

/// A model in one line.
fn summary(facts: &ModelFacts) -> String {
    let rate = f64::from(facts.rate_hz) / 1000.0;
    let learnt = if facts.corpus_hours > 0.0 { format!(" · {}", hours(facts.corpus_hours)) } else { String::new() };
    format!("{rate:.0} kHz{learnt} · {} · {}", facts.licence, megabytes(facts.bytes))
}

/// A model in some lines.
fn card(facts: &ModelFacts, speed: String) -> Vec<String> {
    let channels = match facts.channels {
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        many => format!("{many} channels"),
    };
    let reach = match facts.reach_seconds {
        seconds if seconds.is_infinite() => "all that came before".to_owned(),
        seconds if seconds > 0.0 => format!("the last {seconds:.2} s"),
        _ => "nothing of what came before".to_owned(),
    };
    let mut lines = vec![
        format!("{} · {} Hz, {channels}", facts.name, facts.rate_hz),
        format!("Can {}.", facts.abilities.join(", ")),
        speed,
        format!("What comes next is decided by {reach}."),
    ];
    if !facts.corpus.is_empty() {
        lines.push(format!("Learnt from: {}", capitalised(&facts.corpus)));
    }
    if facts.corpus_hours > 0.0 || facts.steps > 0 {
        lines.push(format!("Trained on {}, {} steps", hours(facts.corpus_hours), facts.steps));
    }
    lines.push(format!("By {} · Licence: {}", facts.author, facts.licence));
    lines.push(format!("{} weights in {}", facts.weights, megabytes(facts.bytes)));
    lines
}

/// How fast a model is on this machine.
fn speed_words(cx: &Cx<'_>, path: &Path) -> String {
    match cx.snapshot.speeds.iter().find(|(known, _)| known == path) {
        Some((_, speed)) => format!("Here: {speed:.2} × real time"),
        None => "Here: not measured yet; that is done while it is shown".to_owned(),
    }
}

fn hours(hours: f64) -> String {
    if hours >= 10.0 { format!("{hours:.0} h") } else { format!("{hours:.1} h") }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
