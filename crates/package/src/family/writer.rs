//! Putting the nodes of a graph together, for the graphs of all families.

use super::wavenet::{Activation, names};
use crate::onnx::{
    AttributeProto, FLOAT, GraphProto, IR_VERSION, ModelProto, NodeProto, OPSET, OperatorSetIdProto, TensorProto,
    ValueInfoProto,
};

/// A graph that is being written.
#[derive(Default)]
pub(super) struct Writer {
    pub graph: GraphProto,
}

impl Writer {
    /// Whether there is a weight of this name.
    pub fn has(&self, weight: &str) -> bool {
        self.graph.initializer.iter().any(|tensor| tensor.name == weight)
    }

    /// A list of whole numbers.
    pub fn constant(&mut self, name: &str, values: &[i64]) {
        self.graph.initializer.push(TensorProto::from_i64(name, &[values.len()], values));
    }

    /// A node of one output.
    pub fn node(&mut self, op: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) {
        self.graph.node.push(NodeProto::new(op, inputs, &[output], attributes));
    }

    /// A node without attributes. Gives back its output's name.
    pub fn op(&mut self, op: &str, inputs: &[&str], output: String) -> String {
        self.node(op, inputs, &output, Vec::new());
        output
    }

    /// What `input` becomes under a function of each value. Gives back its output's name.
    pub fn activation(&mut self, activation: Activation, input: String, name: &str) -> String {
        let scalar = |writer: &mut Self, part: &str, value: f32| {
            let name = format!("{name}.{part}");
            writer.graph.initializer.push(TensorProto::from_f32(name.as_str(), &[], &[value]));
            name
        };
        match activation {
            Activation::None => input,
            Activation::Relu => self.op("Relu", &[&input], format!("{name}.relu")),
            Activation::Tanh => self.op("Tanh", &[&input], format!("{name}.tanh")),
            Activation::ScaledTanh => {
                let slope = scalar(self, "slope", Activation::SLOPE);
                let amplitude = scalar(self, "amplitude", Activation::AMPLITUDE);
                let steep = self.op("Mul", &[&input, &slope], format!("{name}.steep"));
                let tanh = self.op("Tanh", &[&steep], format!("{name}.tanh"));
                self.op("Mul", &[&tanh, &amplitude], format!("{name}.scaled"))
            }
        }
    }

    /// A state input and the output that becomes it. Gives back the output's name.
    pub fn state(&mut self, name: &str, element: i32, axes: &[Result<i64, &str>]) -> String {
        let next = names::next(name);
        self.graph.input.push(ValueInfoProto::tensor(name, element, axes));
        self.graph.output.push(ValueInfoProto::tensor(next.as_str(), element, axes));
        next
    }

    /// `input[start..end]` along one axis.
    pub fn slice(&mut self, input: &str, output: &str, start: i64, end: i64, axis: i64) {
        let parts = [("start", start), ("end", end), ("axis", axis)].map(|(part, value)| {
            let name = format!("{output}.{part}");
            self.constant(&name, &[value]);
            name
        });
        let [start, end, axis] = &parts;
        self.node("Slice", &[input, start, end, axis], output, Vec::new());
    }

    /// A convolution without padding; with the bias, if the model has it.
    pub fn conv(&mut self, input: &str, weight: &str, bias: &str, output: &str, taps: i64, dilation: i64) {
        self.padded_conv(input, [weight, bias], output, taps, dilation, 0);
    }

    /// A convolution with so many zeros on either side; with the bias, if the model has it.
    pub fn padded_conv(
        &mut self,
        input: &str,
        [weight, bias]: [&str; 2],
        output: &str,
        taps: i64,
        dilation: i64,
        padding: i64,
    ) {
        let mut attributes =
            vec![AttributeProto::ints("dilations", &[dilation]), AttributeProto::ints("kernel_shape", &[taps])];
        if padding > 0 {
            attributes.push(AttributeProto::ints("pads", &[padding, padding]));
        }
        if self.has(bias) {
            self.node("Conv", &[input, weight, bias], output, attributes);
        } else {
            self.node("Conv", &[input, weight], output, attributes);
        }
    }

    /// What codes `[B, T]` become on their way in: the row of `weight` that each code chooses, or, where the codes stand for
    /// amplitudes in equal steps from −1 to 1 (`amplitudes_of` codes), the only row times the amplitude. Gives back the name of
    /// its `[B, T, R]`.
    pub fn embed(&mut self, codes: &str, weight: &str, output: &str, amplitudes_of: Option<u32>) -> String {
        let Some(levels) = amplitudes_of else {
            self.node("Gather", &[weight, codes], output, vec![AttributeProto::int("axis", 0)]);
            return output.into();
        };
        let number = |writer: &mut Self, name: &str, value: f32| {
            if !writer.has(name) {
                writer.graph.initializer.push(TensorProto::from_f32(name, &[], &[value]));
            }
        };
        number(self, "amplitude.step", 2.0 / (levels - 1) as f32);
        number(self, "amplitude.least", -1.0);
        if !self.has("amplitude.channel") {
            self.constant("amplitude.channel", &[2]);
        }
        let floats = format!("{output}.float");
        self.node("Cast", &[codes], &floats, vec![AttributeProto::int("to", FLOAT.into())]);
        let steps = self.op("Mul", &[&floats, "amplitude.step"], format!("{output}.steps"));
        let amplitude = self.op("Add", &[&steps, "amplitude.least"], format!("{output}.amplitude"));
        let column = self.op("Unsqueeze", &[&amplitude, "amplitude.channel"], format!("{output}.column"));
        self.op("Mul", &[&column, weight], output.into())
    }

    /// The model around the graph.
    pub fn finish(self) -> ModelProto {
        ModelProto {
            ir_version: IR_VERSION,
            graph: Some(self.graph),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
            ..ModelProto::default()
        }
    }
}
