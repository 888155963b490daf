//! Files that hang over the window or fall on it: what will happen with them, in words, and what then happens.

use egui::{Align, FontId, LayerId, Order, Stroke, StrokeKind, Ui, vec2};

use super::context::Cx;
use super::drop::{Intent, intent};
use super::gesture::gesture;
use super::theme;
use crate::params::{Mode, SeedSource};
use crate::session::{Command, Concern};

/// Why nothing comes of what was dropped.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct DropError(String);

/// Looks for files that are dragged here.
pub fn heed(ui: &Ui, cx: &mut Cx<'_>) {
    let (hovered, dropped) = ui.input(|input| (cx.state.drops.hovered(input), cx.state.drops.dropped(input)));
    if !hovered.is_empty() {
        announce(ui, &intent(&hovered));
    }
    if dropped.is_empty() {
        return;
    }
    cx.session.settle(Concern::Dialog);
    match intent(&dropped) {
        Intent::Seed(path) => {
            cx.session.send(Command::ChooseSeed(path));
            go_on_from_it(cx);
        }
        Intent::Model(path) => cx.session.send(Command::ChooseModel(path)),
        Intent::Patch(path) => cx.session.send(Command::LoadPatch(path)),
        Intent::Refusal(words) => cx.session.complain_of(Concern::Dialog, &DropError(words)),
    }
}

/// A clip that was dropped is to be gone on from.
fn go_on_from_it(cx: &Cx<'_>) {
    let (mode, source) = (&cx.params.mode, &cx.params.seed_source);
    let can_continue = cx.snapshot.card.as_ref().is_none_or(|card| card.why_not_mode(Mode::Continue).is_none());
    if mode.value() != Mode::Continue && can_continue {
        gesture(&cx.setter, mode, |setter| setter.set_parameter(mode, Mode::Continue));
    }
    if source.value() != SeedSource::Clip {
        gesture(&cx.setter, source, |setter| setter.set_parameter(source, SeedSource::Clip));
    }
}

/// Says over everything else what will happen.
fn announce(ui: &Ui, intent: &Intent) {
    let hue = match intent {
        Intent::Seed(_) => theme::SEED,
        Intent::Model(_) | Intent::Patch(_) => theme::CONTINUATION,
        Intent::Refusal(_) => theme::ERROR,
    };
    let screen = ui.ctx().content_rect();
    let painter = ui.ctx().layer_painter(LayerId::new(Order::Tooltip, ui.scope_id().with("drop")));
    painter.rect_filled(screen, 0.0, theme::BACKGROUND.gamma_multiply(0.85));
    painter.rect_stroke(screen.shrink(10.0), 10.0, Stroke::new(2.0, hue), StrokeKind::Inside);
    let mut job =
        egui::text::LayoutJob::simple(intent.words(), FontId::proportional(18.0), theme::TEXT, screen.width() - 80.0);
    job.halign = Align::Center;
    let words = ui.ctx().fonts_mut(|fonts| fonts.layout_job(job));
    painter.galley(screen.center() - vec2(0.0, words.size().y / 2.0), words, theme::TEXT);
}
