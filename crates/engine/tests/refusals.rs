//! Packages whose parts do not fit together, and models of other kinds. None may panic; each is named.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::support::graph::{crooked, small, wavenet_graph};
use common::{RandomPackage, manifest, write_package};
use continuo_engine::weights::WaveNetWeights;
use continuo_engine::{EngineError, Generator, LoadOptions, Model, Sampling, Stepper, Stepping, Verdict};
use continuo_package::onnx::{INT64, ModelProto, TensorProto, ValueInfoProto};
use continuo_package::wavenet::WaveNetShape;
use continuo_package::{Architecture, ElementType, Family, Generation, GraphRole, Manifest, Quantisation};

/// The refusal of a package with a changed graph.
fn refused_graph(change: impl FnOnce(&mut ModelProto)) -> String {
    let package = RandomPackage::changed(crooked(), change);
    let error = Model::load(&package.path, &LoadOptions::default()).unwrap_err();
    assert!(matches!(error, EngineError::Graph { .. } | EngineError::Package(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("random.continuo") && text.contains("step.onnx"), "{text}");
    text
}

/// The refusal of a package with a changed manifest.
fn refused_manifest(change: impl FnOnce(&mut Manifest)) -> EngineError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("random.continuo");
    let shape = crooked();
    let mut manifest = manifest(&shape);
    change(&mut manifest);
    write_package(&path, manifest, &wavenet_graph(&shape, 1));
    let error = Model::load(&path, &LoadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("random.continuo"), "{error}");
    error
}

fn tensor<'a>(model: &'a mut ModelProto, name: &str) -> &'a mut TensorProto {
    let tensors = &mut model.graph.as_mut().unwrap().initializer;
    tensors.iter_mut().find(|tensor| tensor.name == name).unwrap()
}

#[test]
fn weights_that_do_not_fit_the_architecture_are_named() {
    let text = refused_graph(|model| tensor(model, "layer.2.dilated.weight").name = "other".into());
    assert!(text.contains("layer.2.dilated.weight is missing"), "{text}");
    let text = refused_graph(|model| {
        // The same number of weights in another order of axes.
        let tensor = tensor(model, "layer.1.skip.weight");
        tensor.dims.swap(0, 1);
    });
    assert!(text.contains("layer.1.skip.weight has the shape"), "{text}");
    let text = refused_graph(|model| {
        *tensor(model, "end.0.weight") = TensorProto::from_f32("end.0.weight", &[1, 1, 1], &[0.5]);
    });
    assert!(text.contains("end.0.weight has the shape [1, 1, 1]"), "{text}");
    let text = refused_graph(|model| {
        let count = tensor(model, "end.1.weight").dims.iter().product::<i64>() as usize;
        let dims: Vec<usize> = tensor(model, "end.1.weight").dims.iter().map(|&axis| axis as usize).collect();
        *tensor(model, "end.1.weight") = TensorProto::from_i64("end.1.weight", &dims, &vec![1; count]);
    });
    assert!(text.contains("end.1.weight does not hold 32-bit floats"), "{text}");
    let text = refused_graph(|model| {
        let twin = tensor(model, "causal.tap0.weight").clone();
        model.graph.as_mut().unwrap().initializer.push(twin);
    });
    assert!(text.contains("twice"), "{text}");
    let text = refused_graph(|model| {
        let extra = TensorProto::from_f32("causal.bias", &[19], &[0.0; 19]);
        model.graph.as_mut().unwrap().initializer.push(extra);
    });
    assert!(text.contains("causal.bias is there, but"), "{text}");
    let text = refused_graph(|model| {
        let extra = TensorProto::from_f32("layer.3.residual.weight", &[1], &[0.0]);
        model.graph.as_mut().unwrap().initializer.push(extra);
    });
    assert!(text.contains("layer.3.residual.weight is there, but"), "{text}");
}

#[test]
fn weights_that_are_no_numbers_are_refused() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let text = refused_graph(|model| {
            let tensor = tensor(model, "layer.0.residual.weight");
            tensor.raw_data[40..44].copy_from_slice(&bad.to_le_bytes());
        });
        assert!(text.contains("layer.0.residual.weight holds") && text.contains("position 10"), "{text}");
    }
}

#[test]
fn absurd_axes_are_refused_without_taking_memory() {
    // A package with these does not open; a graph may come from elsewhere.
    let shape = crooked();
    for dims in [vec![i64::MAX, i64::MAX, 2], vec![-1, 19, 3], vec![0, 19, 3], vec![1 << 40, 19, 3], vec![]] {
        let mut model = wavenet_graph(&shape, 1);
        tensor(&mut model, "layer.0.dilated.weight").dims = dims;
        let text = WaveNetWeights::from_graph(&shape, model.graph.as_ref().unwrap()).unwrap_err();
        assert!(text.contains("layer.0.dilated.weight has the shape"), "{text}");
    }
    let mut model = wavenet_graph(&shape, 1);
    tensor(&mut model, "layer.0.dilated.weight").raw_data.truncate(40);
    let text = WaveNetWeights::from_graph(&shape, model.graph.as_ref().unwrap()).unwrap_err();
    assert!(text.contains("holds 10 values"), "{text}");
    let absurd = WaveNetShape { dilations: vec![1 << 20; 500], ..shape };
    let text = WaveNetWeights::from_graph(&absurd, model.graph.as_ref().unwrap()).unwrap_err();
    assert!(text.contains("architecture.dilations"), "{text}");
}

#[test]
fn models_that_would_remember_too_much_are_refused() {
    let long = |dilation| WaveNetShape {
        dilations: vec![dilation],
        filter_width: 2,
        residual_channels: 128,
        dilation_channels: 1,
        ..crooked()
    };
    let package = RandomPackage::new(long(1 << 20));
    let error = Model::load(&package.path, &LoadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("MB of memory"), "{error}");
    // One take of this is fine, and is not even touched here; so many are not.
    let package = RandomPackage::new(long(1 << 18));
    let error = Generator::new(&package.native(), Sampling::default(), 0..64).unwrap_err();
    assert!(error.to_string().contains("MB of memory"), "{error}");
}

#[test]
fn boundaries_that_differ_from_the_manifest_are_named() {
    let text = refused_graph(|model| {
        model.graph.as_mut().unwrap().output.retain(|output| output.name != "next_state.layer.1");
    });
    assert!(text.contains("output next_state.layer.1 is missing"), "{text}");
    let text = refused_graph(|model| {
        let extra = ValueInfoProto::tensor("mood", INT64, &[Ok(1)]);
        model.graph.as_mut().unwrap().input.push(extra);
    });
    assert!(text.contains("input mood is not expected"), "{text}");
    let text = refused_graph(|model| {
        let graph = model.graph.as_mut().unwrap();
        graph.input[0] = ValueInfoProto::tensor("codes", INT64, &[Err("B"), Ok(7)]);
    });
    assert!(text.contains("input codes is I64 [-1, 7]"), "{text}");
    let text = refused_graph(|model| {
        let graph = model.graph.as_mut().unwrap();
        graph.output[0] = ValueInfoProto::tensor("logits", 11, &[Err("B"), Ok(61), Err("T")]);
    });
    assert!(text.contains("logits has the element type 11"), "{text}");
    let text = refused_graph(|model| model.graph.as_mut().unwrap().output[0].r#type = None);
    assert!(text.contains("logits has no shape"), "{text}");
}

#[test]
fn manifests_that_differ_from_the_architecture_are_named() {
    let step = |manifest: &mut Manifest| manifest.graphs.get_mut(&GraphRole::Step).unwrap().clone();
    let changed = |change: fn(&mut continuo_package::GraphSpec)| {
        refused_manifest(|manifest| {
            let mut spec = step(manifest);
            change(&mut spec);
            manifest.graphs.insert(GraphRole::Step, spec);
        })
        .to_string()
    };
    let text = changed(|spec| spec.state[0].initial = 3.0);
    assert!(text.contains("starts at 3"), "{text}");
    // Two layers of one size whose states go crosswise: names and shapes are all there.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crossed.continuo");
    let shape = small();
    let mut crossed = manifest(&shape);
    let state = &mut crossed.graphs.get_mut(&GraphRole::Step).unwrap().state;
    let output = state[1].output.clone();
    state[1].output = std::mem::replace(&mut state[7].output, output);
    write_package(&path, crossed, &wavenet_graph(&shape, 1));
    let text = Model::load(&path, &LoadOptions::default()).unwrap_err().to_string();
    assert!(text.contains("goes to"), "{text}");
    let text = changed(|spec| spec.inputs[0].element = ElementType::F32);
    assert!(text.contains("codes"), "{text}");
    let text = changed(|spec| {
        let pair = spec.state.pop().unwrap();
        spec.inputs.push(continuo_package::TensorSpec {
            name: pair.input,
            element: pair.element,
            shape: pair.shape.clone(),
        });
        spec.outputs.push(continuo_package::TensorSpec { name: pair.output, element: pair.element, shape: pair.shape });
    });
    assert!(text.contains("is no state"), "{text}");
}

#[test]
fn models_of_other_kinds_are_refused_with_what_would_play_them() {
    let error = refused_manifest(|manifest| {
        manifest.family = Family::Samplernn;
        manifest.architecture = Architecture::Graph;
    });
    assert!(matches!(error, EngineError::Unsupported { family: Family::Samplernn, .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("SampleRNN") && text.contains(env!("CARGO_PKG_VERSION")) && text.contains("Update"),
        "{text}"
    );
    let fixed = |manifest: &mut Manifest| {
        manifest.family = Family::Gan;
        manifest.architecture = Architecture::Graph;
        manifest.generation = Generation::FixedLength { frames: 16_384 };
    };
    assert!(matches!(refused_manifest(fixed), EngineError::Unsupported { family: Family::Gan, .. }));
    let stereo = |manifest: &mut Manifest| manifest.channels = 2;
    assert!(matches!(refused_manifest(stereo), EngineError::Unsupported { family: Family::Wavenet, .. }));
    let graph_only = |manifest: &mut Manifest| {
        manifest.architecture = Architecture::Graph;
        manifest.quantisation = Quantisation::None;
    };
    assert!(matches!(refused_manifest(graph_only), EngineError::Unsupported { .. }));
}

#[test]
fn a_model_without_a_step_graph_is_refused() {
    let error = refused_manifest(|manifest| {
        let spec = manifest.graphs.remove(&GraphRole::Step).unwrap();
        manifest.graphs.insert(GraphRole::Prior, spec);
    });
    assert!(error.to_string().contains("graphs.step"), "{error}");
}

#[test]
fn a_model_works_without_the_library() {
    let model = RandomPackage::new(crooked()).native();
    assert!(matches!(model.stepper(), Stepper::Native { verdict: Verdict::NotChecked, .. }));
    assert!(model.stepper().to_string().contains("not checked"), "{}", model.stepper());
    let mut out = vec![Vec::new()];
    Generator::new(&model, Sampling::default(), 0..1).unwrap().generate(10, &mut out).unwrap();
    assert_eq!(out[0].len(), 10);
}

#[test]
fn what_needs_the_library_says_so() {
    let package = RandomPackage::new(crooked());
    let options = LoadOptions { stepping: Stepping::OnnxRuntime, ..LoadOptions::default() };
    let error = Model::load(&package.path, &options).unwrap_err();
    assert!(matches!(error, EngineError::NeedsRuntime { .. }), "{error:?}");
    assert!(error.to_string().contains("ONNX Runtime library"), "{error}");
}

#[test]
fn a_model_that_overflows_says_so_and_does_not_panic() {
    let package = RandomPackage::changed(crooked(), |model| {
        for name in ["end.0.weight", "end.1.weight"] {
            let tensor = tensor(model, name);
            let large: Vec<f32> = tensor.to_f32().unwrap().iter().map(|value| value.signum() * 3e38).collect();
            tensor.raw_data = large.iter().flat_map(|value| value.to_le_bytes()).collect();
        }
    });
    let model = package.native();
    let mut generator = Generator::new(&model, Sampling::default(), 5..7).unwrap();
    generator.prime(&[0.1, 0.2]).unwrap();
    let error = generator.step().unwrap_err();
    assert!(matches!(error, EngineError::NotFinite { take: 5, frame: 2, .. }), "{error:?}");
    assert!(error.to_string().contains("take 5, frame 2"), "{error}");
}

#[test]
fn the_identity_of_a_model_is_its_files_hash() {
    let package = RandomPackage::new(crooked());
    let model = package.native();
    assert_eq!(model.content_hash(), continuo_package::hash::sha256_hex(&std::fs::read(&package.path).unwrap()));
    assert_eq!(model.path(), package.path);
    assert_eq!(model.sample_rate_hz(), 16_000);
}
