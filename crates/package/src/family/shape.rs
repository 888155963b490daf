//! What every family says of its models, and the architecture of one model.

use crate::graph::GraphSpec;
use crate::signal::{Reach, Signal};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

/// A field and what is wrong with it, to be shown behind the file's name.
pub type FieldError = (String, String);

/// The hyper-parameters of a model: everything of it that the manifest's other fields must agree with.
pub trait Shape: Any + Debug + Send + Sync {
    /// Checks that every hyper-parameter is one that a real model could have. The other functions are called only after
    /// that.
    ///
    /// # Errors
    /// The field and what is wrong with it.
    fn validate(&self) -> Result<(), FieldError>;

    /// Checks that the model can be one of this signal.
    ///
    /// # Errors
    /// What is wrong with it.
    fn check_signal(&self, signal: Signal) -> Result<(), String>;

    /// How much of the past decides what comes next.
    fn reach(&self) -> Reach;

    /// Audio channels.
    fn channels(&self) -> u16 {
        1
    }

    /// Names of the kinds of recordings of which one is asked for; none where there is no choice.
    fn classes(&self) -> &[String] {
        &[]
    }

    /// Number of weights in all graphs together.
    fn parameters(&self) -> u64;

    /// The boundary of every graph, as an exporter writes it into the manifest; hashes are filled in when the package is
    /// written.
    fn graphs(&self) -> Vec<GraphSpec>;

    /// The hyper-parameters as the manifest holds them.
    fn to_json(&self) -> Value;
}

/// One of the published systems: how its models are named, and how their hyper-parameters are read.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// The value of `architecture.family` in a manifest.
    pub tag: &'static str,
    /// The name, for people.
    pub name: &'static str,
    /// Reads the hyper-parameters. Fields that it does not know are left alone.
    pub read: fn(Value) -> Result<Arc<dyn Shape>, serde_json::Error>,
}

impl PartialEq for Family {
    fn eq(&self, other: &Self) -> bool {
        self.tag == other.tag
    }
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The family of a model with its hyper-parameters. Sharing one is cheap.
#[derive(Debug, Clone)]
pub struct Architecture {
    family: Family,
    shape: Arc<dyn Shape>,
}

impl Architecture {
    /// A model of this family and shape.
    pub fn new(family: &Family, shape: impl Shape) -> Self {
        Self::shared(family, Arc::new(shape))
    }

    pub(crate) fn shared(family: &Family, shape: Arc<dyn Shape>) -> Self {
        Self { family: *family, shape }
    }

    /// The family.
    pub fn family(&self) -> &Family {
        &self.family
    }

    /// The hyper-parameters, as every family has them.
    pub fn shape(&self) -> &dyn Shape {
        &*self.shape
    }

    /// The hyper-parameters of one family; `None` where the model is of another.
    pub fn shape_of<S: Shape>(&self) -> Option<&S> {
        let shape: &dyn Any = &*self.shape;
        shape.downcast_ref()
    }

    fn to_json(&self) -> Value {
        let mut json = self.shape.to_json();
        if let Value::Object(fields) = &mut json {
            fields.insert("family".into(), self.family.tag.into());
        }
        json
    }
}

impl PartialEq for Architecture {
    fn eq(&self, other: &Self) -> bool {
        self.family == other.family && self.shape.to_json() == other.shape.to_json()
    }
}

impl Serialize for Architecture {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}
