//! The editor: a window that shows the session and sends it commands.

use std::sync::Arc;

use nice_plug_egui::baseview::HandlerError;
use nice_plug_egui::{EguiEditor, EguiNiceSettings, Frame, NiceEguiApp, RepaintNotifier, create_egui_editor};

use crate::params::ContinuoParams;
use crate::session::{Command, Session};

/// The editor's type, named by the plugin.
pub type ContinuoEditor = EguiEditor<ContinuoApp>;

/// Makes the editor of one instance.
pub fn create(params: &Arc<ContinuoParams>) -> Option<ContinuoEditor> {
    let app = ContinuoApp { session: Arc::clone(&params.session) };
    let settings = EguiNiceSettings::new().with_tile("Continuo");
    create_egui_editor(Arc::clone(&params.editor), RepaintNotifier::new(), settings, app)
}

/// What is behind the window.
pub struct ContinuoApp {
    session: Arc<Session>,
}

impl NiceEguiApp for ContinuoApp {
    fn build(
        &mut self,
        _egui: egui::Context,
        _host: nice_plug::context::gui::GuiContext,
        _frame: &mut Frame,
    ) -> Result<(), HandlerError> {
        Ok(())
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut Frame) {
        let snapshot = self.session.snapshot();
        ui.heading("Continuo");
        ui.label(format!("Model: {}", snapshot.model.name));
        ui.label(format!("Seed clip: {}", snapshot.seed.name));
        ui.label(format!("{:?}", snapshot.status));
        if let Some(error) = &snapshot.error {
            ui.colored_label(egui::Color32::RED, error.as_ref());
        }
        if ui.button(if snapshot.status.busy() { "Cancel" } else { "Render" }).clicked() {
            self.session.send(if snapshot.status.busy() { Command::Cancel } else { Command::Render });
        }
        ui.ctx().request_repaint_after(std::time::Duration::from_millis(50));
    }
}
