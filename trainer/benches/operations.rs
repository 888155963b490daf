//! The operations of `nn::ops` on the CPU, and the same in PyTorch in the same run: `cargo xtask bench operations`.
//!
//! Each round runs every row once, ours and then the peer's, so that what else the machine does falls on both.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result};
use burn::backend::Flex;
use burn::backend::flex::FlexDevice;
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Int, Tensor, TensorData};
use clap::Parser as _;
use continuo_trainer::kernels::Level;
use continuo_trainer::nn::ops::{Convolution, Operations, conv_transpose1d, conv1d, gru, lstm, softmax_loss};
use serde::Serialize;
use serde_json::json;

type Tracked = burn::backend::Autodiff<Flex>;

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/operations.py");

#[derive(Debug, clap::Parser)]
struct Options {
    /// A Python that has PyTorch, to measure it in the same run.
    #[arg(long)]
    peer: Option<PathBuf>,
    /// Threads of ours and of the peer.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Times that each row runs.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Only rows whose name has this in it.
    #[arg(long, default_value = "")]
    only: String,
    /// Where the figures go as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

/// One row of the table.
struct Row {
    name: String,
    /// As the peer reads it.
    what: serde_json::Value,
    /// Multiply-adds of the forward pass.
    products: f64,
    ours: Box<dyn FnMut(bool) -> f64>,
}

/// Seconds of a row, in rounds.
#[derive(Debug, Serialize)]
struct Figures {
    row: String,
    backward: bool,
    ours_median_seconds: f64,
    ours_least_seconds: f64,
    gigaflops: f64,
    peer_median_seconds: Option<f64>,
    peer_least_seconds: Option<f64>,
    /// The peer's median over ours: above 1, ours is faster.
    speed: Option<f64>,
    /// The same of the least.
    least_speed: Option<f64>,
}

struct Peer {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    version: String,
}

impl Peer {
    fn new(python: &PathBuf, threads: usize) -> Result<Self> {
        let mut child = Command::new(python)
            .arg(PEER)
            .args(["--threads", &threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}: give a Python with PyTorch", python.display()))?;
        let to = child.stdin.take().context("no standard input")?;
        let from = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut peer = Self { child, to, from, version: String::new() };
        peer.version = peer.line()?;
        Ok(peer)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        anyhow::ensure!(!line.is_empty(), "the peer ended; what it says of it is above");
        Ok(line.trim().to_owned())
    }

    fn run(&mut self, row: &Row, backward: bool) -> Result<f64> {
        let mut what = row.what.clone();
        what["backward"] = backward.into();
        writeln!(self.to, "{what}")?;
        Ok(self.line()?.parse()?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn noise<B: Backend<Device = FlexDevice>, const D: usize>(shape: [usize; D]) -> Tensor<B, D> {
    Tensor::random(shape, Distribution::Uniform(-0.1, 0.1), &FlexDevice)
}

/// Runs `f` on tensors with gradients, back from ones, or on plain ones.
macro_rules! timed {
    ([$($name:ident: $shape:expr),+], $f:expr) => {{
        $(let $name = noise::<Flex, _>($shape);)+
        Box::new(move |backward: bool| {
            if backward {
                $(let $name = Tensor::<Tracked, _>::from_inner($name.clone()).require_grad();)+
                let kept = ($($name.clone(),)+);
                let before = Instant::now();
                let result = $f($($name),+);
                let gradients = result.sum().backward();
                let seconds = before.elapsed().as_secs_f64();
                black_box((gradients, kept));
                seconds
            } else {
                $(let $name = $name.clone();)+
                let before = Instant::now();
                black_box($f($($name),+));
                before.elapsed().as_secs_f64()
            }
        })
    }};
}

const BATCH: usize = 8;
const KERNEL: usize = 25;
const STRIDE: usize = 4;
const PADDING: usize = 11;

fn convolution(inputs: usize, outputs: usize, length: usize) -> Row {
    let convolution = Convolution { stride: STRIDE, dilation: 1, padding: (PADDING, PADDING) };
    let ours = timed!(
        [x: [BATCH, inputs, length], weight: [outputs, inputs, KERNEL], bias: [outputs]],
        |x, weight, bias| conv(x, weight, bias, &convolution)
    );
    Row {
        name: format!("conv1d {inputs}→{outputs}, {length} frames"),
        what: json!({"operation": "conv1d", "batch": BATCH, "inputs": inputs, "outputs": outputs, "kernel": KERNEL,
            "stride": STRIDE, "padding": PADDING, "length": length}),
        products: (BATCH * length / STRIDE * inputs * outputs * KERNEL) as f64,
        ours,
    }
}

fn conv<B: Operations>(
    x: Tensor<B, 3>,
    weight: Tensor<B, 3>,
    bias: Tensor<B, 1>,
    convolution: &Convolution,
) -> Tensor<B, 3> {
    conv1d(x, weight, Some(bias), convolution)
}

fn transposed(inputs: usize, outputs: usize, length: usize) -> Row {
    let convolution = Convolution { stride: STRIDE, dilation: 1, padding: (PADDING, PADDING) };
    let ours = timed!(
        [x: [BATCH, inputs, length / STRIDE], weight: [inputs, outputs, KERNEL], bias: [outputs]],
        |x, weight, bias| conv_transposed(x, weight, bias, length, &convolution)
    );
    Row {
        name: format!("conv_transpose1d {inputs}→{outputs}, {length} frames"),
        what: json!({"operation": "conv_transpose1d", "batch": BATCH, "inputs": inputs, "outputs": outputs,
            "kernel": KERNEL, "stride": STRIDE, "padding": PADDING, "length": length}),
        products: (BATCH * length / STRIDE * inputs * outputs * KERNEL) as f64,
        ours,
    }
}

fn conv_transposed<B: Operations>(
    x: Tensor<B, 3>,
    weight: Tensor<B, 3>,
    bias: Tensor<B, 1>,
    length: usize,
    convolution: &Convolution,
) -> Tensor<B, 3> {
    conv_transpose1d(x, weight, Some(bias), length, convolution)
}

const STEPS: usize = 64;
const SEQUENCES: usize = 16;

fn lstm_row(units: usize) -> Row {
    let state = [SEQUENCES, units];
    let ours = timed!(
        [x: [STEPS, SEQUENCES, units], h: state, c: state, input: [4 * units, units], hidden: [4 * units, units],
         bias: [4 * units]],
        |x, h, c, input, hidden, bias| lstm(x, (h, c), input, hidden, bias).0
    );
    recurrent("lstm", units, 4, ours)
}

fn gru_row(units: usize) -> Row {
    let ours = timed!(
        [x: [STEPS, SEQUENCES, units], h: [SEQUENCES, units], input: [3 * units, units], hidden: [3 * units, units],
         input_bias: [3 * units], state_bias: [3 * units]],
        |x, h, input, hidden, input_bias, state_bias| gru(x, h, (input, input_bias), (hidden, state_bias)).0
    );
    recurrent("gru", units, 3, ours)
}

fn recurrent(operation: &str, units: usize, gates: usize, ours: Box<dyn FnMut(bool) -> f64>) -> Row {
    Row {
        name: format!("{operation} {units}, {STEPS} steps"),
        what: json!({"operation": operation, "steps": STEPS, "batch": SEQUENCES, "inputs": units, "units": units}),
        products: (STEPS * SEQUENCES * gates * 2 * units * units) as f64,
        ours,
    }
}

fn loss_row(rows: usize, classes: usize) -> Row {
    let targets: Vec<i32> = (0..rows).map(|row| (row * 7919 % classes) as i32).collect();
    let ours = timed!([logits: [rows, classes]], |logits| softmax(logits, &targets));
    Row {
        name: format!("softmax_loss {rows} × {classes}"),
        what: json!({"operation": "softmax_loss", "rows": rows, "classes": classes}),
        products: (rows * classes) as f64,
        ours,
    }
}

fn softmax<B: Operations<Device = FlexDevice>>(logits: Tensor<B, 2>, targets: &[i32]) -> Tensor<B, 1> {
    let targets = TensorData::new(targets.to_vec(), [targets.len()]);
    softmax_loss(logits, Tensor::<B, 1, Int>::from_data(targets, &FlexDevice))
}

fn middle(mut seconds: Vec<f64>) -> (f64, f64) {
    seconds.sort_by(f64::total_cmp);
    (seconds[seconds.len() / 2], seconds[0])
}

fn measure(options: &Options) -> Result<Vec<Figures>> {
    let all = [
        convolution(64, 128, 4096),
        convolution(128, 256, 1024),
        convolution(256, 512, 256),
        convolution(512, 512, 256),
        transposed(128, 64, 4096),
        transposed(256, 128, 1024),
        transposed(512, 256, 256),
        transposed(512, 512, 256),
        lstm_row(512),
        lstm_row(1024),
        gru_row(512),
        loss_row(16_384, 256),
    ];
    let mut rows: Vec<Row> = all.into_iter().filter(|row| row.name.contains(&options.only)).collect();
    let mut peer = options.peer.as_ref().map(|python| Peer::new(python, options.threads)).transpose()?;
    let against = peer.as_ref().map_or_else(String::new, |peer| format!(", beside PyTorch {}", peer.version));
    println!("{} threads, {}{against}, {} rounds", options.threads, Level::detect(), options.rounds);
    let mut figures = Vec::new();
    for row in &mut rows {
        for backward in [false, true] {
            (row.ours)(backward);
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for _ in 0..options.rounds {
                ours.push((row.ours)(backward));
                if let Some(peer) = &mut peer {
                    theirs.push(peer.run(row, backward)?);
                }
            }
            let (median, least) = middle(ours);
            let products = row.products * if backward { 3.0 } else { 1.0 };
            let peer = peer.is_some().then(|| middle(theirs));
            let of = Figures {
                row: row.name.clone(),
                backward,
                ours_median_seconds: median,
                ours_least_seconds: least,
                gigaflops: 2e-9 * products / least,
                peer_median_seconds: peer.map(|peer| peer.0),
                peer_least_seconds: peer.map(|peer| peer.1),
                speed: peer.map(|peer| peer.0 / median),
                least_speed: peer.map(|peer| peer.1 / least),
            };
            print(&of);
            figures.push(of);
        }
    }
    Ok(figures)
}

fn print(of: &Figures) {
    let what = if of.backward { "forward and backward" } else { "forward" };
    print!("{:<40} {what:<20} {:9.2} ms {:6.1} GFLOP/s", of.row, of.ours_median_seconds * 1e3, of.gigaflops);
    if let (Some(peer), Some(speed), Some(least)) = (of.peer_median_seconds, of.speed, of.least_speed) {
        print!("   PyTorch {:9.2} ms: {speed:.2}× its speed ({least:.2}× of the least)", peer * 1e3);
    }
    println!();
}

fn main() -> Result<()> {
    let options = Options::parse();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build()?;
    let figures = pool.install(|| measure(&options))?;
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&json!({"threads": options.threads, "rows": figures}))?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
