//! Shapes that are refused, graphs that have the boundary of their specification, and what the reference promises.

use super::reference::Reference;
use super::*;
use crate::onnx::check_boundary;
use crate::{Architecture, Families};

fn decoder(levels: u32) -> WaveNetShape {
    WaveNetShape {
        levels,
        dilations: WaveNetShape::doubling_dilations(2, 3),
        residual_channels: 4,
        dilation_channels: 3,
        skip_channels: 5,
        end_channels: 6,
        ..WaveNetShape::default()
    }
}

fn convolutions(blocks: u32, channels: u32) -> Convolutions {
    Convolutions { blocks, cycle: 2, filter_width: 3, channels }
}

fn level(symbols: u32, hop: u32, codes: u32, quantiser: Quantiser) -> Autoencoder {
    Autoencoder {
        hop,
        codes,
        code_channels: if quantiser == Quantiser::Vq { 3 } else { 0 },
        quantiser,
        encoder: convolutions(3, 4),
        modulator: convolutions(2, 5),
        decoder: decoder(symbols),
    }
}

fn one(quantiser: Quantiser, input: Input) -> AdaShape {
    let autoencoders = vec![level(16, 4, 8, quantiser)];
    AdaShape { levels: 16, input, autoencoders, prior: Some(decoder(8)) }
}

fn two() -> AdaShape {
    let autoencoders = vec![level(16, 4, 8, Quantiser::Vq), level(8, 2, 6, Quantiser::Amae)];
    AdaShape { levels: 16, input: Input::Continuous, autoencoders, prior: Some(decoder(6)) }
}

/// Weights that differ from one another and are the same for the same name, wherever they lie.
fn weights(_: GraphId, name: &str, axes: &[usize]) -> Vec<f32> {
    let mut state = name.bytes().fold(17u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    std::iter::repeat_with(next).take(axes.iter().product()).collect()
}

fn shapes() -> Vec<AdaShape> {
    let all = [Quantiser::Vq, Quantiser::Amae, Quantiser::SoftmaxAmae];
    let ones = all.into_iter().flat_map(|quantiser| [Input::OneHot, Input::Continuous].map(|i| one(quantiser, i)));
    ones.chain([two(), AdaShape { prior: None, ..two() }]).collect()
}

#[test]
fn every_graph_has_the_boundary_of_its_specification() {
    for shape in shapes() {
        assert_eq!(shape.validate(), Ok(()));
        let mut counted = 0;
        for spec in shape.graphs() {
            let model = graph::graph(&shape, spec.id, |name, axes| weights(spec.id, name, axes)).unwrap();
            let graph = model.graph.as_ref().unwrap();
            check_boundary(&spec, graph).unwrap();
            let own = graph::tensors(&shape, spec.id);
            let of_own = graph.initializer.iter().filter(|tensor| own.iter().any(|(name, _)| *name == tensor.name));
            counted += of_own.map(|tensor| tensor.dims.iter().product::<i64>() as u64).sum::<u64>();
        }
        let codebooks = shape.autoencoders.iter().map(|level| u64::from(level.codes * level.code_channels));
        assert_eq!(Shape::parameters(&shape), counted - codebooks.sum::<u64>());
    }
}

#[test]
fn the_manifest_holds_the_shape_and_the_families_know_it() {
    for shape in shapes() {
        let architecture = Architecture::new(&FAMILY, shape.clone());
        let json = serde_json::to_value(&architecture).unwrap();
        assert_eq!(json["family"], "ada");
        let read = Families::default().read(json).unwrap();
        assert_eq!(read.shape_of::<AdaShape>(), Some(&shape));
    }
}

#[test]
fn two_levels_have_the_graphs_of_both_and_one_prior_on_top() {
    let names: Vec<String> = two().graphs().iter().map(|graph| graph.file.clone()).collect();
    let expected = ["encoder", "modulator", "step", "encoder.1", "modulator.1", "step.1", "prior.1"];
    assert_eq!(names, expected.map(|name| format!("{name}.onnx")));
    let hops: Vec<u32> = two().graphs().iter().map(|graph| graph.hop_frames).collect();
    assert_eq!(hops, [4, 4, 1, 8, 8, 4, 8]);
}

#[test]
fn the_reach_holds_every_way_on_which_audio_decides_the_next_frame() {
    // Local model: 2·7 + 1 + 1 frames, modulator 1 + 2 codes of 4 frames, one hop, encoder 1 + 2 + 1 frames; or 16 codes of the prior.
    assert_eq!(one(Quantiser::Vq, Input::OneHot).receptive_field_frames(), 16 * 4 + 4 + 4);
    let without = AdaShape { prior: None, ..one(Quantiser::Vq, Input::OneHot) };
    assert_eq!(without.receptive_field_frames(), 16 + 3 * 4 + 4 + 4);
    // The prior over codes of 8 frames; the second encoder looks four codes of 4 frames further.
    assert_eq!(two().receptive_field_frames(), 16 * 8 + 8 + 4 + 4 * 4);
}

#[test]
fn absurd_shapes_are_refused_by_field() {
    let refused = |change: fn(&mut AdaShape)| {
        let mut shape = two();
        change(&mut shape);
        shape.validate().err().map(|(field, _)| field).unwrap_or_default()
    };
    assert_eq!(refused(|_| ()), "");
    assert_eq!(refused(|shape| shape.levels = 1), "levels");
    assert_eq!(refused(|shape| shape.autoencoders.clear()), "autoencoders");
    assert_eq!(refused(|shape| shape.autoencoders = vec![shape.autoencoders[0].clone(); 3]), "autoencoders");
    assert_eq!(refused(|shape| shape.autoencoders[0].hop = 0), "autoencoders.0.hop");
    assert_eq!(refused(|shape| shape.autoencoders[0].hop = u32::MAX), "autoencoders.0.hop");
    assert_eq!(refused(|shape| shape.autoencoders[1].codes = 1), "autoencoders.1.codes");
    assert_eq!(refused(|shape| shape.autoencoders[0].code_channels = 0), "autoencoders.0.code_channels");
    assert_eq!(refused(|shape| shape.autoencoders[1].code_channels = 1), "autoencoders.1.code_channels");
    assert_eq!(refused(|shape| shape.autoencoders[0].encoder.cycle = 0), "autoencoders.0.encoder.cycle");
    assert_eq!(refused(|shape| shape.autoencoders[0].encoder.cycle = 40), "autoencoders.0.encoder.cycle");
    assert_eq!(refused(|shape| shape.autoencoders[0].encoder.filter_width = 2), "autoencoders.0.encoder.filter_width");
    assert_eq!(refused(|shape| shape.autoencoders[0].modulator.blocks = 9999), "autoencoders.0.modulator.blocks");
    assert_eq!(refused(|shape| shape.autoencoders[0].modulator.channels = 0), "autoencoders.0.modulator.channels");
    assert_eq!(refused(|shape| shape.autoencoders[1].decoder.levels = 16), "autoencoders.1.decoder.levels");
    assert_eq!(refused(|shape| shape.autoencoders[0].codes = 9), "autoencoders.1.decoder.levels");
    assert_eq!(refused(|shape| shape.autoencoders[0].decoder.dilations.clear()), "autoencoders.0.decoder.dilations");
    assert_eq!(
        refused(|shape| {
            shape.autoencoders[0].decoder.dilations = vec![1; 512];
            shape.autoencoders[0].decoder.dilation_channels = 16_384;
        }),
        "autoencoders.0.decoder.dilation_channels"
    );
    let classes = |shape: &mut AdaShape| shape.autoencoders[0].decoder.classes = vec!["a".into()];
    assert_eq!(refused(classes), "autoencoders.0.decoder.classes");
    let prior = |shape: &mut AdaShape| shape.prior = Some(decoder(8));
    assert_eq!(refused(prior), "prior.levels");
    // Each size is possible, together they are not.
    let wide = |shape: &mut AdaShape| {
        shape.autoencoders[0].encoder = Convolutions { blocks: 256, channels: 16_384, ..convolutions(1, 1) };
    };
    assert_eq!(refused(wide), "autoencoders");
    let far = |shape: &mut AdaShape| {
        shape.autoencoders[0].hop = 4096;
        shape.autoencoders[1].hop = 4096;
        shape.prior = Some(WaveNetShape { dilations: vec![1 << 20; 9], ..decoder(6) });
    };
    assert_eq!(refused(far), "autoencoders");
    assert!(one(Quantiser::Vq, Input::OneHot).check_signal(Signal::Real).is_err());
    assert!(one(Quantiser::Vq, Input::OneHot).check_signal(Signal::MuLaw { levels: 256 }).is_err());
}

#[test]
fn what_a_code_says_reaches_as_far_as_stated_and_no_further() {
    let shape = one(Quantiser::Vq, Input::OneHot);
    let network = Reference::new(&shape, weights);
    let symbols: Vec<u32> = (0..80).map(|t| (t * t + 3 * t) % 16).collect();
    let mut other = symbols.clone();
    other[40] = (other[40] + 7) % 16;
    let [before, after] = [&symbols, &other].map(|symbols| network.encoded(0, symbols));
    let changed: Vec<usize> = (0..before.len()).filter(|&code| before[code] != after[code]).collect();
    let reach = shape.autoencoders[0].encoder.reach() as usize;
    assert_eq!(reach, 4);
    assert_eq!((changed[0], changed[changed.len() - 1]), ((40 - reach) / 4, (40 + reach) / 4));

    let codes = network.encode(0, &symbols);
    let mut other = codes.clone();
    other[10] = (other[10] + 1) % 8;
    let [before, after] = [&codes, &other].map(|codes| network.modulate(0, codes));
    let changed: Vec<usize> = (0..before.len()).filter(|&code| before[code] != after[code]).collect();
    let reach = shape.autoencoders[0].modulator.reach() as usize;
    assert_eq!((changed[0], changed[changed.len() - 1]), (10 - reach, 10 + reach));
}

#[test]
fn a_local_model_that_is_told_nothing_is_a_wavenet() {
    let shape = one(Quantiser::Amae, Input::OneHot);
    let symbols: Vec<u32> = (0..40).map(|t| (t * 5 + 1) % 16).collect();
    let silent = |id: GraphId, name: &str, axes: &[usize]| match name {
        "modulator.output.weight" | "modulator.output.bias" => vec![0.0; axes.iter().product()],
        _ => weights(id, name, axes),
    };
    let mut network = Reference::new(&shape, silent);
    let codes = network.encode(0, &symbols);
    let told = network.decode(0, &symbols, &codes);
    let decoder = network.decoder_mut(0);
    decoder.forget();
    let before = std::iter::once(8).chain(symbols.iter().copied());
    let untold: Vec<Vec<f64>> = before.take(40).map(|symbol| decoder.step(symbol)).collect();
    assert_eq!(told, untold);
    // Told something, it says something else, and about the codes' own frames.
    let mut network = Reference::new(&shape, weights);
    assert_ne!(network.decode(0, &symbols, &codes), untold);
}
