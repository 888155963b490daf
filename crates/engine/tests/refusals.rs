//! Packages whose parts do not fit together, and models of other kinds. None may panic; each is named.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::support::graph::{crooked, wavenet_graph};
use common::{RandomPackage, STEP, generate, manifest, prime, voice};
use continuo_engine::family::wavenet::WaveNetWeights;
use continuo_engine::{Backend, EngineError, LoadOptions, Model, Sampling, Stepping, Verdict, VoiceRequest};
use continuo_package::family::wavenet::WaveNetShape;
use continuo_package::onnx::{INT64, ModelProto, TensorProto, ValueInfoProto};
use continuo_package::{
    ElementType, GraphRole, GraphSpec, Manifest, PackageError, PackageWriter, Reach, Signal, TensorSpec,
};
use prost::Message;
use std::sync::atomic::AtomicBool;

/// The refusal of a package with a changed graph.
fn refused_graph(change: impl FnOnce(&mut ModelProto)) -> String {
    let package = RandomPackage::changed(crooked(), change);
    let error = Model::load(&package.path, &LoadOptions::default()).unwrap_err();
    assert!(matches!(error, EngineError::Graph { .. } | EngineError::Package(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("random.continuo") && text.contains("step.onnx"), "{text}");
    text
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
    // One variation of this is fine, and is not even touched here; so many are not.
    let package = RandomPackage::new(long(1 << 18));
    let error = package.native().voice(&VoiceRequest::new(Sampling::default(), 0..64)).unwrap_err();
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

/// The refusal of a manifest when it is to be written; reading makes the same checks.
fn refused_manifest(change: impl FnOnce(&mut Manifest)) -> (String, String) {
    let shape = crooked();
    let mut manifest = manifest(&shape);
    // A graph that is called otherwise has no hash filled in, which would be refused first.
    manifest.graphs[0].sha256 = "0".repeat(64);
    change(&mut manifest);
    let writer = PackageWriter::new(manifest, "x").graph(STEP, wavenet_graph(&shape, 1).encode_to_vec());
    match writer.write(std::path::Path::new("random.continuo")).unwrap_err() {
        PackageError::Field { field, reason, .. } => (field, reason),
        other => panic!("{other}"),
    }
}

#[test]
fn manifests_that_differ_from_the_architecture_are_named() {
    let changed = |change: fn(&mut GraphSpec)| refused_manifest(|manifest| change(&mut manifest.graphs[0]));
    let (field, reason) = changed(|spec| spec.state[0].initial = 3.0);
    assert!(field == "graphs.step.state.causal" && reason.contains("starts at 3"), "{field} {reason}");
    // States that go crosswise: names and shapes are all there.
    let (field, reason) = changed(|spec| {
        let output = spec.state[1].output.clone();
        spec.state[1].output = std::mem::replace(&mut spec.state[2].output, output);
    });
    assert!(field.contains("state.layer") && reason.contains("goes to"), "{field} {reason}");
    let (field, reason) = changed(|spec| spec.inputs[0].element = ElementType::F32);
    assert!(field == "graphs.step.codes" && reason.contains("must be I64"), "{field} {reason}");
    let (field, reason) = changed(|spec| {
        let pair = spec.state.pop().unwrap();
        spec.inputs.push(TensorSpec::new(pair.input, pair.element, &pair.shape));
        spec.outputs.push(TensorSpec::new(pair.output, pair.element, &pair.shape));
    });
    assert!(field.contains("state.layer") && reason.contains("input that the architecture"), "{field} {reason}");
    let (field, _) = changed(|spec| spec.hop_frames = 8);
    assert_eq!(field, "graphs.step.hop_frames");
    let (field, _) = changed(|spec| spec.id.role = GraphRole::Prior);
    assert_eq!(field, "graphs.step");
    let (field, _) = changed(|spec| spec.id.level = 1);
    assert_eq!(field, "graphs.step");
    let (field, _) = refused_manifest(|manifest| {
        let twin = GraphSpec { file: "other.onnx".into(), ..manifest.graphs[0].clone() };
        manifest.graphs.push(twin);
    });
    assert_eq!(field, "graphs.step");
    let (field, _) = refused_manifest(|manifest| manifest.reach = Reach::Unbounded);
    assert_eq!(field, "reach");
    let (field, _) = refused_manifest(|manifest| manifest.channels = 2);
    assert_eq!(field, "channels");
    let (field, _) = refused_manifest(|manifest| manifest.signal = Signal::Real);
    assert_eq!(field, "signal");
}

#[test]
fn a_model_works_without_the_library() {
    let model = RandomPackage::new(crooked()).native();
    let backend = model.backend(None);
    assert!(matches!(backend, Backend::Native { verdict: Verdict::NotChecked, .. }));
    assert!(backend.to_string().contains("not checked"), "{backend}");
    let mut out = vec![Vec::new()];
    generate(&mut *voice(&model, Sampling::default(), 0..1), 10, &mut out);
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
    let mut two = voice(&model, Sampling::default(), 5..7);
    prime(&mut *two, &[0.1, 0.2]);
    let error = two.generate(1, &mut [vec![], vec![]], &AtomicBool::new(false)).unwrap_err();
    assert!(matches!(error, EngineError::NotFinite { variation: 5, frame: 2, .. }), "{error:?}");
    assert!(error.to_string().contains("variation 5, frame 2"), "{error}");
}

#[test]
fn the_identity_of_a_model_is_its_files_hash() {
    let package = RandomPackage::new(crooked());
    let model = package.native();
    assert_eq!(model.content_hash(), continuo_package::hash::sha256_hex(&std::fs::read(&package.path).unwrap()));
    assert_eq!(model.path(), package.path);
    assert_eq!(model.sample_rate_hz(), 16_000);
}
