//! A WaveNet graph with random weights, as the trainer exports one: standard operators, explicit state, opset 18.

use continuo_package::family::wavenet::{WaveNetShape, names};
use continuo_package::onnx::{
    AttributeProto, FLOAT, GraphProto, INT64, IR_VERSION, ModelProto, NodeProto, OPSET, OperatorSetIdProto,
    TensorProto, ValueInfoProto,
};

/// `SplitMix64` (Steele, Lea & Flood, 2014): enough for weights and clips that are the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// From −1 to 1.
    pub fn signed(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

/// Thirty layers of 64 residual, 64 gate and 256 skip channels: the network of the timing tables.
pub fn thirty_layers() -> WaveNetShape {
    WaveNetShape {
        levels: 256,
        dilations: WaveNetShape::doubling_dilations(3, 10),
        filter_width: 2,
        residual_channels: 64,
        dilation_channels: 64,
        skip_channels: 256,
        end_channels: 256,
        biases: true,
    }
}

/// `wavenet-piano-2016`: the system of Kozakowski & Michalak's blog post.
pub fn piano_2016() -> WaveNetShape {
    WaveNetShape {
        dilations: WaveNetShape::doubling_dilations(5, 11),
        skip_channels: 1024,
        end_channels: 1024,
        ..thirty_layers()
    }
}

/// Small, with no axis a multiple of a vector, three taps and no biases: what a mistake in padding shows in.
pub fn crooked() -> WaveNetShape {
    WaveNetShape {
        levels: 61,
        dilations: vec![1, 3, 2, 5],
        filter_width: 3,
        residual_channels: 19,
        dilation_channels: 21,
        skip_channels: 37,
        end_channels: 70,
        biases: false,
    }
}

/// Small and quick, with the proportions of a real one.
pub fn small() -> WaveNetShape {
    WaveNetShape {
        levels: 256,
        dilations: WaveNetShape::doubling_dilations(2, 6),
        filter_width: 2,
        residual_channels: 32,
        dilation_channels: 32,
        skip_channels: 64,
        end_channels: 64,
        biases: true,
    }
}

struct Builder {
    graph: GraphProto,
    random: Random,
}

impl Builder {
    fn weight(&mut self, name: &str, dims: &[usize]) {
        // Uniform with the variance that keeps a signal's level (Glorot & Bengio 2010), a little more for lively logits.
        let fan_in: usize = if dims.len() == 3 { dims[1] * dims[2] } else { 3 };
        let bound = (3.0 / fan_in as f32).sqrt() * if name.starts_with("end.1") { 3.0 } else { 1.0 };
        let values: Vec<f32> = (0..dims.iter().product()).map(|_| self.random.signed() * bound).collect();
        self.graph.initializer.push(TensorProto::from_f32(name, dims, &values));
    }

    fn ints(&mut self, name: &str, values: &[i64]) {
        self.graph.initializer.push(TensorProto::from_i64(name, &[values.len()], values));
    }

    fn node(&mut self, op: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) {
        self.graph.node.push(NodeProto::new(op, inputs, &[output], attributes));
    }

    fn slice(&mut self, input: &str, output: &str, (start, end, axis): (i64, i64, i64)) {
        let part = |part: &str| format!("{output}.{part}");
        let (starts, ends, axes) = (part("starts"), part("ends"), part("axes"));
        self.ints(&starts, &[start]);
        self.ints(&ends, &[end]);
        self.ints(&axes, &[axis]);
        self.node("Slice", &[input, &starts, &ends, &axes], output, vec![]);
    }

    fn conv(
        &mut self,
        (input, output): (&str, &str),
        (weight, bias): (String, String),
        dims: [usize; 3],
        more: (bool, u32),
    ) {
        let (biases, dilation) = more;
        self.weight(&weight, &dims);
        let attributes = vec![
            AttributeProto::ints("dilations", &[i64::from(dilation)]),
            AttributeProto::ints("kernel_shape", &[dims[2] as i64]),
        ];
        if biases {
            self.weight(&bias, &dims[..1]);
            self.node("Conv", &[input, &weight, &bias], output, attributes);
        } else {
            self.node("Conv", &[input, &weight], output, attributes);
        }
    }
}

/// The graph of a WaveNet with random weights.
pub fn wavenet_graph(shape: &WaveNetShape, rng_seed: u64) -> ModelProto {
    let [q, r, d, s, e, f] = [
        shape.levels,
        shape.residual_channels,
        shape.dilation_channels,
        shape.skip_channels,
        shape.end_channels,
        shape.filter_width,
    ]
    .map(|axis| axis as usize);
    let history = f as i64 - 1;
    let biases = shape.biases;
    let mut b =
        Builder { graph: GraphProto { name: "step".into(), ..GraphProto::default() }, random: Random(rng_seed) };

    b.graph.input.push(ValueInfoProto::tensor(names::CODES, INT64, &[Err("B"), Err("T")]));
    b.graph.input.push(ValueInfoProto::tensor(names::STATE_CAUSAL, INT64, &[Err("B"), Ok(history)]));
    b.graph.output.push(ValueInfoProto::tensor(names::LOGITS, FLOAT, &[Err("B"), Ok(q as i64), Err("T")]));
    let next_causal = names::next(names::STATE_CAUSAL);
    b.graph.output.push(ValueInfoProto::tensor(next_causal.as_str(), INT64, &[Err("B"), Ok(history)]));

    b.node("Concat", &[names::STATE_CAUSAL, names::CODES], "codes.all", vec![AttributeProto::int("axis", 1)]);
    b.slice("codes.all", &next_causal, (-history, i64::MAX, 1));
    let mut sum = String::new();
    for tap in 0..f {
        let (codes, part, weight) = (format!("codes.tap{tap}"), format!("causal.part{tap}"), names::causal_tap(tap));
        let end = tap as i64 - history;
        b.slice("codes.all", &codes, (tap as i64, if end == 0 { i64::MAX } else { end }, 1));
        b.weight(&weight, &[q, r]);
        b.node("Gather", &[&weight, &codes], &part, vec![AttributeProto::int("axis", 0)]);
        if tap > 0 {
            let next = format!("causal.sum{tap}");
            b.node("Add", &[&sum, &part], &next, vec![]);
            sum = next;
        } else {
            sum = part;
        }
    }
    if biases {
        b.weight(names::CAUSAL_BIAS, &[r]);
        b.node("Add", &[&sum, names::CAUSAL_BIAS], "causal.biased", vec![]);
        sum = "causal.biased".into();
    }
    let mut x = "x.0".to_owned();
    b.node("Transpose", &[&sum], &x, vec![AttributeProto::ints("perm", &[0, 2, 1])]);

    b.ints("gate.halves", &[d as i64, d as i64]);
    let mut skip = String::new();
    for (i, &dilation) in shape.dilations.iter().enumerate() {
        let name = |part: &str| format!("layer.{i}.{part}");
        let (state, length) = (names::state_layer(i), i64::from(dilation) * history);
        let next = names::next(&state);
        b.graph.input.push(ValueInfoProto::tensor(state.as_str(), FLOAT, &[Err("B"), Ok(r as i64), Ok(length)]));
        b.graph.output.push(ValueInfoProto::tensor(next.as_str(), FLOAT, &[Err("B"), Ok(r as i64), Ok(length)]));
        let (seen, h) = (name("seen"), name("h"));
        b.node("Concat", &[&state, &x], &seen, vec![AttributeProto::int("axis", 2)]);
        b.slice(&seen, &next, (-length, i64::MAX, 2));
        let weight = (names::dilated_weight(i), names::dilated_bias(i));
        b.conv((&seen, &h), weight, [2 * d, r, f], (biases, dilation));
        let (filter, gate) = (name("filter"), name("gate"));
        let axis = vec![AttributeProto::int("axis", 1)];
        b.graph.node.push(NodeProto::new("Split", &[&h, "gate.halves"], &[&filter, &gate], axis));
        let (tanh, sigmoid, z) = (name("tanh"), name("sigmoid"), name("z"));
        b.node("Tanh", &[&filter], &tanh, vec![]);
        b.node("Sigmoid", &[&gate], &sigmoid, vec![]);
        b.node("Mul", &[&tanh, &sigmoid], &z, vec![]);
        let part = name("skip");
        b.conv((&z, &part), (names::skip_weight(i), names::skip_bias(i)), [s, d, 1], (biases, 1));
        if i > 0 {
            let sum = name("skip.sum");
            b.node("Add", &[&skip, &part], &sum, vec![]);
            skip = sum;
        } else {
            skip = part;
        }
        if i + 1 < shape.dilations.len() {
            let (part, next) = (name("residual"), format!("x.{}", i + 1));
            b.conv((&z, &part), (names::residual_weight(i), names::residual_bias(i)), [r, d, 1], (biases, 1));
            b.node("Add", &[&x, &part], &next, vec![]);
            x = next;
        }
    }
    b.node("Relu", &[&skip], "skip.relu", vec![]);
    b.conv(("skip.relu", "y"), (names::end_weight(0), names::end_bias(0)), [e, s, 1], (biases, 1));
    b.node("Relu", &["y"], "y.relu", vec![]);
    b.conv(("y.relu", names::LOGITS), (names::end_weight(1), names::end_bias(1)), [q, e, 1], (biases, 1));

    let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: OPSET }];
    ModelProto { ir_version: IR_VERSION, graph: Some(b.graph), opset_import, ..ModelProto::default() }
}
