//! Parameters in a state: each in its range, each present.

use std::collections::BTreeMap;

use nice_plug::params::InternalParamMut as _;
use nice_plug::params::internals::ParamPtr;
use nice_plug::plugin::ParamValue;
use nice_plug::prelude::{Param as _, Params as _};

use serde::Deserialize;

use crate::json::Object;
use crate::params::{ContinuoParams, bounds, whole_bounds};

/// A saved value: as the framework writes it, but for numbers of any size.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Saved {
    F32(f64),
    I32(f64),
    Bool(bool),
    String(String),
}

/// Switches that change how an instance sounds and came after the first saved states: a state without them is one in which
/// nothing of that was heard. New instances have them on.
const LATER: [&str; 4] = ["key_tracking", "controllers", "key_limiter", "level_match"];

/// The values of a new instance.
pub(super) fn new() -> BTreeMap<String, ParamValue> {
    values(&ContinuoParams::default())
}

/// Reads the values of all parameters. What is missing, or no value of its parameter, takes the value under which a state
/// sounds as it did before there was that parameter: the default, but for some that came later. Numbers are brought into their
/// range. What was not understood comes back.
pub(super) fn read(mut saved: Object) -> (BTreeMap<String, ParamValue>, Object) {
    let defaults = ContinuoParams::default();
    let values = defaults.param_map().into_iter().map(|(id, parameter, _)| {
        let understood = saved.get(&id).and_then(|value| understand(parameter, value));
        if understood.is_some() {
            saved.remove(&id);
        }
        let before = || if LATER.contains(&id.as_str()) { ParamValue::Bool(false) } else { value_of(parameter) };
        let value = understood.unwrap_or_else(before);
        (id, value)
    });
    (values.collect(), saved)
}

/// The values of all parameters as they stand.
pub(super) fn values(params: &ContinuoParams) -> BTreeMap<String, ParamValue> {
    params.param_map().into_iter().map(|(id, parameter, _)| (id, value_of(parameter))).collect()
}

/// `saved` in the range of its parameter, which is one of an instance that nobody uses: choices are tried out on it.
fn understand(parameter: ParamPtr, saved: Saved) -> Option<ParamValue> {
    // SAFETY: the caller's instance, into which the pointer points, lives until it returns.
    unsafe {
        match (parameter, saved) {
            (ParamPtr::FloatParam(float), Saved::F32(value) | Saved::I32(value)) => {
                let (min, max) = bounds(&(*float).range());
                Some(ParamValue::F32((value as f32).clamp(min, max)))
            }
            (ParamPtr::IntParam(integer), Saved::F32(value) | Saved::I32(value)) => {
                let (min, max) = whole_bounds(&(*integer).range());
                Some(ParamValue::I32((value.round() as i32).clamp(min, max)))
            }
            (ParamPtr::BoolParam(_), Saved::Bool(value)) => Some(ParamValue::Bool(value)),
            (ParamPtr::EnumParam(choice), Saved::String(id)) => {
                let before = (*choice).unmodulated_plain_value();
                let known = (*choice).set_from_id(&id);
                (*choice)._internal_set_plain_value(before);
                known.then_some(ParamValue::String(id))
            }
            // States may name a choice by its place.
            (ParamPtr::EnumParam(choice), Saved::I32(place)) => {
                let known = place >= 0.0 && place < (*choice).len() as f64 && place.fract() == 0.0;
                known.then_some(ParamValue::I32(place as i32))
            }
            _ => None,
        }
    }
}

fn value_of(parameter: ParamPtr) -> ParamValue {
    // SAFETY: as in `understand`.
    unsafe {
        match parameter {
            ParamPtr::FloatParam(float) => {
                let value = (*float).unmodulated_plain_value();
                // JSON has no word for others.
                ParamValue::F32(if value.is_finite() { value } else { (*float).default_plain_value() })
            }
            ParamPtr::IntParam(integer) => ParamValue::I32((*integer).unmodulated_plain_value()),
            ParamPtr::BoolParam(switch) => ParamValue::Bool((*switch).unmodulated_plain_value()),
            ParamPtr::EnumParam(choice) => match (*choice).unmodulated_plain_id() {
                Some(id) => ParamValue::String(id.to_owned()),
                None => ParamValue::I32((*choice).unmodulated_plain_value()),
            },
        }
    }
}
