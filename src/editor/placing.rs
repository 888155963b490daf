//! What the editor asks for when a take is placed in the song, or a placed one is changed.

use super::context::Cx;
use crate::session::{Arranging, Command, Placement, TakeEntry};

/// The variation that plays, if it can be placed, and its take.
pub fn chosen<'a>(cx: &'a Cx<'_>) -> Option<(&'a TakeEntry, usize)> {
    let entry = cx.snapshot.takes.iter().find(|entry| entry.chosen)?;
    let variation = cx.params.variation.value().unsigned_abs().saturating_sub(1) as usize;
    Some((entry, variation.min(entry.variations.saturating_sub(1))))
}

/// Places a variation of the chosen take at the end of what is there.
pub fn add(cx: &mut Cx<'_>, variation: usize) {
    let Some(take) = cx.snapshot.takes.iter().find(|entry| entry.chosen).map(|entry| entry.id) else { return };
    cx.session.send(Command::Arrange(Arranging::Add { take, variation }));
    cx.state.strip.open = Some(true);
}

/// Sends a change of a placement, and shows it at once.
pub fn change(cx: &mut Cx<'_>, to: Placement) {
    let to = to.checked();
    cx.session.send(Command::Arrange(Arranging::Change(to.clone())));
    cx.state.strip.sent = Some((to, cx.session.revision()));
}
