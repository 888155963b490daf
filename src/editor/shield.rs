//! A click that closes a popup does nothing else.

use egui::{Area, Id, Order, Popup, Sense, Ui};

/// While a popup is open, takes what is clicked beside it, so that only the popup heeds it.
pub fn shield(ui: &Ui) {
    let ctx = ui.ctx();
    if !Popup::is_any_open(ctx) {
        return;
    }
    let all = ctx.content_rect();
    // Above the window, below what popups are drawn on.
    Area::new(Id::unique("shield")).order(Order::Middle).fixed_pos(all.min).movable(false).show(ctx, |ui| {
        ui.allocate_rect(all, Sense::CLICK | Sense::DRAG);
    });
}
