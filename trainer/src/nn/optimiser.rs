//! Optimisers over one flat vector of weights, and clipping by the global norm.

/// What turns a gradient into a change of the weights.
///
/// What it remembers is named, so that a checkpoint can hold it tensor by tensor without knowing the optimiser.
pub trait Optimiser: std::fmt::Debug + Send {
    /// Moves `values` against `gradient`, one step at this learning rate.
    fn update(&mut self, learning_rate: f64, values: &mut [f32], gradient: &[f32]);

    /// Steps made.
    fn steps(&self) -> u64;

    /// Goes on after so many steps.
    fn set_steps(&mut self, steps: u64);

    /// What is remembered of each weight, by name; each as long as the weights.
    fn moments(&self) -> Vec<(&'static str, &[f32])>;

    /// The same, to be written.
    fn moments_mut(&mut self) -> Vec<(&'static str, &mut [f32])>;

    /// The rule that it follows, where that runs on a device too ([`super::on_device`]): from the same moments.
    fn rule(&self) -> Option<Rule> {
        None
    }
}

/// How a gradient becomes a change of the weights, apart from what is remembered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// [`Adam`].
    Adam(AdamSettings),
    /// [`RmsProp`].
    RmsProp(RmsPropSettings),
    /// [`Sgd`], with the share of the last step that is made again.
    Sgd(f64),
}

/// Adam's constants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamSettings {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Keeps the division finite.
    pub epsilon: f64,
}

impl AdamSettings {
    /// The learning rate of the step of this number (from 1) with the first moment's correction in it, and the second
    /// moment's correction.
    pub(super) fn corrected(&self, learning_rate: f64, step: u64) -> (f32, f32) {
        let exponent = i32::try_from(step).unwrap_or(i32::MAX);
        let rate = (learning_rate / (1.0 - self.beta1.powi(exponent))) as f32;
        (rate, (1.0 / (1.0 - self.beta2.powi(exponent))) as f32)
    }
}

/// Adam (Kingma & Ba 2015, algorithm 1).
#[derive(Debug, Clone, PartialEq)]
pub struct Adam {
    settings: AdamSettings,
    first: Vec<f32>,
    second: Vec<f32>,
    steps: u64,
}

impl Adam {
    /// Before the first step, for `len` weights.
    pub fn new(settings: AdamSettings, len: usize) -> Self {
        Self { settings, first: vec![0.0; len], second: vec![0.0; len], steps: 0 }
    }
}

impl Optimiser for Adam {
    fn update(&mut self, learning_rate: f64, values: &mut [f32], gradient: &[f32]) {
        self.steps += 1;
        let AdamSettings { beta1, beta2, epsilon } = self.settings;
        let (rate, correction) = self.settings.corrected(learning_rate, self.steps);
        let (beta1, beta2, epsilon) = (beta1 as f32, beta2 as f32, epsilon as f32);
        let moments = self.first.iter_mut().zip(self.second.iter_mut());
        for ((value, &g), (m, v)) in values.iter_mut().zip(gradient).zip(moments) {
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            *value -= rate * *m / ((*v * correction).sqrt() + epsilon);
        }
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn set_steps(&mut self, steps: u64) {
        self.steps = steps;
    }

    fn moments(&self) -> Vec<(&'static str, &[f32])> {
        vec![("first-moment", &self.first), ("second-moment", &self.second)]
    }

    fn moments_mut(&mut self) -> Vec<(&'static str, &mut [f32])> {
        vec![("first-moment", &mut self.first), ("second-moment", &mut self.second)]
    }

    fn rule(&self) -> Option<Rule> {
        Some(Rule::Adam(self.settings))
    }
}

/// Constants of [`RmsProp`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RmsPropSettings {
    /// Decay of the mean square.
    pub decay: f64,
    /// Share of the last step that is made again.
    pub momentum: f64,
    /// Keeps the division finite.
    pub epsilon: f64,
}

/// `RMSprop` (Tieleman & Hinton, *Lecture 6.5*, 2012), with momentum as TensorFlow's optimiser has it: `s ← ρ s + (1 − ρ) g²`,
/// `m ← µ m + η g / (√s + ε)`, `w ← w − m`.
#[derive(Debug, Clone, PartialEq)]
pub struct RmsProp {
    settings: RmsPropSettings,
    square: Vec<f32>,
    momentum: Vec<f32>,
    steps: u64,
}

impl RmsProp {
    /// Before the first step, for `len` weights.
    pub fn new(settings: RmsPropSettings, len: usize) -> Self {
        Self { settings, square: vec![0.0; len], momentum: vec![0.0; len], steps: 0 }
    }
}

impl Optimiser for RmsProp {
    fn update(&mut self, learning_rate: f64, values: &mut [f32], gradient: &[f32]) {
        self.steps += 1;
        let RmsPropSettings { decay, momentum, epsilon } = self.settings;
        let (decay, momentum, epsilon, rate) = (decay as f32, momentum as f32, epsilon as f32, learning_rate as f32);
        let moments = self.square.iter_mut().zip(self.momentum.iter_mut());
        for ((value, &g), (s, m)) in values.iter_mut().zip(gradient).zip(moments) {
            *s = decay * *s + (1.0 - decay) * g * g;
            *m = momentum * *m + rate * g / (s.sqrt() + epsilon);
            *value -= *m;
        }
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn set_steps(&mut self, steps: u64) {
        self.steps = steps;
    }

    fn moments(&self) -> Vec<(&'static str, &[f32])> {
        vec![("mean-square", &self.square), ("momentum", &self.momentum)]
    }

    fn moments_mut(&mut self) -> Vec<(&'static str, &mut [f32])> {
        vec![("mean-square", &mut self.square), ("momentum", &mut self.momentum)]
    }

    fn rule(&self) -> Option<Rule> {
        Some(Rule::RmsProp(self.settings))
    }
}

/// Stochastic gradient descent with momentum (Polyak 1964): `m ← µ m + g`, `w ← w − η m`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sgd {
    decay: f64,
    momentum: Vec<f32>,
    steps: u64,
}

impl Sgd {
    /// Before the first step, for `len` weights; `momentum` is the share of the last step that is made again.
    pub fn new(momentum: f64, len: usize) -> Self {
        Self { decay: momentum, momentum: vec![0.0; len], steps: 0 }
    }
}

impl Optimiser for Sgd {
    fn update(&mut self, learning_rate: f64, values: &mut [f32], gradient: &[f32]) {
        self.steps += 1;
        let (decay, rate) = (self.decay as f32, learning_rate as f32);
        for ((value, &g), m) in values.iter_mut().zip(gradient).zip(&mut self.momentum) {
            *m = decay * *m + g;
            *value -= rate * *m;
        }
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn set_steps(&mut self, steps: u64) {
        self.steps = steps;
    }

    fn moments(&self) -> Vec<(&'static str, &[f32])> {
        vec![("momentum", &self.momentum)]
    }

    fn moments_mut(&mut self) -> Vec<(&'static str, &mut [f32])> {
        vec![("momentum", &mut self.momentum)]
    }

    fn rule(&self) -> Option<Rule> {
        Some(Rule::Sgd(self.decay))
    }
}

/// Scales `gradient` down to a Euclidean norm of `limit` over all weights together (Pascanu et al. 2013); 0 = no limit.
/// Gives back the norm before.
pub fn clip(gradient: &mut [f32], limit: f64) -> f64 {
    let norm = gradient.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>().sqrt();
    if limit > 0.0 && norm > limit {
        let scale = (limit / norm) as f32;
        for value in gradient {
            *value *= scale;
        }
    }
    norm
}

#[cfg(test)]
mod tests {
    // Values that no arithmetic has touched are equal, not close.
    #![allow(clippy::float_cmp)]

    use super::*;

    #[test]
    fn adam_makes_the_steps_of_the_paper() {
        // By hand: at the first step the update is the rate times the gradient's sign; the second follows from m and v.
        let mut adam = Adam::new(AdamSettings { beta1: 0.9, beta2: 0.99, epsilon: 1e-12 }, 2);
        let mut values = [1.0, -1.0];
        adam.update(0.1, &mut values, &[0.5, -20.0]);
        assert!((values[0] - 0.9).abs() < 1e-6 && (values[1] + 0.9).abs() < 1e-6, "{values:?}");
        adam.update(0.1, &mut values, &[-0.5, -20.0]);
        let m = (0.9 * 0.05 - 0.1 * 0.5) / (1.0 - 0.81);
        let v = (0.99 * 0.0025 + 0.01 * 0.25) / (1.0 - 0.9801);
        assert!((f64::from(values[0]) - (0.9 - 0.1 * m / f64::sqrt(v))).abs() < 1e-6, "{values:?}");
        assert_eq!(adam.steps(), 2);
    }

    #[test]
    fn rmsprop_divides_by_the_running_mean_of_squares() {
        let mut rmsprop = RmsProp::new(RmsPropSettings { decay: 0.9, momentum: 0.5, epsilon: 0.0 }, 1);
        let mut values = [0.0];
        rmsprop.update(0.1, &mut values, &[2.0]);
        let first = 0.1 * 2.0 / f64::sqrt(0.1 * 4.0);
        assert!((f64::from(values[0]) + first).abs() < 1e-6, "{values:?}");
        rmsprop.update(0.1, &mut values, &[-1.0]);
        let second = 0.5 * first - 0.1 / f64::sqrt(0.9 * 0.4 + 0.1);
        assert!((f64::from(values[0]) + first + second).abs() < 1e-6, "{values:?}");
    }

    #[test]
    fn sgd_rolls_on() {
        let mut sgd = Sgd::new(0.5, 1);
        let mut values = [1.0];
        sgd.update(0.25, &mut values, &[2.0]);
        assert_eq!(values, [0.5]);
        sgd.update(0.25, &mut values, &[0.0]);
        assert_eq!(values, [0.25], "half of the last step again");
    }

    #[test]
    fn clipping_is_by_the_norm_of_everything() {
        let mut gradient = [3.0, 4.0];
        assert!((clip(&mut gradient, 0.0) - 5.0).abs() < 1e-12);
        assert_eq!(gradient, [3.0, 4.0]);
        clip(&mut gradient, 10.0);
        assert_eq!(gradient, [3.0, 4.0]);
        clip(&mut gradient, 1.0);
        assert!((gradient[0] - 0.6).abs() < 1e-6 && (gradient[1] - 0.8).abs() < 1e-6);
    }
}
