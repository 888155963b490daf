//! A change of a parameter as the host records it.

use nice_plug::prelude::{Param, ParamSetter};

/// One whole change: begin, set, end.
pub fn gesture<P: Param>(setter: &ParamSetter<'_>, param: &P, change: impl FnOnce(&ParamSetter<'_>)) {
    setter.begin_set_parameter(param);
    change(setter);
    setter.end_set_parameter(param);
}
