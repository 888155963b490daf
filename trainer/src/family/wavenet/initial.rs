//! Starting from a WaveNet that was trained before.

use continuo_package::family::wavenet::FAMILY;
use continuo_package::{Architecture, GraphId, GraphRole, Package, onnx};

use super::config::Config;
use super::parameters::Table;
use super::signal::signal;

/// The weights of a package, which must hold a model of the configuration's architecture.
///
/// # Errors
/// Why it does not, in words.
pub fn weights(package: &Package, config: &Config, table: &Table) -> Result<Vec<f32>, String> {
    let manifest = &package.manifest;
    let shape = &table.shape;
    let same = manifest.architecture == Architecture::new(&FAMILY, shape.clone())
        && manifest.sample_rate_hz == config.model.sample_rate_hz
        && manifest.channels == 1
        && manifest.signal == signal(shape);
    if !same {
        return Err(
            "its model has another architecture or rate than the configuration; `continuo-trainer inspect` shows \
                    both, since a package holds the configuration that it was trained with"
                .into(),
        );
    }
    let graph = package.graphs.get(&GraphId::of(GraphRole::Step)).ok_or("has no step graph")?;
    let graph = onnx::decode(graph)?.graph.ok_or("its graph is empty")?;
    let mut values = vec![0.0; table.weights()];
    for tensor in table.tensors() {
        let found = graph.initializer.iter().find(|found| found.name == tensor.name);
        let weights = found.and_then(onnx::TensorProto::to_f32).unwrap_or_default();
        if weights.len() != tensor.len() || weights.iter().any(|weight| !weight.is_finite()) {
            return Err(format!("the tensor {} is missing or damaged; choose another package", tensor.name));
        }
        values[tensor.range()].copy_from_slice(&weights);
    }
    Ok(values)
}
