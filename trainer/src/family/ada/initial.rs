//! Starting from a discrete autoencoder that was trained before.

use std::sync::Arc;

use continuo_package::family::ada::{AdaShape, names};
use continuo_package::{GraphId, Package, onnx};

use super::config::Config;
use super::model::{Model, ROLES};
use crate::nn::Tensors;

/// What a package holds of a level.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The weights, in the model's layout.
    pub weights: Tensors,
    /// `[K, D]`; empty where there is no codebook.
    pub codebook: Vec<f32>,
}

/// The weights of a package, which must hold a level of the configuration's architecture.
///
/// # Errors
/// Why it does not, in words.
pub fn weights(package: &Package, config: &Config, model: &Model) -> Result<Found, String> {
    let manifest = &package.manifest;
    let shape = manifest.architecture.shape_of::<AdaShape>();
    let level = config.level;
    let same = shape.is_some_and(|shape| {
        shape.autoencoder(level) == Some(model.autoencoder())
            && shape.symbols(level) == model.symbols()
            && shape.has_amplitudes(level) == model.shape().has_amplitudes(0)
            && (level > 0
                || manifest.signal == config.signal() && manifest.sample_rate_hz == config.model.sample_rate_hz)
    });
    if !same {
        return Err(
            "its model has another architecture or rate than the configuration; `continuo-trainer inspect` shows \
                    both, since a package holds the configuration that it was trained with"
                .into(),
        );
    }
    let mut found = Found { weights: Tensors::zeros(Arc::clone(&model.layout)), codebook: Vec::new() };
    let mut taken = 0;
    for role in ROLES {
        let id = GraphId { role, level };
        let graph = package.graphs.get(&id).ok_or_else(|| format!("has no graph {id}"))?;
        let graph = onnx::decode(graph)?.graph.ok_or("a graph of it is empty")?;
        for tensor in &graph.initializer {
            let values = || tensor.to_f32().filter(|values| values.iter().all(|value| value.is_finite()));
            let damaged = || format!("the tensor {} is damaged; choose another package", tensor.name);
            if tensor.name == names::CODEBOOK {
                found.codebook = values().ok_or_else(damaged)?;
            } else if let Some(place) = model.layout.find(&tensor.name) {
                let values = values().filter(|values| values.len() == place.len()).ok_or_else(damaged)?;
                found.weights.values[place.range()].copy_from_slice(&values);
                taken += 1;
            }
        }
    }
    if taken != model.layout.tensors().len() {
        return Err(format!(
            "holds {taken} of {} tensors of the level; choose another package",
            model.layout.tensors().len()
        ));
    }
    Ok(found)
}
