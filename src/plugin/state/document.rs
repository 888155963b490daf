//! A state's text, read key by key.

use std::collections::BTreeMap;

use nice_plug::plugin::{ParamValue, PluginState};
use serde::de::IgnoredAny;

use super::error::{StateError, VERSION};
use super::parameters;
use crate::json::Object;
use crate::params::ContinuoParams;
use crate::session::{Kept, KeptState, SavedSession};

/// The parameter that only tells hosts that something changed.
const REVISION: &str = "revision";
const SESSION: &str = "session";
/// The field of a state that the framework is given to set parameters alone: the session stays as it is.
const PARAMETERS_ALONE: &str = "parameters alone";

/// Reads a state's text: what the framework is to be given, and the session that is in it.
pub(super) fn read(text: &str) -> Result<(PluginState, SavedSession), StateError> {
    let mut document: Object = serde_json::from_str(text).map_err(|error| StateError::Unreadable(error.to_string()))?;
    if let Some(version) = document.remove("state_version") {
        let known = version.get().parse::<u64>().is_ok_and(|version| version <= VERSION);
        if !known {
            return Err(StateError::Newer(version.get().to_owned()));
        }
    }
    let version = document.take("version").unwrap_or_default();
    let mut part = |key: &str| match document.take::<Object>(key) {
        None if document.contains(key) => Err(StateError::Unreadable(format!("`{key}` is no object"))),
        part => Ok(part.unwrap_or_default()),
    };
    let (params, unread_params) = parameters::read(part("params")?);
    let mut fields = part("fields")?;
    let mut session = fields
        .get::<String>(SESSION)
        .and_then(|text| serde_json::from_str::<SavedSession>(&text).ok())
        .inspect(|_| drop(fields.remove(SESSION)))
        .unwrap_or_default();
    let kept = &mut session.unread.kept;
    kept.document.complete(document);
    kept.params.complete(unread_params);
    kept.fields.complete(fields);
    Ok((PluginState { version, params, fields: session_field(&session)? }, session))
}

/// The state of a new instance, with a state that was not understood.
pub(super) fn blank(kept: Option<KeptState>) -> PluginState {
    let mut session = SavedSession::default();
    session.unread.kept.state = kept;
    // A session of paths, numbers and base64 can always be written.
    let fields = session_field(&session).unwrap_or_default();
    PluginState { version: env!("CARGO_PKG_VERSION").to_owned(), params: parameters::new(), fields }
}

/// A state of the parameters as they stand, for the framework to tell the host of: the session stays as it is.
pub(super) fn parameters_alone(params: &ContinuoParams) -> PluginState {
    let fields = BTreeMap::from([(PARAMETERS_ALONE.to_owned(), String::new())]);
    PluginState { version: env!("CARGO_PKG_VERSION").to_owned(), params: parameters::values(params), fields }
}

/// Makes a state one that replaces everything: every parameter is there and in its range, and there is a session.
pub(super) fn complete(state: &mut PluginState) {
    let mut saved = Object::default();
    for (id, value) in &state.params {
        // What cannot be written as JSON is none of a parameter's values.
        let _ = saved.set(id, value);
    }
    (state.params, _) = parameters::read(saved);
    if state.fields.remove(PARAMETERS_ALONE).is_some() {
        return;
    }
    let is_object =
        |text: &String| text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok();
    if !state.fields.get(SESSION).is_some_and(is_object) {
        state.fields.insert(SESSION.to_owned(), "{}".to_owned());
    }
}

/// The text of an instance's state. Without its revision, it tells whether anything was changed.
pub(super) fn write(
    params: &ContinuoParams,
    session: &SavedSession,
    with_revision: bool,
) -> Result<String, StateError> {
    let unwritable = |error: serde_json::Error| StateError::Unwritable(error.to_string());
    let mut session = session.clone();
    // Back to their places, but for what stands there now.
    let Kept { mut document, params: mut unread, mut fields, state } = std::mem::take(&mut session.unread.kept);
    session.unread.kept.state = state;
    if let Some(text) = fields.remove(SESSION) {
        session.unread.kept.fields.set_text(SESSION, text);
    }
    let mut values = parameters::values(params);
    if !with_revision {
        values.remove(REVISION);
    }
    let (defaults, _) = parameters::read(Object::default());
    let mut saved = Object::default();
    for (id, value) in &values {
        // A value that is not understood stays as long as nobody has turned the parameter since.
        if !unread.contains(id) || !same(value, defaults.get(id)) {
            unread.remove(id);
            saved.set(id, value).map_err(unwritable)?;
        }
    }
    saved.complete(unread);
    fields.set(SESSION, &serde_json::to_string(&session).map_err(unwritable)?).map_err(unwritable)?;
    document.set("state_version", &VERSION).map_err(unwritable)?;
    document.set("version", env!("CARGO_PKG_VERSION")).map_err(unwritable)?;
    for (key, value) in [("params", &saved), ("fields", &fields)] {
        document.set(key, value).map_err(unwritable)?;
    }
    serde_json::to_string(&document).map_err(unwritable)
}

fn session_field(session: &SavedSession) -> Result<BTreeMap<String, String>, StateError> {
    let text = serde_json::to_string(session).map_err(|error| StateError::Unwritable(error.to_string()))?;
    Ok(BTreeMap::from([(SESSION.to_owned(), text)]))
}

fn same(value: &ParamValue, other: Option<&ParamValue>) -> bool {
    match (value, other) {
        (ParamValue::F32(a), Some(ParamValue::F32(b))) => a.to_bits() == b.to_bits(),
        (ParamValue::I32(a), Some(ParamValue::I32(b))) => a == b,
        (ParamValue::Bool(a), Some(ParamValue::Bool(b))) => a == b,
        (ParamValue::String(a), Some(ParamValue::String(b))) => a == b,
        _ => false,
    }
}
