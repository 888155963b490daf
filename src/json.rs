//! JSON objects whose unknown keys survive: a project may have been saved by a newer Continuo.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

/// A JSON object, each value as the text that was read.
///
/// Whoever reads one takes out what is understood ([`Object::take`]). What stays is written again, byte for byte.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Object(BTreeMap<String, Box<RawValue>>);

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.texts().eq(other.texts())
    }
}

impl Object {
    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is a value, understood or not.
    pub fn contains(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// All keys with the texts of their values, in the order of the keys.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.get()))
    }

    /// The value of `key`, if there is one and it is a `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_str(self.0.get(key)?.get()).ok()
    }

    /// Takes the value of `key` out if it is a `T`; else it stays.
    pub fn take<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let value = self.get(key)?;
        self.0.remove(key);
        Some(value)
    }

    /// Takes out the value of `key`, whatever it is.
    pub fn remove(&mut self, key: &str) -> Option<Box<RawValue>> {
        self.0.remove(key)
    }

    /// Sets the value of `key`.
    ///
    /// # Errors
    /// What serde says of a value that JSON has no words for.
    pub fn set<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), serde_json::Error> {
        self.0.insert(key.to_owned(), to_raw_value(value)?);
        Ok(())
    }

    /// Sets the value of `key` to JSON that was read.
    pub fn set_text(&mut self, key: &str, value: Box<RawValue>) {
        self.0.insert(key.to_owned(), value);
    }

    /// Takes in what `other` has and this has not.
    pub fn complete(&mut self, other: Self) {
        for (key, value) in other.0 {
            self.0.entry(key).or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_out_is_written_as_it_was() {
        let text = r#"{"b":1.50e+400,"a":[1,  2],"limit":-1,"name":"x"}"#;
        let mut object: Object = serde_json::from_str(text).unwrap();
        assert_eq!(object.take::<String>("name").as_deref(), Some("x"));
        assert_eq!(object.take::<u64>("limit"), None);
        assert_eq!(object.take::<u64>("nothing"), None);
        assert_eq!(serde_json::to_string(&object).unwrap(), r#"{"a":[1,  2],"b":1.50e+400,"limit":-1}"#);
    }

    #[test]
    fn a_value_nested_without_end_is_kept_without_being_followed() {
        let deep = format!(r#"{{"deep":{}{}}}"#, "[".repeat(1 << 20), "]".repeat(1 << 20));
        let mut object: Object = serde_json::from_str(&deep).unwrap();
        assert_eq!(object.take::<serde_json::Value>("deep"), None);
        assert_eq!(serde_json::to_string(&object).unwrap(), deep);
    }
}
