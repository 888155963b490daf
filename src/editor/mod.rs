//! The editor: a window that shows the session and sends it commands.
//!
//! It reads one [`Snapshot`] per frame, changes host parameters through the host and asks for everything else with
//! [`Command`](crate::session::Command)s; it never touches the renderer or the engine. Nothing in it waits: files are listed and dialogs are
//! shown by threads of their own. It is drawn when there is something new, and at no other time: whoever changes what it shows rings
//! [`Session::repaint`](crate::session::Session::repaint), and for what `process()` moves the service thread does.

mod arrangement;
mod bar;
mod block;
mod block_menu;
mod blocks;
mod browser;
mod carry;
mod chooser;
mod context;
mod controls;
mod cropping;
mod dialog;
mod drag;
mod drop;
mod dropping;
mod footer;
mod geometry;
mod gesture;
mod header;
mod keys;
mod lane;
mod library;
mod listen;
mod look;
mod looks;
mod messages;
mod models;
mod notices;
mod opening;
mod order;
mod pace;
mod patches;
mod peaks;
mod placing;
mod render_bar;
mod shield;
mod spectra;
mod spectrogram;
mod stepper;
mod takes;
#[cfg(test)]
mod tests;
mod theme;
mod ticks;
mod timeline;
mod trim;
mod trimming;
mod waveform;
mod widgets;
mod words;
mod zoom;

#[cfg(test)]
#[cfg(all(unix, not(target_os = "macos")))]
pub(crate) use drag::dropped;

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use egui::{CentralPanel, Color32, Frame as EguiFrame, Margin, Panel, Rgba, Stroke, Ui};
use nice_plug::context::gui::GuiContext;
use nice_plug::prelude::{Param as _, ParamSetter, Params as _, ResizeHint};
use nice_plug_egui::baseview::HandlerError;
use nice_plug_egui::baseview::dpi::LogicalSize;
use nice_plug_egui::resizable_window::ResizableWindow;
use nice_plug_egui::{EguiEditor, EguiNiceSettings, Frame, GraphicsConfig, NiceEguiApp, create_egui_editor};

use context::{Cx, State};
use gesture::{Setter, gesture};

use crate::params::{ContinuoParams, MAX_REVISION};

/// The editor's type, named by the plugin.
pub type ContinuoEditor = EguiEditor<ContinuoApp>;

/// Least pause between two frames that nobody's hand asks for. Without a graphics card a frame costs tens of milliseconds of processor
/// time, which are a render's or the host's.
const PAUSE: Duration = Duration::from_millis(66);

/// Makes the editor of one instance.
pub fn create(params: &Arc<ContinuoParams>) -> Option<ContinuoEditor> {
    let repaint = params.session.repaint.clone();
    let app = ContinuoApp {
        params: Arc::clone(params),
        host: None,
        state: State { revision: params.session.revision(), ..State::default() },
    };
    let (width, height) = theme::MIN_SIZE;
    let settings = EguiNiceSettings::new()
        .with_tile("Continuo")
        .with_graphics_config(graphics())
        .with_repaint_poll_interval(PAUSE)
        .with_resize_hint(ResizeHint::RESIZABLE.with_min_logical_size(LogicalSize::new(width, height)));
    create_egui_editor(Arc::clone(&params.editor), repaint, settings, app)
}

/// How the window is drawn. There are no gradients here that dithering would smooth, and without a graphics card it costs a third of a frame.
fn graphics() -> GraphicsConfig {
    GraphicsConfig { dithering: false, ..GraphicsConfig::default() }
}

/// What is behind the window. It outlives the window: a host may open and close it many times.
pub struct ContinuoApp {
    params: Arc<ContinuoParams>,
    host: Option<GuiContext>,
    state: State,
}

impl NiceEguiApp for ContinuoApp {
    fn build(&mut self, egui: egui::Context, host: GuiContext, frame: &mut Frame) -> Result<(), HandlerError> {
        theme::apply(&egui);
        // The framework hands the numbers on as they are.
        let [red, green, blue, _] = theme::BACKGROUND.to_normalized_gamma_f32();
        frame.set_clear_color(Rgba::from_rgb(red, green, blue));
        self.host = Some(host);
        self.state.library.refresh(&self.params.session.repaint);
        self.state.previewed = None;
        self.state.spectra.detach();
        self.state.drops.detach();
        self.state.drags.stop();
        self.state.openings.begin(&egui, &self.params.session, &self.state.drops);
        Ok(())
    }

    fn ui(&mut self, ui: &mut Ui, frame: &mut Frame) {
        let Some(host) = self.host.clone() else { return };
        self.state.drops.attach(frame.baseview_window(), &self.params.session.repaint);
        show(ui, &self.params, host.param_setter(), &mut self.state);
    }
}

/// One frame of the editor.
fn show(ui: &mut Ui, params: &ContinuoParams, setter: ParamSetter<'_>, state: &mut State) {
    let session = &params.session;
    session.watch();
    let snapshot = session.snapshot();
    let setter = Setter::new(setter, &state.turns, session);
    let mut cx = Cx { session, params, setter, snapshot: &snapshot, state };
    tell_host(&mut cx);
    follow_suggestion(&cx);
    follow_patch(&cx);
    if cx.state.previewed.as_ref() != Some(&snapshot.seed) {
        cx.state.previewed = Some(snapshot.seed.clone());
        session.preview_seed();
    }
    let min_size = egui::vec2(theme::MIN_SIZE.0, theme::MIN_SIZE.1);
    ResizableWindow::new("continuo").min_size(min_size).show(ui, |ui| layout(ui, &mut cx));
    dropping::heed(ui, &mut cx);
    look::keep(ui, &mut cx);

    note_turns(&cx);
    let moves = session.playhead_seconds().is_some() || session.heard().is_some() || session.song_beats().is_some();
    let asked = ui.input(|input| !input.events.is_empty());
    session.pause_pulse(cx.state.pace.drawn(Instant::now(), PAUSE, moves, asked));
    if let Some(left) = cx.state.notices.left() {
        ui.ctx().request_repaint_after(left);
    }
}

fn layout(ui: &mut Ui, cx: &mut Cx<'_>) {
    // The window is cleared to the background's colour: drawing over all of it once more would be a third of the work.
    const BACKGROUND: Color32 = Color32::TRANSPARENT;
    let row = |fill: Color32, vertical: i8| {
        EguiFrame::new().fill(fill).inner_margin(Margin::symmetric(theme::MARGIN as i8, vertical))
    };
    let panel = |panel: Panel, height: f32, frame: EguiFrame| {
        panel.exact_size(height).resizable(false).show_separator_line(false).frame(frame)
    };
    panel(Panel::top("header"), 52.0, row(theme::SURFACE, 0)).show(ui, |ui| header::header(ui, cx));
    panel(Panel::top("source"), 50.0, row(BACKGROUND, 0)).show(ui, |ui| header::source(ui, cx));
    panel(Panel::bottom("footer"), 28.0, row(theme::SURFACE, 0)).show(ui, |ui| footer::footer(ui, cx));
    panel(Panel::bottom("render"), 48.0, row(theme::SURFACE, 0)).show(ui, |ui| render_bar::render_bar(ui, cx));
    let rows = 2.0 * controls::HEIGHT + theme::GAP + 2.0 * 10.0;
    panel(Panel::bottom("controls"), rows, row(theme::SURFACE, 10).stroke(Stroke::NONE)).show(ui, |ui| {
        controls::generate(ui, cx);
        controls::play(ui, cx);
    });
    let below = |name: &'static str| {
        let margin = Margin { left: 16, right: 16, top: 0, bottom: 10 };
        let frame = row(BACKGROUND, 0).inner_margin(margin);
        Panel::bottom(name).resizable(false).show_separator_line(false).frame(frame)
    };
    if let Some((text, is_error)) = messages::pending(cx) {
        below("message").show(ui, |ui| messages::message(ui, cx, &text, is_error));
    }
    if let Some(file) = cx.snapshot.overwrite.clone() {
        below("question").show(ui, |ui| messages::question(ui, cx, &file));
    }
    if let Some(other) = cx.snapshot.other_model.clone() {
        below("another model").show(ui, |ui| messages::another_model(ui, cx, &other));
    }
    if arrangement::wanted(cx) {
        let strip = Panel::bottom("arrangement").exact_size(arrangement::height(cx) + 8.0);
        let frame = row(BACKGROUND, 0).inner_margin(Margin { left: 16, right: 16, top: 0, bottom: 8 });
        strip.resizable(false).show_separator_line(false).frame(frame).show(ui, |ui| arrangement::arrangement(ui, cx));
    }
    takes::shortcuts(ui, cx);
    if takes::wanted(cx) {
        let frame = row(BACKGROUND, 0).inner_margin(Margin { left: 16, right: 0, top: 0, bottom: 12 });
        let list = Panel::left("takes").exact_size(takes::WIDTH + 16.0).resizable(false).show_separator_line(false);
        list.frame(frame).show(ui, |ui| takes::takes(ui, cx));
    }
    CentralPanel::default()
        .frame(row(BACKGROUND, 0).inner_margin(Margin { left: 16, right: 16, top: 0, bottom: 12 }))
        .show(ui, |ui| waveform::waveform(ui, cx));
    shield::shield(ui);
}

/// Notes what the user has turned, so that it can be undone.
fn note_turns(cx: &Cx<'_>) {
    let turns = cx.state.turns.lock().unwrap_or_else(PoisonError::into_inner).take();
    if turns.is_empty() {
        return;
    }
    let names = cx.params.param_map();
    for turn in turns {
        if let Some((id, ..)) = names.iter().find(|(_, parameter, _)| *parameter == turn.parameter) {
            cx.session.note_turn(id, turn.before, turn.after);
        }
    }
}

/// Sets what suits a model that was chosen just now.
fn follow_suggestion(cx: &Cx<'_>) {
    let Some(suggestion) = cx.session.take_suggestion() else { return };
    let params = cx.params;
    if let Some(temperature) = suggestion.temperature {
        gesture(&cx.setter.unnoted(), &params.temperature, |setter| {
            setter.set_parameter(&params.temperature, temperature);
        });
    }
    if let Some(top_k) = suggestion.top_k {
        let top_k = i32::try_from(top_k).unwrap_or(i32::MAX);
        gesture(&cx.setter.unnoted(), &params.top_k, |setter| setter.set_parameter(&params.top_k, top_k));
    }
}

/// Turns what a patch turns. The session has noted it down already, as a part of one deed.
fn follow_patch(cx: &Cx<'_>) {
    for (id, value) in cx.session.take_wishes() {
        cx.params.turn(&cx.setter.host(), &id, value);
    }
}

/// Lets the host know that what is saved beside the parameters has changed, so that it marks its project.
fn tell_host(cx: &mut Cx<'_>) {
    let revision = cx.session.revision();
    if revision == cx.state.revision {
        return;
    }
    cx.state.revision = revision;
    let number = (revision % (u64::from(MAX_REVISION.unsigned_abs()) + 1)) as i32;
    if number != cx.params.revision.unmodulated_plain_value() {
        gesture(&cx.setter.unnoted(), &cx.params.revision, |setter| setter.set_parameter(&cx.params.revision, number));
    }
}
