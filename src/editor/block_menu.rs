//! What else can be chosen for a block of the arrangement strip: variation, length, how often, level.

use egui::{Align, DragValue, Layout, Popup, PopupCloseBehavior, Response, RichText, SetOpenCommand, Ui};

use super::blocks::Song;
use super::context::Cx;
use super::placing::change;
use super::theme;
use crate::session::{Arranging, Block, Command, GAIN_DB, MOST_TIMES, Placement, Repeat};

/// Width of the menu.
const WIDTH: f32 = 300.0;

/// The menu of a block; `opens` says that it is to come up, or to go again.
pub fn menu(cx: &mut Cx<'_>, response: &Response, song: Song, block: &Block, opens: bool) {
    let popup = Popup::from_response(response)
        .layout(Layout::top_down_justified(Align::Min))
        .width(WIDTH)
        .open_memory(opens.then_some(SetOpenCommand::Toggle))
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    let mut removed = false;
    popup.show(|ui| {
        ui.set_width(WIDTH);
        let now = cx.state.strip.shown(&block.placement).clone();
        let mut to = now.clone();
        removed = fill(ui, song, block, &mut to);
        if to != now {
            cx.state.strip.edited = Some(to);
        }
        if removed {
            ui.close();
        }
    });
    if removed {
        cx.state.strip.edited = None;
        cx.session.send(Command::Arrange(Arranging::Remove(block.placement.id)));
    }
    // A number that is dragged is one change, made when the button is let go of.
    let held = response.ctx.input(|input| input.pointer.any_down());
    if !held
        && let Some(edited) = cx.state.strip.edited.take_if(|edited| edited.id == block.placement.id)
        && edited != block.placement
    {
        change(cx, edited);
    }
}

/// Says whether the block is to be removed.
fn fill(ui: &mut Ui, song: Song, block: &Block, to: &mut Placement) -> bool {
    ui.label(RichText::new(&block.title).font(theme::body()).color(theme::TEXT));
    if block.variations > 1 {
        caption(ui, "Variation");
        ui.horizontal_wrapped(|ui| {
            for variation in 0..block.variations {
                let name = (variation + 1).to_string();
                if ui.selectable_label(to.variation == variation, name).clicked() {
                    to.variation = variation;
                }
            }
        });
    }
    caption(ui, "Length");
    ui.horizontal(|ui| {
        if ui.selectable_label(to.bars.is_none(), "As long as the take").clicked() {
            to.bars = None;
        }
        let own = (song.own_beats(block) / song.per_bar).round().clamp(1.0, f64::from(MOST_TIMES)) as u32;
        let mut bars = to.bars.unwrap_or(own);
        let unit = if bars == 1 { " bar" } else { " bars" };
        let number = DragValue::new(&mut bars).range(1..=MOST_TIMES).speed(0.1).suffix(unit);
        if ui.add(number.update_while_editing(false)).changed()
            || ui.selectable_label(to.bars.is_some(), "Set length").clicked()
        {
            to.bars = Some(bars);
        }
    });
    caption(ui, "Plays");
    ui.horizontal(|ui| {
        if ui.selectable_label(to.repeat == Repeat::Once, "Once").clicked() {
            to.repeat = Repeat::Once;
        }
        let mut times = match to.repeat {
            Repeat::Times(times) => times,
            _ => 2,
        };
        let number = DragValue::new(&mut times).range(2..=MOST_TIMES).speed(0.1).suffix(" times");
        if ui.add(number.update_while_editing(false)).changed()
            || ui.selectable_label(matches!(to.repeat, Repeat::Times(_)), "Repeated").clicked()
        {
            to.repeat = Repeat::Times(times);
        }
        if ui.selectable_label(to.repeat == Repeat::UntilNext, "Until the next").clicked() {
            to.repeat = Repeat::UntilNext;
        }
    });
    caption(ui, "Level");
    let level = DragValue::new(&mut to.gain_db).range(GAIN_DB.0..=GAIN_DB.1).speed(0.1).max_decimals(1).suffix(" dB");
    ui.add(level.update_while_editing(false));
    ui.add_space(4.0);
    ui.button("Remove from the arrangement").clicked()
}

fn caption(ui: &mut Ui, text: &str) {
    ui.add_space(4.0);
    ui.label(RichText::new(text).font(theme::caption()).color(theme::MUTED));
}
