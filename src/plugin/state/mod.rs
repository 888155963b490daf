//! The instance's state as a host keeps it.
//!
//! It is JSON, compressed with zstd: `{"state_version": 2, "version": …, "params": {…}, "fields": {"session": "…"}}`. The
//! first version had no `state_version`. The framework makes and reads such states too, but it takes a state whole or not
//! at all, leaves what a state lacks as it was, and takes any number for any parameter. So states are read and written here,
//! and the framework is given one in which nothing is missing and nothing is out of range.
//!
//! A state that cannot be understood leaves an instance as if it were new, and is kept byte for byte: it is saved again as
//! it was, alone as long as nobody has changed anything, and inside the instance's own state from then on.

mod document;
mod error;
mod parameters;
pub(super) mod stream;
mod text;

use nice_plug::prelude::PluginState;

use crate::params::ContinuoParams;
use crate::session::KeptState;
use crate::take::pack::outline::{self, Section};
use error::StateError;
use stream::{Received, Written};

/// What a state comes to.
pub(super) struct Opened {
    /// For the framework: every parameter and a session, so that nothing of what was before stays.
    pub(super) state: PluginState,
    /// Whether it is a state of Continuo's, if perhaps of a newer one.
    pub(super) known: bool,
    /// Whether there is nothing in it but a state that was not understood.
    kept_alone: bool,
    /// What went wrong and left nothing to keep, so that the session does not tell of it.
    untold: Option<StateError>,
}

impl Opened {
    /// Says that the framework has put the state in place. Whatever differs from here on was changed by somebody.
    pub(super) fn settle(&self, params: &ContinuoParams) {
        if let Some(error) = &self.untold {
            params.session.complain(error);
        }
        if !self.kept_alone {
            return;
        }
        let mut session = params.session.saved();
        session.unread.kept.state = None;
        if let Ok(document) = document::write(params, &session, false) {
            params.session.mark_unchanged(document);
        }
    }
}

/// Reads a state.
pub(super) fn read(received: Received) -> Opened {
    let Received { bytes, bare, failure } = received;
    let broken_off = failure.is_some();
    let why = match failure.map_or_else(|| parse(&bytes), Err) {
        Ok(state) => return Opened { state, known: true, kept_alone: false, untold: None },
        Err(why) => why,
    };
    tracing::warn!("{why}");
    let known = matches!(why, StateError::Newer(_));
    if bytes.is_empty() {
        // Where a host has not a byte, nothing was saved; that is no news unless it has failed to find one.
        let untold = broken_off.then_some(why);
        return Opened { state: document::blank(None), known, kept_alone: false, untold };
    }
    let kept = KeptState { bytes: bytes.into(), bare, why: why.to_string(), unchanged: None };
    Opened { state: document::blank(Some(kept)), known, kept_alone: true, untold: None }
}

/// Reads a state of a known version. One that an older Continuo could only keep is opened now, unless something else was
/// made around it meanwhile.
fn parse(bytes: &[u8]) -> Result<PluginState, StateError> {
    let (state, session) = document::read(&text::unpack(bytes)?)?;
    if let Some(kept) = session.unread.kept.state.as_ref().filter(|_| session.is_blank())
        && let Ok(text) = text::unpack(&kept.bytes)
        && let Ok((older, _)) = document::read(&text)
    {
        return Ok(older);
    }
    Ok(state)
}

/// Makes a state of an instance.
pub(super) fn write(params: &ContinuoParams) -> Result<Written, StateError> {
    let mut session = params.session.saved();
    if let Some(kept) = session.unread.kept.state.take() {
        let sections = outline::draw(|| document::write(params, &session, false))?;
        // With a take in it, it is not what it was when the state was kept.
        if matches!(sections.as_slice(), [Section::Text(text)] if kept.unchanged.as_ref() == Some(text)) {
            return Ok(Written::Kept(kept));
        }
        session.unread.kept.state = Some(kept);
    }
    text::pack(outline::draw(|| document::write(params, &session, true))?).map(Written::Own)
}

/// A state that brings the framework the parameters as they stand and leaves the session alone.
pub(super) fn parameters_alone(params: &ContinuoParams) -> PluginState {
    document::parameters_alone(params)
}

/// Makes any state that reaches the framework one that replaces everything.
pub(super) fn complete(state: &mut PluginState) {
    document::complete(state);
}

#[cfg(test)]
mod tests;
