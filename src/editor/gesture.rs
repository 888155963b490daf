//! Changes of parameters: as the host records them, and as undo takes them back.

use std::sync::{Arc, Mutex, PoisonError};

use nice_plug::params::internals::ParamPtr;
use nice_plug::prelude::{Param, ParamSetter};

use crate::params;
use crate::session::Session;

/// A parameter that was turned, with its normalised values before and after.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turn {
    /// Which.
    pub parameter: ParamPtr,
    /// Before.
    pub before: f32,
    /// After.
    pub after: f32,
}

/// What was turned since somebody last looked. A turn lasts as long as a drag does, over many frames.
#[derive(Debug, Default)]
pub struct Turns {
    open: Option<Turn>,
    done: Vec<Turn>,
}

/// Sets parameters through the host, and notes what the user has turned.
pub struct Setter<'a> {
    host: ParamSetter<'a>,
    turns: Option<Arc<Mutex<Turns>>>,
    session: &'a Session,
}

impl Turns {
    /// What was turned, once.
    pub fn take(&mut self) -> Vec<Turn> {
        std::mem::take(&mut self.done)
    }
}

impl<'a> Setter<'a> {
    /// Through this host, noted there, for the instance of this session.
    pub fn new(host: ParamSetter<'a>, turns: &Arc<Mutex<Turns>>, session: &'a Session) -> Self {
        Self { host, turns: Some(Arc::clone(turns)), session }
    }

    /// The same host, for what the user has not turned.
    pub fn unnoted(&self) -> Self {
        Self { host: self.host(), turns: None, session: self.session }
    }

    /// The framework's own way to the host.
    pub fn host(&self) -> ParamSetter<'a> {
        ParamSetter::new(self.host.raw_context)
    }

    /// A change begins.
    pub fn begin_set_parameter<P: Param>(&self, param: &P) {
        let before = param.unmodulated_normalized_value();
        self.note(|turns| turns.open = Some(Turn { parameter: param.as_ptr(), before, after: before }));
        self.host.begin_set_parameter(param);
    }

    /// The value of a parameter whose change has begun.
    pub fn set_parameter<P: Param>(&self, param: &P, value: P::Plain) {
        let after = param.preview_normalized(value);
        self.note(|turns| {
            if let Some(turn) = turns.open.as_mut().filter(|turn| turn.parameter == param.as_ptr()) {
                turn.after = after;
            }
        });
        self.host.set_parameter_normalized(param, after);
        // A host brings it back to us with its next block; one that runs none may never.
        if self.session.link.at_rest() {
            params::place(param, after);
        }
    }

    /// A change ends.
    pub fn end_set_parameter<P: Param>(&self, param: &P) {
        self.note(|turns| {
            let ended = turns.open.take().filter(|turn| turn.parameter == param.as_ptr());
            turns.done.extend(ended.filter(|turn| turn.before.to_bits() != turn.after.to_bits()));
        });
        self.host.end_set_parameter(param);
    }

    fn note(&self, what: impl FnOnce(&mut Turns)) {
        if let Some(turns) = &self.turns {
            what(&mut turns.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// One whole change: begin, set, end.
pub fn gesture<P: Param>(setter: &Setter<'_>, param: &P, change: impl FnOnce(&Setter<'_>)) {
    setter.begin_set_parameter(param);
    change(setter);
    setter.end_set_parameter(param);
}
