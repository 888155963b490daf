//! The values of parameters in patches: numbers in their own units, switches, and choices by their ids.

use std::collections::BTreeMap;
use std::sync::Arc;

use nice_plug::params::InternalParamMut as _;
use nice_plug::params::internals::ParamPtr;
use nice_plug::prelude::{Param as _, Params as _};

use super::ContinuoParams;
use super::ranges::{bounds, whole_bounds};
use crate::patch::Value;
use crate::settings::Turned;

/// What is no part of a patch: levels and places of a project, its random choices, and what starts something.
const LEFT_OUT: [&str; 12] = [
    "gain",
    "start",
    "arrangement",
    "arrangement_crossfade",
    "rng_seed",
    "rng_lock",
    "take",
    "capture",
    "capture_loop",
    "render",
    "cancel",
    "revision",
];

impl ContinuoParams {
    /// The values of everything that belongs into a patch.
    pub fn patch_values(&self) -> BTreeMap<String, Value> {
        self.patched().map(|(id, parameter)| (id, value_of(parameter))).collect()
    }

    /// What has to be turned so that everything is as a patch says. What the patch lacks goes to the value that it has in a new
    /// instance; what it names and is not known here is passed over.
    pub fn turns_to(&self, values: &BTreeMap<String, Value>) -> Vec<Turned> {
        let fresh = Self::default();
        let targets: BTreeMap<String, f32> = fresh
            .patched()
            .map(|(id, parameter)| {
                let after = values.get(&id).and_then(|value| normalized(parameter, value));
                // SAFETY: the parameter is one of `fresh`, which lives as long as this runs.
                (id, after.unwrap_or_else(|| unsafe { parameter.default_normalized_value() }))
            })
            .collect();
        let turn = |(id, parameter): (String, ParamPtr)| {
            // SAFETY: the parameter is one of `self`.
            let before = unsafe { parameter.unmodulated_normalized_value() };
            let after = *targets.get(&id)?;
            (before.to_bits() != after.to_bits()).then(|| Turned { id: id.into(), before, after })
        };
        self.patched().filter_map(turn).collect()
    }

    /// Sets parameters to normalised values, as a host does when it brings a state: nobody else hears of it.
    pub fn put(&self, values: &[(Arc<str>, f32)]) {
        for (id, parameter, _) in self.param_map() {
            if let Some((_, value)) = values.iter().find(|(wanted, _)| **wanted == *id) {
                // SAFETY: the parameter is one of `self`.
                unsafe { parameter._internal_set_normalized_value(*value) };
            }
        }
    }

    /// Whether a patch may hold a value of this id.
    pub fn knows_in_patches(&self, id: &str) -> bool {
        self.patched().any(|(known, _)| known == id)
    }

    /// The parameters that belong into a patch.
    fn patched(&self) -> impl Iterator<Item = (String, ParamPtr)> {
        let all = self.param_map().into_iter().filter(|(id, ..)| !LEFT_OUT.contains(&id.as_str()));
        all.map(|(id, parameter, _)| (id, parameter))
    }
}

/// What a parameter holds.
fn value_of(parameter: ParamPtr) -> Value {
    // SAFETY: whoever asks has the parameters in hand.
    unsafe {
        match parameter {
            ParamPtr::FloatParam(float) => Value::Number(shortest((*float).unmodulated_plain_value())),
            ParamPtr::IntParam(integer) => Value::Number((*integer).unmodulated_plain_value().into()),
            ParamPtr::BoolParam(switch) => Value::Switch((*switch).unmodulated_plain_value()),
            ParamPtr::EnumParam(choice) => match (*choice).unmodulated_plain_id() {
                Some(id) => Value::Choice(id.to_owned()),
                None => Value::Number((*choice).unmodulated_plain_value().into()),
            },
        }
    }
}

/// The number with the fewest digits that is still this `f32`: 0.1, not 0.10000000149.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| value.into())
}

/// The normalised value that a patch's value comes to, in the range of its parameter, which is one of an instance that nobody uses:
/// choices are tried out on it. Nothing where it is no value of this parameter.
fn normalized(parameter: ParamPtr, value: &Value) -> Option<f32> {
    // SAFETY: as in `value_of`.
    unsafe {
        match (parameter, value) {
            (ParamPtr::FloatParam(float), Value::Number(number)) => {
                let (min, max) = bounds(&(*float).range());
                Some((*float).preview_normalized((*number as f32).clamp(min, max)))
            }
            (ParamPtr::IntParam(integer), Value::Number(number)) => {
                let (min, max) = whole_bounds(&(*integer).range());
                Some((*integer).preview_normalized((number.round() as i32).clamp(min, max)))
            }
            (ParamPtr::BoolParam(switch), Value::Switch(on)) => Some((*switch).preview_normalized(*on)),
            (ParamPtr::EnumParam(choice), Value::Choice(id)) => {
                let before = (*choice).unmodulated_plain_value();
                let found = (*choice).set_from_id(id).then(|| (*choice).unmodulated_normalized_value());
                (*choice)._internal_set_plain_value(before);
                found
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_brings_every_value_back_and_leaves_the_projects_own_alone() {
        let params = ContinuoParams::default();
        let set = |params: &ContinuoParams, turns: &[Turned]| {
            params.put(&turns.iter().map(|turn| (Arc::clone(&turn.id), turn.after)).collect::<Vec<_>>());
        };
        let odd = BTreeMap::from([
            ("mode".to_owned(), Value::Choice("unconditional".into())),
            ("length".to_owned(), Value::Number(3.7)),
            ("voices".to_owned(), Value::Number(3.0)),
            ("mono".to_owned(), Value::Switch(true)),
            ("gain".to_owned(), Value::Number(0.1)),
            ("of a newer Continuo".to_owned(), Value::Number(1.0)),
            // No value of its parameter, and one beyond its range.
            ("key_tracking".to_owned(), Value::Number(0.0)),
            ("attack".to_owned(), Value::Number(1e9)),
        ]);
        let turns = params.turns_to(&odd);
        let turned: Vec<&str> = turns.iter().map(|turn| &*turn.id).collect();
        assert_eq!(turned, ["mode", "length", "attack", "voices", "mono"]);
        set(&params, &turns);
        assert_eq!(params.turns_to(&odd), []);
        let values = params.patch_values();
        assert_eq!(values["length"], Value::Number(3.7));
        assert_eq!(values["attack"], Value::Number(5000.0));
        assert!(!values.contains_key("gain") && !values.contains_key("revision"));
        // In a new instance, they bring the same back; and what a patch lacks goes back to what it was there.
        let other = ContinuoParams::default();
        set(&other, &other.turns_to(&values));
        assert_eq!(other.patch_values(), values);
        set(&other, &other.turns_to(&BTreeMap::new()));
        assert_eq!(other.patch_values(), ContinuoParams::default().patch_values());
    }
}
