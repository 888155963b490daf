//! The window as the project keeps it: its size, how large everything is drawn, what is seen while trimming.
//!
//! The session has the last word: what an opened project brings is followed, and what the user changes after that is noted there.

use egui::{Ui, ViewportCommand, vec2};

use super::context::Cx;
use super::zoom::View;
use crate::params::EDITOR_SIZE;
use crate::session::Look;

/// Follows what the session says, or notes what the user has changed. To be called with every frame.
pub fn keep(ui: &Ui, cx: &mut Cx<'_>) {
    let context = ui.ctx();
    if let Some((width, height)) = cx.state.looks.wanted.take() {
        context.send_viewport_cmd(ViewportCommand::InnerSize(vec2(width, height) / context.zoom_factor()));
        return;
    }
    let kept = cx.session.look();
    if kept != cx.state.looks.known {
        context.set_zoom_factor(kept.zoom.unwrap_or(1.0));
        cx.state.looks.wanted = kept.window;
        cx.state.trim.look_at(kept.trim_view.map(|(from, to)| View { from, to }));
        cx.state.looks.known = kept;
        context.request_repaint();
        return;
    }
    let now = present(ui, cx);
    if now != kept {
        cx.state.looks.known = now;
        cx.session.keep_look(now);
    }
}

/// How it looks now.
fn present(ui: &Ui, cx: &Cx<'_>) -> Look {
    let zoom = ui.ctx().zoom_factor();
    let size = ui.ctx().content_rect().size() * zoom;
    let (width, height) = EDITOR_SIZE;
    // A logical pixel more or less is rounding.
    let is_default = (size.x - width).abs() <= 1.0 && (size.y - height).abs() <= 1.0;
    let before = cx
        .state
        .looks
        .known
        .window
        .filter(|(width, height)| (size.x - width).abs() <= 1.0 && (size.y - height).abs() <= 1.0);
    Look {
        zoom: ((zoom - 1.0).abs() > 1e-3).then_some(zoom),
        window: before.or_else(|| (!is_default).then_some((size.x, size.y))),
        trim_view: cx.state.trim.looks_at().map(|view| (view.from, view.to)),
    }
}
